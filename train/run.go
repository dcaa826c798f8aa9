package train

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/simd"
	"example.com/finetune/train/rundir"
)

// An Ending is how a run ended.
type Ending int

// The endings. Only Failed and Lost come with an error.
const (
	Failed      Ending = iota
	Finished           // the adapter is in its place, verified
	Already            // an earlier start has finished it: nothing was done
	Interrupted        // the context ended; the step was finished, the state saved
	Lost               // a weight file was lost or changed under the run; the state before was saved
)

// An Outcome is what came of a start.
type Outcome struct {
	Ending     Ending
	Result     *Result // Finished and Already
	Step       int     // steps done
	Checkpoint string  // Interrupted and Lost: to resume from; "" when there was nothing to save
}

// A Result is a finished run: its folder, and what it came to.
type Result struct {
	Dir string
	rundir.Summary
}

// A run is a session on its way.
type run struct {
	*Session
	dir      *rundir.Dir
	engine   *model.Engine
	adapters *loraone.Adapters // from prepare on
	updater  *updater          // likewise
	batches  *batches
	profile  *model.Profile  // of the steps; nil unless it is asked for
	answers  *rundir.Answers // scored at the end; nil before, or where nothing is

	st      state
	best    [][]float32 // the parameters at st.BestStep; nil before the first evaluation
	saved   saved
	begun   bool      // the adapters have started: st can be saved
	started time.Time // st.Seconds ago
	steps   int       // since this start
	clock   stopwatch
	share   float64 // of the squares of what was trained, in the file; 0 for all
}

// A saved is the last checkpoint: of which revision of the state it is.
type saved struct {
	path     string // "" for none
	revision int
	at       time.Time
}

// Run trains and leaves the adapter in the output folder. After an error the folder
// holds the checkpoints so far, and the adapter that it held before.
func (s *Session) Run(ctx context.Context) (Outcome, error) {
	if found, err := Look(s.c); err != nil || found.Finished != nil {
		return already(found, err)
	}
	dir, err := rundir.Open(s.c.OutputDir)
	if err != nil {
		return Outcome{}, err
	}
	found, err := find(s.c) // nobody else writes there any more
	if err != nil || found.Finished != nil {
		return already(found, errors.Join(err, dir.Close()))
	}
	r := s.newRun(dir)
	if !dir.Locked() {
		s.Report(Warning{fmt.Sprintf("the file system of %s has no locks: nothing keeps a second run out of it", s.c.OutputDir)})
	}
	out, err := r.guarded(ctx, found)
	return out, errors.Join(err, dir.Close())
}

// already is the outcome where a finished run was found.
func already(found *Found, err error) (Outcome, error) {
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{Ending: Already, Result: found.Finished, Step: found.Finished.Steps}, nil
}

// newRun prepares everything that needs no file. dir is nil for a trial.
func (s *Session) newRun(dir *rundir.Dir) *run {
	r := &run{Session: s, dir: dir}
	r.engine = model.NewEngine(s.Model, s.Pool)
	r.engine.Layout = s.Plan.Layout
	r.engine.SetCompute(simd.Compute(s.c.Compute))
	if s.c.Profile {
		r.profile = model.NewProfile()
	}
	r.batches = newBatches(&s.c.Recipe, s.Data.Train.Len())
	r.st = state{
		Layout: stateLayout, Total: r.batches.total, Validated: len(s.eval) > 0, Evaluated: -1,
		Data: s.Data.digest(), Files: s.Data.fileHashes(), Recipe: s.c.Recipe,
	}
	return r
}

// guarded trains while somebody else may write to the weight files. What was computed
// from a file that was lost or changed is thrown away, and the state before it saved.
func (r *run) guarded(ctx context.Context, found *Found) (Outcome, error) {
	out := Outcome{Ending: Lost} // unless train comes back: a file that was cut ends it
	var changed error
	err := r.Model.Guard(func() (err error) {
		out, err = r.train(ctx, found)
		if errors.As(err, new(changedError)) {
			out.Ending, changed, err = Lost, err, nil // Guard says so itself
		}
		return err
	})
	switch out.Ending {
	case Finished, Interrupted: // verified and saved, whatever came after
		return out, nil
	case Lost:
		if err == nil {
			err = changed
		}
		return r.lost(err)
	}
	return out, err
}

// lost saves the state that the weights were still good for.
func (r *run) lost(err error) (Outcome, error) {
	out := Outcome{Ending: Lost, Step: r.st.Step}
	if !r.begun {
		return out, err
	}
	var e error
	if out.Checkpoint, e = r.save(); e != nil {
		return out, err
	}
	return out, hint.New(fmt.Errorf("%w; saved after step %d", err, r.st.Step), "--resume resumes the run once the file is as it was")
}

// train prepares the run, takes it to its last step, and finishes it.
func (r *run) train(ctx context.Context, found *Found) (Outcome, error) {
	if err := r.prepare(ctx, found); errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Outcome{Ending: Interrupted}, nil // before there is anything to save
	} else if err != nil {
		return Outcome{}, err
	}
	r.begun = true
	done, err := r.loop(ctx)
	if r.profile != nil {
		r.Report(Profiled{Steps: r.steps, Profile: r.profile})
	}
	out := Outcome{Step: r.st.Step}
	if err != nil {
		return out, err
	}
	if out.Checkpoint, err = r.save(); err != nil {
		return out, err
	}
	if !done {
		out.Ending = Interrupted
		return out, nil
	}
	if out.Result, err = r.finish(ctx); err != nil {
		if ctx.Err() != nil { // while answers were scored: nothing is published
			out.Ending, err = Interrupted, nil
		}
		return out, err
	}
	out.Ending = Finished
	return out, nil
}

// save writes a checkpoint, unless the last one is of the same state, and removes
// the oldest beyond save_total_limit.
func (r *run) save() (path string, err error) {
	if r.saved.path != "" && r.saved.revision == r.st.revision {
		return r.saved.path, nil
	}
	if r.st.Metrics, err = r.dir.Flush(); err == nil {
		path, err = r.dir.Save(r.st.Step, &r.st, tensors(r.updater, r.best), r.c.SaveTotalLimit)
	}
	if err != nil {
		return "", hint.New(fmt.Errorf("saving a checkpoint: %w", err), "the checkpoints before it are good: --resume resumes from there")
	}
	r.saved = saved{path: path, revision: r.st.revision, at: r.now()}
	r.Report(Saved{r.st.Step, path})
	return path, nil
}
