package data

import (
	"errors"
	"fmt"

	"example.com/finetune/internal/hint"
)

// Stats count what became of rows. Tokens are of the rows that were kept.
type Stats struct {
	Rows         int `json:"rows"` // read
	Kept         int `json:"kept"`
	Tokens       int `json:"tokens"`
	Trained      int `json:"trained_tokens"`
	Longest      int `json:"longest"`
	Cut          int `json:"cut"`           // rows cut to max_length
	Dropped      int `json:"dropped"`       // rows dropped as longer than max_length
	Untrained    int `json:"untrained"`     // rows dropped without a trained token
	SkippedTurns int `json:"skipped_turns"` // assistant turns the template does not show
	Joined       int `json:"joined"`        // trained tokens that begin before the answer

	UntrainedAt Origin `json:"-"` // the first of them
}

// add counts a row and reports whether it is kept.
func (s *Stats) add(e *encoded, at Origin, o Options) bool {
	return s.count(tally{len(e.IDs), e.Targets(), e.joined, e.skipped, e.overlong}, at, o)
}

// A tally is what is counted of a row.
type tally struct{ tokens, trained, joined, skipped, overlong int }

func (s *Stats) count(t tally, at Origin, o Options) bool {
	s.Rows++
	s.Joined += t.joined
	s.SkippedTurns += t.skipped
	if t.overlong > 0 {
		if o.Overlong == "drop" {
			s.Dropped++
			return false
		}
		s.Cut++
	}
	if t.trained == 0 {
		if s.Untrained++; s.UntrainedAt == (Origin{}) {
			s.UntrainedAt = at
		}
		return false
	}
	s.Kept++
	s.Tokens += t.tokens
	s.Trained += t.trained
	s.Longest = max(s.Longest, t.tokens)
	return true
}

// check refuses rows that most were lost from.
func (s *Stats) check() error {
	if 2*s.Untrained > s.Rows {
		return hint.New(fmt.Errorf("%d of %d rows have no token to train on, the first at %v", s.Untrained, s.Rows, s.UntrainedAt),
			"the prompt may fill max_length, or the chat template may not show where an answer stands: --chat-template names another")
	}
	if s.Kept == 0 {
		return errors.New("no row is left to train on: all were longer than max_length")
	}
	return nil
}
