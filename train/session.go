package train

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/simd"
)

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
	Plan         Plan            // from NewPlan
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
	profile  *model.Profile // of the steps; nil unless it is asked for
	eval     []model.Sequence
	metrics  *metrics

	st      state
	best    [][]float32 // the parameters at st.BestStep; nil before the first evaluation
	started time.Time   // st.Seconds ago
	saved   time.Time   // the last checkpoint
	last    string      // its path while st is as it is there, else ""
	running bool        // begin is done: st can be saved
	steps   int         // since this start
	clock   stopwatch
}

// Run trains and leaves the adapter in the output folder. When ctx ends it finishes
// the step, saves a checkpoint and returns an *InterruptedError. After any other
// error the folder holds the checkpoints so far, and the adapter that it held before.
func (s *Session) Run(ctx context.Context) (*Result, error) {
	if err := s.Config.Validate(); err != nil {
		return nil, err
	}
	found, err := CheckOutput(&s.Config)
	if err != nil {
		return nil, err
	}
	if found == Finished {
		return finishedResult(s.Config.OutputDir)
	}
	r, err := s.newRun()
	if err != nil {
		return nil, err
	}
	defer r.adapters.Detach()
	held, err := r.lock()
	if err != nil {
		return nil, err
	}
	defer held.release()
	if found, err = findRun(&s.Config); err != nil {
		return nil, err
	}
	if found == Finished { // by another run, since
		return finishedResult(s.Config.OutputDir)
	}
	return r.guarded(ctx)
}

// lock makes the output folder and keeps other runs out of it.
func (r *run) lock() (*lock, error) {
	dir := r.c.OutputDir
	if err := files.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("output_dir: %w", err)
	}
	held, err := lockFolder(dir)
	if errors.Is(err, errNoLocks) {
		r.s.Report(Warning{fmt.Sprintf("the file system of %s has no locks: nothing keeps a second run out of it", dir)})
		err = nil
	}
	if err == nil {
		err = files.Sweep(dir)
	}
	if err != nil {
		held.release()
		return nil, fmt.Errorf("output_dir: %w", err)
	}
	return held, nil
}

// guarded runs. A weight file that was lost or changed under the run is an error,
// after which the state is saved: no step has taken anything from it.
func (r *run) guarded(ctx context.Context) (result *Result, err error) {
	var changed error
	fault := true
	err = r.s.Model.Guard(func() error {
		err := r.train(ctx)
		if err == nil {
			result, err = r.finish()
		}
		fault = false
		if errors.As(err, new(changedError)) {
			changed, err = err, nil // Guard says so itself
		}
		return err
	})
	if result != nil { // verified and in its place, whatever came after
		return result, r.close()
	}
	if err == nil {
		err = changed
	}
	if r.running && (fault || changed != nil) {
		if _, e := r.save(); e == nil {
			err = hint.New(fmt.Errorf("%w; saved after step %d", err, r.st.Step), "--resume goes on once the file is as it was")
		}
	}
	return nil, errors.Join(err, r.close())
}

// train takes the run to its last step and leaves a checkpoint of it.
func (r *run) train(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	r.running = true
	err := r.loop(ctx)
	if r.profile != nil {
		r.s.Report(Profiled{Steps: r.steps, Profile: r.profile})
	}
	if err != nil {
		return err
	}
	_, err = r.save()
	return err
}

func (s *Session) newRun() (*run, error) {
	if s.now == nil {
		s.now = time.Now
	}
	if s.Report == nil {
		s.Report = func(any) {}
	}
	if err := s.Data.CheckVocabulary(s.Model.Config.VocabSize); err != nil {
		return nil, err
	}
	r := &run{s: s, c: s.Config.resolved()}
	valid := s.Data.Valid
	if valid != nil {
		var err error
		if r.eval, err = valid.Sequences(chooseEval(r.c, valid)); err != nil {
			return nil, err
		}
	} else if r.c.EarlyStopping > 0 {
		return nil, hint.New(errors.New("early_stopping_patience needs validation rows"), "put a valid.jsonl beside train.jsonl, or set val_split")
	}
	var err error
	if r.adapters, err = loraone.Attach(s.Model, r.c.Lora(s.baseName())); err != nil {
		return nil, err
	}
	r.engine = model.NewEngine(s.Model, s.Pool)
	r.engine.Layout = s.Plan.Layout
	r.engine.SetCompute(r.c.compute())
	if r.c.Profile {
		r.profile = model.NewProfile()
	}
	r.batches = newBatches(r.c, s.Data.Train.Len())
	r.opt = newOptimizer(r.c, r.batches.total, r.adapters.Layers, s.Pool)
	r.st = state{Version: stateVersion, Total: r.batches.total, Validated: len(r.eval) > 0, Evaluated: -1, Data: s.Data.digest()}
	if r.st.Settings, err = r.c.settings(); err != nil {
		return nil, err
	}
	for _, f := range s.Data.Files {
		r.st.Files = append(r.st.Files, fileHash{filepath.Base(f.Path), f.SHA256})
	}
	return r, nil
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
