package score

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"example.com/finetune/internal/hint"
)

// A Kind is how answers are compared.
type Kind string

// The kinds; None compares nothing.
const (
	None     Kind = "none"
	Exact    Kind = "exact"    // the same text, white space around it apart
	Contains Kind = "contains" // the row's answer is in the model's
	Number   Kind = "number"   // the last number
	JSON     Kind = "json"     // the same value, or the same values of some keys
	Regex    Kind = "regex"    // the first group of the last match
	Choice   Kind = "choice"   // the likeliest of some answers is the row's
)

var kinds = []Kind{Exact, Contains, Number, JSON, Regex, Choice}

// DefaultMaxTokens is how long answers may be where nothing else is said.
const DefaultMaxTokens = 256

// A Score says how answers are scored. The zero value is none.
type Score struct {
	Kind      Kind
	Pattern   string   // of regex
	Choices   []string // of choice
	Keys      []string // of json; none: the whole value
	MaxTokens int      // of an answer; 0: DefaultMaxTokens
	Samples   int      // rows that are asked; 0: all there are

	pattern *regexp.Regexp
}

// On reports whether anything is scored.
func (s *Score) On() bool { return s.Kind != "" && s.Kind != None }

// Limit returns how many tokens an answer has at most.
func (s *Score) Limit() int {
	if s.MaxTokens > 0 {
		return s.MaxTokens
	}
	return DefaultMaxTokens
}

// UnmarshalText reads "number", "regex:#### (.*)", "choice:yes,no", "json:name,age" or
// "none".
func (s *Score) UnmarshalText(text []byte) error {
	word, rest, more := strings.Cut(string(text), ":")
	fields := map[string][]string{"kind": {strings.TrimSpace(word)}}
	if more {
		switch Kind(strings.TrimSpace(word)) {
		case Regex:
			fields["pattern"] = []string{rest}
		case Choice:
			fields["choices"] = []string{rest}
		case JSON:
			fields["keys"] = []string{rest}
		default:
			return fmt.Errorf("%.60q: %s takes nothing behind a colon", text, strings.TrimSpace(word))
		}
	}
	return s.Set(fields)
}

// Set reads the fields kind, pattern, choices, keys, max_tokens and samples. A single
// value of choices or keys may have several with commas between.
func (s *Score) Set(fields map[string][]string) error {
	var n Score
	for key, values := range fields {
		if len(values) != 1 && key != "choices" && key != "keys" {
			return fmt.Errorf("%s is a list, want one value", key)
		}
		var err error
		switch key {
		case "kind":
			n.Kind = Kind(values[0])
		case "pattern":
			n.Pattern = values[0]
		case "choices":
			n.Choices = list(values)
		case "keys":
			n.Keys = list(values)
		case "max_tokens":
			n.MaxTokens, err = positive(key, values[0])
		case "samples":
			n.Samples, err = positive(key, values[0])
		default:
			err = fmt.Errorf("%.60q is no part of it: kind, pattern, choices, keys, max_tokens and samples are", key)
		}
		if err != nil {
			return err
		}
	}
	if err := n.check(); err != nil {
		return err
	}
	*s = n
	return nil
}

// list takes one text apart at its commas.
func list(values []string) (all []string) {
	if len(values) == 1 {
		values = strings.Split(values[0], ",")
	}
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" {
			all = append(all, v)
		}
	}
	return all
}

func positive(key, text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s is %.60q, want a count of at least 1", key, text)
	}
	return n, nil
}

// check finds what does not fit together, and compiles the expression.
func (s *Score) check() (err error) {
	if s.Kind == None || s.Kind == "" {
		if s.Kind == "" {
			return hint.New(errors.New("no kind"), "kind: number, for example")
		}
		*s = Score{}
		return nil
	}
	if !slices.Contains(kinds, s.Kind) {
		words := make([]string, len(kinds))
		for i, k := range kinds {
			words[i] = string(k)
		}
		return fmt.Errorf("%.60q, want one of %s, none", string(s.Kind), strings.Join(words, ", "))
	}
	switch {
	case s.Pattern != "" && s.Kind != Regex:
		return fmt.Errorf("a pattern, and the kind is %s", s.Kind)
	case s.Choices != nil && s.Kind != Choice:
		return fmt.Errorf("choices, and the kind is %s", s.Kind)
	case s.Keys != nil && s.Kind != JSON:
		return fmt.Errorf("keys, and the kind is %s", s.Kind)
	case s.Kind == Choice && len(s.Choices) < 2:
		return hint.New(errors.New("choice without two answers to choose from"), "choice:yes,no")
	case len(slices.Compact(slices.Sorted(slices.Values(s.Choices)))) < len(s.Choices):
		return fmt.Errorf("choice of %s: one of them stands twice", strings.Join(s.Choices, ", "))
	case s.Kind == Regex:
		if s.pattern, err = regexp.Compile(s.Pattern); err != nil {
			return hint.New(fmt.Errorf("the pattern: %w", err), "it is an expression of Go's: https://pkg.go.dev/regexp/syntax")
		}
		if s.pattern.NumSubexp() < 1 {
			return hint.New(fmt.Errorf("the pattern %.60q has no group to compare", s.Pattern), `regex:#### (.*)`)
		}
	}
	return nil
}

// String returns the text of a score: a word with what belongs to it, or all fields as
// JSON where there is more, or a comma in a choice or key.
func (s Score) String() string {
	text := string(s.Kind)
	comma := func(v string) bool { return strings.Contains(v, ",") }
	switch {
	case s.MaxTokens > 0 || s.Samples > 0 || slices.ContainsFunc(s.Choices, comma) || slices.ContainsFunc(s.Keys, comma):
		all, err := json.Marshal(fields(s))
		if err != nil {
			panic(err) // texts and numbers
		}
		return string(all)
	case s.Kind == "":
		return string(None)
	case s.Kind == Regex:
		text += ":" + s.Pattern
	case s.Kind == Choice:
		text += ":" + strings.Join(s.Choices, ",")
	case len(s.Keys) > 0:
		text += ":" + strings.Join(s.Keys, ",")
	}
	return text
}

// fields is a score as an object of JSON.
type fields struct {
	Kind      Kind     `json:"kind"`
	Pattern   string   `json:"pattern,omitempty"`
	Choices   []string `json:"choices,omitempty"`
	Keys      []string `json:"keys,omitempty"`
	MaxTokens int      `json:"max_tokens,omitempty"`
	Samples   int      `json:"samples,omitempty"`

	pattern *regexp.Regexp
}
