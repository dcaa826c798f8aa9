package data

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"example.com/finetune/model"
)

// An index is the tokenised rows of a file, on disk or in memory:
//
//	tokens of up to 4096 rows, their records, tokens, records, …, directory, footer
//
// All numbers are little-endian. A token is a uint32: its id, and 1<<31 where it is
// trained. A record is recordSize bytes:
//
//	 0 uint64  where the row's tokens begin
//	 8 uint32  tokens, after the cut
//	12 uint32  line
//	16 uint32  trained tokens
//	20 uint32  joined
//	24 uint32  skipped turns
//	28 uint32  tokens before the cut, 0 for none
//	32 [32]    digest of the row
//
// The directory is a uint64 for each 4096 rows: where their records begin. The
// footer is footerSize bytes:
//
//	 0 [8]     magic, which names the layout
//	 8 [32]    key: what the tokens depend on
//	40 uint64  rows
//	48 uint64  where the directory begins
//	56 uint32  format of the rows
//	60 uint32  the largest id of a kept row
//	64 uint32  a line that has it
//	68 uint32  CRC-32C of all before it
//
// Rows that are dropped have a record too.
type index struct {
	in        io.ReaderAt
	size      int64 // of all
	rows      int
	format    Format
	maxID     int32 // -1 where no row is kept
	maxLine   int
	directory []int64
}

const (
	indexMagic  = "FTTOKEN1"
	recordSize  = 64
	footerSize  = 72
	groupRows   = 4096 // rows between two entries of the directory
	trainedFlag = 1 << 31
)

// An indexKey is the digest of all that a file's tokens depend on.
type indexKey [sha256.Size]byte

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A record is what an index says of a row.
type record struct {
	at, line int
	tally
	digest [sha256.Size]byte
}

func (r *record) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(r.at))
	for _, v := range []int{r.tokens, r.line, r.trained, r.joined, r.skipped, r.overlong} {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	return append(b, r.digest[:]...)
}

func (r *record) read(b []byte) {
	word := func(at int) int { return int(binary.LittleEndian.Uint32(b[at:])) }
	r.at, r.line = int(binary.LittleEndian.Uint64(b)), word(12)
	r.tally = tally{tokens: word(8), trained: word(16), joined: word(20), skipped: word(24), overlong: word(28)}
	copy(r.digest[:], b[32:])
}

// newIndex reads an index of the given size. An error says why it cannot be used.
func newIndex(in io.ReaderAt, size int64, key indexKey) (*index, error) {
	if size < footerSize {
		return nil, errors.New("cut short")
	}
	var foot [footerSize]byte
	if _, err := in.ReadAt(foot[:], size-footerSize); err != nil {
		return nil, err
	}
	word := binary.LittleEndian.Uint64
	switch {
	case string(foot[:8]) != indexMagic:
		return nil, errors.New("of another layout")
	case indexKey(foot[8:40]) != key:
		return nil, errors.New("of other rows or settings")
	}
	if err := checkSum(in, size-4, binary.LittleEndian.Uint32(foot[68:])); err != nil {
		return nil, err
	}
	half := binary.LittleEndian.Uint32
	if format := half(foot[56:]); format > uint32(Segments) {
		return nil, fmt.Errorf("of an unknown format, %d", format)
	}
	x := &index{in: in, size: size, format: Format(half(foot[56:])), maxID: int32(half(foot[60:])), maxLine: int(half(foot[64:]))}
	return x, x.readDirectory(word(foot[40:]), word(foot[48:]))
}

// readDirectory reads where the records of rows stand. It begins at the given byte.
func (x *index) readDirectory(rows, at uint64) error {
	groups := (rows + groupRows - 1) / groupRows
	if rows > uint64(x.size)/recordSize || at > uint64(x.size) || at+8*groups != uint64(x.size-footerSize) {
		return fmt.Errorf("%d rows and a directory at %d do not fit it", rows, at)
	}
	buf := make([]byte, 8*groups)
	if _, err := x.in.ReadAt(buf, int64(at)); err != nil {
		return err
	}
	x.rows, x.directory = int(rows), make([]int64, groups)
	for i := range x.directory {
		records := binary.LittleEndian.Uint64(buf[8*i:])
		if records > at || records+uint64(recordSize*x.group(i)) > at {
			return fmt.Errorf("records at %d do not fit it", records)
		}
		x.directory[i] = int64(records)
	}
	return nil
}

// checkSum compares the CRC of the first n bytes.
func checkSum(in io.ReaderAt, n int64, want uint32) error {
	sum := crc32.New(castagnoli)
	if _, err := io.Copy(sum, bufio.NewReaderSize(io.NewSectionReader(in, 0, n), int(min(n, 1<<20)))); err != nil {
		return err
	}
	if sum.Sum32() != want {
		return errors.New("damaged: its checksum is not that of its content")
	}
	return nil
}

// group returns the rows of the i-th group.
func (x *index) group(i int) int { return min(groupRows, x.rows-i*groupRows) }

// record returns the record of a row.
func (x *index) record(row int) (r record, err error) {
	var buf [recordSize]byte
	if _, err = x.in.ReadAt(buf[:], x.directory[row/groupRows]+int64(row%groupRows)*recordSize); err != nil {
		return r, err
	}
	r.read(buf[:])
	return r, x.check(&r)
}

// check refuses a record whose tokens lie outside.
func (x *index) check(r *record) error {
	if r.at < 0 || int64(r.at) > x.size || int64(r.tokens) > (x.size-int64(r.at))/4 {
		return fmt.Errorf("%d tokens at %d do not fit the index", r.tokens, r.at)
	}
	return nil
}

// records calls f with each row's record, in order.
func (x *index) records(f func(row int, r *record) error) error {
	buf := make([]byte, groupRows*recordSize)
	var r record
	for g, at := range x.directory {
		b := buf[:x.group(g)*recordSize]
		if _, err := x.in.ReadAt(b, at); err != nil {
			return err
		}
		for i := range x.group(g) {
			r.read(b[i*recordSize:])
			if err := x.check(&r); err != nil {
				return err
			}
			if err := f(g*groupRows+i, &r); err != nil {
				return err
			}
		}
	}
	return nil
}

// sequence returns the tokens of a record.
func (x *index) sequence(r *record) (model.Sequence, error) {
	buf := make([]byte, 4*r.tokens)
	if _, err := x.in.ReadAt(buf, int64(r.at)); err != nil {
		return model.Sequence{}, err
	}
	s := model.Sequence{IDs: make([]int32, r.tokens), Learn: make([]bool, r.tokens)}
	for i := range s.IDs {
		v := binary.LittleEndian.Uint32(buf[4*i:])
		s.IDs[i], s.Learn[i] = int32(v&^trainedFlag), v&trainedFlag != 0
	}
	return s, nil
}

// A window reads a file that is gone through from its beginning, a megabyte at once.
type window struct {
	in  io.ReaderAt
	at  int64
	buf []byte
}

// read returns n bytes from at on, valid until the next call.
func (w *window) read(at int64, n int) ([]byte, error) {
	if at < w.at || at+int64(n) > w.at+int64(len(w.buf)) {
		size := max(n, 1<<20)
		w.buf = slices.Grow(w.buf[:0], size)[:size]
		m, err := w.in.ReadAt(w.buf, at)
		w.at, w.buf = at, w.buf[:m]
		if m < n {
			return nil, err
		}
	}
	return w.buf[at-w.at:][:n], nil
}
