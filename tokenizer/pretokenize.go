package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// preTokenizer cuts a piece into smaller ones, none of them empty.
type preTokenizer interface {
	split(p piece, emit func(piece))
}

// loadPreTokenizers reads a pre-tokenizer; Sequences are flattened.
func loadPreTokenizers(raw json.RawMessage) ([]preTokenizer, error) {
	return loadComponents(raw, "pretokenizers", loadPreTokenizer)
}

func loadPreTokenizer(kind string, raw json.RawMessage) (preTokenizer, error) {
	switch kind {
	case "ByteLevel":
		return loadByteLevel(raw)
	case "Split":
		return loadSplit(raw)
	case "Metaspace":
		return loadMetaspace(raw)
	case "Digits":
		var c struct {
			Type       string
			Individual bool `json:"individual_digits"`
		}
		err := decodeStrict(raw, &c)
		if c.Individual {
			return splitter{matcher: class(isNumeric), behavior: isolated}, err
		}
		return splitter{matcher: class(isNumeric), behavior: contiguous}, err
	case "Punctuation":
		c := struct{ Type, Behavior string }{Behavior: "Isolated"}
		if err := decodeStrict(raw, &c); err != nil {
			return nil, err
		}
		b, err := parseBehavior(c.Behavior)
		return splitter{matcher: class(isPunctuation), behavior: b}, err
	case "WhitespaceSplit":
		return splitter{matcher: class(unicode.IsSpace), behavior: removed}, decodeStrict(raw, &struct{ Type string }{})
	case "Whitespace":
		return splitter{matcher: words{}, behavior: removed, invert: true}, decodeStrict(raw, &struct{ Type string }{})
	}
	return nil, errors.New("unknown pre-tokenizer")
}

// isPunctuation is ASCII punctuation and the P categories of an early Unicode.
func isPunctuation(r rune) bool {
	if r < utf8.RuneSelf {
		return '!' <= r && r <= '~' && !unicode.IsLetter(r) && !unicode.IsNumber(r)
	}
	return unicode.IsPunct(r) && !unicode.Is(notPunctuation, r) || unicode.Is(oncePunctuation, r)
}

// isWord is \w of the Rust regex crate.
func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r)
	}
	if r >= firstNew && (unicode.In(r, newLetters...) || unicode.In(r, newIn["M"], newNumbers)) {
		return true
	}
	return unicode.In(r, unicode.L, unicode.Nl, unicode.M, unicode.Nd, unicode.Pc, unicode.Join_Control,
		unicode.Other_Alphabetic, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

// words matches \w+|[^\w\s]+.
type words struct{}

func (words) find(s string, emit func(i, j int)) {
	kind := func(r rune) int {
		switch {
		case isWord(r):
			return letter
		case unicode.IsSpace(r):
			return space
		}
		return other
	}
	start, last := 0, space
	for i, r := range s {
		k := kind(r)
		if k != last {
			if last != space {
				emit(start, i)
			}
			start, last = i, k
		}
	}
	if last != space {
		emit(start, len(s))
	}
}

// metaspace is a pre-tokenizer and a decoder.
type metaspace struct {
	replacement string
	scheme      string // "first", "never" or "always"
	cut         bool
}

func loadMetaspace(raw json.RawMessage) (metaspace, error) {
	c := struct {
		Type           string
		Replacement    string
		AddPrefixSpace *bool   `json:"add_prefix_space"`
		Scheme         string  `json:"prepend_scheme"`
		Split          *bool   `json:"split"`
		StrRep         *string `json:"str_rep"`
	}{Scheme: "always"}
	if err := decodeStrict(raw, &c); err != nil {
		return metaspace{}, err
	}
	if utf8.RuneCountInString(c.Replacement) != 1 {
		return metaspace{}, fmt.Errorf("replacement: want one character, found %q", c.Replacement)
	}
	m := metaspace{c.Replacement, c.Scheme, c.Split == nil || *c.Split}
	switch m.scheme {
	case "first", "never", "always":
	default:
		return m, fmt.Errorf(`prepend_scheme: want "first", "never" or "always", found %q`, m.scheme)
	}
	if c.AddPrefixSpace != nil && !*c.AddPrefixSpace {
		m.scheme = "never"
	}
	return m, nil
}

func (m metaspace) split(p piece, emit func(piece)) {
	p = p.replace(literal(" "), m.replacement)
	if m.scheme == "always" || m.scheme == "first" && p.base == 0 {
		if !strings.HasPrefix(p.text, m.replacement) {
			p = p.prepend(m.replacement)
		}
	}
	if !m.cut {
		emit(p)
		return
	}
	splitter{matcher: literal(m.replacement), behavior: mergedWithNext}.split(p, emit)
}
