package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/alecthomas/kong"

	"example.com/finetune/train"
)

type trainCommand struct{ runFlags }

func (trainCommand) Help() string {
	return `Reads rows of messages, of prompt and completion, or of text, and leaves an adapter that Hugging Face PEFT loads as it is. ` +
		`Ctrl-C finishes the step and saves; --resume takes it from there, to the same bits.

For example:

    finetune train --model SmolLM2-135M-Instruct --data rows.jsonl
    finetune train -m model --data folder -o my-adapter --epochs 3 --lora-r 16
    finetune train --config my-adapter/run.yaml --seed 7 -o other-adapter
    finetune train -o my-adapter --resume
`
}

// errInterrupted ends a run that was asked to stop and told the user how to resume it.
var errInterrupted = errors.New("interrupted")

// Run goes from what is cheap to what is expensive: settings, small files, rows,
// and only then weights.
func (c *trainCommand) Run(u *ui, ctx *kong.Context) error {
	config, err := c.resolve(u, ctx)
	if err != nil {
		return err
	}
	found, err := train.Look(config)
	if err != nil {
		return err
	}
	if found.Finished != nil {
		u.infof("finetune: %s holds a finished run: nothing is left to do", config.OutputDir)
		return printResult(u, &job{config: config}, found.Finished)
	}
	j, err := newJob(config)
	if err != nil {
		return err
	}
	defer j.close()
	if err := j.readRows(u); err != nil {
		return err
	}
	printPlan(j, u.infof, u.warnf)
	if err := j.loadModel(); err != nil {
		return err
	}
	stop, done := stopSignals(u)
	defer done()
	outcome, err := j.run(stop, newReporter(u, config.Progress))
	if err != nil {
		return err
	}
	if outcome.Ending == train.Interrupted {
		return interrupted(u, j, outcome)
	}
	return printResult(u, j, outcome.Result)
}

// interrupted tells how to resume a run that was stopped.
func interrupted(u *ui, j *job, outcome train.Outcome) error {
	dir := j.config.OutputDir
	if outcome.Checkpoint == "" {
		u.line(levelError, "finetune: interrupted before the first step: nothing was saved, and nothing is lost")
	} else {
		u.line(levelError, "finetune: interrupted after step "+count(outcome.Step)+", saved in "+filepath.Join(dir, "checkpoints", filepath.Base(outcome.Checkpoint)))
	}
	u.line(levelError, "finetune: resume with: "+program()+" train -o "+quote(dir)+" --resume")
	return errInterrupted
}

// A runReporter is told of a run's events, for job.run.
type runReporter interface {
	report(event any)
	end()
}

// run trains.
func (j *job) run(ctx context.Context, r runReporter) (train.Outcome, error) {
	s, err := j.session(r.report)
	if err != nil {
		return train.Outcome{}, err
	}
	defer r.end()
	return s.Run(ctx)
}
