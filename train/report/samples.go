package report

import (
	"fmt"

	"example.com/finetune/train/rundir"
)

// A sampled prompt is its answers at the start and with the saved adapter.
type sampled struct{ Prompt, Before, After string }

// Samples are those of one run.
type Samples struct {
	Name string
	Step int
	List []sampled
}

// samplesOf finds the samples of the start and of the best step among a run's figures.
func samplesOf(lines []rundir.Metric, best int) (list []sampled) {
	var first, last []rundir.Sample
	for _, m := range lines {
		if len(m.Samples) == 0 {
			continue
		}
		if first == nil {
			first = m.Samples
		}
		if m.Step <= best {
			last = m.Samples
		}
	}
	for i, s := range first {
		if i < len(last) && last[i].Prompt == s.Prompt {
			list = append(list, sampled{s.Prompt, s.Answer, last[i].Answer})
		}
	}
	return list
}

// samples are those of the best configuration's first run that has some; nil for none.
func (c *Comparison) samples() *Samples {
	for _, g := range c.done() {
		for _, r := range g.Done {
			if list := samplesOf(r.Status.Metrics, r.Provenance.BestStep); len(list) > 0 {
				return &Samples{Name: r.Name, Step: r.Provenance.BestStep, List: list}
			}
		}
	}
	return nil
}

// cardSamples writes the samples of a run on its card.
func cardSamples(line func(string, ...any), lines []rundir.Metric, best int) {
	list := samplesOf(lines, best)
	if len(list) == 0 {
		return
	}
	line("## Samples\n\n| prompt | at the start | step %d |\n|---|---|---|", best)
	for _, s := range list {
		line("| %s | %s | %s |", cellText(s.Prompt), cellText(s.Before), cellText(s.After))
	}
	line("")
}

// cardAnswers writes how many answers were right.
func cardAnswers(line func(string, ...any), a *rundir.Answers) {
	if a == nil {
		return
	}
	line("| answers, scored by `%s` | right of %d |\n|---|---|", tame(a.Score), a.Asked)
	line("| base model | %.1f %% |\n| this adapter | %.1f %% |\n", 100*a.Base, 100*a.Adapter)
	line("The difference is %s.\n", fmt.Sprintf("%+.1f %%, 95 %% interval %+.1f to %+.1f", 100*a.Difference, 100*a.Low, 100*a.High))
}

// cellText makes a text fit into a cell of a table: one line, without what Markdown or HTML
// read in it.
func cellText(text string) string {
	const longest = 300
	out := make([]rune, 0, len(text))
	for _, r := range text {
		switch r {
		case '\n', '\r', '\t':
			r = ' '
		case '|', '<', '>', '`', '&', '*', '_', '[', ']', '\\':
			out = append(out, '\\')
		}
		if out = append(out, r); len(out) >= longest {
			return string(append(out, '…'))
		}
	}
	return string(out)
}
