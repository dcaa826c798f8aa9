package sweep

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"example.com/finetune/internal/files"
	"example.com/finetune/train/rundir"
)

// A State is how far a run is.
type State string

// The states.
const (
	Waiting  State = "waiting"  // nothing of it is there
	Running  State = "running"  // a process holds its folder
	Paused   State = "paused"   // it was interrupted or killed, and can be resumed
	Failed   State = "failed"   // it ended with an error, and is tried again when asked to
	Finished State = "finished" // its adapter is there
	Stopped  State = "stopped"  // at a rung, as not among the better ones
)

// A Status is what a run's folder says.
type Status struct {
	State    State
	Step     int     // of the last line of its figures
	Loss     float64 // of the last evaluation, else of the last step; 0 before any
	Best     float64 // of its evaluations; 0 before any
	Failure  string  // the error of a failed run
	Finished *rundir.Summary
	Metrics  []rundir.Metric
}

// failedFile holds the error of a run that failed, in its folder.
const failedFile = "failed.json"

// A failure is the content of failed.json.
type failure struct {
	Code int    `json:"exit_code"`
	Text string `json:"error"`
}

// Look says what is in a run's folder, whoever has run it.
func Look(dir string) (Status, error) {
	folder, err := rundir.Look(dir)
	if err != nil {
		return Status{}, err
	}
	s := Status{State: Waiting}
	s.Metrics, err = rundir.ReadMetrics(filepath.Join(dir, rundir.MetricsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	s.read()
	if folder.Kind == rundir.Finished {
		p, err := rundir.ReadProvenance(dir)
		if err == nil {
			s.State, s.Finished = Finished, &p.Summary
		}
		return s, err
	}
	var f failure
	text, err := os.ReadFile(filepath.Join(dir, failedFile))
	switch {
	case rundir.Busy(dir) != nil:
		s.State = Running
	case err == nil && json.Unmarshal(text, &f) == nil:
		s.State, s.Failure = Failed, f.Text
	case folder.Kind == rundir.Unfinished || folder.Settings != "":
		s.State = Paused
	}
	return s, nil
}

// read takes the last figures from the lines.
func (s *Status) read() {
	trained := 0.0
	for _, m := range s.Metrics {
		s.Step = m.Step
		if m.Loss != nil {
			trained = *m.Loss
		}
		if m.EvalLoss != nil {
			if s.Loss = *m.EvalLoss; s.Best == 0 || s.Loss < s.Best {
				s.Best = s.Loss
			}
		}
	}
	if s.Loss == 0 {
		s.Loss = trained
	}
}

// Dir is a run's folder.
func (r *Run) Dir() string { return r.Config.OutputDir }

// Status says how far a run of the sweep is.
func (s *Sweep) Status(r *Run) (Status, error) {
	st, err := Look(r.Dir())
	st.State = s.Record.State(r.Name, st.State)
	return st, err
}

// Figures is the status of a run that is known to be at work, from its figures alone: its
// lock is not touched, which the run may be about to take. Only what is new of them is read. It
// is for one goroutine.
func (r *Run) Figures() (Status, error) {
	path := filepath.Join(r.Dir(), rundir.MetricsFile)
	added, size, err := rundir.ReadMetricsFrom(path, r.figures.size)
	if r.figures.size > 0 && (err != nil || size == 0) { // it was cut, and may have grown again
		r.figures = figures{}
		added, size, err = rundir.ReadMetricsFrom(path, 0)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	r.figures.size = size
	r.figures.lines = append(r.figures.lines, added...)
	s := Status{State: Running, Metrics: r.figures.lines}
	s.read()
	return s, err
}

// figures are what was read of a run's so far, and their bytes.
type figures struct {
	lines []rundir.Metric
	size  int64
}

// fail notes that a run has failed.
func (r *Run) fail(f failure) error {
	text, err := rundir.EncodeJSON(f)
	if err == nil {
		err = files.MkdirAll(r.Dir())
	}
	if err == nil {
		err = files.Write(filepath.Join(r.Dir(), failedFile), text)
	}
	return err
}

// retry takes the note away.
func (r *Run) retry() error {
	err := os.Remove(filepath.Join(r.Dir(), failedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
