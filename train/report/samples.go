package report

import (
	"fmt"
	"slices"
	"strings"

	"example.com/finetune/train/rundir"
)

// A sampled prompt is its answers at the start and with the saved adapter.
type sampled struct{ Prompt, Before, After string }

// A samplePrompt is what the model of a run says to a prompt at the start, and what the
// saved adapters say, by configuration.
type samplePrompt struct {
	Prompt, Before string
	Answers        []sampleAnswer
}

// A sampleAnswer is what the first run of a configuration that has samples says.
type sampleAnswer struct {
	*Configuration
	Seed uint64
	Step int
	Text string
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

// samples are the prompts that runs were asked, with the answers of the configurations that
// have a colour, the best first.
func (c *Comparison) samples() (list []*samplePrompt) {
	done := c.done()
	for _, g := range done[:min(len(done), palette)] {
		for _, r := range g.Done {
			said := samplesOf(r.Status.Metrics, r.Provenance.BestStep)
			for _, s := range said {
				i := slices.IndexFunc(list, func(p *samplePrompt) bool { return p.Prompt == s.Prompt })
				if i < 0 {
					i, list = len(list), append(list, &samplePrompt{Prompt: s.Prompt, Before: strings.TrimSpace(s.Before)})
				}
				list[i].Answers = append(list[i].Answers, sampleAnswer{g, r.Recipe.Seed, r.Provenance.BestStep, strings.TrimSpace(s.After)})
			}
			if len(said) > 0 {
				break
			}
		}
	}
	return list
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
