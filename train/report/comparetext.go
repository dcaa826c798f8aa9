package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/finetune/train/recipe"
	"example.com/finetune/train/sweep"
)

// columns are the titles of the table's columns.
func (c *Comparison) columns() []string {
	titles := []string{"configuration", "runs", c.lossName(), "best step", "time", "tokens/s", "memory", "against the baseline (95 %)"}
	if c.Scored {
		titles = append(titles, "right answers (base)", "answers against the baseline (95 %)")
	}
	return titles
}

// cells are a configuration's line of the table.
func (c *Comparison) cells(g *Configuration) []string {
	runs := strconv.Itoa(len(g.Done))
	if len(g.Done) < len(g.Runs) {
		runs += fmt.Sprintf(" of %d", len(g.Runs))
	}
	if len(g.Done) == 0 {
		texts := []string{g.Label, runs, g.unfinished()}
		return append(texts, make([]string, len(c.columns())-len(texts))...)
	}
	loss := fmt.Sprintf("%.4f", g.Mean)
	if len(g.Done) > 1 {
		loss += fmt.Sprintf(" ± %.4f", g.SD)
	}
	texts := []string{
		g.Label, runs, loss, fmt.Sprintf("%.0f", g.BestStep), clock(g.Seconds), Count(int(g.Pace)),
		fmt.Sprintf("%.0f MB", float64(g.Bytes)/1e6), c.against(g),
	}
	if c.Scored {
		texts = append(texts, g.Right.text(), c.answersAgainst(g))
	}
	return texts
}

// text is an accuracy in percent with that of the base; nothing where none was scored.
func (a Accuracy) text() string {
	if a.Runs == 0 {
		return ""
	}
	return fmt.Sprintf("%s (%.1f %%)", a.share(), 100*a.Base)
}

// share is an accuracy in percent.
func (a Accuracy) share() string {
	if a.Runs == 1 {
		return fmt.Sprintf("%.1f %%", 100*a.Mean)
	}
	return fmt.Sprintf("%.1f ± %.1f %%", 100*a.Mean, 100*a.SD)
}

// unfinished says where a configuration without a result is.
func (g *Configuration) unfinished() string {
	r := g.Runs[0]
	if i := slices.IndexFunc(g.Runs, func(r *Run) bool { return r.Status.State == sweep.Stopped }); i >= 0 { // what became of all of them
		r = g.Runs[i]
	}
	text := string(r.Status.State)
	if r.Status.Loss != 0 {
		text += fmt.Sprintf(" at step %d with %.4f", r.Status.Step, r.Status.Loss)
	}
	return text
}

func (c *Comparison) against(g *Configuration) string {
	switch d := g.Against; {
	case c.Baseline == nil:
		return ""
	case g == c.Baseline:
		return "baseline"
	case d == nil:
		return "no seed in common"
	case !d.Known():
		return fmt.Sprintf("%+.4f", d.Mean)
	default:
		text := fmt.Sprintf("%+.4f (%+.4f to %+.4f)", d.Mean, d.Low, d.High)
		if d.ByRows {
			text += " over rows"
		}
		return text
	}
}

// answersAgainst is the difference of a configuration's accuracy, in percent.
func (c *Comparison) answersAgainst(g *Configuration) string {
	switch d := g.Answers; {
	case g == c.Baseline && g.Right.Runs > 0:
		return "baseline"
	case d == nil:
		return ""
	case !d.Known():
		return fmt.Sprintf("%+.1f %%", 100*d.Mean)
	default:
		text := fmt.Sprintf("%+.1f %% (%+.1f to %+.1f)", 100*d.Mean, 100*d.Low, 100*d.High)
		if d.ByRows {
			text += " over rows"
		}
		return text
	}
}

// clock is a time in the unit that suits it.
func clock(seconds float64) string {
	switch d := time.Duration(seconds * float64(time.Second)); {
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", seconds)
	case d < time.Hour:
		return fmt.Sprintf("%.1f min", d.Minutes())
	default:
		return fmt.Sprintf("%.1f h", d.Hours())
	}
}

// table is the titles and all lines.
func (c *Comparison) table() [][]string {
	rows := [][]string{c.columns()}
	for _, g := range c.Configurations {
		rows = append(rows, c.cells(g))
	}
	return rows
}

// Text is the comparison for a terminal.
func (c *Comparison) Text() string {
	var b strings.Builder
	rows := c.table()
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += cell + strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell)+2)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	c.words(&b, "", "  ")
	return b.String()
}

// words writes what to conclude, and what not.
func (c *Comparison) words(b *strings.Builder, heading, item string) {
	for _, part := range []struct {
		title string
		lines []string
	}{{"What this shows", c.Findings}, {"What it does not show", c.Limits}} {
		if len(part.lines) > 0 {
			fmt.Fprintf(b, "\n%s%s\n", heading, part.title)
			if heading != "" {
				b.WriteString("\n")
			}
		}
		for _, line := range part.lines {
			b.WriteString(item + line + "\n")
		}
	}
}

// Markdown is the comparison for a README.
func (c *Comparison) Markdown() string {
	var b strings.Builder
	for i, row := range c.table() {
		for k := range row {
			row[k] = strings.ReplaceAll(row[k], "|", `\|`)
		}
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			b.WriteString("|" + strings.Repeat("---|", len(row)) + "\n")
		}
	}
	c.words(&b, "## ", "- ")
	return b.String()
}

// CSV is the table with its numbers in full.
func (c *Comparison) CSV() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{{
		"configuration", "runs", "finished", "loss_mean", "loss_sd", "best_step", "seconds", "tokens_per_second", "allocated_bytes",
		"difference", "low", "high", "pairs", "paired_by",
		"accuracy_mean", "accuracy_sd", "base_accuracy",
		"accuracy_difference", "accuracy_low", "accuracy_high", "accuracy_pairs", "accuracy_paired_by",
	}}
	for _, g := range c.Configurations {
		row := []string{
			g.Label, strconv.Itoa(len(g.Runs)), strconv.Itoa(len(g.Done)),
			full(g.Mean), full(g.SD), full(g.BestStep), full(g.Seconds), full(g.Pace), strconv.FormatInt(g.Bytes, 10),
		}
		row = append(row, g.Against.fields()...)
		row = append(row, full(g.Right.Mean), full(g.Right.SD), full(g.Right.Base))
		row = append(row, g.Answers.fields()...)
		rows = append(rows, row)
	}
	err := w.WriteAll(rows)
	return b.Bytes(), err
}

// fields are a difference's numbers, empty of none.
func (d *Difference) fields() []string {
	if d == nil {
		return make([]string, 5)
	}
	by := "seed"
	if d.ByRows {
		by = "row"
	}
	return []string{full(d.Mean), full(d.Low), full(d.High), strconv.Itoa(d.Pairs), by}
}

// full is a number in full, nothing where there is none.
func full(x float64) string {
	if math.IsNaN(x) {
		return ""
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

// A runLine is what JSON says of a run: all its settings, and its result.
type runLine struct {
	Name          string      `json:"name"`
	Dir           string      `json:"dir"`
	Configuration string      `json:"configuration"`
	Variant       string      `json:"variant,omitempty"`
	State         sweep.State `json:"state"`
	Failure       string      `json:"failure,omitempty"`
	Step          int         `json:"step"`
	Loss          *float64    `json:"loss"` // the one that it is judged by, null unless it is finished
	LastLoss      float64     `json:"last_loss,omitempty"`
	BaseLoss      float64     `json:"base_eval_loss,omitempty"`
	StartLoss     float64     `json:"start_eval_loss,omitempty"`
	TrainLoss     float64     `json:"train_loss,omitempty"`
	BestStep      int         `json:"best_step"`
	Steps         int         `json:"steps"`
	Tokens        int         `json:"tokens"`
	Seconds       float64     `json:"seconds"`
	Pace          float64     `json:"tokens_per_second"`
	Bytes         int64       `json:"allocated_bytes"`
	Parameters    int         `json:"parameters"`
	Score         string      `json:"score,omitempty"` // how answers were scored
	Accuracy      *float64    `json:"accuracy,omitempty"`
	BaseAccuracy  *float64    `json:"base_accuracy,omitempty"`

	// Of the accuracy to that of the baseline's run of the same seed, paired by row.
	Difference *float64 `json:"accuracy_difference,omitempty"`
	Low        *float64 `json:"accuracy_low,omitempty"`
	High       *float64 `json:"accuracy_high,omitempty"`
	recipe.Recipe
}

// JSON is one object a run, each in its line.
func (c *Comparison) JSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, r := range c.Runs {
		line := runLine{
			Name: r.Name, Dir: r.Dir, Configuration: r.Configuration, Variant: r.Variant, State: r.Status.State, Failure: r.Status.Failure,
			Step: r.Status.Step, LastLoss: r.Status.Loss, Recipe: r.Recipe, Pace: Pace(r.Status.Metrics),
		}
		if p := r.Provenance; p != nil {
			loss := r.Loss()
			line.Loss, line.BaseLoss, line.StartLoss, line.TrainLoss = &loss, p.Losses.Base, p.Start, p.TrainLoss
			line.BestStep, line.Steps, line.Step, line.Tokens, line.Seconds = p.BestStep, p.Steps, p.Steps, p.Tokens, p.Seconds
			line.Bytes, line.Parameters = p.AllocatedBytes, p.Parameters
			if a := p.Answers; a != nil {
				line.Score, line.Accuracy, line.BaseAccuracy = a.Score, &a.Adapter, &a.Base
				line.differ(c.Baseline, r)
			}
		}
		if err := e.Encode(line); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// differ adds the difference of a run's accuracy to the baseline's.
func (l *runLine) differ(baseline *Configuration, r *Run) {
	if baseline == nil || r.Configuration == baseline.Label {
		return
	}
	d := DifferInAnswers(&Configuration{Done: []*Run{r}}, baseline)
	if d == nil {
		return
	}
	if l.Difference = &d.Mean; d.Known() {
		l.Low, l.High = &d.Low, &d.High
	}
}
