package data

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"example.com/finetune/internal/hint"
)

// longestRow is the largest text of a row in bytes: some ten million tokens. More
// is a file without line ends, or a quote that is never closed.
var longestRow = 64 << 20 // a toggle of tests

// A raw row is the JSON text of a row, or a block of plain text, as it was found.
type raw struct {
	text  []byte
	line  int    // from 1
	err   error  // what keeps it from being read; nil for a good one
	hint  string // where it is no object: what the whole file may be
	block *block
}

// advise adds the hint to the error of a row that is no object.
func (r *raw) advise(err error) error {
	if err == nil || r.hint == "" || json.Valid(r.text) && kind(r.text) == "an object" {
		return err
	}
	return hint.New(err, r.hint)
}

// A source takes a file apart into raw rows. It keeps none of them.
type source struct {
	name string
	in   *bufio.Reader
	each func(raw)
}

// extensions are the kinds of files that are read.
var extensions = []string{".jsonl", ".json", ".ndjson", ".csv", ".txt"}

func extension(path string) string { return strings.ToLower(filepath.Ext(path)) }

func checkExtension(path string) error {
	switch ext := extension(path); ext {
	case ".jsonl", ".json", ".ndjson", ".csv", ".txt":
		return nil
	case ".tsv", ".parquet", ".arrow", ".xlsx", ".gz", ".zst", ".zip":
		return hint.New(fmt.Errorf("%s: %s files are not supported", path, ext), "write one JSON object a line to a .jsonl file")
	default:
		return fmt.Errorf("%s: unknown kind of file %q, want one of %s", path, ext, strings.Join(extensions, ", "))
	}
}

// scan calls each for the rows of a file of the kind that its name says.
func scan(name string, r io.Reader, each func(raw)) error {
	s := &source{name: name, in: bufio.NewReaderSize(r, 1<<18), each: each}
	if err := s.skipMark(); err != nil {
		return err
	}
	switch extension(name) {
	case ".csv":
		return s.csv()
	case ".txt":
		return s.plain()
	case ".json":
		if s.first() == '[' {
			return s.list()
		}
	}
	return s.lines()
}

// skipMark skips a byte order mark of UTF-8 and refuses those of UTF-16.
func (s *source) skipMark() error {
	head, err := s.in.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return s.failed(err)
	}
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		_, err = s.in.Discard(3)
		return err
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return fmt.Errorf("%s: the file is UTF-16, want UTF-8", s.name)
	}
	return nil
}

// first returns the first byte that is no white space, 0 for none within reach.
func (s *source) first() byte {
	for n := 1; ; n++ {
		head, err := s.in.Peek(n)
		if err != nil {
			return 0
		}
		if i := skipSpace(head, n-1); i < n {
			return head[i]
		}
	}
}

func (s *source) failed(err error) error { return fmt.Errorf("reading %s: %w", s.name, err) }

// errLong is the mistake of a row beyond longestRow.
func errLong(what string) error {
	return fmt.Errorf("longer than %d MB: %s", longestRow>>20, what)
}

// lines yields one row a line. Blank lines are passed over.
func (s *source) lines() error {
	advice := ""
	switch {
	case extension(s.name) == ".json":
		advice = "a .json file is one list of rows, or has one row a line"
	case s.first() == '[':
		advice = "a file that is one list of rows is named .json"
	}
	for line := 1; ; line++ {
		text, err := s.line()
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errTooLong) {
			return s.failed(err)
		}
		if errors.Is(err, errTooLong) {
			s.each(raw{line: line, err: errLong("want one JSON object a line")})
		} else if text = bytes.TrimSpace(text); len(text) > 0 {
			s.each(raw{text: text, line: line, hint: advice})
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
}

// errTooLong says that a line was passed over.
var errTooLong = errors.New("too long")

// line returns the next line. One that is too long is read to its end and not kept.
func (s *source) line() ([]byte, error) {
	var text []byte
	size := 0
	for {
		part, err := s.in.ReadSlice('\n')
		if size += len(part); size > longestRow {
			text = nil
		} else {
			text = append(text, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case size > longestRow && (err == nil || errors.Is(err, io.EOF)):
			return nil, errTooLong // at the end of the file, the next call says so
		default:
			return text, err
		}
	}
}
