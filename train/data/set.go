package data

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

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
