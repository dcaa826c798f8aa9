package data

import (
	"slices"
	"strings"
	"unicode/utf8"

	"example.com/finetune/tokenizer"
)

// markers finds the spellings of special tokens in a text.
type markers struct {
	first string            // the characters they begin with
	by    map[rune][]string // by the first, the longest first
}

func newMarkers(t *tokenizer.Tokenizer) *markers {
	m := &markers{by: map[rune][]string{}}
	for id := range t.MaxID() + 1 {
		if s, ok := t.Token(id); ok && s != "" && t.IsSpecial(id) {
			r, _ := utf8.DecodeRuneInString(s)
			m.by[r] = append(m.by[r], s)
		}
	}
	for r, list := range m.by {
		m.first += string(r)
		slices.SortFunc(list, func(a, b string) int { return len(b) - len(a) })
	}
	return m
}

// find returns the first special token that text spells, or "".
func (m *markers) find(text string) string {
	for m.first != "" {
		i := strings.IndexAny(text, m.first)
		if i < 0 {
			break
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		for _, s := range m.by[r] {
			if strings.HasPrefix(text[i:], s) {
				return s
			}
		}
		text = text[i+size:]
	}
	return ""
}
