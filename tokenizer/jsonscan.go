package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonScanner walks JSON text. It is for the two long parts of a tokenizer.json, the
// vocabulary and the merges, which encoding/json takes seconds for; all else is cut
// out whole and left to encoding/json, which then finds what is wrong in it.
type jsonScanner struct {
	data []byte
	at   int
	word []byte // of the last string, if it had escapes
}

func (s *jsonScanner) errorf(format string, args ...any) error {
	return fmt.Errorf("byte %d: %s", s.at, fmt.Sprintf(format, args...))
}

// peek is the next byte that is not white space, 0 at the end.
func (s *jsonScanner) peek() byte {
	for ; s.at < len(s.data); s.at++ {
		if c := s.data[s.at]; c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
	}
	return 0
}

func (s *jsonScanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

func (s *jsonScanner) want(c byte) error {
	if s.take(c) {
		return nil
	}
	if s.at >= len(s.data) {
		return s.errorf("want %q, found the end", c)
	}
	return s.errorf("want %q, found %q", c, s.data[s.at])
}

// members calls each for the members of an object, placed at the value.
func (s *jsonScanner) members(each func(key []byte) error) error {
	if err := s.want('{'); err != nil {
		return err
	}
	return s.list('}', func() error {
		key, err := s.string()
		if err != nil {
			return err
		}
		if err := s.want(':'); err != nil {
			return err
		}
		return each(key)
	})
}

// items calls each for the items of an array.
func (s *jsonScanner) items(each func() error) error {
	if err := s.want('['); err != nil {
		return err
	}
	return s.list(']', each)
}

func (s *jsonScanner) list(closer byte, each func() error) error {
	if s.take(closer) {
		return nil
	}
	for {
		if err := each(); err != nil {
			return err
		}
		if s.take(closer) {
			return nil
		}
		if err := s.want(','); err != nil {
			return err
		}
	}
}

// string reads a string. The result holds until the next one.
func (s *jsonScanner) string() ([]byte, error) {
	if err := s.want('"'); err != nil {
		return nil, err
	}
	start := s.at
	for ; s.at < len(s.data); s.at++ {
		switch c := s.data[s.at]; {
		case c == '"':
			s.at++
			return s.data[start : s.at-1], nil
		case c == '\\':
			s.word = append(s.word[:0], s.data[start:s.at]...)
			return s.escaped()
		case c < ' ':
			return nil, s.errorf("a control character %#02x in a string", c)
		}
	}
	return nil, s.errorf("a string is not closed")
}

// escaped reads the rest of a string from its first backslash on.
func (s *jsonScanner) escaped() ([]byte, error) {
	for s.at < len(s.data) {
		c := s.data[s.at]
		s.at++
		switch {
		case c == '"':
			return s.word, nil
		case c < ' ':
			return nil, s.errorf("a control character %#02x in a string", c)
		case c != '\\':
			s.word = append(s.word, c)
			continue
		}
		if s.at == len(s.data) {
			break
		}
		c = s.data[s.at]
		s.at++
		if i := bytes.IndexByte([]byte(`"\/bfnrt`), c); i >= 0 {
			s.word = append(s.word, "\"\\/\b\f\n\r\t"[i])
			continue
		}
		r, ok := s.hex()
		if c != 'u' || !ok {
			return nil, s.errorf("an unknown escape in a string")
		}
		if utf16.IsSurrogate(r) && bytes.HasPrefix(s.data[s.at:], []byte(`\u`)) {
			back := s.at
			s.at += 2
			low, _ := s.hex()
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				s.at = back
			}
		}
		s.word = utf8.AppendRune(s.word, r)
	}
	return nil, s.errorf("a string is not closed")
}

func (s *jsonScanner) hex() (rune, bool) {
	if s.at+4 > len(s.data) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.data[s.at:s.at+4]), 16, 16)
	s.at += 4
	return rune(n), err == nil
}

// integer reads a number without fraction.
func (s *jsonScanner) integer() (int64, error) {
	s.peek()
	start := s.at
	for s.at < len(s.data) && (s.data[s.at] == '-' || '0' <= s.data[s.at] && s.data[s.at] <= '9') {
		s.at++
	}
	n, err := strconv.ParseInt(string(s.data[start:s.at]), 10, 64)
	if err != nil {
		return 0, s.errorf("want an integer, found %.20q", s.data[start:min(start+20, len(s.data))])
	}
	return n, nil
}

// value cuts out the next value, whatever it is.
func (s *jsonScanner) value() (json.RawMessage, error) {
	s.peek()
	start, depth := s.at, 0
	for s.at < len(s.data) {
		switch c := s.data[s.at]; c {
		case '"':
			if _, err := s.string(); err != nil {
				return nil, err
			}
			continue
		case '{', '[':
			depth++
		case '}', ']', ',':
			if depth == 0 {
				return bytes.TrimSpace(s.data[start:s.at]), nil
			}
			if c != ',' {
				depth--
			}
		}
		s.at++
	}
	if depth > 0 {
		return nil, s.errorf("a bracket is not closed")
	}
	return bytes.TrimSpace(s.data[start:s.at]), nil
}
