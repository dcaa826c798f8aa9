package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/alecthomas/kong"

	"example.com/finetune/internal/hint"
	"example.com/finetune/train"
)

type trainCommand struct{ runFlags }

func (trainCommand) Help() string {
	return `Reads rows of messages, of prompt and completion, or of text, and leaves an adapter that Hugging Face PEFT loads as it is. ` +
		`Ctrl-C finishes the step and saves; --resume goes on to the same bits.

For example:

    finetune train --model SmolLM2-135M-Instruct --data rows.jsonl
    finetune train -m model --data folder -o my-adapter --epochs 3 --lora-r 16
    finetune train --config my-adapter/run.yaml --seed 7 -o other-adapter
    finetune train -o my-adapter --resume
`
}

// errInterrupted ends a run that was asked to stop and told the user how to go on.
var errInterrupted = errors.New("interrupted")

// Run goes from what is cheap to what is expensive: settings, small files, rows,
// and only then weights.
func (c *trainCommand) Run(u *ui, ctx *kong.Context) error {
	config := (*train.Config)(&c.Settings)
	if err := c.settle(config, typed(ctx)); err != nil {
		return err
	}
	j, err := newJob(config)
	if err != nil {
		return err
	}
	defer j.close()
	if j.found == train.Finished {
		u.infof("finetune: %s holds a finished run: nothing is left to do", j.config.OutputDir)
		result, err := j.finished()
		if err != nil {
			return err
		}
		return printResult(u, j, result)
	}
	if err := j.readRows(u); err != nil {
		return err
	}
	printPlan(j, u.infof, u.warnf)
	if err := j.loadModel(); err != nil {
		return err
	}
	stop, done := stopSignals(u)
	defer done()
	result, err := j.run(stop, newReporter(u, j.config.Progress))
	if err != nil {
		return interrupted(u, j, err)
	}
	return printResult(u, j, result)
}

// settle sets the settings: those of the file, else of the run that is to go on, and
// over them the flags, which set takes from the command line.
func (f *runFlags) settle(config *train.Config, set func()) error {
	*config = train.Default()
	if f.ConfigFile != "" {
		if err := config.ReadYAML(f.ConfigFile); err != nil {
			return err
		}
		set()
		return nil
	}
	config.OutputDir = ""
	set()
	given := config.OutputDir
	resume, folder := config.Resume || config.ResumeFrom != "", cmp.Or(given, train.Default().OutputDir)
	if config.ResumeFrom != "" {
		folder = train.RunFolder(config.ResumeFrom)
	}
	*config = train.Default()
	file := train.SettingsFile(folder)
	if _, err := os.Stat(file); resume && err == nil {
		if err := config.ReadYAML(file); err != nil {
			return err
		}
	}
	config.OutputDir = cmp.Or(given, folder) // it may have been moved
	set()
	if resume && config.Model == "" && config.Data == "" {
		return hint.New(fmt.Errorf("%s: no run to go on with: it has no run.yaml", folder), "--model and --data begin one")
	}
	return nil
}

// interrupted tells how to go on with a run that was stopped; other errors pass.
func interrupted(u *ui, j *job, err error) error {
	var stopped *train.InterruptedError
	if !errors.As(err, &stopped) {
		return err
	}
	dir := j.config.OutputDir
	if stopped.Path == "" {
		u.line(levelError, "finetune: interrupted before the first step: nothing was saved, and nothing is lost")
	} else {
		u.line(levelError, "finetune: interrupted after step "+count(stopped.Step)+", saved in "+filepath.Join(dir, "checkpoints", filepath.Base(stopped.Path)))
	}
	u.line(levelError, "finetune: go on with: "+program()+" train -o "+quote(dir)+" --resume")
	return errInterrupted
}

// runDate returns the date that templates see: the one given, that of the run
// that is resumed, else today's.
func runDate(c *train.Config) (string, error) {
	if c.Date != "" {
		return c.Date, nil
	}
	old := train.Default()
	dir := c.OutputDir
	if c.ResumeFrom != "" {
		dir = train.RunFolder(c.ResumeFrom)
	}
	file := train.SettingsFile(dir)
	if _, err := os.Stat(file); (c.Resume || c.ResumeFrom != "") && err == nil {
		if err := old.ReadYAML(file); err != nil {
			return "", err
		}
	}
	if old.Date != "" {
		return old.Date, nil
	}
	return time.Now().Format(time.DateOnly), nil
}

// A reporter of a run, for job.run.
type runReporter interface {
	report(event any)
	end()
}

// run trains. The settings that are written down have absolute paths.
func (j *job) run(ctx context.Context, r runReporter) (*train.Result, error) {
	config, err := absolute(j.config, j.id)
	if err != nil {
		return nil, err
	}
	s := j.session(config)
	s.Report = r.report
	defer r.end()
	return s.Run(ctx)
}

// absolute returns the settings with absolute paths. A model of the Hub cache
// keeps its id.
func absolute(c *train.Config, id string) (train.Config, error) {
	d := *c
	paths := []*string{&d.Data, &d.OutputDir}
	if id == "" || id != d.Model {
		paths = append(paths, &d.Model)
	}
	if d.ChatTemplate != "auto" && d.ChatTemplate != "none" {
		paths = append(paths, &d.ChatTemplate)
	}
	if d.ResumeFrom != "" {
		paths = append(paths, &d.ResumeFrom)
	}
	for _, p := range paths {
		abs, err := filepath.Abs(*p)
		if err != nil {
			return d, err
		}
		*p = abs
	}
	return d, nil
}
