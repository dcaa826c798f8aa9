package main

import (
	"fmt"
	"slices"
	"strings"

	"example.com/finetune/train/data"
)

// printSamples writes rows token by token: on a terminal in colours, else with what
// is trained in ⟦ ⟧ and a bar between tokens.
func printSamples(u *ui, rows []data.Sample) error {
	if len(rows) == 0 {
		return nil
	}
	spell, legend := bracketTokens, "⟦…⟧ is trained; │ stands between tokens"
	if u.colours {
		spell = colourTokens
		legend = colourTokens([]data.Token{{Text: " trained ", Trained: true}, {Text: " not trained "}, {Text: " special ", Special: true}})
	}
	if slices.ContainsFunc(rows, func(r data.Sample) bool { return slices.ContainsFunc(r.Tokens, inside) }) {
		legend += "; " + continued + " goes on with a character"
	}
	if err := u.printf("\n%s\n", legend); err != nil {
		return err
	}
	for _, r := range rows {
		text := strings.TrimSuffix(spell(r.Tokens), "\n")
		if r.Lost > 0 {
			text += " … " + many(r.Lost, "token") + " cut off"
		}
		if err := u.printf("\n%s  %s\n%s\n", u.bold(r.Origin.String()), many(len(r.Tokens), "token"), text); err != nil {
			return err
		}
	}
	return nil
}

// continued stands for a token inside a character.
const continued = "◦"

func inside(t data.Token) bool { return t.Text == "" }

// tokenText is a token with nothing hidden.
func tokenText(t data.Token) string {
	if inside(t) {
		return continued
	}
	return data.Visible(t.Text)
}

// bracketTokens spells tokens out without colours. A border at the end of a line
// stands before the line break.
func bracketTokens(tokens []data.Token) string {
	var b strings.Builder
	for i, t := range tokens {
		text, newline := strings.CutSuffix(tokenText(t), "\n")
		if t.Trained && (i == 0 || !tokens[i-1].Trained) {
			b.WriteString("⟦")
		}
		b.WriteString(text)
		last := i == len(tokens)-1
		switch {
		case t.Trained && (last || !tokens[i+1].Trained):
			b.WriteString("⟧")
		case !last && t.Trained == tokens[i+1].Trained:
			b.WriteString("│")
		}
		if newline {
			b.WriteString("\n")
		}
	}
	return b.String()
}

// Colours of the 256-colour palette, both ink and paper, so that they can be read
// on any background. Neighbours take turns.
var (
	trainedPaper   = [2]int{22, 28}
	untrainedPaper = [2]int{236, 239}
)

const (
	trainedInk   = 231
	untrainedInk = 252
	specialInk   = 226
)

// colourTokens spells tokens out in colours, which end before each line break.
func colourTokens(tokens []data.Token) string {
	var b strings.Builder
	for i, t := range tokens {
		ink, paper := untrainedInk, untrainedPaper[i%2]
		if t.Trained {
			ink, paper = trainedInk, trainedPaper[i%2]
		}
		bold := ""
		if t.Special {
			ink, bold = specialInk, "1;"
		}
		for line := range strings.Lines(tokenText(t)) {
			line, newline := strings.CutSuffix(line, "\n")
			fmt.Fprintf(&b, "\x1b[%s38;5;%d;48;5;%dm%s\x1b[0m", bold, ink, paper, line)
			if newline {
				b.WriteString("\n")
			}
		}
	}
	return b.String()
}
