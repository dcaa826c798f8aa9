package main

import (
	"cmp"

	"github.com/alecthomas/kong"

	"example.com/finetune/model"
	"example.com/finetune/model/hub"
	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
	"example.com/finetune/tokenizer/chat"
	"example.com/finetune/train/data"
	"example.com/finetune/train/recipe"
)

// rowFlags are the settings of train that decide what becomes of the rows.
type rowFlags struct{}

func (rowFlags) settings() (keys []string, origin string) {
	return []string{
		"model", "data", "map", "chat_template", "date", "max_length", "overlong", "train_on", "val_split", "seed", "threads",
	}, ""
}

// resolve returns the settings of a file, if there is one, with the flags that were
// typed over them.
func (rowFlags) resolve(u *ui, file string, ctx *kong.Context) (*recipe.Resolved, error) {
	c := recipe.Default()
	if file != "" {
		if err := c.ReadYAML(file); err != nil {
			return nil, err
		}
	}
	if err := setTyped(&c, typed(ctx)); err != nil {
		return nil, err
	}
	tellNotes(u, &c)
	return c.Resolve()
}

// A rowJob reads rows as train would, with the small files of a model alone.
type rowJob struct {
	config   *recipe.Resolved
	name     string // of the model, as the user knows it
	shape    *model.Config
	tok      *tokenizer.Tokenizer
	template *chat.Template
	paths    data.Paths
	pool     *simd.Pool
}

func newRowJob(c *recipe.Resolved) (*rowJob, error) {
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
	if j.template, err = loadTemplate(dir, c.ChatTemplate, cmp.Or(c.Date, today()), j.tok); err != nil {
		return nil, err
	}
	j.pool = simd.NewPool(c.Threads)
	return j, nil
}

func (j *rowJob) close() { j.pool.Close() }

// checker reads files as the settings say.
func (j *rowJob) checker() *data.Checker {
	return &data.Checker{
		Tokenizer: j.tok, Columns: data.Columns(j.config.Map), Pool: j.pool,
		Options:   data.Options{Template: j.template, TrainOn: data.TrainOn(j.config.TrainOn), MaxLength: j.config.MaxLength, Overlong: data.Overlong(j.config.Overlong), Ends: j.shape.EOS},
		VocabSize: j.shape.VocabSize, Seed: j.config.Seed,
	}
}
