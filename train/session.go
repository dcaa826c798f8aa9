package train

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// MicroBatch is the tokens of a micro-batch unless a Session says otherwise:
// enough rows to keep the kernels busy, few enough to stay small in memory. It
// shows in no result.
const MicroBatch = 512

// saveEvery is the longest time between two checkpoints.
const saveEvery = 5 * time.Minute

// A Session is a run that is ready to start: its data tokenised, its weights
// mapped.
type Session struct {
	Config       Config
	Version      string // of the program, for finetune.json
	BaseModel    string // base_model_name_or_path; "": Config.Model
	ChatTemplate bool   // the rows went through one
	Model        *model.Model
	Pool         *simd.Pool
	Data         *Data
	MicroBatch   int             // tokens; 0: the constant MicroBatch
	Report       func(event any) // told of the events of events.go; may be nil

	now func() time.Time // time.Now; tests set it
}

// An InterruptedError is a run that its context ended. It goes on from Path.
type InterruptedError struct {
	Step int
	Path string // of the checkpoint; "" when there was nothing to save yet
}

func (e *InterruptedError) Error() string { return fmt.Sprintf("interrupted after step %d", e.Step) }

// A run is a session on its way.
type run struct {
	s        *Session
	c        *Config // resolved
	engine   *model.Engine
	adapters *loraone.Adapters
	opt      *optimizer
	batches  *batches
	plan     Plan
	eval     []model.Sequence
	metrics  *metrics

	st      state
	best    [][]float32 // the parameters at st.BestStep; nil before the first evaluation
	started time.Time   // st.Seconds ago
	saved   time.Time   // the last checkpoint
	steps   int         // since this start
	busy    time.Duration
}

// Run trains and leaves the adapter in the output folder. When ctx ends it finishes
// the step, saves a checkpoint and returns an *InterruptedError. After any other
// error the folder holds no adapter, and the checkpoints so far.
func (s *Session) Run(ctx context.Context) (*Result, error) {
	if err := s.Config.Validate(); err != nil {
		return nil, err
	}
	found, err := CheckOutput(&s.Config)
	if err != nil {
		return nil, err
	}
	if found == Finished {
		p, err := ReadProvenance(s.Config.OutputDir)
		if err != nil {
			return nil, err
		}
		result := p.result(s.Config.OutputDir)
		result.Finished = true
		return result, nil
	}
	r, err := s.newRun()
	if err != nil {
		return nil, err
	}
	defer r.adapters.Detach()
	err = s.Model.Guard(func() error {
		if err := r.begin(ctx); err != nil {
			return err
		}
		return r.loop(ctx)
	})
	if closing := r.close(); err == nil {
		err = closing
	}
	if err != nil {
		return nil, err
	}
	return r.finish()
}

func (s *Session) newRun() (*run, error) {
	if s.now == nil {
		s.now = time.Now
	}
	if s.Report == nil {
		s.Report = func(any) {}
	}
	if s.MicroBatch == 0 {
		s.MicroBatch = MicroBatch
	}
	if err := s.Data.CheckVocabulary(s.Model.Config.VocabSize); err != nil {
		return nil, err
	}
	r := &run{s: s, c: s.Config.resolved()}
	valid := s.Data.Valid
	if valid != nil {
		r.eval = pick(valid, chooseEval(r.c, valid))
	} else if r.c.EarlyStopping > 0 {
		return nil, hint(errors.New("early_stopping_patience needs validation rows"), "put a valid.jsonl beside train.jsonl, or set val_split")
	}
	r.plan = NewPlan(r.c, s.Model.Config, s.Data.Train, valid)
	var err error
	if r.adapters, err = loraone.Attach(s.Model, r.c.Lora(s.baseName())); err != nil {
		return nil, err
	}
	r.engine = model.NewEngine(s.Model, s.Pool)
	r.batches = newBatches(r.c, len(s.Data.Train.Sequences))
	r.opt = newOptimizer(r.c, r.batches.total, r.adapters.Layers, s.Pool)
	r.st = state{Version: stateVersion, Total: r.batches.total, Validated: len(r.eval) > 0, Evaluated: -1, Data: s.Data.digest()}
	if r.st.Settings, err = r.c.settings(); err != nil {
		return nil, err
	}
	r.st.Base, err = hashBase(s.Model.Dir, s.Pool)
	return r, err
}

func (s *Session) baseName() string {
	if s.BaseModel != "" {
		return s.BaseModel
	}
	return s.Config.Model
}

func (r *run) path(name string) string { return filepath.Join(r.c.OutputDir, name) }

// close ends the metrics file, if it was begun.
func (r *run) close() error {
	if r.metrics == nil {
		return nil
	}
	return errors.Join(r.metrics.sync(), r.metrics.close())
}
