package data

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"example.com/finetune/model"
)

// An index is the tokenised rows of a file, on disk or in memory:
//
//	tokens of up to 4096 rows, their records, tokens, records, …, names, directory, footer
//
// All numbers are little-endian. A token is a uint32: its id, and 1<<31 where it is
// trained. A record is recordSize bytes:
//
//	 0 uint64  where the row's tokens begin
//	 8 uint64  digest of the row's tokens and their mask
//	16 uint32  tokens, after the cut
//	20 uint32  line
//	24 uint32  trained tokens
//	28 uint32  joined
//	32 uint32  skipped messages
//	36 uint32  tokens before the cut, 0 for none
//	40 uint32  oddities
//	44 [32]    digest of the row
//
// The names are those that nothing reads in the rows, a JSON list. The directory is a
// uint64 for each 4096 rows: where their records begin. The footer is footerSize bytes:
//
//	 0 [8]     magic, which names the layout
//	 8 [32]    key: what the tokens depend on
//	40 uint64  rows
//	48 uint64  where the directory begins
//	56 uint32  format of the rows
//	60 uint32  the largest id of a kept row
//	64 uint32  a line that has it
//	68 uint32  bytes of the names, which end where the directory begins
//	72 uint32  CRC-32C of all before it
//
// Rows that are dropped have a record too.
type index struct {
	in        io.ReaderAt
	size      int64 // of all
	rows      int
	format    Format
	maxID     int32 // -1 where no row is kept
	maxLine   int
	unread    []Unread
	directory []int64
}

const (
	indexMagic  = "FTTOKEN2"
	recordSize  = 76
	footerSize  = 76
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
	b = binary.LittleEndian.AppendUint64(b, r.key)
	for _, v := range []int{r.tokens, r.line, r.trained, r.joined, r.skipped, r.overlong, int(r.odd)} {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	return append(b, r.digest[:]...)
}

func (r *record) read(b []byte) {
	word := func(at int) int { return int(binary.LittleEndian.Uint32(b[at:])) }
	r.at, r.line = int(binary.LittleEndian.Uint64(b)), word(20)
	r.tally = tally{
		tokens: word(16), trained: word(24), joined: word(28), skipped: word(32), overlong: word(36),
		odd: oddity(word(40)), key: binary.LittleEndian.Uint64(b[8:]),
	}
	copy(r.digest[:], b[44:])
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
	if err := checkSum(in, size-4, binary.LittleEndian.Uint32(foot[72:])); err != nil {
		return nil, err
	}
	half := binary.LittleEndian.Uint32
	if format := half(foot[56:]); format > uint32(Segments) {
		return nil, fmt.Errorf("of an unknown format, %d", format)
	}
	x := &index{in: in, size: size, format: Format(half(foot[56:])), maxID: int32(half(foot[60:])), maxLine: int(half(foot[64:]))}
	if err := x.readNames(word(foot[48:]), half(foot[68:])); err != nil {
		return nil, err
	}
	return x, x.readDirectory(word(foot[40:]), word(foot[48:]))
}

// readNames reads the names that nothing reads: size bytes that end at the given one.
func (x *index) readNames(end uint64, size uint32) error {
	if end > uint64(x.size) || uint64(size) > end {
		return fmt.Errorf("names of %d bytes before %d do not fit it", size, end)
	}
	buf := make([]byte, size)
	if _, err := x.in.ReadAt(buf, int64(end)-int64(size)); err != nil {
		return err
	}
	return json.Unmarshal(buf, &x.unread)
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
	s := model.Sequence{IDs: make([]int32, r.tokens), Mask: make([]bool, r.tokens)}
	for i := range s.IDs {
		v := binary.LittleEndian.Uint32(buf[4*i:])
		s.IDs[i], s.Mask[i] = int32(v&^trainedFlag), v&trainedFlag != 0
	}
	return s, nil
}

// An indexWriter writes an index, row by row, and keeps the records of one group.
type indexWriter struct {
	out       *bufio.Writer
	sum       uint32
	at        int64
	rows      int
	records   []byte
	directory []int64
	maxID     int32
	maxLine   int
	buf       []byte
	err       error // the first
}

func newIndexWriter(w io.Writer) *indexWriter {
	return &indexWriter{out: bufio.NewWriterSize(w, 1<<18), maxID: -1}
}

func (w *indexWriter) write(b []byte) {
	if w.err == nil {
		w.sum = crc32.Update(w.sum, castagnoli, b)
		w.at += int64(len(b))
		_, w.err = w.out.Write(b)
	}
}

// add writes a row; the tokens of one that is not kept are left out.
func (w *indexWriter) add(r *Row, e *encoded, kept bool) {
	rec := record{int(w.at), r.Line, e.tally, r.Digest}
	if !kept {
		rec.tokens = 0
	} else {
		w.buf = w.buf[:0]
		for i, id := range e.IDs {
			if id > w.maxID {
				w.maxID, w.maxLine = id, r.Line
			}
			v := uint32(id)
			if e.Mask[i] {
				v |= trainedFlag
			}
			w.buf = binary.LittleEndian.AppendUint32(w.buf, v)
		}
		w.write(w.buf)
	}
	w.records = rec.append(w.records)
	if w.rows++; w.rows%groupRows == 0 {
		w.flush()
	}
}

// flush writes the records of a group.
func (w *indexWriter) flush() {
	if len(w.records) > 0 {
		w.directory = append(w.directory, w.at)
		w.write(w.records)
		w.records = w.records[:0]
	}
}

// finish writes what ends an index.
func (w *indexWriter) finish(key indexKey, format Format, unread []Unread) error {
	w.flush()
	names, err := json.Marshal(unread)
	if err != nil {
		return err
	}
	w.write(names)
	at := w.at
	b := make([]byte, 0, 8*len(w.directory)+footerSize)
	for _, d := range w.directory {
		b = binary.LittleEndian.AppendUint64(b, uint64(d))
	}
	b = append(append(b, indexMagic...), key[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(w.rows))
	b = binary.LittleEndian.AppendUint64(b, uint64(at))
	for _, v := range []uint32{uint32(format), uint32(w.maxID), uint32(w.maxLine), uint32(len(names))} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	w.write(b)
	w.write(binary.LittleEndian.AppendUint32(nil, w.sum))
	if w.err != nil {
		return w.err
	}
	return w.out.Flush()
}

// A forwardReader reads a file that is gone through from its beginning, a megabyte at
// once.
type forwardReader struct {
	in  io.ReaderAt
	at  int64
	buf []byte
}

// read returns n bytes from at on, valid until the next call.
func (w *forwardReader) read(at int64, n int) ([]byte, error) {
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
