package train

import (
	"fmt"
	"path/filepath"

	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
	"example.com/finetune/train/data"
)

// Data is what a run trains on and is judged by.
type Data struct {
	Train  *data.Set
	Valid  *data.Set // nil without validation rows
	Files  []data.File
	Split  bool // Valid was taken from the training file
	Shared int  // training rows that are validation rows too
}

// LoadData reads, splits and tokenises the rows that the settings name. template
// may be nil.
func LoadData(c *Config, t *tokenizer.Tokenizer, template *tokenizer.Template, p *simd.Pool) (*Data, error) {
	paths, err := data.Find(c.Data)
	if err != nil {
		return nil, err
	}
	if paths.Train == "" {
		return nil, fmt.Errorf("%s: no train.jsonl in this folder", c.Data)
	}
	d := new(Data)
	rows, valid, err := d.read(c, paths)
	if err != nil {
		return nil, err
	}
	o := data.Options{Template: template, TrainOn: c.TrainOn, MaxLength: c.MaxLength, Overlong: c.Overlong}
	if d.Train, err = data.Encode(rows, t, o, p); err != nil {
		return nil, err
	}
	if len(valid) > 0 {
		if d.Valid, err = data.Encode(valid, t, o, p); err != nil {
			return nil, fmt.Errorf("the validation rows: %w", err)
		}
	}
	return d, nil
}

// read returns the rows of the training file and those for validation: of their
// own file, else a part of the first.
func (d *Data) read(c *Config, paths data.Paths) (rows, valid []data.Row, err error) {
	columns := data.Columns(c.Map)
	rows, file, err := data.ReadFile(paths.Train, columns)
	if err != nil {
		return nil, nil, err
	}
	d.Files = append(d.Files, file)
	if paths.Valid == "" {
		rows, valid = data.Split(rows, c.ValSplit, c.Seed)
		d.Split = len(valid) > 0
		return rows, valid, nil
	}
	if valid, file, err = data.ReadFile(paths.Valid, columns); err != nil {
		return nil, nil, err
	}
	d.Files = append(d.Files, file)
	d.Shared = data.Shared(rows, valid)
	return rows, valid, nil
}

// CheckVocabulary returns an error that names a row with a token the model does
// not have.
func (d *Data) CheckVocabulary(size int) error {
	for _, set := range []*data.Set{d.Train, d.Valid} {
		if set != nil && int(set.MaxID) >= size {
			return hint(fmt.Errorf("%v: token id %d, but the model's vocab_size is %d", set.MaxIDAt, set.MaxID, size),
				"tokenizer.json and config.json are of different models, or the chat template uses tokens the model lacks")
		}
	}
	return nil
}

// digest identifies all sequences.
func (d *Data) digest() string {
	s := d.Train.Digest()
	if d.Valid != nil {
		s += " " + d.Valid.Digest()
	}
	return s
}

// names lists the files without their folders.
func (d *Data) names() []string {
	list := make([]string, len(d.Files))
	for i, f := range d.Files {
		list[i] = filepath.Base(f.Path)
	}
	return list
}
