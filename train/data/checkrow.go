package data

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

const (
	worstRows = 10
	fewTokens = 0.02 // share of trained tokens below which a long row is named
)

// A Finding is a row to look at, and why.
type Finding struct {
	Origin `json:"-"`
	Line   int      `json:"line"`
	Why    []string `json:"why"`
	weight int
}

// A survey collects a file's facts, row by row.
type survey struct {
	*Checker
	report  *Report
	lengths map[int]int // rows by their tokens before any cut
	keys    []rowKey
	worst   []ranked // heaviest first, at most worstRows
	chosen  []ranked // of a seeded choice
	draw    draw     // of the validation rows
	maxID   int32
	maxIDAt Origin
}

// A ranked row is kept while fewer rows go before it.
type ranked struct {
	Finding
	rank   uint64 // the largest first
	sample Sample
}

// add counts one row.
func (s *survey) add(r *Row, e *encoded) {
	s.lengths[max(len(e.IDs), e.overlong)]++
	s.draw.add(len(s.keys), r.Digest)
	s.keys = append(s.keys, newKey(e, r.Line))
	for _, id := range e.IDs {
		if id > s.maxID {
			s.maxID, s.maxIDAt = id, r.Origin
		}
	}
	f := s.look(r, e)
	s.report.Stats.add(e, r.Origin, s.Options)
	if f.weight > 0 {
		s.worst = s.keep(s.worst, worstRows, ranked{Finding: f, rank: uint64(f.weight)}, e)
	}
	if s.Samples > 0 {
		rank := rand.NewPCG(s.Seed, uint64(r.Line)).Uint64()
		s.chosen = s.keep(s.chosen, s.Samples, ranked{Finding: f, rank: rank}, e)
	}
}

// keep puts a row in its place of a list of at most n.
func (s *survey) keep(list []ranked, n int, row ranked, e *encoded) []ranked {
	i, _ := slices.BinarySearchFunc(list, row, func(a, b ranked) int { // after its equals
		if a.rank >= b.rank {
			return -1
		}
		return 1
	})
	if i >= n {
		return list
	}
	row.sample = newSample(e, row.Origin, s.Tokenizer)
	list = slices.Insert(list, i, row)
	return list[:min(n, len(list))]
}

// spell puts the rows that were kept into the report.
func (s *survey) spell() {
	for _, w := range s.worst {
		s.report.Worst = append(s.report.Worst, w.Finding)
		s.report.WorstRows = append(s.report.WorstRows, w.sample)
	}
	slices.SortFunc(s.chosen, func(a, b ranked) int { return cmp.Compare(a.Line, b.Line) })
	for _, c := range s.chosen {
		s.report.Rows = append(s.report.Rows, c.sample)
	}
}

// look names what is odd about a row. What loses most weighs most.
func (s *survey) look(r *Row, e *encoded) Finding {
	f := Finding{Origin: r.Origin, Line: r.Line}
	why := func(weight int, format string, args ...any) {
		f.weight += weight
		f.Why = append(f.Why, fmt.Sprintf(format, args...))
	}
	trained := e.Targets()
	dropped := e.overlong > 0 && s.Options.Overlong == "drop"
	switch {
	case dropped:
		why(9000, "%d tokens, longer than max_length: dropped", e.overlong)
	case e.overlong > 0:
		why(8000+999*(e.overlong-len(e.IDs))/e.overlong, "%d of its %d tokens are cut off", e.overlong-len(e.IDs), e.overlong)
	}
	if trained == 0 && !dropped {
		why(10000, "none of its %d tokens is trained: dropped", len(e.IDs))
	}
	if e.skipped > 0 {
		why(7000, "%s the chat template does not show: not trained", plural(e.skipped, "answer"))
	}
	if trained > 0 && !s.ended(e) {
		s.report.EndNotTrained++
		if e.overlong == 0 {
			why(6000, "the answer ends without a trained end token")
		}
	}
	s.lookAtText(r, why)
	if e.joined > 0 { // harmless: it only goes with other reasons
		why(0, "prompt and answer are joined in %s", plural(e.joined, "token"))
		if s.report.JoinedLine == 0 {
			s.report.JoinedLine = r.Line
		}
	}
	if n := len(e.IDs); trained > 0 && n > 50 && float64(trained) < fewTokens*float64(n) {
		why(2000, "only %d of %d tokens are trained", trained, n)
	}
	return f
}

// lookAtText looks for what should not stand in the texts of a row.
func (s *survey) lookAtText(r *Row, why func(weight int, format string, args ...any)) {
	marker, broken := "", false
	for text := range r.texts {
		if marker == "" {
			marker = s.markers.find(text)
		}
		broken = broken || strings.ContainsRune(text, '\uFFFD')
	}
	if marker != "" && r.Format != Segments { // those bring their special tokens on purpose
		s.report.MarkersInText++
		why(4000, "%q stands in its text and becomes that token", marker)
	}
	if broken {
		s.report.BrokenText++
		why(3000, "U+FFFD in its text: bytes were lost before")
	}
}

// ended reports whether the last trained token, white space apart, ends a text.
func (s *survey) ended(e *encoded) bool {
	for i := len(e.IDs) - 1; i >= 0; i-- {
		if !e.Learn[i] {
			continue
		}
		id := e.IDs[i]
		if s.Tokenizer.IsSpecial(id) || slices.Contains(s.Ends, id) {
			return true
		}
		if strings.TrimSpace(s.Tokenizer.Decode(e.IDs[i:i+1], false)) != "" {
			return false
		}
	}
	return false
}

// texts yields what the file says in a row, without what a template adds.
func (r *Row) texts(yield func(string) bool) {
	for _, m := range r.Chat.Messages {
		if !yield(m.Content) {
			return
		}
	}
	_ = yield(r.Prompt) && yield(r.Text)
}

// plural writes a number and its noun.
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
