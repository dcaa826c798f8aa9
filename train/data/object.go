package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A field is one member of a JSON object, its value as written.
type field struct {
	name  string
	value json.RawMessage
}

// An object is a JSON object's members in their order.
type object []field

// get returns the value of a member, nil when it is absent or null.
func (o object) get(name string) json.RawMessage {
	for _, f := range o {
		if f.name == name && string(f.value) != "null" {
			return f.value
		}
	}
	return nil
}

func (o object) has(name string) bool { return o.get(name) != nil }

// names lists the members for an error message, eight at most.
func (o object) names() string {
	if len(o) == 0 {
		return "nothing"
	}
	list := make([]string, 0, 8)
	for _, f := range o[:min(len(o), 8)] {
		list = append(list, strconv.Quote(f.name))
	}
	if len(o) > 8 {
		list = append(list, fmt.Sprintf("and %d more", len(o)-8))
	}
	return strings.Join(list, ", ")
}

// checkJSON returns an error unless text is one valid JSON value in valid UTF-8.
func checkJSON(text []byte) error {
	if !utf8.Valid(text) {
		return fmt.Errorf("not valid UTF-8 at byte %d", invalidAt(text)+1)
	}
	var syntax *json.SyntaxError
	var v json.RawMessage
	switch err := json.Unmarshal(text, &v); {
	case errors.As(err, &syntax):
		return fmt.Errorf("not valid JSON at byte %d: %w", syntax.Offset, err)
	case err != nil:
		return err
	}
	if at := loneSurrogate(text); at >= 0 {
		return fmt.Errorf("half a surrogate pair at byte %d: %s", at+1, text[at:at+6])
	}
	return nil
}

// invalidAt returns the offset of the first byte that is not UTF-8.
func invalidAt(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(text)
}

// loneSurrogate returns the offset of a \uD800–\uDFFF escape that is not half of
// a pair, or -1. encoding/json would silently replace it.
func loneSurrogate(text []byte) int {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		switch escape := surrogate(text[i:]); escape {
		case 0:
			i++ // the escaped character
		case 1:
			if surrogate(text[i+6:]) != 2 {
				return i
			}
			i += 11
		case 2:
			return i
		}
	}
	return -1
}

// surrogate returns 1 when text starts with the escape of a high surrogate, 2 for
// a low one, else 0.
func surrogate(text []byte) int {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' || text[2]|0x20 != 'd' {
		return 0
	}
	switch d := text[3] | 0x20; {
	case d == '8' || d == '9' || d == 'a' || d == 'b':
		return 1
	case d >= 'c' && d <= 'f':
		return 2
	}
	return 0
}

// parseObject splits valid JSON into the members of an object. A name that stands
// twice is an error: readers disagree about which value counts.
func parseObject(text []byte) (object, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return nil, fmt.Errorf("%s, want an object", kind(text))
	}
	var o object
	seen := make(map[string]bool)
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, err
		}
		f := field{name: tok.(string)}
		if err := dec.Decode(&f.value); err != nil {
			return nil, err
		}
		if seen[f.name] {
			return nil, fmt.Errorf("%q stands twice in one object", f.name)
		}
		seen[f.name] = true
		o = append(o, f)
	}
	return o, nil
}

// parseList splits valid JSON into the elements of a list.
func parseList(text []byte) ([]json.RawMessage, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("%s, want a list", kind(text))
	}
	return list, nil
}

func parseString(text []byte) (string, error) {
	var s string
	if kind(text) != "a string" {
		return "", fmt.Errorf("%s, want a string", kind(text))
	}
	err := json.Unmarshal(text, &s)
	return s, err
}

// kind names the type of a JSON value.
func kind(text []byte) string {
	text = bytes.TrimLeft(text, " \t\r\n")
	if len(text) == 0 {
		return "nothing"
	}
	switch text[0] {
	case '"':
		return "a string"
	case '[':
		return "a list"
	case '{':
		return "an object"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}
