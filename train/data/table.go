package data

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"example.com/finetune/internal/hint"
	"example.com/finetune/train/data/parquet"
)

// csv yields the records of a table as JSON objects of strings. The first record
// names the columns.
func (s *source) csv() error {
	limit := &limited{in: &cells{in: s.in}, left: longestRow}
	r := csv.NewReader(limit)
	r.ReuseRecord = true
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		header, err = columnNames(header)
	}
	if err != nil {
		return fmt.Errorf("%s:1: the header: %w", s.name, quoting(err))
	}
	for line := 1; ; {
		limit.left = longestRow
		record, err := r.Read()
		var wrong *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, csv.ErrFieldCount):
			err = fmt.Errorf("%d fields, the header has %d", len(record), len(header))
			line, _ = r.FieldPos(0)
			err = s.each(raw{line: line, err: err})
		case errors.As(err, &wrong):
			line = wrong.StartLine
			err = s.each(raw{line: line, err: quoting(err)})
		case err != nil:
			return fmt.Errorf("%s: after line %d: %w", s.name, line, err)
		default:
			line, _ = r.FieldPos(0)
			text, wrong := jsonRecord(header, record)
			err = s.each(raw{text: text, line: line, err: wrong})
		}
		if err != nil {
			return err
		}
	}
}

// columnNames returns the header with the space around the names removed.
func columnNames(header []string) ([]string, error) {
	list := make([]string, len(header))
	seen := make(map[string]bool, len(header))
	for i, name := range header {
		name = strings.TrimSpace(name)
		if strings.Contains(strings.ReplaceAll(name, "\r\n", "\n"), "\r") {
			return nil, hint.New(errors.New("lines end in CR alone, want LF"), "write it again with LF: tr '\\r' '\\n' < OLD > NEW")
		}
		if seen[name] {
			return nil, fmt.Errorf("two columns are named %q", name)
		}
		list[i], seen[name] = name, true
	}
	if len(list) == 1 && strings.ContainsAny(list[0], ";\t") {
		return nil, fmt.Errorf("one column, named %q: want a header with commas between the names", list[0])
	}
	return list, nil
}

// jsonRecord writes a record as an object.
func jsonRecord(header, record []string) (string, error) {
	text := []byte{'{'}
	for i, name := range header {
		if !utf8.ValidString(record[i]) {
			return "", fmt.Errorf("column %q is not valid UTF-8", name)
		}
		for _, s := range []string{name, record[i]} {
			text = append(append(text, quote(s)...), ':')
		}
		text[len(text)-1] = ','
	}
	text[len(text)-1] = '}'
	return string(text), nil
}

// quoting says in words what a reader's error is about.
func quoting(err error) error {
	var wrong *csv.ParseError
	switch {
	case !errors.As(err, &wrong):
		return err
	case errors.Is(err, csv.ErrBareQuote):
		err = errors.New("a quote within a field that has none around it")
	case errors.Is(err, csv.ErrQuote):
		err = errors.New("a quoted field that does not end as it should")
	default:
		return wrong.Err
	}
	return hint.New(fmt.Errorf("%w, at column %d of line %d", err, wrong.Column, wrong.Line), `write "say ""hi""" for: say "hi"`)
}

// A cells reader keeps what package csv would change: it makes LF of each CRLF, and in a quoted
// field a CRLF is the text's own, as pandas and pyarrow read it. There it becomes CR CR LF, of
// which CRLF is made. The reader follows the fields as package csv does: behind a misplaced
// quote it goes on with the next line.
type cells struct {
	in    *bufio.Reader
	place place
	more  bool // a second CR is due
}

// A place is where in a line of a table a reader is.
type place int

const (
	fieldStart place = iota
	unquoted
	quoted
	quoteInside // the end of a quoted field, or the first of two quotes
	restOfLine
)

func (c *cells) Read(p []byte) (n int, err error) {
	for ; n < len(p); n++ {
		if c.more {
			p[n], c.more = '\r', false
			continue
		}
		b, err := c.in.ReadByte()
		if err != nil {
			return n, err
		}
		p[n] = b
		if c.place == quoted && b == '\r' {
			next, _ := c.in.Peek(1) // none at the end
			c.more = len(next) == 1 && next[0] == '\n'
		}
		c.place = c.place.behind(b)
	}
	return n, nil
}

// behind returns where a reader is behind a byte.
func (at place) behind(b byte) place {
	switch {
	case at == quoted && b != '"':
		return quoted
	case at == quoted:
		return quoteInside
	case b == '\n':
		return fieldStart
	case at == restOfLine:
		return restOfLine
	case b == ',':
		return fieldStart
	case b == '"' && at != unquoted:
		return quoted
	case b == '"' || at == quoteInside:
		return restOfLine
	}
	return unquoted
}

// A limited reader ends a record that grows without end.
type limited struct {
	in   io.Reader
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errLong("a quote may not be closed")
	}
	n, err := l.in.Read(p)
	l.left -= n
	return n, err
}

// A table is a file of which any part can be read at any time, and the bytes of which
// are told as its rows go by.
type table struct {
	*os.File
	read *int64
}

// scanParquet yields the rows of a Parquet file, which r must be: a table or a file.
func scanParquet(name string, r io.Reader, each func(raw) error) error {
	in := table{read: new(int64)}
	switch r := r.(type) {
	case table:
		in = r
	case *os.File:
		in.File = r
	default:
		return fmt.Errorf("%s: a Parquet file cannot be read from a pipe", name)
	}
	size, err := in.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	f, err := parquet.Open(name, in, size)
	if err != nil {
		return err
	}
	for row, err := range f.Rows() {
		if err != nil {
			return err
		}
		*in.read = int64(float64(size) * float64(row.Number) / float64(f.NumRows()))
		if err := each(raw{text: string(row.Text), line: int(row.Number), err: row.Err}); err != nil {
			return err
		}
	}
	return nil
}
