package data

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// The bounds of the validation split that a run makes for itself.
const (
	splitFrom = 200 // rows; a smaller file is trained whole
	splitMost = 100 // rows kept for validation
)

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
	if share <= 0 || s.index.rows < splitFrom {
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

// Shared returns how many rows of the file of s stand in that of other too. Eight
// bytes of their digests tell them apart: among ten million rows, two different
// ones are taken for equal once in a hundred thousand files.
func (s *Set) Shared(other *Set) (n int, err error) {
	seen := make([]uint64, 0, other.index.rows)
	if err := other.index.records(func(_ int, r *record) error {
		seen = append(seen, short(r))
		return nil
	}); err != nil {
		return 0, other.failed(err)
	}
	slices.Sort(seen)
	err = s.index.records(func(_ int, r *record) error {
		if _, found := slices.BinarySearch(seen, short(r)); found {
			n++
		}
		return nil
	})
	if err != nil {
		return 0, s.failed(err)
	}
	return n, nil
}

func short(r *record) uint64 { return binary.LittleEndian.Uint64(r.digest[:]) }
