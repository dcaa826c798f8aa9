package data

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"example.com/finetune/internal/hint"
	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
	"example.com/finetune/tokenizer/chat"
)

// What is parsed and tokenised at once: enough to keep the threads busy. One row may
// be larger than chunkBytes.
const (
	chunkRows  = 1024
	chunkBytes = 4 << 20
)

// A File is a file of rows that was read.
type File struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"` // of its bytes
	Rows   int    `json:"rows"`
	Format Format `json:"-"`
}

// walk reads a file of rows from beginning to end, in bounded memory. Each row is
// verified and tokenised, on the pool's threads, and handed to each in the file's
// order; what each gets is its own to keep. A row with a mistake is counted, and the
// walk goes on: mistakes is nil when there are none. The error is of what ends a
// walk: no such file, no row, a list that breaks off. progress is told of the bytes
// that were read; it may be nil.
func walk(path string, columns Columns, t *tokenizer.Tokenizer, o Options, p *simd.Pool, progress func(bytes int64), each func(r *Row, e *encoded)) (File, *Mistakes, error) {
	if err := columns.Check(); err != nil {
		return File{}, nil, err
	}
	if err := checkExtension(path); err != nil {
		return File{}, nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return File{}, nil, fmt.Errorf("opening the data: %w", err)
	}
	defer f.Close()
	return newWalker(columns, t, o, p, progress, each).walk(path, f)
}

// A walker is a walk on its way.
type walker struct {
	columns  Columns
	encode   func(*Row) (encoded, error)
	pieces   func(raw, Origin) []item
	pool     *simd.Pool
	progress func(bytes int64)
	each     func(*Row, *encoded)

	file     File
	first    Origin // of the row that decided the format
	mistakes Mistakes

	endless atomic.Pointer[error] // a template that does not end: it would not for any row

	chunk []raw
	size  int // of the chunk's texts
	bytes int64
}

func newWalker(columns Columns, t *tokenizer.Tokenizer, o Options, p *simd.Pool, progress func(bytes int64), each func(r *Row, e *encoded)) *walker {
	return &walker{
		columns: columns, pool: p, progress: progress, each: each,
		encode: func(r *Row) (encoded, error) { return encodeRow(r, t, o) },
		pieces: func(b raw, at Origin) []item { return pieces(b, at, t, o) },
	}
}

// An item is a row that was tokenised, or its mistake.
type item struct {
	row Row
	e   encoded
	err error
}

func (w *walker) walk(name string, r io.Reader) (File, *Mistakes, error) {
	w.file.Path, w.mistakes.file = name, name
	sum := sha256.New()
	err := scan(name, io.TeeReader(io.TeeReader(r, sum), counter{&w.bytes}), func(row raw) {
		w.chunk = append(w.chunk, row)
		if w.size += len(row.text); len(w.chunk) == chunkRows || w.size >= chunkBytes {
			w.flush()
		}
	})
	w.flush()
	if over := w.endless.Load(); over != nil {
		return w.file, nil, *over
	}
	w.file.SHA256 = hex.EncodeToString(sum.Sum(nil))
	var mistakes *Mistakes
	if w.mistakes.Total > 0 {
		mistakes = &w.mistakes
	}
	if err == nil && w.file.Rows == 0 && mistakes == nil {
		err = fmt.Errorf("%s: no rows", name)
	}
	return w.file, mistakes, err
}

// flush tokenises the chunk and hands its rows on.
func (w *walker) flush() {
	if w.endless.Load() != nil {
		w.chunk, w.size = nil, 0
		return
	}
	done := make([][]item, len(w.chunk))
	w.pool.Run(len(w.chunk), func(_, i int) { done[i] = w.item(w.chunk[i]) })
	for _, list := range done {
		for i := range list {
			w.add(&list[i])
		}
	}
	clear(w.chunk)
	w.chunk, w.size = w.chunk[:0], 0
	if w.progress != nil {
		w.progress(w.bytes)
	}
}

func (w *walker) item(b raw) []item {
	at := Origin{w.file.Path, b.line}
	switch {
	case b.err != nil:
		return []item{{row: Row{Origin: at}, err: b.err}}
	case b.block != nil:
		return w.pieces(b, at)
	}
	var it item
	if it.row, it.err = parseRow(b.text, at, w.columns); it.err != nil {
		it.row.Format, it.err = 0, b.advise(it.err) // it does not decide the format of the file
	} else {
		it.e, it.err = w.encodeUnlessEndless(&it.row)
	}
	return []item{it}
}

// encodeUnlessEndless tokenises a row, unless another has shown that it would take forever.
func (w *walker) encodeUnlessEndless(r *Row) (encoded, error) {
	if w.endless.Load() != nil {
		return encoded{}, chat.ErrEndless
	}
	e, err := w.encode(r)
	if errors.Is(err, chat.ErrEndless) {
		err := hint.New(fmt.Errorf("%v: %w", r.Origin, err), "--chat-template names another template, or none")
		w.endless.CompareAndSwap(nil, &err)
	}
	return e, err
}

func (w *walker) add(it *item) {
	r := &it.row
	if w.file.Format == 0 && r.Format != 0 {
		w.file.Format, w.first = r.Format, r.Origin
	}
	if r.Format != 0 && r.Format != w.file.Format {
		it.err = fmt.Errorf("a row of %v; the file's first is of %v (line %d)", r.Format, w.file.Format, w.first.Line)
	}
	if it.err != nil {
		w.mistakes.add(fmt.Errorf("%v: %w", r.Origin, it.err))
		return
	}
	w.file.Rows++
	w.each(r, &it.e)
}

// A counter counts the bytes that are written to it.
type counter struct{ n *int64 }

func (c counter) Write(p []byte) (int, error) {
	*c.n += int64(len(p))
	return len(p), nil
}
