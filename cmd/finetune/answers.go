package main

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/finetune/internal/hint"
	"example.com/finetune/model"
	"example.com/finetune/train"
	"example.com/finetune/train/data"
	"example.com/finetune/train/generate"
	"example.com/finetune/train/opened"
	"example.com/finetune/train/recipe"
)

// An accuracy is the share of answers that are right.
type accuracy struct {
	Accuracy float64 `json:"accuracy"`
	Right    int     `json:"right"`
}

// An askedRow is a row and what base and adapter answer.
type askedRow struct {
	File    string       `json:"file"`
	Line    int          `json:"line"`
	Want    string       `json:"want"`
	Base    givenAnswer  `json:"base"`
	Adapter *givenAnswer `json:"adapter,omitempty"`
}

type givenAnswer struct {
	Answer string `json:"answer"`
	Right  bool   `json:"right"`
}

// An answersReport is what eval --answers finds.
type answersReport struct {
	Score      string          `json:"score"`
	MaxTokens  int             `json:"max_tokens"`
	Asked      int             `json:"asked"`
	LeftOut    int             `json:"left_out"`
	Base       accuracy        `json:"base"`
	Adapter    *accuracy       `json:"adapter,omitempty"`
	Difference *train.Interval `json:"difference,omitempty"`
	Rows       []askedRow      `json:"rows"`
}

// checkAnswers puts the flags into the score.
func (c *evalCommand) checkAnswers() error {
	switch {
	case c.MaxTokens < 0 || c.Samples < 0:
		return hint.Usagef("--max-tokens and --samples want counts")
	case !c.Answers.On() && c.MaxTokens+c.Samples > 0:
		return hint.New(hint.Usagef("--max-tokens and --samples are of answers, and --answers is not there"), "--answers number")
	}
	if c.MaxTokens > 0 {
		c.Answers.MaxTokens = c.MaxTokens
	}
	if c.Samples > 0 {
		c.Answers.Samples = c.Samples
	}
	return nil
}

// ask lets base and adapter answer the rows.
func (c *evalCommand) ask(u *ui, m *opened.Model, set *data.Set, seqs []model.Sequence) (*answersReport, error) {
	engine := m.Engine()
	g := generate.New(engine, m.Tokenizer)
	ends := data.EndTokens(m.Tokenizer, m.Template, m.Config.EOS)
	questions, leftOut := train.Questions(g, &c.Answers.Score, seqs, ends, m.Recipe.MaxLength, c.Seed)
	if len(questions) == 0 {
		return nil, hint.Newf(fmt.Errorf("none of %s asks for an answer that %s can score", many(len(seqs), "row"), c.Answers.Kind),
			"a row has a prompt and an answer; --answers exact compares any text")
	}
	how := c.Answers
	how.MaxTokens, how.Samples = 0, 0
	r := &answersReport{Score: how.String(), MaxTokens: c.Answers.Limit(), Asked: len(questions), LeftOut: leftOut, Rows: make([]askedRow, len(questions))}
	var adapter []train.Given
	var err error
	if m.Adapters != nil {
		if adapter, err = c.answers(u, g, "answers of the adapter", questions); err != nil {
			return nil, err
		}
		engine.SetAdapters(nil)
		g.Forget()
	}
	base, err := c.answers(u, g, "answers of the base", questions)
	if err != nil {
		return nil, err
	}
	r.Base = newAccuracy(base)
	if adapter != nil {
		a, d := newAccuracy(adapter), train.AccuracyInterval(base, adapter, c.Seed)
		r.Adapter, r.Difference = &a, &d
	}
	for i, q := range questions {
		at := set.Origin(q.Row)
		r.Rows[i] = askedRow{File: at.File, Line: at.Line, Want: q.Want, Base: givenAnswer{base[i].Text, base[i].Right}}
		if adapter != nil {
			r.Rows[i].Adapter = &givenAnswer{adapter[i].Text, adapter[i].Right}
		}
	}
	return r, nil
}

func newAccuracy(given []train.Given) accuracy {
	share, right := train.Accuracy(given)
	return accuracy{share, right}
}

// answers shows how far the answers of one model are.
func (c *evalCommand) answers(u *ui, g *generate.Generator, what string, questions []train.Question) (given []train.Given, err error) {
	p := newAnswerProgress(u, recipe.ProgressAuto, what, len(questions))
	defer p.end()
	err = g.Engine().Model().Guard(func() error {
		given, err = train.Answers(context.Background(), g, &c.Answers.Score, questions, int64(c.Memory), func(_, tokens int) { p.done(tokens) })
		return err
	})
	u.debugf("%s: %s tokens in %s", what, count(p.tokens), duration(time.Since(p.start)))
	return given, err
}

// shownChanges is how many rows that changed sides are shown, each way.
const shownChanges = 3

// print writes the accuracies, and some of the rows in which base and adapter differ.
func (r *answersReport) print(u *ui) error {
	text := fmt.Sprintf("\n%-10s  %-8s  %s\n", "", "right", "of "+many(r.Asked, "row")+", by "+r.Score)
	line := func(what string, a accuracy) {
		text += fmt.Sprintf("%-10s  %-8s  %s\n", what, fmt.Sprintf("%.1f %%", 100*a.Accuracy), count(a.Right))
	}
	line("base", r.Base)
	if r.Adapter != nil {
		line("adapter", *r.Adapter)
		d := r.Difference
		text += fmt.Sprintf("%-10s  %+.1f %%   95 %% interval %+.1f to %+.1f\n", "difference", 100*d.Mean, 100*d.Low, 100*d.High)
	}
	if r.LeftOut > 0 {
		text += many(r.LeftOut, "row") + " left out: no prompt, or no whole answer to compare with\n"
	}
	if r.Adapter != nil {
		text += r.changes("now right", func(row *askedRow) bool { return row.Adapter.Right && !row.Base.Right })
		text += r.changes("now wrong", func(row *askedRow) bool { return !row.Adapter.Right && row.Base.Right })
	}
	return u.printf("%s", text)
}

// changes lists some rows that changed sides one way.
func (r *answersReport) changes(what string, changed func(*askedRow) bool) string {
	text, n := "", 0
	for i := range r.Rows {
		row := &r.Rows[i]
		if !changed(row) {
			continue
		}
		if n++; n <= shownChanges {
			text += fmt.Sprintf("  %s:%d  wanted %s\n    base     %s\n    adapter  %s\n", row.File, row.Line, brief(row.Want), brief(row.Base.Answer), brief(row.Adapter.Answer))
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("\n%s %s%s\n%s", many(n, "row"), what, map[bool]string{true: fmt.Sprintf(", the first %d", shownChanges)}[n > shownChanges], text)
}

// briefLength is how much of a text is shown, in characters.
const briefLength = 90

// brief returns the end of a text in one line: answers that reason end with the result.
func brief(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if n := utf8.RuneCountInString(text); n > briefLength {
		text = "…" + string([]rune(text)[n-briefLength:])
	}
	return text
}
