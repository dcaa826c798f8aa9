package data

import (
	"errors"
	"fmt"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/tokenizer"
)

// Stats count what became of rows. Tokens, and all that follows them but joined tokens
// and skipped turns, are of the rows that were kept.
type Stats struct {
	Rows         int `json:"rows"` // read
	Kept         int `json:"kept"`
	Tokens       int `json:"tokens"`
	Trained      int `json:"trained_tokens"`
	Longest      int `json:"longest"`
	Cut          int `json:"cut"`             // rows cut to max_length
	Dropped      int `json:"dropped"`         // rows dropped as longer than max_length
	Untrained    int `json:"untrained"`       // rows dropped without a trained token
	SkippedTurns int `json:"skipped_turns"`   // assistant messages that the template does not show
	Joined       int `json:"joined"`          // trained tokens that begin before the answer
	NoEnd        int `json:"end_not_trained"` // rows whose last trained token is none that generation stops at
	Markers      int `json:"markers_in_text"` // rows that spell a special token out
	Broken       int `json:"broken_text"`     // rows with U+FFFD, which stands for bytes that were lost

	First Lines `json:"-"`
}

// Lines are the first rows of some kinds, 0 where there is none.
type Lines struct{ Cut, Dropped, Untrained, SkippedTurns, Joined, NoEnd, Markers, Broken int }

// An oddity is something about a row that endangers a run.
type oddity uint32

const (
	noEnd      oddity = 1 << iota // the last trained token is none that generation stops at
	marked                        // a special token is spelled out in its texts
	brokenText                    // U+FFFD in its texts
)

// A tally is what is counted of a row.
type tally struct {
	tokens, trained, joined, skipped, overlong int
	odd                                        oddity
	key                                        uint64 // of tokens and mask
}

// add counts a row and reports whether it is kept.
func (s *Stats) add(t tally, line int, o Options) bool {
	count := func(n int, sum, first *int) {
		if *sum += n; n > 0 && *first == 0 {
			*first = line
		}
	}
	one := func(is bool, sum, first *int) {
		if is {
			count(1, sum, first)
		}
	}
	s.Rows++
	count(t.joined, &s.Joined, &s.First.Joined)
	count(t.skipped, &s.SkippedTurns, &s.First.SkippedTurns)
	if t.overlong > 0 && o.Overlong == Drop {
		count(1, &s.Dropped, &s.First.Dropped)
		return false
	}
	one(t.overlong > 0, &s.Cut, &s.First.Cut)
	if t.trained == 0 {
		count(1, &s.Untrained, &s.First.Untrained)
		return false
	}
	one(t.odd&noEnd != 0, &s.NoEnd, &s.First.NoEnd)
	one(t.odd&marked != 0, &s.Markers, &s.First.Markers)
	one(t.odd&brokenText != 0, &s.Broken, &s.First.Broken)
	s.Kept++
	s.Tokens += t.tokens
	s.Trained += t.trained
	s.Longest = max(s.Longest, t.tokens)
	return true
}

// check refuses the rows of a file that most were lost from.
func (s *Stats) check(path string) error {
	if 2*s.Untrained > s.Rows {
		return hint.New(fmt.Errorf("%s: %d of %d rows have no token to train on, the first at %v", path, s.Untrained, s.Rows, Origin{path, s.First.Untrained}),
			"the prompt may fill max_length, the answers may be marked as not to be learned, or the chat template may not show where an answer stands: --chat-template names another")
	}
	if s.Kept == 0 {
		return hint.New(fmt.Errorf("%s: %w", path, errors.New("no row is left to train on: all were longer than max_length")), "a larger --max-length, or --overlong truncate")
	}
	return nil
}

// A Note is something about the rows of a file that its user may not know of.
type Note struct {
	Label string // of few letters, for a table
	Count int
	Noun  string // of what is counted; "" where Text says all
	Text  string // goes on behind count and noun
	Harms bool   // what a run is to warn of
}

// Say returns the note in words. many writes a number and its noun.
func (n *Note) Say(many func(n int, noun string) string) string {
	if n.Noun == "" {
		return n.Text
	}
	return many(n.Count, n.Noun) + " " + n.Text
}

// A manner is how rows were read, as far as notes tell of it.
type manner struct {
	maxLength int
	template  bool // they went through one
	ends      bool // there is a token that generation stops at
}

func (o *Options) manner(t *tokenizer.Tokenizer, f Format) manner {
	return manner{o.MaxLength, o.Template != nil && f != Text && f != Segments, len(EndTokens(t, o.Template, o.Ends)) > 0}
}

// notes says what is odd about the rows of a file.
func (s *Stats) notes(path string, m manner, unread []Unread) []Note {
	unit := "line"
	if extension(path) == ".parquet" {
		unit = "row"
	}
	first := func(line int) string { return fmt.Sprintf("; first in %s %d", unit, line) }
	stop := "without a trained end token: the model does not learn to stop there"
	if !m.ends {
		stop = "without an end token: neither the tokenizer nor the model's configuration names one, and the model does not learn to stop"
	}
	tokens := fmt.Sprintf(" max_length (%s)", plural(m.maxLength, "token"))
	marker := "with a special token spelled out in the text, which becomes that token"
	if m.template {
		marker += " (what went through a template before wants --chat-template none)"
	}
	list := []Note{
		{"cut", s.Cut, "row", "cut to" + tokens + first(s.First.Cut), true},
		{"dropped", s.Dropped, "row", "dropped as longer than" + tokens + first(s.First.Dropped), true},
		{"untrained", s.Untrained, "row", "dropped without a trained token" + first(s.First.Untrained), true},
		{"hidden", s.SkippedTurns, "answer", "not trained: what the chat template makes of them cannot be told from the rest" + first(s.First.SkippedTurns), true},
		{"no end", s.NoEnd, "row", stop + first(s.First.NoEnd), true},
		{"joined", s.Joined, "token", "of prompt and answer in one, trained" + first(s.First.Joined), false},
		{"markers", s.Markers, "row", marker + first(s.First.Markers), true},
		{"broken", s.Broken, "row", "with U+FFFD, which stands for bytes that were lost" + first(s.First.Broken), true},
		{"not read", len(unread), "", "nothing reads: " + spellUnread(unread, unit), true},
	}
	kept := list[:0]
	for _, n := range list {
		if n.Count > 0 {
			kept = append(kept, n)
		}
	}
	return kept
}

// spellUnread lists names that nothing reads, with the number of their rows.
func spellUnread(list []Unread, unit string) string {
	const most = 12
	var parts []string
	for _, u := range list[:min(len(list), most)] {
		part := fmt.Sprintf("%s %q in %s", u.What, u.Name, plural(u.Rows, "row"))
		if u.Line > 1 {
			part += fmt.Sprintf(" from %s %d on", unit, u.Line)
		}
		if u.What == columnKey && u.Name == "text" {
			part += " (the columns of a prompt and its answer go before it)"
		}
		parts = append(parts, part)
	}
	if more := len(list) - most; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, ", ")
}

// An Overlap is the rows of one file that another has too: the same tokens, trained
// alike.
type Overlap struct {
	With  string `json:"with"`
	Rows  int    `json:"rows"`
	Lines [2]int `json:"lines"` // of the first: here and there
}

// Note says it in words.
func (o *Overlap) Note() Note {
	return Note{"shared", o.Rows, "row", fmt.Sprintf("of %s too, such as line %d, which is line %d there", o.With, o.Lines[0], o.Lines[1]), true}
}

// plural writes a number and its noun.
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
