package tokenizer

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// token is a word of a template's expression. Strings are decoded.
type token struct {
	kind tokenKind
	text string
}

type tokenKind byte

const (
	tokenEnd tokenKind = iota
	tokenName
	tokenNumber
	tokenString
	tokenOperator
)

// maxTokens bounds one expression: the longest in use has about a hundred.
const maxTokens = 4096

// lexExpression cuts an expression into tokens; the last one is tokenEnd.
func lexExpression(s string) ([]token, error) {
	var all []token
	for i := 0; i < len(s); {
		c := s[i]
		start := i
		switch {
		case strings.IndexByte(" \t\r\n\v\f", c) >= 0:
			i++
			continue
		case c == '\'' || c == '"':
			end := quoted(s, i)
			if end == len(s) {
				return nil, fmt.Errorf("a string is not closed: %.40s", s[i:])
			}
			all = append(all, token{tokenString, unescape(s[i+1 : end])})
			i = end + 1
		case isDigit(c):
			i = numberEnd(s, i)
			all = append(all, token{tokenNumber, strings.ReplaceAll(s[start:i], "_", "")})
		case isNameByte(c):
			for i < len(s) && isNameByte(s[i]) {
				i++
			}
			all = append(all, token{tokenName, s[start:i]})
		default:
			i += operatorLen(s[i:])
			if i == start {
				r, _ := utf8.DecodeRuneInString(s[i:])
				return nil, fmt.Errorf("unexpected character %q", r)
			}
			all = append(all, token{tokenOperator, s[start:i]})
		}
		if len(all) > maxTokens {
			return nil, fmt.Errorf("an expression of more than %d words", maxTokens)
		}
	}
	return append(all, token{}), nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isNameByte(c byte) bool {
	return c == '_' || isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z'
}

func operatorLen(s string) int {
	if len(s) > 1 {
		switch s[:2] {
		case "**", "//", "==", "!=", "<=", ">=":
			return 2
		}
	}
	if strings.IndexByte("+-*/%~<>=|,.:()[]{}", s[0]) >= 0 {
		return 1
	}
	return 0
}

// numberEnd is the end of an integer or a float: 10, 1_000, 0.5, 1e-3.
func numberEnd(s string, i int) int {
	digits := func(i int) int {
		for i < len(s) && (isDigit(s[i]) || s[i] == '_') {
			i++
		}
		return i
	}
	i = digits(i)
	if i+1 < len(s) && s[i] == '.' && isDigit(s[i+1]) {
		i = digits(i + 1)
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		if j < len(s) && isDigit(s[j]) {
			i = digits(j)
		}
	}
	return i
}

// unescape reads the escapes of a Python string; one that is none stays as it is.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			i++
			continue
		}
		r, n := escape(s[i+1:])
		switch {
		case n == 0:
			b.WriteByte('\\')
		case r >= 0:
			b.WriteRune(r)
		}
		i += 1 + n
	}
	return b.String()
}

// escape is the character after a backslash and the length of its name; -1 is none.
func escape(s string) (r rune, n int) {
	if i := strings.IndexByte("abfnrtv\\'\"\n", s[0]); i >= 0 {
		return []rune{'\a', '\b', '\f', '\n', '\r', '\t', '\v', '\\', '\'', '"', -1}[i], 1
	}
	if digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[0]]; digits > 0 && len(s) > digits {
		if v, err := strconv.ParseUint(s[1:1+digits], 16, 32); err == nil && v <= utf8.MaxRune {
			return rune(v), 1 + digits
		}
	}
	for n < 3 && n < len(s) && '0' <= s[n] && s[n] <= '7' {
		r = r*8 + rune(s[n]-'0')
		n++
	}
	return r, n
}

// quoteForTemplate writes a string as the renderer reads it.
func quoteForTemplate(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
