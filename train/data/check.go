package data

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"example.com/finetune/internal/hint"
	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
)

// A Checker reads files as a run would, and says what it finds. It goes on after
// mistakes.
type Checker struct {
	Tokenizer *tokenizer.Tokenizer
	Options   Options
	Columns   Columns
	Pool      *simd.Pool
	VocabSize int     // of the model
	Samples   int     // rows of a file to spell out
	ValSplit  float64 // share of the rows that a run would keep for validation
	Seed      uint64  // of both choices
	Progress  func(bytes int64)
}

// Check reads the file at path.
func (c *Checker) Check(path string) *Report {
	s := &survey{Checker: c, report: newReport(path), lengths: map[int]int{}, maxID: -1, draw: draw{share: c.ValSplit, seed: c.Seed}}
	r := s.report
	f, err := openRows(path, c.Columns)
	if err != nil {
		s.finish(nil, err)
		return r
	}
	defer f.Close()
	rows := newReader(c.Columns, c.Tokenizer, c.Options, c.Pool, c.Progress, s.add)
	file, mistakes, err := rows.read(path, f)
	r.Unread = append(r.Unread, rows.unread...)
	r.SHA256, r.manner = file.SHA256, c.Options.manner(c.Tokenizer, file.Format)
	if file.Format != 0 {
		r.Format = file.Format.String()
	}
	if mistakes != nil {
		r.MistakeCount = mistakes.Total
		for _, m := range mistakes.First {
			r.Mistakes = append(r.Mistakes, newMistake(m))
		}
	}
	s.finish(mistakes, err)
	return r
}

// finish computes what only all rows together show.
func (s *survey) finish(mistakes *Mistakes, err error) {
	r := s.report
	if r.Tokens > 0 {
		r.TrainedShare = float64(r.Trained) / float64(r.Tokens)
	}
	r.Lengths = newLengths(s.lengths)
	r.JoinedLine = r.First.Joined
	s.split()
	r.keys = s.keys
	r.findDuplicates()
	s.spell()
	switch {
	case err != nil:
		r.stop(err)
	case mistakes != nil:
		err := fmt.Errorf("%s: %s with mistakes", r.Path, plural(r.MistakeCount, "row"))
		r.stop(hint.New(err, mistakes.Hint()))
	default:
		if err := r.Stats.check(r.Path); err != nil {
			r.stop(err)
		}
	}
	if err := CheckVocabulary(s.maxID, s.maxIDAt, s.VocabSize); err != nil {
		r.stop(err)
	}
}

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
func (s *survey) add(r *Row, e *encoded) error {
	s.lengths[max(len(e.IDs), e.overlong)]++
	s.draw.add(len(s.keys), r.Digest)
	s.keys = append(s.keys, rowKey{e.key, r.Line})
	for _, id := range e.IDs {
		if id > s.maxID {
			s.maxID, s.maxIDAt = id, r.Origin
		}
	}
	f := s.look(r, e)
	s.report.Stats.add(e.tally, r.Line, s.Options)
	if f.weight > 0 {
		s.worst = s.keep(s.worst, worstRows, ranked{Finding: f, rank: uint64(f.weight)}, e)
	}
	if s.Samples > 0 {
		rank := rand.NewPCG(s.Seed, uint64(r.Line)).Uint64()
		s.chosen = s.keep(s.chosen, s.Samples, ranked{Finding: f, rank: rank}, e)
	}
	return nil
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
	dropped := e.overlong > 0 && s.Options.Overlong == Drop
	switch {
	case dropped:
		why(9000, "%d tokens, longer than max_length: dropped", e.overlong)
	case e.overlong > 0:
		why(8000+999*(e.overlong-len(e.IDs))/e.overlong, "%d of its %d tokens are cut off", e.overlong-len(e.IDs), e.overlong)
	}
	if e.trained == 0 && !dropped {
		why(10000, "none of its %d tokens is trained: dropped", len(e.IDs))
	}
	if e.skipped > 0 {
		why(7000, "%s not trained: what the chat template makes of them cannot be told from the rest", plural(e.skipped, "answer"))
	}
	if e.odd&noEnd != 0 && e.overlong == 0 {
		why(6000, "the answer ends without a trained end token")
	}
	if e.odd&marked != 0 {
		why(4000, "%q stands in its text and becomes that token", e.marker)
	}
	if e.odd&brokenText != 0 {
		why(3000, "U+FFFD in its text: bytes were lost before")
	}
	if e.joined > 0 { // harmless: it only goes with other reasons
		why(0, "prompt and answer are joined in %s", plural(e.joined, "token"))
	}
	if n := len(e.IDs); e.trained > 0 && n > 50 && float64(e.trained) < fewTokens*float64(n) {
		why(2000, "only %d of %d tokens are trained", e.trained, n)
	}
	return f
}

// split counts the rows that a run would keep for validation, and the others that
// have the tokens of one of them.
func (s *survey) split() {
	if len(s.keys) < SplitFrom {
		return
	}
	rows := s.draw.rows()
	lines := make(map[uint64]int, len(rows))
	for _, i := range rows {
		lines[s.keys[i].key] = s.keys[i].line
	}
	o := Overlap{With: "its own validation rows"}
	for i, k := range s.keys {
		line, found := lines[k.key]
		if _, kept := slices.BinarySearch(rows, i); !found || kept {
			continue
		}
		if o.Rows++; o.Lines[0] == 0 {
			o.Lines = [2]int{k.line, line}
		}
	}
	if s.report.Validation = len(rows); o.Rows > 0 {
		s.report.Shared = append(s.report.Shared, o)
	}
}
