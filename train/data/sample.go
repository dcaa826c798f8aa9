package data

import (
	"fmt"
	"strings"
	"unicode"

	"example.com/finetune/tokenizer"
)

// A Token is one token of a row, as a reader sees it.
type Token struct {
	ID      int32
	Text    string // its part of the row's text; "" after the first token of a character
	Trained bool
	Special bool
}

// A Sample is a row's tokens, for people to look at.
type Sample struct {
	Origin
	Tokens []Token
	Lost   int // tokens cut off its end
}

// wordStart is how SentencePiece vocabularies spell a space.
const wordStart = "▁"

// newSample spells an encoded row out.
func newSample(e *encoded, at Origin, t *tokenizer.Tokenizer) Sample {
	out := Sample{Origin: at, Tokens: make([]Token, len(e.IDs)), Lost: max(0, e.overlong-len(e.IDs))}
	shown := 0 // bytes of the text
	for i, id := range e.IDs {
		k := Token{ID: id, Trained: e.Learn[i], Special: t.IsSpecial(id)}
		spelled, _ := t.Token(id)
		if i >= len(e.offsets) || e.offsets[i][0] == e.offsets[i][1] { // not of the text
			k.Text = spelled
		} else if from, to := max(shown, e.offsets[i][0]), e.offsets[i][1]; from < to {
			k.Text = e.text[from:to]
			if spelled == wordStart && k.Text != " " { // put before a word, and placed on its first letter
				k.Text, to = spelled, from
			}
			shown = to
		}
		out.Tokens[i] = k
	}
	return out
}

// Visible makes the characters that a terminal or a page would hide or obey
// visible: ↵ before each line break, ⇥ for a tab, the control pictures of Unicode, and a
// code such as ⟨U+200B⟩ for the rest.
func Visible(text string) string {
	if strings.IndexFunc(text, hidden) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n':
			b.WriteString("↵\n")
		case r == '\t':
			b.WriteString("⇥")
		case r < ' ':
			b.WriteRune('␀' + r)
		case r == 0x7f:
			b.WriteRune('␡')
		case hidden(r):
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hidden reports whether a character shows nothing of its own: controls, formats
// (zero width, direction), separators other than the space, private use. The joiner
// and the selector of emoji are left alone.
func hidden(r rune) bool {
	return r != '\u200d' && r != '\ufe0f' && r != ' ' && !unicode.IsGraphic(r) || r == '\u2028' || r == '\u2029' || r == '\u00a0'
}
