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
	if beyond := f.Lengths.Above(p.Positions); f.Longest > p.Positions {
		list = append(list, fact{"beyond", fmt.Sprintf("%s longer than the model was made for (%s)", many(beyond, "row"), many(p.Positions, "token")), true})
	}
	for _, n := range f.Notes() {
		list = append(list, fact{n.Label, n.Say(many), true})
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
