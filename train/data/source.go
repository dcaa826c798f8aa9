package data

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/jsontree"
)

// longestRow is the largest text of a row in bytes: some ten million tokens. More
// is a file without line ends, or a quote that is never closed.
var longestRow = 64 << 20 // a toggle of tests

// A raw row is the JSON text of a row, or a part of a plain text, as it was found.
type raw struct {
	text string
	line int    // from 1; in a table the number of the row
	err  error  // what keeps it from being read; nil for a good one
	hint string // where it is no object: what the whole file may be
	part *part  // of a plain text
}

// advise adds the hint to the error of a row that is no object.
func (r *raw) advise(err error) error {
	if err == nil || r.hint == "" || hint.Of(err) != "" {
		return err
	}
	if v, e := jsontree.Parse(r.text); e == nil && v.Kind() == jsontree.Object {
		return err
	}
	return hint.New(err, r.hint)
}

// A source takes a file apart into raw rows. It keeps none of them. An error of each
// ends it.
type source struct {
	name string
	in   *bufio.Reader
	each func(raw) error
}

// extensions are the kinds of files that are read.
var extensions = []string{".jsonl", ".json", ".ndjson", ".csv", ".txt", ".parquet"}

func extension(path string) string { return strings.ToLower(filepath.Ext(path)) }

func checkExtension(path string) error {
	switch ext := extension(path); {
	case slices.Contains(extensions, ext):
		return nil
	case slices.Contains([]string{".tsv", ".arrow", ".xlsx", ".gz", ".zst", ".zip"}, ext):
		return hint.New(fmt.Errorf("%s: %s files are not supported", path, ext), "write one JSON object a line to a .jsonl file")
	default:
		return fmt.Errorf("%s: unknown kind of file %q, want one of %s", path, ext, strings.Join(extensions, ", "))
	}
}

// scan calls each for the rows of a file of the kind that its name says. Its error ends
// the file, as each's does.
func scan(name string, r io.Reader, each func(raw) error) error {
	if extension(name) == ".parquet" {
		return scanParquet(name, r, each)
	}
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

// skipMark skips a byte order mark of UTF-8 and refuses UTF-16, with its mark or without.
func (s *source) skipMark() error {
	head, err := s.in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return s.failed(err)
	}
	if bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
		_, err = s.in.Discard(3)
		return err
	}
	wide := len(head) > 1 && (head[0] == 0) != (head[1] == 0)
	if wide || bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return hint.Newf(fmt.Errorf("%s:1: the file is UTF-16, want UTF-8", s.name),
			"write it again as UTF-8: iconv -f UTF-16 -t UTF-8 OLD > NEW, or Out-File -Encoding utf8 in PowerShell")
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
		if c := head[n-1]; !isSpace(c) {
			return c
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func (s *source) failed(err error) error { return fmt.Errorf("reading %s: %w", s.name, err) }

// errLong is the mistake of a row beyond longestRow.
func errLong(what string) error {
	return fmt.Errorf("longer than %d MB: %s", longestRow>>20, what)
}

// lines yields one row a line. Blank lines are skipped.
func (s *source) lines() error {
	advice := ""
	switch {
	case extension(s.name) == ".json":
		advice = "a .json file is one list of rows, or has one row a line"
	case s.first() == '[':
		advice = "a file that is one list of rows is named .json"
	}
	rows := 0
	for line := 1; ; line++ {
		text, err := s.line()
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errTooLong) {
			return s.failed(err)
		}
		row := raw{text: string(bytes.TrimSpace(text)), line: line, hint: advice}
		if errors.Is(err, errTooLong) {
			row = raw{line: line, err: errLong("want one JSON object a line")}
		}
		if row.text != "" || row.err != nil {
			if rows++; rows == 1 {
				if err := s.overLines(&row); err != nil {
					return err
				}
			}
			if err := s.each(row); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
}

// overLines returns an error where the first row is an object that the next lines
// complete: all others would be as hard to read.
func (s *source) overLines(first *raw) error {
	_, err := jsontree.Parse(first.text)
	var e *jsontree.Error
	next := s.first()
	if !errors.As(err, &e) || e.Cause != jsontree.Truncated || !strings.HasPrefix(first.text, "{") || next == 0 || next == '{' {
		return nil
	}
	err = fmt.Errorf("%s:%d: an object over several lines, want one row a line", s.name, first.line)
	head, _ := s.in.Peek(s.in.Buffered())
	if name := wrapper(first.text + string(head)); name != "" {
		return hint.Newf(fmt.Errorf("%w; a list of objects stands under %q", err, name),
			"if those are the rows: jq -c '.[%q][]' FILE > rows.jsonl", name)
	}
	return hint.New(err, "write one object a line: jq -c . FILE > rows.jsonl")
}

// wrapper returns the first key of an object, of which text is the beginning, where a
// list of objects follows it.
func wrapper(text string) string {
	key, rest, found := strings.Cut(strings.TrimLeft(text, "{ \t\r\n"), ":")
	key = strings.TrimSpace(key)
	if rest = strings.Join(strings.Fields(rest[:min(len(rest), 99)]), ""); !found || !strings.HasPrefix(rest, "[{") {
		return ""
	}
	return strings.Trim(key, `"`)
}

// errTooLong says that a line was skipped.
var errTooLong = errors.New("too long")

// line returns the next line. One that is too long is read to its end and not kept.
func (s *source) line() ([]byte, error) {
	var text []byte
	size := 0
	for {
		part, err := s.in.ReadSlice('\n')
		if size += len(part); size > longestRow {
			text = nil
		} else if text == nil && err == nil {
			return part, nil // all of it, valid until the next read
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

// A lister cuts the elements out of a JSON list, byte by byte, so that a list of any
// length is read in the memory of its longest element. What stands between commas
// is an element; whether it is JSON is for its reader to see.
type lister struct {
	*source
	line int // of the next byte
}

// list yields the elements of one JSON list.
func (s *source) list() error {
	l := &lister{s, 1}
	if _, err := l.next(); err != nil { // the bracket
		return err
	}
	for n := 0; ; n++ {
		c, err := l.next()
		if err != nil {
			return err
		}
		if c == ']' && n == 0 {
			return l.end()
		}
		row := raw{line: l.line}
		text, closed, err := l.element(c)
		switch {
		case errors.Is(err, errTooLong):
			row.err = errLong("one element of the list")
		case err != nil:
			return err
		case len(text) == 0:
			row.err = errors.New("an element of the list is missing: two commas, or one at its end")
		default:
			row.text = string(text)
		}
		if err := l.each(row); err != nil {
			return err
		}
		if closed {
			return l.end()
		}
	}
}

// byte reads one byte of the list.
func (l *lister) byte() (byte, error) {
	c, err := l.in.ReadByte()
	if errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("%s:%d: not valid JSON: unexpected end of the list", l.name, l.line)
	}
	if err != nil {
		return 0, l.failed(err)
	}
	if c == '\n' {
		l.line++
	}
	return c, nil
}

// next returns the first byte that is no white space.
func (l *lister) next() (byte, error) {
	for {
		c, err := l.byte()
		if err != nil || !isSpace(c) {
			return c, err
		}
	}
}

// element reads on from c, the first byte of an element, to the comma after it or to
// the bracket that closes the list.
func (l *lister) element(c byte) (text []byte, closed bool, err error) {
	depth, size, quoted, escaped := 0, 0, false, false
	for {
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = c == '\\', c != '"'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
		case depth > 0 && (c == '}' || c == ']'):
			depth--
		case depth == 0 && (c == ',' || c == ']'):
			if size > longestRow {
				return nil, c == ']', errTooLong
			}
			return bytes.TrimSpace(text), c == ']', nil
		}
		if size++; size <= longestRow {
			text = append(text, c)
		} else {
			text = nil
		}
		if c, err = l.byte(); err != nil {
			return nil, false, err
		}
	}
}

// end wants nothing after the list.
func (l *lister) end() error {
	for {
		c, err := l.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return l.failed(err)
		case c == '\n':
			l.line++
		case !isSpace(c):
			return fmt.Errorf("%s:%d: more text after the list", l.name, l.line)
		}
	}
}
