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
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var open []map[string]bool // of the enclosing objects; nil for an array
	wantKey := false
	for {
		t, err := dec.Token()
		if err != nil || len(open) == 0 && t != json.Delim('{') {
			return nil // the end: Object has checked the syntax
		}
		switch {
		case t == json.Delim('{'):
			open = append(open, map[string]bool{})
		case t == json.Delim('['):
			open = append(open, nil)
		case t == json.Delim('}') || t == json.Delim(']'):
			open = open[:len(open)-1]
		case wantKey:
			key := t.(string)
			if seen := open[len(open)-1]; seen[key] {
				return fmt.Errorf("line %d: key %q twice", line(data, int(dec.InputOffset())), key)
			}
			open[len(open)-1][key] = true
			wantKey = false
			continue
		}
		wantKey = len(open) > 0 && open[len(open)-1] != nil
	}
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
