package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/alecthomas/kong"

	"example.com/finetune/train"
)

type trainCommand struct {
	ConfigFile string `name:"config" short:"c" group:"Files:" placeholder:"FILE" help:"Settings from a YAML file (see the run.yaml of any run); flags go over them."`

	Settings settingFlags `embed:""`
}

func (trainCommand) Help() string {
	return `Reads rows of messages, of prompt and completion, or of text, and leaves an adapter that Hugging Face PEFT loads as it is. ` +
		`Ctrl-C finishes the step and saves; --resume goes on to the same bits.

For example:

    finetune train --model SmolLM2-135M-Instruct --data rows.jsonl
    finetune train -m model --data folder -o my-adapter --epochs 3 --lora-r 16
    finetune train --config my-adapter/run.yaml --seed 7 -o other-adapter
    finetune train --config my-adapter/run.yaml --resume
`
}

// errInterrupted ends a run that was asked to stop and told the user how to go on.
var errInterrupted = errors.New("interrupted")

// Run goes from what is cheap to what is expensive: settings, small files, rows,
// and only then weights.
func (c *trainCommand) Run(u *ui, ctx *kong.Context) error {
	set := typed(ctx)
	config := (*train.Config)(&c.Settings)
	*config = train.Default()
	if c.ConfigFile != "" {
		if err := config.ReadYAML(c.ConfigFile); err != nil {
			return err
		}
	}
	set()
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
	if err := j.readRows(); err != nil {
		return err
	}
	printPlan(u, j)
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

// interrupted tells how to go on with a run that was stopped; other errors pass.
func interrupted(u *ui, j *job, err error) error {
	var stopped *train.InterruptedError
	if !errors.As(err, &stopped) {
		return err
	}
	if stopped.Path == "" {
		u.line(levelError, "finetune: interrupted before the first step: nothing was saved, and nothing is lost")
		return errInterrupted
	}
	u.line(levelError, "finetune: interrupted after step "+count(stopped.Step)+", saved in "+filepath.Join(j.config.OutputDir, "checkpoints", filepath.Base(stopped.Path)))
	u.line(levelError, "finetune: go on with: "+program()+" train --config "+quote(filepath.Join(j.config.OutputDir, "run.yaml"))+" --resume")
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
	if c.ResumeFrom != "" { // output_dir/checkpoints/step-…
		dir = filepath.Dir(filepath.Dir(filepath.Clean(c.ResumeFrom)))
	}
	file := filepath.Join(dir, "run.yaml")
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
	s := train.Session{
		Config: config, Version: version(), BaseModel: j.id, ChatTemplate: j.template != nil,
		Model: j.model, Pool: j.pool, Data: j.data, Report: r.report,
	}
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
