package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

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
		at := l.line
		text, closed, err := l.element(c)
		switch {
		case errors.Is(err, errTooLong):
			l.each(raw{line: at, err: errLong("one element of the list")})
		case err != nil:
			return err
		case len(text) == 0:
			l.each(raw{line: at, err: errors.New("an element of the list is missing: two commas, or one at its end")})
		default:
			l.each(raw{text: text, line: at})
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
		if err != nil || skipSpace([]byte{c}, 0) == 0 {
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
		case skipSpace([]byte{c}, 0) == 0:
			return fmt.Errorf("%s:%d: more text after the list", l.name, l.line)
		}
	}
}
