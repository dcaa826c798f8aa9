package data

import (
	"bufio"
	"encoding/binary"
	"hash/crc32"
	"io"
)

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
	rec := record{int(w.at), r.Line, tally{len(e.IDs), e.Targets(), e.joined, e.skipped, e.overlong}, r.Digest}
	if !kept {
		rec.tokens = 0
	} else {
		w.buf = w.buf[:0]
		for i, id := range e.IDs {
			if id > w.maxID {
				w.maxID, w.maxLine = id, r.Line
			}
			v := uint32(id)
			if e.Learn[i] {
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
func (w *indexWriter) finish(key indexKey, format Format) error {
	w.flush()
	at := w.at
	b := make([]byte, 0, 8*len(w.directory)+footerSize)
	for _, d := range w.directory {
		b = binary.LittleEndian.AppendUint64(b, uint64(d))
	}
	b = append(append(b, indexMagic...), key[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(w.rows))
	b = binary.LittleEndian.AppendUint64(b, uint64(at))
	for _, v := range []uint32{uint32(format), uint32(w.maxID), uint32(w.maxLine)} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	w.write(b)
	w.write(binary.LittleEndian.AppendUint32(nil, w.sum))
	if w.err != nil {
		return w.err
	}
	return w.out.Flush()
}
