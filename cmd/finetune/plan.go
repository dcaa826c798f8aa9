package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"example.com/finetune/train"
	"example.com/finetune/train/data"
)

// printPlan says what will be done, before any weight is read.
func printPlan(u *ui, j *job) {
	c := j.config
	plan := train.NewPlan(c, j.shape, j.data.Train, j.data.Valid)
	mapped := weightBytes(j.dir)
	name := j.id
	if name == "" {
		name = c.Model
	}
	u.infof("model    %s: %s, %d layers of width %s, vocabulary %s, %s of weights", name, j.shape.ModelType,
		j.shape.NumHiddenLayers, count(j.shape.HiddenSize), count(j.shape.VocabSize), bytesText(mapped))
	planRows(u, j)
	start := "ordinary LoRA start"
	if plan.InitSamples > 0 {
		start = "LoRA-One start from the gradient of " + many(plan.InitSamples, "row")
	}
	u.infof("adapter  rank %d, alpha %g, on %s: %s trained; %s", c.LoraR, c.LoraAlpha, strings.Join(c.TargetModules, ", "),
		many(plan.Parameters, "parameter"), start)
	u.infof("run      %s of %s, %d an epoch; %s, learning rate %g %s, %s of warm-up; seed %d", many(plan.Steps, "step"),
		many(c.BatchSize*c.GradientAccumulationSteps, "row"), plan.StepsPerEpoch, c.Optimizer, c.Rate(), c.LRSchedulerType, many(plan.Warmup, "step"), c.Seed)
	u.infof("memory   %s mapped, about %s allocated; %s on %s", bytesText(mapped), bytesText(plan.AllocatedBytes),
		many(j.pool.Threads(), "thread"), kernels())
	u.infof("output   %s", c.OutputDir)
}

// planRows says what became of the rows.
func planRows(u *ui, j *job) {
	d := j.data
	template := ""
	if f := d.Files[0].Format; j.template != nil && f != data.Text {
		template = " through the chat template"
	}
	u.infof("data     %s: %s of %v%s", d.Files[0].Path, many(d.Files[0].Rows, "row"), d.Files[0].Format, template)
	s := d.Train.Stats
	u.infof("         training on %s: %s, %s trained, the longest row %s", many(s.Kept, "row"), many(s.Tokens, "token"), count(s.Trained), count(s.Longest))
	if d.Valid != nil {
		from := "taken from the same file (val_split " + fmt.Sprint(j.config.ValSplit) + ")"
		if !d.Split {
			from = "from " + d.Files[len(d.Files)-1].Path
		}
		u.infof("         validating on %s %s", many(len(d.Valid.Sequences), "row"), from)
	} else {
		u.infof("         no validation rows: the last step is what will be saved")
	}
	for _, n := range []struct {
		rows int
		what string
	}{
		{s.Cut, fmt.Sprintf("cut to max_length (%d tokens)", j.config.MaxLength)},
		{s.Dropped, fmt.Sprintf("dropped as longer than max_length (%d tokens)", j.config.MaxLength)},
		{s.Untrained, "dropped without a trained token"},
		{d.Shared, "in training and validation alike"},
	} {
		if n.rows > 0 {
			u.warnf("%s %s", many(n.rows, "row"), n.what)
		}
	}
	if s.SkippedTurns > 0 {
		u.warnf("%s not trained: the chat template does not show where they stand", many(s.SkippedTurns, "answer"))
	}
}

// weightBytes is the size of a model's weight files.
func weightBytes(dir string) (n int64) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
	if err != nil { // a folder with brackets in its name: the plan goes without the number
		return 0
	}
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil {
			n += info.Size()
		}
	}
	return n
}
