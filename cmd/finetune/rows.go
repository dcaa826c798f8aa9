package main

import (
	"reflect"

	"github.com/alecthomas/kong"

	"example.com/finetune/model"
	"example.com/finetune/model/hub"
	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
	"example.com/finetune/tokenizer/chat"
	"example.com/finetune/train"
	"example.com/finetune/train/data"
)

// rowFlags are the settings of train that decide what becomes of the rows. Their
// words come from the settings' table, as train's do.
type rowFlags struct {
	Model        string        `yaml:"model"`
	Data         string        `yaml:"data"`
	Map          train.Columns `yaml:"map"`
	ChatTemplate string        `yaml:"chat_template"`
	Date         string        `yaml:"date"`
	MaxLength    int           `yaml:"max_length"`
	Overlong     string        `yaml:"overlong"`
	TrainOn      string        `yaml:"train_on"`
	ValSplit     float64       `yaml:"val_split"`
	Seed         uint64        `yaml:"seed"`
	Threads      int           `yaml:"threads"`
}

// defaultRows are the flags as train's defaults have them.
func defaultRows() rowFlags {
	c := train.Default()
	var f rowFlags
	copySettings(&f, &c)
	return f
}

// config returns the settings of a file, if there is one, with the flags that were
// typed over them.
func (f *rowFlags) config(file string, ctx *kong.Context) (*train.Config, error) {
	set := typed(ctx)
	c := train.Default()
	if file != "" {
		if err := c.ReadYAML(file); err != nil {
			return nil, err
		}
	}
	copySettings(f, &c)
	set()
	copySettings(&c, f)
	return &c, c.Validate()
}

// copySettings copies the settings that both structs have, by their keys. Both are
// pointers.
func copySettings(dst, src any) {
	to, from := reflect.ValueOf(dst).Elem(), reflect.ValueOf(src).Elem()
	for _, field := range reflect.VisibleFields(to.Type()) {
		if v := from.FieldByName(field.Name); v.IsValid() {
			to.FieldByIndex(field.Index).Set(v)
		}
	}
}

// A rowJob reads rows as train would, with the small files of a model alone.
type rowJob struct {
	config   *train.Config
	name     string // of the model, as the user knows it
	shape    *model.Config
	tok      *tokenizer.Tokenizer
	template *chat.Template
	paths    data.Paths
	pool     *simd.Pool
}

func newRowJob(c *train.Config) (*rowJob, error) {
	j := &rowJob{config: c, name: c.Model}
	var err error
	if j.paths, err = data.Find(c.Data); err != nil {
		return nil, err
	}
	dir, _, err := hub.Resolve(c.Model)
	if err != nil {
		return nil, err
	}
	if j.shape, err = model.ReadConfig(dir); err != nil {
		return nil, err
	}
	if j.tok, err = tokenizer.Load(dir); err != nil {
		return nil, err
	}
	date, err := runDate(c)
	if err != nil {
		return nil, err
	}
	if j.template, err = loadTemplate(dir, c.ChatTemplate, date, j.tok); err != nil {
		return nil, err
	}
	j.pool = simd.NewPool(c.Threads)
	return j, nil
}

func (j *rowJob) close() { j.pool.Close() }

// checker reads files as the settings say.
func (j *rowJob) checker() *data.Checker {
	c := &data.Checker{
		Tokenizer: j.tok, Columns: data.Columns(j.config.Map), Pool: j.pool,
		Options:   data.Options{Template: j.template, TrainOn: j.config.TrainOn, MaxLength: j.config.MaxLength, Overlong: j.config.Overlong},
		VocabSize: j.shape.VocabSize, Seed: j.config.Seed,
	}
	for _, id := range j.shape.EOS {
		c.Ends = append(c.Ends, int32(id))
	}
	return c
}
