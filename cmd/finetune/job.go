package main

import (
	"runtime"
	"runtime/debug"
	"time"

	"example.com/finetune/model"
	"example.com/finetune/model/hub"
	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
	"example.com/finetune/tokenizer/chat"
	"example.com/finetune/train"
	"example.com/finetune/train/data"
	"example.com/finetune/train/recipe"
)

// A job is a training run on its way from settings to a session. Paths stay as
// the user typed them.
type job struct {
	config   *recipe.Resolved
	dir, id  string // of the model: its folder, and its id on the Hub or ""
	shape    *model.Config
	tok      *tokenizer.Tokenizer
	template *chat.Template
	pool     *simd.Pool
	data     *train.Data
	plan     train.Plan
	model    *model.Model
}

// newJob reads the model's small files.
func newJob(c *recipe.Resolved) (*job, error) {
	j := &job{config: c}
	var err error
	if j.dir, j.id, err = hub.Resolve(c.Model); err != nil {
		return nil, err
	}
	if j.shape, err = model.ReadConfig(j.dir); err != nil {
		return nil, err
	}
	if err := c.Lora().Check(j.shape); err != nil {
		return nil, err
	}
	if j.tok, err = tokenizer.Load(j.dir); err != nil {
		return nil, err
	}
	j.template, err = loadTemplate(j.dir, c.ChatTemplate, c.Date, j.tok)
	return j, err
}

// loadTemplate loads a chat template that sees the given date, today without one.
func loadTemplate(dir, which, date string, t *tokenizer.Tokenizer) (*chat.Template, error) {
	day := time.Now()
	if date != "" {
		var err error
		if day, err = time.Parse(time.DateOnly, date); err != nil {
			return nil, err
		}
	}
	return chat.Load(dir, which, day, t)
}

// readRows reads and tokenises the data, and plans the run.
func (j *job) readRows(u *ui) (err error) {
	j.pool = simd.NewPool(j.config.Threads)
	watch := newByteProgress(u, data.Paths{})
	told := watch.begin(j.config.Data)
	j.data, err = train.LoadData(j.config, j.shape, j.tok, j.template, j.pool, func(done, total int64) {
		watch.total = total
		told(done)
	})
	watch.progress.end()
	if err != nil {
		return err
	}
	j.plan, err = train.NewPlan(j.config, j.shape, j.data.Train, j.data.Valid, heldBytes())
	debug.SetGCPercent(train.GarbagePercent)
	if err == nil && j.config.Memory > 0 {
		debug.SetMemoryLimit(int64(j.config.Memory))
	}
	return err
}

// heldBytes returns what the process has allocated, after giving back what it
// can.
func heldBytes() int64 {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys - m.HeapReleased)
}

// loadModel maps the weights.
func (j *job) loadModel() (err error) {
	j.model, err = model.Load(j.dir, j.shape)
	return err
}

// session returns a run that is ready to start. The settings that it writes down have
// absolute paths.
func (j *job) session(report func(event any)) (*train.Session, error) {
	c, err := j.config.Absolute(j.id)
	if err != nil {
		return nil, err
	}
	return train.NewSession(c, train.Inputs{
		Version: version(), BaseModel: j.id, ChatTemplate: j.template != nil,
		Model: j.model, Pool: j.pool, Data: j.data, Plan: j.plan, Report: report,
	})
}

func (j *job) close() {
	if j.pool != nil {
		j.pool.Close()
	}
	if j.data != nil {
		_ = j.data.Close()
	}
	if j.model != nil {
		_ = j.model.Close() // read only: nothing can be lost
	}
}
