package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Object returns the members of the one JSON object in data. Errors name the line.
func Object(data []byte) (map[string]json.RawMessage, error) {
	if i := invalidUTF8(data); i >= 0 {
		return nil, fmt.Errorf("line %d: invalid UTF-8", line(data, i))
	}
	if t := bytes.TrimLeft(data, " \t\r\n"); len(t) == 0 || t[0] != '{' {
		return nil, errors.New("not a JSON object: want {")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("line %d: %w", line(data, int(syntax.Offset)), err)
		}
		return nil, err
	}
	if err := noDuplicates(data); err != nil {
		return nil, err
	}
	return members, nil
}

// noDuplicates walks valid JSON and refuses a key that stands twice in an object.
func noDuplicates(data []byte) error {
	type level struct { // an enclosing object or array
		object bool
		seen   map[string]bool
	}
	var open []level
	wantKey := false
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			wantKey = data[i] == '{'
			open = append(open, level{object: wantKey})
		case '}', ']':
			open = open[:len(open)-1]
		case ',':
			wantKey = open[len(open)-1].object
		case '"':
			start := i
			i = stringEnd(data, start)
			if !wantKey {
				continue
			}
			wantKey = false
			l, key := &open[len(open)-1], unquote(data[start:i+1])
			if l.seen[key] {
				return fmt.Errorf("line %d: key %.60q twice", line(data, i), key)
			}
			if l.seen == nil {
				l.seen = map[string]bool{}
			}
			l.seen[key] = true
		}
	}
	return nil
}

// stringEnd returns where the string that begins at data[start] has its last quote.
func stringEnd(data []byte, start int) int {
	i := start + 1
	for ; data[i] != '"'; i++ {
		if data[i] == '\\' {
			i++
		}
	}
	return i
}

// unquote returns the text of a valid JSON string.
func unquote(quoted []byte) (s string) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	_ = json.Unmarshal(quoted, &s) // valid: cannot fail
	return s
}

func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

func line(data []byte, offset int) int {
	return 1 + bytes.Count(data[:min(offset, len(data))], []byte{'\n'})
}
