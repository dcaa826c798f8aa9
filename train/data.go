package train

import (
	"errors"
	"fmt"
	"path/filepath"

	"example.com/finetune/internal/files"
	"example.com/finetune/model"
	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
	"example.com/finetune/tokenizer/chat"
	"example.com/finetune/train/data"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

// Data is what a run trains on and is judged by.
type Data struct {
	Train *data.Set
	Valid *data.Set // nil without validation rows
	Files []data.File
	Split bool   // Valid was taken from the training file
	Notes []Note // what is odd about the rows of each file

	sequences string // digest of all of them
}

// A Note is something about the rows of a file that its user may not know of.
type Note struct {
	Path string
	data.Note
}

// LoadData reads, splits and tokenises the rows that the settings name, for the model
// of m. template may be nil. progress is told of the bytes that were read, of all there
// are; it may be nil. A token that the model does not have is an error that names its
// row. The data is to be closed.
func LoadData(c *recipe.Resolved, m *model.Config, t *tokenizer.Tokenizer, template *chat.Template, p *simd.Pool, progress func(done, total int64)) (*Data, error) {
	paths, err := data.Find(c.Data)
	if err != nil {
		return nil, err
	}
	if paths.Train == "" {
		return nil, fmt.Errorf("%s: no train.jsonl in this folder", c.Data)
	}
	d := new(Data)
	before, total := int64(0), files.Size(paths.Train)+files.Size(paths.Valid)
	open := func(path string) (*data.Set, error) {
		o := data.Options{Template: template, TrainOn: data.TrainOn(c.TrainOn), MaxLength: c.MaxLength, Overlong: data.Overlong(c.Overlong), Ends: m.EOS}
		set, err := data.Open(path, data.Columns(c.Map), t, o, p, func(bytes int64) {
			if progress != nil {
				progress(before+bytes, total)
			}
		})
		if err != nil {
			return nil, err
		}
		before += files.Size(path)
		d.Files = append(d.Files, set.File)
		d.note(path, set.Notes()...)
		return set, nil
	}
	err = d.load(c, paths, open)
	if err == nil {
		err = d.checkVocabulary(m.VocabSize)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// load opens the training rows and those for validation: of their own file, else a
// part of the first.
func (d *Data) load(c *recipe.Resolved, paths data.Paths, open func(path string) (*data.Set, error)) (err error) {
	if d.Train, err = open(paths.Train); err != nil {
		return err
	}
	if paths.Valid != "" {
		d.Valid, err = open(paths.Valid)
	} else {
		var train *data.Set
		if train, d.Valid, err = d.Train.Split(c.ValSplit, c.Seed); err == nil {
			d.Train, d.Split = train, d.Valid != nil
		}
	}
	if err != nil {
		return err
	}
	if d.Valid != nil {
		shared, err := d.Train.Shared(d.Valid)
		if err != nil {
			return err
		}
		if shared.Rows > 0 {
			d.note(paths.Train, shared.Note())
		}
	}
	d.sequences, err = d.Train.Digest()
	if err == nil && d.Valid != nil {
		var valid string
		valid, err = d.Valid.Digest()
		d.sequences += " " + valid
	}
	return err
}

func (d *Data) note(path string, notes ...data.Note) {
	for _, n := range notes {
		d.Notes = append(d.Notes, Note{path, n})
	}
}

// Close gives the rows up.
func (d *Data) Close() error {
	var err error
	for _, set := range []*data.Set{d.Train, d.Valid} {
		if set != nil {
			err = errors.Join(err, set.Close())
		}
	}
	return err
}

// checkVocabulary returns an error that names a row with a token the model does not
// have.
func (d *Data) checkVocabulary(size int) error {
	for _, set := range []*data.Set{d.Train, d.Valid} {
		if set == nil {
			continue
		}
		if err := data.CheckVocabulary(set.MaxID, set.MaxIDAt, size); err != nil {
			return err
		}
	}
	return nil
}

// digest identifies all sequences.
func (d *Data) digest() string { return d.sequences }

// fileHashes are those of the files of rows.
func (d *Data) fileHashes() []rundir.FileHash {
	var list []rundir.FileHash
	for _, f := range d.Files {
		list = append(list, rundir.FileHash{Name: filepath.Base(f.Path), SHA256: f.SHA256})
	}
	return list
}
