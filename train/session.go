package train

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/model/hub"
	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
	"example.com/finetune/tokenizer/chat"
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
	if err := apart(c); err != nil {
		return nil, err
	}
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
		return finished(c, folder.Checkpoints)
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
	if err := isCheckpoint(c.ResumeFrom); err != nil {
		return nil, err
	}
	st, err := readState(c.ResumeFrom)
	if err != nil {
		return nil, err
	}
	then := st.Recipe
	if st.ended() {
		then = then.WithLength(&c.Recipe) // it may be given more: restore knows how many rows there are
	}
	return &Found{checkpoints: []rundir.Checkpoint{{Step: st.Step, Path: c.ResumeFrom}}}, c.Resumes(&then)
}

// isCheckpoint returns an error where resume_from names something else.
func isCheckpoint(path string) error {
	err := rundir.LooksLikeCheckpoint(path)
	if err != nil && rundir.HasAdapter(path) {
		return hint.Newf(fmt.Errorf("resume_from: %s is a finished adapter, no checkpoint", path), "--adapter %s trains it on, into another folder", path)
	}
	if err != nil {
		return hint.New(fmt.Errorf("resume_from: %w", err), hint.Of(err))
	}
	return nil
}

// finished finds the result of a finished run that had these settings, or, where they make
// it longer, the checkpoint of its end.
func finished(c *recipe.Resolved, checkpoints []rundir.Checkpoint) (*Found, error) {
	p, err := rundir.ReadProvenance(c.OutputDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hint.New(fmt.Errorf("%s holds an adapter of another program: %w", c.OutputDir, err), "--output-dir names another folder")
	}
	if err != nil {
		return nil, hint.New(err, "bring the file back from a copy; --overwrite without --resume makes the run again")
	}
	then := p.Recipe.WithLength(&c.Recipe)
	if err := c.Resumes(&then); err != nil {
		return nil, err
	}
	if err := sameRows(c, p); err != nil {
		return nil, err
	}
	rows := p.Data.Train.Kept
	if newBatches(&c.Recipe, rows).total <= newBatches(&p.Recipe, rows).total {
		return &Found{Finished: &Result{Dir: c.OutputDir, Summary: p.Summary}}, nil
	}
	err = errors.New("it is not there")
	if len(checkpoints) > 0 && checkpoints[0].Step == p.Steps {
		if _, err = readState(checkpoints[0].Path); err == nil {
			return &Found{checkpoints: checkpoints[:1]}, nil
		}
	}
	return nil, hint.Newf(fmt.Errorf("%s: giving a finished run more steps takes the checkpoint of its last one, %d: %w", c.OutputDir, p.Steps, err),
		"--adapter %s --output-dir %s trains its adapter on, with fresh optimizer state", c.OutputDir, filepath.Clean(c.OutputDir)+"-2")
}

// sameRows returns an error where the training file is there and is not that of a finished
// run: nothing would be learned from it.
func sameRows(c *recipe.Resolved, p *rundir.Provenance) error {
	paths, err := data.Find(c.Data)
	if err != nil || paths.Train == "" || len(p.Data.Files) == 0 {
		return nil
	}
	sum, err := files.SHA256(paths.Train)
	if err != nil || sum == p.Data.Files[0].SHA256 {
		return nil
	}
	return hint.Newf(fmt.Errorf("%s is not the file that the finished run in %s was made from", paths.Train, c.OutputDir),
		"--adapter %s --output-dir %s trains its adapter on, on these rows", c.OutputDir, filepath.Clean(c.OutputDir)+"-2")
}

// Inputs are what a run needs besides its settings.
type Inputs struct {
	Version      string  // of the program, for finetune.json
	Base         hub.Ref // where the model comes from, and what it is called
	ChatTemplate bool    // the rows went through one
	Tokenizer    *tokenizer.Tokenizer
	Template     *chat.Template // nil for none
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
	c      *recipe.Resolved
	lora   loraone.Config
	begin  *Beginning       // nil where the method starts the adapters
	eval   []model.Sequence // the validation rows used during training
	held   []int            // their indices
	speech speech           // what the model is asked
	now    func() time.Time // time.Now; tests set it
}

// NewSession returns a run that can start.
func NewSession(c *recipe.Resolved, in Inputs) (*Session, error) {
	s := &Session{Inputs: in, c: c, now: time.Now}
	if s.Report == nil {
		s.Report = func(any) {}
	}
	var err error
	if s.lora, s.begin, err = Begin(c, in.Model.Config); err != nil {
		return nil, err
	}
	valid := in.Data.Valid
	if valid == nil {
		if c.EarlyStopping > 0 {
			return nil, needsRows("early_stopping_patience")
		}
		s.speech, err = s.newSpeech()
		return s, err
	}
	s.held = chooseEval(&c.Recipe, valid)
	if s.eval, err = valid.Sequences(s.held); err != nil {
		return nil, err
	}
	s.speech, err = s.newSpeech()
	return s, err
}

// ReadSettings sets what the run had in its run.yaml that start is to resume: found says
// whether there is one, folder where it lies or would lie.
func ReadSettings(c *recipe.Config, start *recipe.Config) (found bool, folder string, err error) {
	folder = start.OutputDir
	if start.ResumeFrom != "" {
		if err := isCheckpoint(start.ResumeFrom); err != nil {
			return false, folder, err
		}
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
