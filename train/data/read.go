package data

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"example.com/finetune/internal/files"
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

// A reader reads files of rows from beginning to end, in bounded memory. Each row is
// verified and tokenised, on the pool's threads, and handed to each in the file's order;
// what each gets is its own to keep, and its error ends the reading.
type reader struct {
	columns  Columns
	encode   func(*Row) (encoded, error)
	pieces   func(raw, Origin) []item
	pool     *simd.Pool
	progress func(bytes int64) // is told of the bytes that were read; may be nil
	each     func(*Row, *encoded) error

	file     File
	first    Origin // of the row that decided the format
	mistakes Mistakes
	unread   []Unread

	endless atomic.Pointer[error] // a template that does not end: it would not for any row

	chunk []raw
	size  int // of the chunk's texts
	bytes int64
}

func newReader(columns Columns, t *tokenizer.Tokenizer, o Options, p *simd.Pool, progress func(bytes int64), each func(r *Row, e *encoded) error) *reader {
	n := newEncoder(t, o)
	return &reader{columns: columns, pool: p, progress: progress, each: each, encode: n.row, pieces: n.pieces}
}

// An item is a row that was tokenised, or its mistake.
type item struct {
	row Row
	e   encoded
	err error
}

// openRows opens a file of rows.
func openRows(path string, columns Columns) (*os.File, error) {
	if err := columns.Check(); err != nil {
		return nil, err
	}
	if err := checkExtension(path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the data: %w", err)
	}
	return f, nil
}

// read reads a file, which is open at its beginning. A row with a mistake is counted, and
// the reading goes on: mistakes is nil when there are none. The error is of what ends
// it: no row, a list that breaks off, an error of each.
func (w *reader) read(path string, in io.Reader) (File, *Mistakes, error) {
	w.file.Path, w.mistakes.file = path, path
	sum := sha256.New()
	source := in
	if extension(path) == ".parquet" { // not read in the order of its bytes
		digest, err := files.SHA256(path)
		if err != nil {
			return w.file, nil, fmt.Errorf("opening the data: %w", err)
		}
		w.file.SHA256 = digest
		if f, ok := in.(*os.File); ok {
			source = table{f, &w.bytes}
		}
	} else {
		source = io.TeeReader(io.TeeReader(in, sum), counter{&w.bytes})
	}
	err := scan(path, source, func(row raw) error {
		w.chunk = append(w.chunk, row)
		if w.size += len(row.text); len(w.chunk) == chunkRows || w.size >= chunkBytes {
			return w.flush()
		}
		return nil
	})
	if e := w.flush(); err == nil {
		err = e
	}
	if over := w.endless.Load(); over != nil {
		return w.file, nil, *over
	}
	if w.file.SHA256 == "" {
		w.file.SHA256 = hex.EncodeToString(sum.Sum(nil))
	}
	var mistakes *Mistakes
	if w.mistakes.Total > 0 {
		mistakes = &w.mistakes
	}
	if err == nil && w.file.Rows == 0 && mistakes == nil {
		err = noRows(path)
	}
	return w.file, mistakes, err
}

// noRows is the error of a file without rows.
func noRows(path string) error {
	err := fmt.Errorf("%s: no rows", path)
	if slices.Contains(validNames, stem(path)) {
		return hint.Newf(err, "remove the file: from %d training rows on, some of them are then kept for validation (val_split)", SplitFrom)
	}
	return err
}

// stem is the name of a file without its extension.
func stem(path string) string {
	name := filepath.Base(path)
	return strings.TrimSuffix(name, filepath.Ext(name))
}

// flush tokenises the chunk and hands its rows on.
func (w *reader) flush() error {
	if w.endless.Load() != nil {
		return *w.endless.Load()
	}
	done := make([][]item, len(w.chunk))
	w.pool.Run(len(w.chunk), func(_, i int) { done[i] = w.items(w.chunk[i]) })
	clear(w.chunk)
	w.chunk, w.size = w.chunk[:0], 0
	for _, list := range done {
		for i := range list {
			if err := w.add(&list[i]); err != nil {
				return err
			}
		}
	}
	if w.progress != nil {
		w.progress(w.bytes)
	}
	return nil
}

func (w *reader) items(b raw) []item {
	at := Origin{w.file.Path, b.line}
	switch {
	case b.err != nil:
		return []item{{row: Row{Origin: at}, err: b.err}}
	case b.part != nil:
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

// muchText of a row, about a million tokens, is what a template may fail at through no fault of
// its own: no text that it makes has more than 16 MiB.
const muchText = 4 << 20

// encodeUnlessEndless tokenises a row, unless another has shown that it would take forever.
func (w *reader) encodeUnlessEndless(r *Row) (encoded, error) {
	if w.endless.Load() != nil {
		return encoded{}, chat.ErrEndless
	}
	e, err := w.encode(r)
	if !errors.Is(err, chat.ErrEndless) {
		return e, err
	}
	if n := r.size(); n > muchText {
		err = hint.Newf(err, "the row has %d MB of text: make several of it", n>>20)
	} else {
		err := hint.New(fmt.Errorf("%v: %w", r.Origin, err), "--chat-template names another template, or none")
		w.endless.CompareAndSwap(nil, &err)
	}
	return e, err
}

// size is the bytes of a row's texts.
func (r *Row) size() int {
	n := len(r.Prompt) + len(r.Text)
	for _, m := range r.Messages {
		n += len(m.Content)
	}
	return n
}

func (w *reader) add(it *item) error {
	r := &it.row
	if w.file.Format == 0 && r.Format != 0 {
		w.file.Format, w.first = r.Format, r.Origin
	}
	if r.Format != 0 && r.Format != w.file.Format {
		it.err = fmt.Errorf("a row of %v; the file's first is of %v (line %d)", r.Format, w.file.Format, w.first.Line)
	}
	if it.err != nil {
		w.mistakes.add(fmt.Errorf("%v: %w", r.Origin, it.err))
		return nil
	}
	w.file.Rows++
	for _, k := range r.unread {
		w.count(k, r.Line)
	}
	return w.each(r, &it.e)
}

// An Unread is a name in a file's rows that nothing reads: it has no place in their
// format, and the template does not mention it.
type Unread struct {
	What string `json:"what"` // column, message key, turn key
	Name string `json:"name"`
	Rows int    `json:"rows"`
	Line int    `json:"line"` // the first
}

// mostUnread is how many names are counted: more are values in the place of names.
const mostUnread = 100

// count counts a row for a name that nothing reads in it.
func (w *reader) count(k key, line int) {
	for i := range w.unread {
		if u := &w.unread[i]; u.Name == k.name && u.What == k.what {
			u.Rows++
			return
		}
	}
	if len(w.unread) < mostUnread {
		w.unread = append(w.unread, Unread{k.what, k.name, 1, line})
	}
}

// A counter counts the bytes that are written to it.
type counter struct{ n *int64 }

func (c counter) Write(p []byte) (int, error) {
	*c.n += int64(len(p))
	return len(p), nil
}

// shown is how many mistakes an error spells out.
const shown = 10

// Mistakes are all the rows of a file that cannot be used, in its order.
type Mistakes struct {
	First []error // at most ten
	Total int
	file  string
}

func (m *Mistakes) add(err error) {
	if m.Total++; len(m.First) < shown {
		m.First = append(m.First, err)
	}
}

// Error returns the first ten mistakes, one a line, and their number where there
// are more.
func (m *Mistakes) Error() string {
	lines := make([]string, 0, shown+1)
	for _, err := range m.First {
		lines = append(lines, err.Error())
	}
	if m.Total > len(m.First) {
		lines = append(lines, fmt.Sprintf("%s: %d rows with mistakes, the first %d are shown", m.file, m.Total, len(m.First)))
	}
	return strings.Join(lines, "\n")
}

// Hint returns the first hint among the mistakes.
func (m *Mistakes) Hint() string {
	for _, err := range m.First {
		if text := hint.Of(err); text != "" {
			return text
		}
	}
	return ""
}

// listed quotes names for an error message, eight at most.
func listed(names []string, none string) string {
	if len(names) == 0 {
		return none
	}
	var list []string
	for _, name := range names[:min(len(names), 8)] {
		list = append(list, strconv.Quote(name))
	}
	if more := len(names) - len(list); more > 0 {
		list = append(list, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(list, ", ")
}
