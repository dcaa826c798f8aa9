package report

import (
	"bytes"
	"encoding/csv"
	"path/filepath"
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
	table, err := c.CSV()
	if err != nil || !strings.Contains(string(table), ",accuracy_mean,accuracy_sd,base_accuracy,accuracy_difference,") || !strings.Contains(string(table), ",0.1000") {
		t.Errorf("csv: %v\n%s", err, table)
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

// readAnswers reads testdata/answers, a sweep that was scored, of some seeds alone.
func readAnswers(t *testing.T, seeds ...uint64) *Runs {
	t.Helper()
	runs, err := ReadRuns([]string{filepath.Join("testdata", "answers")})
	if err != nil {
		t.Fatal(err)
	}
	runs.List = slices.DeleteFunc(runs.List, func(r *Run) bool { return !slices.Contains(seeds, r.Recipe.Seed) })
	return runs
}

func TestAccuraciesAreThoseOfScipy(t *testing.T) {
	want := readGolden(t).Answers
	if len(want) != 3 {
		t.Fatalf("%d configurations, want 3", len(want))
	}
	for pairs, runs := range map[int]*Runs{3: readAnswers(t, 1, 2, 3), 32: readAnswers(t, 1)} {
		c := Compare(runs)
		for _, g := range c.Configurations {
			w, ok := want[g.Label]
			if !ok || len(c.Configurations) != 3 {
				t.Fatalf("%s is not among them", g.Label)
			}
			numbers := w.Seeds
			if pairs == 32 {
				numbers = w.Rows
			} else {
				near(t, g.Label+": mean", g.Right.Mean, w.Mean)
				near(t, g.Label+": sd", g.Right.SD, w.SD)
			}
			differs(t, g.Label, g.Answers, g == c.Baseline, numbers, pairs == 32, pairs)
		}
	}
}

// The difference of the answers stands in every form, and what follows from it is said.
func TestDifferenceOfAnswersIsTold(t *testing.T) {
	c := Compare(readAnswers(t, 1, 2, 3))
	text := c.Text()
	for _, want := range []string{
		"answers against the baseline (95 %)", "+1.0 % (-3.4 to +5.5)", "+0.0 % (-15.5 to +15.5)", "15.6 ± 3.1 % (",
		"loraone,lora_r=2 has the most right answers: 16.7 ± 3.6 %, and the base model ",
		"Against the baseline that is 1.0 % more (95 %: -3.4 to +5.5): the interval holds 0, so these runs do not tell them apart.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if text := Compare(readAnswers(t, 1)).Markdown(); !strings.Contains(text, "| +3.1 % (-11.3 to +17.6) over rows |") {
		t.Errorf("one seed:\n%s", text)
	}
	table, err := c.CSV()
	if lines, e := csv.NewReader(bytes.NewReader(table)).ReadAll(); err != nil || e != nil || lines[1][len(lines[1])-1] != "seed" || lines[1][len(lines[1])-2] != "3" {
		t.Errorf("csv: %v, %v\n%s", err, e, table)
	}
	lines, err := c.JSON()
	if n := strings.Count(string(lines), `"accuracy_low":`); err != nil || n != 6 {
		t.Errorf("json: %v, %d runs with an interval, want 6\n%s", err, n, lines)
	}
}

// Rows that only one of two runs has answered are no pairs, nor are those scored another way.
func TestOtherAnswersAreNoPairs(t *testing.T) {
	runs := readAnswers(t, 1)
	runs.List[0].HeldOut[3].Answers, runs.List[0].HeldOut[4].Line = nil, 99
	for _, g := range Compare(runs).Configurations {
		want := 32
		if g.Runs[0] == runs.List[0] {
			want = 30
		}
		if d := g.Answers; d != nil && (d.Pairs != want || !d.ByRows) {
			t.Errorf("%s: %+v, want %d pairs", g.Label, d, want)
		}
	}
	runs.List[0].HeldOut = runs.List[0].HeldOut[:1]
	if d := DifferInAnswers(&Configuration{Done: runs.List[:1]}, &Configuration{Done: runs.List[1:2]}); d == nil || d.Known() {
		t.Errorf("one row: %+v, want no interval", d)
	}
	runs.List[1].Provenance.Answers.Score = "number"
	if d := DifferInAnswers(&Configuration{Done: runs.List[:1]}, &Configuration{Done: runs.List[1:2]}); d != nil {
		t.Errorf("scored another way: %+v", d)
	}
}

// Every configuration's answer to a prompt is there, the best configuration first.
func TestSamplesByConfiguration(t *testing.T) {
	c := Compare(readAnswers(t, 1, 2, 3))
	list := c.samples()
	if len(list) < 2 {
		t.Fatalf("%d prompts", len(list))
	}
	said := 0
	for _, p := range list {
		said += len(p.Answers)
		for i, a := range p.Answers[1:] {
			if slices.Index(c.Configurations, a.Configuration) <= slices.Index(c.Configurations, p.Answers[i].Configuration) {
				t.Errorf("%s is not in the order of the configurations", a.Label)
			}
		}
	}
	if said != 6 { // two prompts of each configuration's first run
		t.Errorf("%d answers, want 6", said)
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
