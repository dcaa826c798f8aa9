package score

import (
	"math/big"
	"regexp"
	"slices"
	"strings"

	"example.com/finetune/internal/jsontree"
)

// Asks reports whether something to compare can be read from a row's own answer.
func (s *Score) Asks(want string) bool {
	if s.Kind == Choice {
		return slices.Contains(s.Choices, strings.TrimSpace(want))
	}
	_, ok := s.read(want)
	return ok
}

// Right reports whether a model's answer is that of the row. Of choice it compares the
// chosen one.
func (s *Score) Right(got, want string) bool {
	switch s.Kind {
	case Contains:
		return strings.Contains(got, strings.TrimSpace(want))
	case JSON:
		a, ok := parse(got)
		b, _ := parse(want)
		return ok && s.same(a, b)
	}
	a, ok := s.read(got)
	b, _ := s.read(want)
	return ok && a == b
}

// read returns what is compared, in one form.
func (s *Score) read(text string) (value string, ok bool) {
	switch s.Kind {
	case Number:
		return lastNumber(text)
	case Regex:
		all := s.pattern.FindAllStringSubmatch(text, -1)
		if len(all) == 0 {
			return "", false
		}
		text = all[len(all)-1][1]
	case JSON:
		v, ok := parse(text)
		has := func(key string) bool { return v.Get(key).Kind() != jsontree.Absent }
		return "", ok && (len(s.Keys) == 0 || slices.ContainsFunc(s.Keys, has))
	}
	text = strings.TrimSpace(text)
	return text, text != ""
}

// numbers are digits with or without commas between thousands.
var numbers = regexp.MustCompile(`(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+`)

// lastNumber returns the last number of a text as a fraction in lowest terms. A hyphen is
// its sign unless a letter, a digit or a bracket stands before it.
func lastNumber(text string) (string, bool) {
	all := numbers.FindAllStringIndex(text, -1)
	if len(all) == 0 {
		return "", false
	}
	at := all[len(all)-1]
	x, ok := new(big.Rat).SetString(strings.ReplaceAll(text[at[0]:at[1]], ",", ""))
	if !ok {
		return "", false
	}
	before := strings.TrimRight(text[:at[0]], "$€£")
	if rest, minus := strings.CutSuffix(before, "-"); minus && !endsTerm(rest) {
		x.Neg(x)
	} else if rest, minus := strings.CutSuffix(before, "−"); minus && !endsTerm(rest) {
		x.Neg(x)
	}
	return x.RatString(), true
}

// endsTerm reports whether a hyphen behind text subtracts or joins.
func endsTerm(text string) bool {
	if text == "" {
		return false
	}
	c := text[len(text)-1]
	return c == ')' || c == ']' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// parse reads the JSON value that a text is, a fence of Markdown around it or not.
func parse(text string) (v jsontree.Value, ok bool) {
	text = strings.TrimSpace(text)
	if fenced, is := strings.CutPrefix(text, "```"); is {
		_, fenced, _ = strings.Cut(fenced, "\n")
		text, _, _ = strings.Cut(fenced, "```")
	}
	v, err := jsontree.Parse(text)
	return v, err == nil
}

// same compares two values, or those of the keys that count.
func (s *Score) same(a, b jsontree.Value) bool {
	if len(s.Keys) == 0 {
		return equal(a, b)
	}
	return !slices.ContainsFunc(s.Keys, func(key string) bool { return !equal(a.Get(key), b.Get(key)) })
}

// equal compares values: objects in any order, numbers as numbers.
func equal(a, b jsontree.Value) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	switch a.Kind() {
	case jsontree.Object:
		if a.Len() != b.Len() {
			return false
		}
		for key, member := range a.Members() {
			if !equal(member, b.Get(key)) {
				return false
			}
		}
		return true
	case jsontree.List:
		if a.Len() != b.Len() {
			return false
		}
		var other []jsontree.Value
		for _, item := range b.Items() {
			other = append(other, item)
		}
		for i, item := range a.Items() {
			if !equal(item, other[i]) {
				return false
			}
		}
		return true
	case jsontree.String:
		x, _ := a.Str()
		y, _ := b.Str()
		return x == y
	case jsontree.Number:
		x, err := a.Float()
		y, e := b.Float()
		fractions := strings.ContainsAny(a.Raw()+b.Raw(), ".eE")
		if err == nil && e == nil && (fractions || x == 0) { // floats tell large integers apart too little
			return x == y
		}
	}
	return a.Raw() == b.Raw()
}
