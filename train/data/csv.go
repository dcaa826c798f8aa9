package data

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"example.com/finetune/internal/hint"
)

// csv yields the records of a table as JSON objects of strings. The first record
// names the columns.
func (s *source) csv() error {
	limit := &limited{in: s.in, left: longestRow}
	r := csv.NewReader(limit)
	r.ReuseRecord = true
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		header, err = names(header)
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
			s.each(raw{line: line, err: err})
		case errors.As(err, &wrong):
			line = wrong.StartLine
			s.each(raw{line: line, err: quoting(err)})
		case err != nil:
			return fmt.Errorf("%s: after line %d: %w", s.name, line, err)
		default:
			line, _ = r.FieldPos(0)
			text, err := jsonRecord(header, record)
			s.each(raw{text: text, line: line, err: err})
		}
	}
}

// names returns the header with the space around the names removed.
func names(header []string) ([]string, error) {
	list := make([]string, len(header))
	seen := make(map[string]bool, len(header))
	for i, name := range header {
		name = strings.TrimSpace(name)
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
func jsonRecord(header, record []string) ([]byte, error) {
	text := []byte{'{'}
	for i, name := range header {
		if !utf8.ValidString(record[i]) {
			return nil, fmt.Errorf("column %q is not valid UTF-8", name)
		}
		for _, s := range []string{name, record[i]} {
			quoted, err := json.Marshal(s)
			if err != nil {
				return nil, err
			}
			text = append(append(text, quoted...), ':')
		}
		text[len(text)-1] = ','
	}
	text[len(text)-1] = '}'
	return text, nil
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
