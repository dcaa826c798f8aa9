package main

import (
	"fmt"
	"strings"

	"example.com/finetune/train/data"
)

// A fact is one line about a file. Odd ones deserve a look.
type fact struct {
	Label, Text string
	Odd         bool
}

// facts says what the rows of a file come to, the same on a terminal and on a page.
func facts(p *checkPage, f checkedFile) []fact {
	if f.Stats.Rows == 0 {
		return nil
	}
	format := f.Format
	if p.ChatTemplate && format != data.Text.String() && format != data.Segments.String() {
		format += ", through the chat template"
	}
	l := f.Lengths
	list := []fact{
		{Label: "format", Text: format},
		{Label: "rows", Text: count(f.Stats.Rows) + validationRows(f)},
		{Label: "tokens", Text: fmt.Sprintf("%s; a row has %s on average, 95 %% have at most %s, the longest %s",
			count(f.Tokens), count(int(l.Mean+0.5)), count(l.P95), count(l.Longest))},
		{Label: "trained", Text: fmt.Sprintf("%s, %.1f %%", many(f.Trained, "token"), 100*f.TrainedShare)},
	}
	for _, o := range oddities(p, f) {
		if o.n > 0 {
			list = append(list, fact{o.label, o.text, true})
		}
	}
	return list
}

// validationRows says how many rows the split keeps.
func validationRows(f checkedFile) string {
	if f.Validation == 0 {
		return ""
	}
	return fmt.Sprintf(": %s to train on, %s kept for validation", count(f.Stats.Rows-f.Validation), count(f.Validation))
}

// An oddity is something that a user may not know of, n times.
type oddity struct {
	n           int
	label, text string
}

func oddities(p *checkPage, f checkedFile) []oddity {
	rows := func(n int, what string) string { return many(n, "row") + " " + what }
	beyond := 0 // what the model can tell apart
	if f.Longest > p.Positions {
		beyond = f.Lengths.Above(p.Positions)
	}
	list := []oddity{
		{f.Cut, "cut", rows(f.Cut, fmt.Sprintf("cut to max_length (%s)", many(p.MaxLength, "token")))},
		{beyond, "beyond", rows(beyond, fmt.Sprintf("longer than the model was made for (%s)", many(p.Positions, "token")))},
		{f.Dropped, "dropped", rows(f.Dropped, fmt.Sprintf("longer than max_length (%s)", many(p.MaxLength, "token")))},
		{f.Untrained, "untrained", rows(f.Untrained, "dropped without a trained token")},
		{f.SkippedTurns, "hidden", many(f.SkippedTurns, "answer") + " that the chat template does not show: not trained"},
		{f.EndNotTrained, "no end", rows(f.EndNotTrained, "whose end token is not trained")},
		{f.Joined, "joined", fmt.Sprintf("%s of prompt and answer in one, first in line %d; trained", many(f.Joined, "token"), f.JoinedLine)},
		{f.MarkersInText, "markers", rows(f.MarkersInText, "with a special token spelled out in the text")},
		{f.BrokenText, "broken", rows(f.BrokenText, "with U+FFFD, which stands for bytes that were lost")},
		{f.Duplicates, "twice", fmt.Sprintf("%s, such as line %d, which is line %d again", many(f.Duplicates, "row"), f.DuplicateAt[1], f.DuplicateAt[0])},
	}
	for _, s := range f.Shared {
		list = append(list, oddity{s.Rows, "shared", fmt.Sprintf("%s of %s too, such as line %d, which is line %d there", many(s.Rows, "row"), s.With, s.Lines[0], s.Lines[1])})
	}
	return list
}

// verdict is the last line: what a run would do.
func verdict(p *checkPage) string {
	if p.OK {
		return "A run would not stop over these rows."
	}
	return "A run would stop."
}

// settingsLine says how the rows were read.
func settingsLine(p *checkPage) string {
	template := "no chat template"
	if p.ChatTemplate {
		template = "through its chat template"
	}
	return fmt.Sprintf("%s; max_length %d, overlong %s, train_on %s", template, p.MaxLength, p.Overlong, p.TrainOn)
}

// oneLine makes an error of several lines one, and what it quotes harmless.
func oneLine(text string) string {
	return strings.ReplaceAll(data.Visible(text), "\n", " ")
}
