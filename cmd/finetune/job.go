package main

import (
	"context"
	"time"

	"example.com/finetune/model"
	"example.com/finetune/model/hub"
	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
	"example.com/finetune/train"
)

// A job is a training run on its way from settings to a session. Paths stay as
// the user typed them.
type job struct {
	config   *train.Config
	found    train.Found
	dir, id  string // of the model: its folder, and its id on the Hub or ""
	shape    *model.Config
	tok      *tokenizer.Tokenizer
	template *tokenizer.Template
	pool     *simd.Pool
	data     *train.Data
	model    *model.Model
}

// newJob checks the settings, the output folder and the model's small files.
func newJob(c *train.Config) (*job, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	j := &job{config: c}
	var err error
	if j.found, err = train.CheckOutput(c); err != nil || j.found == train.Finished {
		return j, err
	}
	if j.dir, j.id, err = hub.Resolve(c.Model); err != nil {
		return nil, err
	}
	if j.shape, err = model.ReadConfig(j.dir); err != nil {
		return nil, err
	}
	if err := c.Lora("").Check(j.shape); err != nil {
		return nil, err
	}
	if j.tok, err = tokenizer.Load(j.dir); err != nil {
		return nil, err
	}
	if c.Date, err = runDate(c); err != nil {
		return nil, err
	}
	j.template, err = loadTemplate(j.dir, c.ChatTemplate, c.Date, j.tok)
	return j, err
}

// loadTemplate loads a chat template that sees the given date.
func loadTemplate(dir, which, date string, t *tokenizer.Tokenizer) (*tokenizer.Template, error) {
	template, err := tokenizer.LoadTemplate(dir, which, t)
	if err != nil || template == nil || date == "" {
		return template, err
	}
	day, err := time.Parse(time.DateOnly, date)
	template.SetDate(day)
	return template, err
}

// readRows reads and tokenises the data.
func (j *job) readRows() (err error) {
	j.pool = simd.NewPool(j.config.Threads)
	if j.data, err = train.LoadData(j.config, j.tok, j.template, j.pool); err != nil {
		return err
	}
	return j.data.CheckVocabulary(j.shape.VocabSize)
}

// loadModel maps the weights.
func (j *job) loadModel() (err error) {
	j.model, err = model.Load(j.dir, j.shape)
	return err
}

// finished returns the result of the finished run in the output folder.
func (j *job) finished() (*train.Result, error) {
	s := train.Session{Config: *j.config}
	return s.Run(context.Background())
}

func (j *job) close() {
	if j.pool != nil {
		j.pool.Close()
	}
	if j.model != nil {
		_ = j.model.Close() // read only: nothing can be lost
	}
}
