package main

import (
	"fmt"
	"strings"
	"time"

	"example.com/finetune/model"
	"example.com/finetune/train"
	"example.com/finetune/train/recipe"
)

// A reporter shows a run's events.
type reporter struct {
	u         *ui
	progress  *progress
	estimated bool
}

func newReporter(u *ui, mode recipe.Progress) *reporter {
	return &reporter{u: u, progress: newProgress(u, mode)}
}

func (r *reporter) end() { r.progress.end() }

func (r *reporter) report(event any) {
	switch e := event.(type) {
	case train.Planned:
		if e.ResumedFrom != "" {
			r.u.infof("resuming from %s", e.ResumedFrom)
		}
	case train.Warning:
		r.u.warnf("%s", e.Text)
	case train.InitProgress:
		r.progress.show("initial gradient", e.Done, e.Total)
	case train.Ranked:
		if r.progress.mode != recipe.ProgressNone {
			r.u.infof("ranks from %d to %d by the gradient: %s trained", e.Least, e.Most, many(e.Parameters, "parameter"))
		}
	case train.EvalProgress:
		if r.progress.mode == recipe.ProgressBar {
			r.progress.show("evaluation", e.Done, e.Total)
		}
	case train.Evaluated:
		r.evaluated(e)
	case train.Stepped:
		r.stepped(e)
	case train.Profiled:
		r.profiled(e)
	case train.Saved:
		r.u.debugf("step %d  saved in %s", e.Step, e.Path)
	}
}

func (r *reporter) evaluated(e train.Evaluated) {
	if r.progress.mode == recipe.ProgressNone {
		return
	}
	text := fmt.Sprintf("step %d/%d  validation loss %.4f", e.Step, e.Steps, e.Loss)
	switch {
	case e.Step == 0:
		text += fmt.Sprintf("  after the start (base %.4f)", e.Base)
	case e.Best:
		text += "  best so far"
	}
	r.u.infof("%s", text)
}

func (r *reporter) stepped(e train.Stepped) {
	if !r.estimated && e.Step < e.Steps {
		r.estimated = true
		if r.progress.mode != recipe.ProgressNone && e.Left > 10*time.Second {
			r.u.infof("first step: %s tokens/s, about %s left, done at about %s",
				count(int(e.TokensPerSecond)), duration(e.Left), time.Now().Add(e.Left).Format("15:04"))
		}
	}
	words := []string{fmt.Sprintf("loss %.4f", e.Loss), count(int(e.TokensPerSecond)) + " tokens/s"}
	if e.Step < e.Steps {
		words = append(words, duration(e.Left)+" left")
	}
	r.progress.show(steps, e.Step, e.Steps, append(words, fmt.Sprintf("lr %.2g", e.LearningRate), fmt.Sprintf("norm %.3g", e.GradNorm))...)
}

// profiled writes where the time of the steps went.
func (r *reporter) profiled(e train.Profiled) {
	r.progress.end()
	var all model.Spent
	for _, part := range model.Parts {
		all.Time += e.Profile.Spent(part).Time
		all.Ops += e.Profile.Spent(part).Ops
	}
	if all.Time == 0 {
		return
	}
	r.u.infof("%-14s %9s  %6s  %8s", "part of a step", "time", "share", "GFLOP/s")
	line := func(name string, s model.Spent) {
		speed := ""
		if s.Ops > 0 {
			speed = fmt.Sprintf("%.0f", s.Ops/float64(s.Time.Nanoseconds()))
		}
		r.u.infof("%s", strings.TrimRight(fmt.Sprintf("%-14s %7.1f ms  %5.1f%%  %8s", name,
			float64(s.Time.Microseconds())/1000/float64(e.Steps), 100*s.Time.Seconds()/all.Time.Seconds(), speed), " "))
	}
	for _, part := range model.Parts {
		line(part.String(), e.Profile.Spent(part))
	}
	line("the whole step", all)
}
