package main

import (
	"fmt"
	"time"

	"example.com/finetune/train"
)

// A reporter shows a run's events.
type reporter struct {
	u         *ui
	progress  *progress
	estimated bool
}

func newReporter(u *ui, mode string) *reporter {
	return &reporter{u: u, progress: newProgress(u, mode)}
}

func (r *reporter) end() { r.progress.end() }

func (r *reporter) report(event any) {
	switch e := event.(type) {
	case train.Planned:
		if e.ResumedFrom != "" {
			r.u.infof("going on from %s", e.ResumedFrom)
		}
	case train.Warning:
		r.u.warnf("%s", e.Text)
	case train.InitProgress:
		r.progress.show("the one gradient", e.Done, e.Total)
	case train.EvalProgress:
		if r.progress.mode == "bar" {
			r.progress.show("evaluation", e.Done, e.Total)
		}
	case train.Evaluated:
		r.evaluated(e)
	case train.Stepped:
		r.stepped(e)
	case train.Saved:
		r.u.debugf("step %d  saved in %s", e.Step, e.Path)
	}
}

func (r *reporter) evaluated(e train.Evaluated) {
	if r.progress.mode == "none" {
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
		if r.progress.mode != "none" && e.Left > 10*time.Second {
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
