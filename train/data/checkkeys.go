package data

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// A rowKey identifies the tokens and the mask of a row. Eight bytes tell ten million
// rows apart: two different ones are alike once in 10⁵ such files.
type rowKey struct {
	key  uint64
	line int
}

func newKey(e *encoded, line int) rowKey {
	buf := make([]byte, 0, 4*len(e.IDs))
	for i, id := range e.IDs {
		learn := uint32(0)
		if e.Learn[i] {
			learn = 1 << 31
		}
		buf = binary.LittleEndian.AppendUint32(buf, uint32(id)|learn)
	}
	sum := sha256.Sum256(buf)
	return rowKey{binary.LittleEndian.Uint64(sum[:]), line}
}

// findDuplicates counts the rows that an earlier one equals.
func (r *Report) findDuplicates() {
	slices.SortFunc(r.keys, func(a, b rowKey) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.line, b.line))
	})
	for i := 1; i < len(r.keys); i++ {
		a, b := r.keys[i-1], r.keys[i]
		if a.key != b.key {
			continue
		}
		if r.Duplicates++; r.DuplicateAt[1] == 0 || b.line < r.DuplicateAt[1] {
			r.DuplicateAt = [2]int{a.line, b.line}
		}
	}
}

// Overlap counts the rows of a file that another has too.
type Overlap struct {
	With  string `json:"with"`
	Rows  int    `json:"rows"`
	Lines [2]int `json:"lines"` // of the first: here and there
}

// Share finds the rows of r that stand in other too.
func (r *Report) Share(other *Report) {
	s := Overlap{With: other.Path}
	k := 0
	for _, a := range r.keys {
		for k < len(other.keys) && other.keys[k].key < a.key {
			k++
		}
		if k == len(other.keys) || other.keys[k].key != a.key {
			continue
		}
		if s.Rows++; s.Lines[0] == 0 || a.line < s.Lines[0] {
			s.Lines = [2]int{a.line, other.keys[k].line}
		}
	}
	if s.Rows > 0 {
		r.Shared = append(r.Shared, s)
	}
}

// split counts the rows that a run would keep for validation, and the others that
// have the tokens of one of them.
func (s *survey) split() {
	if len(s.keys) < splitFrom {
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
