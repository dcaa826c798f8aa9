package data

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"example.com/finetune/model"
)

// A Set is the tokenised rows of a file, or a part of them: those that can be
// trained, in the file's order. It holds four bytes a row; the tokens lie in an index
// on disk, or in memory for a small file.
type Set struct {
	File  File
	Stats Stats // of the part

	MaxID   int32 // the largest token id of the file, and a row that has it
	MaxIDAt Origin

	options Options
	manner  manner
	index   *index
	rows    []uint32 // of the index
	owner   *storage
}

// newSet returns all rows of an index.
func newSet(x *index, file File, o Options, m manner, owner *storage) (*Set, error) {
	s := &Set{File: file, MaxID: x.maxID, MaxIDAt: Origin{file.Path, x.maxLine}, options: o, manner: m, index: x, owner: owner}
	return s.part(func(int) bool { return true })
}

// part returns the rows of the index that take wants.
func (s *Set) part(take func(row int) bool) (*Set, error) {
	p := *s
	p.Stats, p.rows = Stats{}, nil
	err := s.index.records(func(row int, r *record) error {
		if take(row) && p.Stats.add(r.tally, r.line, s.options) {
			p.rows = append(p.rows, uint32(row))
		}
		return nil
	})
	if err != nil {
		return nil, s.failed(err)
	}
	if err := p.Stats.check(s.File.Path); err != nil {
		return nil, err
	}
	return &p, nil
}

// Notes says what is odd about the rows.
func (s *Set) Notes() []Note {
	return s.Stats.notes(s.File.Path, s.manner, s.index.unread)
}

// Len returns the number of sequences.
func (s *Set) Len() int { return len(s.rows) }

// Sequence returns the i-th sequence, in memory of its own.
func (s *Set) Sequence(i int) (model.Sequence, error) {
	r, err := s.index.record(int(s.rows[i]))
	if err != nil {
		return model.Sequence{}, s.failed(err)
	}
	q, err := s.index.sequence(&r)
	if err != nil {
		return model.Sequence{}, s.failed(err)
	}
	return q, nil
}

// Sequences returns those of the given indices.
func (s *Set) Sequences(indices []int) ([]model.Sequence, error) {
	list := make([]model.Sequence, len(indices))
	for k, i := range indices {
		var err error
		if list[k], err = s.Sequence(i); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// All returns every sequence: memory for all tokens.
func (s *Set) All() ([]model.Sequence, error) {
	indices := make([]int, s.Len())
	for i := range indices {
		indices[i] = i
	}
	return s.Sequences(indices)
}

// Origin returns where the row of the i-th sequence stands; its Line is 0 where the
// index cannot be read any more.
func (s *Set) Origin(i int) Origin {
	r, err := s.index.record(int(s.rows[i]))
	if err != nil {
		return Origin{File: s.File.Path}
	}
	return Origin{s.File.Path, r.line}
}

// Digest identifies the sequences: their ids and masks, in order. It reads them all.
func (s *Set) Digest() (string, error) {
	h := sha256.New()
	w := forwardReader{in: s.index.in}
	var buf []byte
	next := 0
	err := s.index.records(func(row int, r *record) error {
		if next == len(s.rows) || int(s.rows[next]) != row {
			return nil
		}
		next++
		tokens, err := w.read(int64(r.at), 4*r.tokens)
		if err != nil {
			return err
		}
		buf = binary.LittleEndian.AppendUint32(buf[:0], uint32(r.tokens))
		for ; len(tokens) > 0; tokens = tokens[4:] {
			v := binary.LittleEndian.Uint32(tokens)
			buf = append(binary.LittleEndian.AppendUint32(buf, v&^trainedFlag), byte(v>>31))
		}
		h.Write(buf)
		return nil
	})
	if err != nil {
		return "", s.failed(err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Close gives up the index, for all parts of the file at once.
func (s *Set) Close() error { return s.owner.close() }

func (s *Set) failed(err error) error {
	return fmt.Errorf("the tokens of %s (%s): %w", s.File.Path, s.owner.name, &storageError{err})
}

// SplitFrom is how many rows a file must have for some to be kept for validation.
const SplitFrom = 200

// splitMost is how many are kept at most.
const splitMost = 100

// A draw chooses about share of the rows for validation. A row is taken by a hash of
// its content and the seed, so equal rows go together.
type draw struct {
	share float64
	seed  uint64
	taken []drawn
}

type drawn struct {
	row int
	key [sha256.Size]byte
}

// add takes a row, or not.
func (d *draw) add(row int, digest [sha256.Size]byte) {
	key := sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, d.seed), digest[:]...))
	if float64(binary.BigEndian.Uint64(key[:])>>11)*0x1p-53 < d.share {
		d.taken = append(d.taken, drawn{row, key})
	}
}

// rows returns the rows that were taken, at most 100, ascending.
func (d *draw) rows() []int {
	slices.SortStableFunc(d.taken, func(a, b drawn) int { return bytes.Compare(a.key[:], b.key[:]) })
	// The cap must not cut a group of equal rows in two.
	n := min(len(d.taken), splitMost)
	for n > 0 && n < len(d.taken) && d.taken[n].key == d.taken[n-1].key {
		n--
	}
	rows := make([]int, n)
	for i := range rows {
		rows[i] = d.taken[i].row
	}
	slices.SortFunc(rows, cmp.Compare[int])
	return rows
}

// Split keeps about share of the rows for validation, at most 100, and none of
// fewer than 200; then valid is nil. Both parts keep the order of rows, and both
// stand on what s stands on.
func (s *Set) Split(share float64, seed uint64) (train, valid *Set, err error) {
	if share <= 0 || s.index.rows < SplitFrom {
		return s, nil, nil
	}
	d := draw{share: share, seed: seed}
	if err := s.index.records(func(row int, r *record) error {
		d.add(row, r.digest)
		return nil
	}); err != nil {
		return nil, nil, s.failed(err)
	}
	rows := d.rows()
	if len(rows) == 0 {
		return s, nil, nil
	}
	among := func(row int) bool {
		_, found := slices.BinarySearch(rows, row)
		return found
	}
	if train, err = s.part(func(row int) bool { return !among(row) }); err != nil {
		return nil, nil, err
	}
	valid, err = s.part(among)
	return train, valid, err
}

// Shared finds the rows of s that other has too: the same tokens, trained alike. Eight
// bytes of a digest tell them apart.
func (s *Set) Shared(other *Set) (Overlap, error) {
	o := Overlap{With: other.File.Path}
	if other.index == s.index {
		o.With = "its own validation rows"
	}
	theirs, err := other.keys()
	if err != nil {
		return o, err
	}
	ours, err := s.keys()
	if err != nil {
		return o, err
	}
	o.count(ours, theirs)
	return o, nil
}

// A rowKey identifies the tokens and the mask of a row.
type rowKey struct {
	key  uint64
	line int
}

// keys returns the keys of the rows, sorted.
func (s *Set) keys() ([]rowKey, error) {
	list := make([]rowKey, 0, len(s.rows))
	err := s.index.records(func(row int, r *record) error {
		if n := len(list); n < len(s.rows) && int(s.rows[n]) == row {
			list = append(list, rowKey{r.key, r.line})
		}
		return nil
	})
	if err != nil {
		return nil, s.failed(err)
	}
	sortKeys(list)
	return list, nil
}

func sortKeys(list []rowKey) {
	slices.SortFunc(list, func(a, b rowKey) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.line, b.line))
	})
}

// count counts the keys of one file that another has, both sorted.
func (o *Overlap) count(ours, theirs []rowKey) {
	k := 0
	for _, a := range ours {
		for k < len(theirs) && theirs[k].key < a.key {
			k++
		}
		if k == len(theirs) || theirs[k].key != a.key {
			continue
		}
		if o.Rows++; o.Lines[0] == 0 || a.line < o.Lines[0] {
			o.Lines = [2]int{a.line, theirs[k].line}
		}
	}
}
