package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// checkJSON returns an error unless text is one valid JSON value in valid UTF-8.
func checkJSON(text []byte) error {
	if !utf8.Valid(text) {
		return fmt.Errorf("not valid UTF-8 at byte %d", invalidAt(text)+1)
	}
	if !json.Valid(text) {
		var syntax *json.SyntaxError
		err := json.Unmarshal(text, new(any))
		if errors.As(err, &syntax) {
			return fmt.Errorf("not valid JSON at byte %d: %w", syntax.Offset, err)
		}
		return fmt.Errorf("not valid JSON: %w", err)
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
	for i := 0; ; {
		at := bytes.IndexByte(text[i:], '\\')
		if at < 0 {
			return -1
		}
		i += at
		switch surrogate(text[i:]) {
		case 0:
			i += 2 // the escaped character
		case 1:
			if surrogate(text[i+6:]) != 2 {
				return i
			}
			i += 12
		case 2:
			return i
		}
	}
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

// skipSpace returns the offset of the first byte from i on that is no white space.
func skipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns the end of the value that begins at i in valid JSON.
func skipValue(text []byte, i int) int {
	for depth := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = closingQuote(text, i)
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		default:
			if depth == 0 { // a number, true, false or null
				for i < len(text) && bytes.IndexByte([]byte(" \t\r\n,]}"), text[i]) < 0 {
					i++
				}
				return i
			}
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
	return i
}

// closingQuote returns the offset of the quote that ends the string begun at i.
func closingQuote(text []byte, i int) int {
	for i++; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i
}

// parseString reads a string of valid JSON.
func parseString(text []byte) (string, error) {
	if kind(text) != "a string" {
		return "", fmt.Errorf("%s, want a string", kind(text))
	}
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text[1 : len(text)-1]), nil
	}
	var s string
	err := json.Unmarshal(text, &s)
	return s, err
}

// kind names the type of a JSON value.
func kind(text []byte) string {
	i := skipSpace(text, 0)
	if i == len(text) {
		return "nothing"
	}
	switch text[i] {
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
