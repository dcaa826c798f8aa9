package train

import (
	"errors"
	"fmt"
	"time"

	"example.com/finetune/internal/hint"
	"example.com/finetune/model"
	"example.com/finetune/model/hub"
	"example.com/finetune/simd"
	"example.com/finetune/train/data"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

// Found is what a start finds in its output folder.
type Found struct {
	Finished *Result // of a finished run of the same settings, asked to resume; nil otherwise

	checkpoints []rundir.Checkpoint // to resume from, newest first
}

// Resumes reports whether there is a checkpoint to resume from.
func (f *Found) Resumes() bool { return len(f.checkpoints) > 0 }

// Look says what a run with these settings would find in its output folder. A run that
// stands there is an error unless overwrite or resume is set, and one that is at work
// there always is. It opens neither data nor weights, and writes nothing.
func Look(c *recipe.Resolved) (*Found, error) {
	if err := rundir.Busy(c.OutputDir); err != nil {
		return nil, err
	}
	return find(c)
}

// find is Look for the run that holds the folder.
func find(c *recipe.Resolved) (*Found, error) {
	folder, err := rundir.Look(c.OutputDir)
	if err != nil {
		return nil, err
	}
	own := c.ResumeFrom != "" && rundir.OwnCheckpoint(c.OutputDir, c.ResumeFrom)
	switch {
	case c.Overwrite:
		return new(Found), nil
	case own || c.ResumeFrom != "" && folder.Kind == rundir.Empty:
		return named(c)
	case folder.Kind == rundir.Finished && c.Resume:
		return finished(c)
	case folder.Kind == rundir.Finished:
		return nil, hint.New(fmt.Errorf("%s holds an adapter already", c.OutputDir), "--output-dir names another folder; --overwrite loses what is there")
	case folder.Kind == rundir.Unfinished && !c.Resume:
		return nil, hint.New(fmt.Errorf("%s holds an unfinished run", c.OutputDir), "--resume resumes it, --overwrite replaces it")
	case c.Resume:
		return &Found{checkpoints: folder.Checkpoints}, nil
	}
	return new(Found), nil
}

// named finds the checkpoint that resume_from names.
func named(c *recipe.Resolved) (*Found, error) {
	st, err := readState(c.ResumeFrom)
	if err != nil {
		return nil, err
	}
	return &Found{checkpoints: []rundir.Checkpoint{{Step: st.Step, Path: c.ResumeFrom}}}, c.Resumes(&st.Recipe)
}

// finished finds the result of a finished run that had these settings.
func finished(c *recipe.Resolved) (*Found, error) {
	p, err := rundir.ReadProvenance(c.OutputDir)
	if err != nil {
		return nil, hint.New(fmt.Errorf("%s holds an adapter of another program: %w", c.OutputDir, err), "--output-dir names another folder")
	}
	return &Found{Finished: &Result{Dir: c.OutputDir, Summary: p.Summary}}, c.Resumes(&p.Recipe)
}

// Inputs are what a run needs besides its settings.
type Inputs struct {
	Version      string  // of the program, for finetune.json
	Base         hub.Ref // where the model comes from, and what it is called
	ChatTemplate bool    // the rows went through one
	Model        *model.Model
	Pool         *simd.Pool
	Data         *Data           // from LoadData, for this model's vocabulary
	Plan         Plan            // from NewPlan
	Report       func(event any) // told of the events of events.go; may be nil
}

// A Session is a run that is ready to start: its settings checked, its data tokenised,
// its weights mapped. [NewSession] makes it.
type Session struct {
	Inputs
	c    *recipe.Resolved
	eval []model.Sequence // the validation rows used during training
	held []int            // their indices
	now  func() time.Time // time.Now; tests set it
}

// NewSession returns a run that can start.
func NewSession(c *recipe.Resolved, in Inputs) (*Session, error) {
	s := &Session{Inputs: in, c: c, now: time.Now}
	if s.Report == nil {
		s.Report = func(any) {}
	}
	if err := c.Lora().Check(in.Model.Config); err != nil {
		return nil, err
	}
	valid := in.Data.Valid
	if valid == nil {
		if c.EarlyStopping > 0 {
			return nil, hint.New(errors.New("early_stopping_patience needs validation rows"), fmt.Sprintf("put a valid.jsonl beside train.jsonl, of any number of rows; val_split takes some from %d training rows on", data.SplitFrom))
		}
		return s, nil
	}
	var err error
	s.held = chooseEval(&c.Recipe, valid)
	s.eval, err = valid.Sequences(s.held)
	return s, err
}

// ReadSettings sets what the run had in its run.yaml that start is to resume: found says
// whether there is one, folder where it lies or would lie.
func ReadSettings(c *recipe.Config, start *recipe.Config) (found bool, folder string, err error) {
	folder = start.OutputDir
	if start.ResumeFrom != "" {
		folder = rundir.OfCheckpoint(start.ResumeFrom)
	}
	run, err := rundir.Look(folder)
	if err != nil || !start.Resuming() || run.Settings == "" {
		return false, folder, err
	}
	if err := c.ReadYAML(run.Settings); err != nil {
		return false, folder, err
	}
	for _, checkpoint := range run.Checkpoints {
		if st, err := readState(checkpoint.Path); err == nil {
			if st.early { // and run.yaml with it
				renameOptimizer(&c.Recipe)
			}
			break
		}
	}
	return true, folder, nil
}
