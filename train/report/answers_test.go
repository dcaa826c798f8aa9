package report

import (
	"slices"
	"strings"
	"testing"

	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

// Accuracies are a column where answers were scored, in every form; no column elsewhere.
func TestReportOfAnswers(t *testing.T) {
	runs := readSweep(t, 1, 2, 3)
	if text := Compare(runs).Text(); strings.Contains(text, "right answers") {
		t.Errorf("nothing was scored:\n%s", text)
	}
	for i, r := range runs.List {
		if r.Finished() {
			r.Provenance.Answers = &rundir.Answers{Score: "number", Asked: 50, Base: 0.1, Adapter: 0.2 + 0.1*float64(i%2)}
			r.Status.Metrics = append(r.Status.Metrics, rundir.Metric{Step: 0, Samples: []rundir.Sample{{Prompt: "<why>", Answer: "early"}}},
				rundir.Metric{Step: 1, Samples: []rundir.Sample{{Prompt: "<why>", Answer: "later"}}})
		}
	}
	c := Compare(runs)
	if text := c.Text(); !strings.Contains(text, "right answers (base)") || !strings.Contains(text, "± ") || !strings.Contains(text, " % (10.0 %)") {
		t.Errorf("text:\n%s", text)
	}
	if text := c.Markdown(); !strings.Contains(text, "| right answers (base) |") {
		t.Errorf("markdown:\n%s", text)
	}
	csv, err := c.CSV()
	if err != nil || !strings.Contains(string(csv), ",accuracy_mean,accuracy_sd,base_accuracy\n") || !strings.Contains(string(csv), ",0.1000") {
		t.Errorf("csv: %v\n%s", err, csv)
	}
	lines, err := c.JSON()
	if err != nil || !strings.Contains(string(lines), `"score":"number","accuracy":0.2,"base_accuracy":0.1,`) {
		t.Errorf("json: %v\n%s", err, lines)
	}
	page, err := c.HTML()
	if err != nil || !strings.Contains(string(page), "right answers (base)") || !strings.Contains(string(page), "&lt;why&gt;") || !strings.Contains(string(page), "later") {
		t.Errorf("html: %v", err)
	}
	for _, row := range c.table() {
		if len(row) != len(c.columns()) {
			t.Errorf("%d cells of %d", len(row), len(c.columns()))
		}
	}
}

// The card has the accuracies, and the answers at the start and of the saved step.
func TestCardOfAnswers(t *testing.T) {
	c := recipe.Default()
	p := &rundir.Provenance{Recipe: c.Recipe}
	p.BestStep = 4
	p.Answers = &rundir.Answers{Score: "choice:`a`,b", Asked: 40, Base: 0.25, Adapter: 0.5, Difference: 0.25, Low: 0.1, High: 0.4}
	say := func(step int, answer string) rundir.Metric {
		return rundir.Metric{Step: step, Samples: []rundir.Sample{{Prompt: "a\n| b", Answer: answer}}}
	}
	card := string(Card(&c, p, false, []rundir.Metric{say(0, "one"), say(4, "<two>"), say(8, "three")}))
	for _, want := range []string{
		"| answers, scored by `choice:?a?,b` | right of 40 |", "| base model | 25.0 % |\n| this adapter | 50.0 % |",
		"The difference is +25.0 %, 95 % interval +10.0 to +40.0.", `| a \| b | one | \<two\> |`,
	} {
		if !strings.Contains(card, want) {
			t.Errorf("no %q in\n%s", want, card)
		}
	}
	if plain := string(Card(&c, &rundir.Provenance{Recipe: c.Recipe}, false, nil)); strings.Contains(plain, "Samples") || slices.Contains(strings.Fields(plain), "answers,") {
		t.Errorf("a silent run's card:\n%s", plain)
	}
}
