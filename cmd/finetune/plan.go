package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"example.com/finetune/simd"
	"example.com/finetune/train"
	"example.com/finetune/train/data"
)

type planCommand struct {
	JSON bool `name:"json" group:"Files:" help:"Print one JSON object."`

	runFlags
}

func (planCommand) Help() string {
	return `Says what a run with these settings would take: rows and tokens, steps, memory, and the time, from a trial of its first batch. ` +
		`Nothing is written.

For example:

    finetune plan --model SmolLM2-135M-Instruct --data rows.jsonl
    finetune plan --config run.yaml --memory 800MB
`
}

// A planReport is what plan --json prints: times in seconds.
type planReport struct {
	Rows             int     `json:"rows"`
	TokensPerEpoch   int     `json:"tokens_per_epoch"`
	ComputedPerEpoch int     `json:"computed_per_epoch"`
	Steps            int     `json:"steps"`
	StepsPerEpoch    int     `json:"steps_per_epoch"`
	WarmupSteps      int     `json:"warmup_steps"`
	EvalEvery        int     `json:"eval_every"`
	EvalRows         int     `json:"eval_rows"`
	Samples          int     `json:"samples"`     // answered at the start and at each evaluation
	Score            string  `json:"score"`       // of answers at the end
	ScoredRows       int     `json:"scored_rows"` // at most, of base and adapter each
	InitSamples      int     `json:"init_samples"`
	Parameters       int     `json:"parameters"`
	MappedBytes      int64   `json:"mapped_bytes"`
	AllocatedBytes   int64   `json:"allocated_bytes"`
	MicroBatch       int     `json:"micro_batch"`
	RecomputedBlocks int     `json:"recomputed_blocks"`
	TokensPerSecond  float64 `json:"tokens_per_second"`
	SecondsOfStart   float64 `json:"seconds_of_start"`
	SecondsOfTheRest float64 `json:"seconds_of_the_rest"`
	SecondsOfAnswers float64 `json:"seconds_of_answers"` // that are scored, of the seconds of the rest
	EvalShare        float64 `json:"eval_share"`         // of the seconds, samples included
}

// Run reads rows and weights as train would, and tries one batch.
func (c *planCommand) Run(u *ui, ctx *kong.Context) error {
	config, err := c.resolve(u, ctx)
	if err != nil {
		return err
	}
	j, err := newJob(u, config)
	if err != nil {
		return err
	}
	defer j.close()
	if err := j.readRows(u); err != nil {
		return err
	}
	limitHeap(train.GarbagePercent, config.Memory)
	if !c.JSON {
		var failed error
		printPlan(j, func(format string, args ...any) { failed = errors.Join(failed, u.printf(format+"\n", args...)) }, u.warnf)
		if failed != nil {
			return failed
		}
	}
	s, err := j.session(nil)
	if err != nil {
		return err
	}
	pace, err := s.Trial(context.Background())
	if err != nil {
		return err
	}
	start, rest := j.plan.Start(pace), j.plan.Left(0, pace)
	if c.JSON {
		return u.printJSON(j.planReport(pace))
	}
	evaluations := ""
	if j.plan.EvalEvery > 0 {
		evaluations = fmt.Sprintf("; evaluations take %.0f %% of it", 100*j.plan.EvalShare(pace))
	}
	if j.plan.Scored.Count > 0 {
		evaluations += ", scored answers " + duration(j.plan.Answers(pace))
	}
	return u.printf("time     about %s at %s tokens/s: %s to the first step, %s from there%s\n", duration(start+rest),
		count(int(j.plan.TokensPerSecond(pace))), duration(start), duration(rest), evaluations)
}

// planReport is the plan with what the trial has measured.
func (j *job) planReport(pace train.Pace) planReport {
	p := j.plan
	return planReport{
		Rows: j.data.Train.Stats.Kept, TokensPerEpoch: p.Tokens, ComputedPerEpoch: p.Computed,
		Steps: p.Steps, StepsPerEpoch: p.StepsPerEpoch, WarmupSteps: p.Warmup,
		EvalEvery: p.EvalEvery, EvalRows: p.EvalRows,
		Samples: p.Samples.Count, Score: j.settings.Score.String(), ScoredRows: p.Scored.Count,
		InitSamples: p.InitSamples, Parameters: p.Parameters,
		MappedBytes: j.Weights.MappedBytes(), AllocatedBytes: p.AllocatedBytes,
		MicroBatch: p.Layout.MicroBatch, RecomputedBlocks: p.Layout.Recompute,
		TokensPerSecond: p.TokensPerSecond(pace), SecondsOfStart: p.Start(pace).Seconds(), SecondsOfTheRest: p.Left(0, pace).Seconds(),
		SecondsOfAnswers: p.Answers(pace).Seconds(), EvalShare: p.EvalShare(pace),
	}
}

// printPlan says what will be done, before it is.
func printPlan(j *job, say, warn func(format string, args ...any)) {
	c, plan := j.settings, j.plan
	say("model    %s: %s, %d layers of width %s, vocabulary %s, %s of weights", j.Label(), j.Config.ModelType,
		j.Config.NumHiddenLayers, count(j.Config.HiddenSize), count(j.Config.VocabSize), bytesText(j.Weights.MappedBytes()))
	planRows(j, say, warn)
	start := c.Init.Method().Title
	if plan.InitSamples > 0 {
		start += " from the initial gradient of " + many(plan.InitSamples, "row")
	}
	if c.Continues() {
		start += ": " + string(c.Adapter)
	}
	on := c.Adapted()
	if targets, err := c.Lora().Targets(j.Config.Leaves()); err == nil && j.Config.Fused {
		on += " (" + strings.Join(targets, ", ") + " in this model)"
	}
	if plan.LeftOut > 0 {
		on += fmt.Sprintf(" (%s left out)", many(plan.LeftOut, "projection"))
	}
	say("adapter  rank %d, alpha %g, scaled by %.4g, on %s: %s trained; %s", c.LoraR, c.LoraAlpha, c.Scale(), on,
		many(plan.Parameters, "parameter"), start)
	say("run      %s of %s, %d an epoch; %s, learning rate %g %s, %s of warm-up; seed %d", many(plan.Steps, "step"),
		many(c.BatchSize*c.GradientAccumulationSteps, "row"), plan.StepsPerEpoch, c.Optimizer, c.Rate(), c.LRSchedulerType, many(plan.Warmup, "step"), c.Seed)
	if len(c.ExcludeModules) > 0 && plan.LeftOut == 0 {
		warn("exclude_modules %s leaves out nothing of target_modules", strings.Join(c.ExcludeModules, ", "))
	}
	if asked := c.WarmupSteps; asked >= 1 && asked > float64(plan.Warmup) {
		warn("warmup_steps is %g, and the run has %s: the learning rate rises to its end", asked, many(plan.Steps, "step"))
	}
	again := ""
	if n := plan.Layout.Recompute; n > 0 {
		again = fmt.Sprintf(", %d of %d layers computed twice", n, j.Config.NumHiddenLayers)
	}
	say("memory   %s mapped, about %s allocated; micro-batches of %s%s; %s on %s", bytesText(j.Weights.MappedBytes()), bytesText(plan.AllocatedBytes),
		many(plan.Layout.MicroBatch, "token"), again, many(j.Pool.Threads(), "thread"), kernels())
	if compute := simd.Compute(c.Compute); compute != simd.ComputeF32 {
		if times := j.Pool.With(compute).RelativeTime(); times > 1.1 {
			warn("compute %v is no gain on this CPU: its products take %.1f times as long as those of f32, the default", compute, times)
		}
	}
	say("output   %s", c.OutputDir)
}

// planAnswers says what the model is asked on the way and at the end.
func planAnswers(j *job, say func(format string, args ...any)) {
	if n := j.plan.Samples.Count; n > 0 {
		say("         answering %s at the start and at each evaluation", many(n, "sample"))
	}
	if n := j.plan.Scored.Count; n > 0 {
		say("         scoring answers to %s at the end, of base and adapter: %v", many(n, "row"), j.settings.Score)
	}
}

// planRows says what became of the rows.
func planRows(j *job, say, warn func(format string, args ...any)) {
	d := j.data
	template := ""
	if f := d.Files[0].Format; j.Template != nil && f != data.Text {
		template = " through the chat template"
	}
	say("data     %s: %s of %v%s", d.Files[0].Path, many(d.Files[0].Rows, "row"), d.Files[0].Format, template)
	s := d.Train.Stats
	say("         training on %s: %s, %s trained, the longest row %s", many(s.Kept, "row"), many(s.Tokens, "token"), count(s.Trained), count(s.Longest))
	if n := j.plan.Computed; n < s.Tokens {
		say("         rows of a step begin alike: %s of %s computed an epoch", count(n), many(s.Tokens, "token"))
	}
	if d.Valid != nil {
		from := "taken from the same file (val_split " + fmt.Sprint(j.settings.ValSplit) + ")"
		if !d.Split {
			from = "from " + d.Files[len(d.Files)-1].Path
		}
		say("         validating on %s %s", many(d.Valid.Len(), "row"), from)
		say("         evaluating %s every %s, about %.0f %% of the time", many(j.plan.EvalRows, "row"), many(j.plan.EvalEvery, "step"), 100*j.plan.EvalShare(train.UsualPace()))
		planAnswers(j, say)
	} else {
		why := ""
		if j.settings.ValSplit > 0 && d.Files[0].Rows < data.SplitFrom {
			why = fmt.Sprintf(" (val_split takes some from %d rows on; a valid.jsonl may have any number)", data.SplitFrom)
		}
		say("         no validation rows%s: the last step is what will be saved", why)
	}
	for _, n := range d.Notes {
		if n.Harms {
			warn("%s: %s", n.Path, n.Say(many))
		}
	}
}
