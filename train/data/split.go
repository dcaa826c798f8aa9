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

// Split keeps about share of the rows for validation, at most 100, and none of
// fewer than 200. A row is taken by a hash of its content and the seed, so equal
// rows go together. Both parts keep the order of rows.
func Split(rows []Row, share float64, seed uint64) (train, valid []Row) {
	if share <= 0 || len(rows) < splitFrom {
		return rows, nil
	}
	type drawn struct {
		row int
		key [sha256.Size]byte
	}
	var taken []drawn
	for i := range rows {
		key := sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, seed), rows[i].Digest[:]...))
		if float64(binary.BigEndian.Uint64(key[:])>>11)*0x1p-53 < share {
			taken = append(taken, drawn{i, key})
		}
	}
	slices.SortStableFunc(taken, func(a, b drawn) int { return bytes.Compare(a.key[:], b.key[:]) })
	// The cap must not cut a group of equal rows in two.
	n := min(len(taken), splitMost)
	for n > 0 && n < len(taken) && taken[n].key == taken[n-1].key {
		n--
	}
	taken = taken[:n]
	slices.SortFunc(taken, func(a, b drawn) int { return cmp.Compare(a.row, b.row) })
	for i := range rows {
		if len(taken) > 0 && taken[0].row == i {
			valid, taken = append(valid, rows[i]), taken[1:]
		} else {
			train = append(train, rows[i])
		}
	}
	return train, valid
}

// Shared returns how many rows of a stand in b too.
func Shared(a, b []Row) int {
	seen := make(map[[sha256.Size]byte]bool, len(b))
	for i := range b {
		seen[b[i].Digest] = true
	}
	n := 0
	for i := range a {
		if seen[a[i].Digest] {
			n++
		}
	}
	return n
}
