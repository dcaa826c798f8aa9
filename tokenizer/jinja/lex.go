package jinja

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is what a token is: one of the words below, or an operator's own spelling.
type kind string

const (
	tokData       kind = "template data / text"
	tokVarBegin   kind = "begin of print statement"
	tokVarEnd     kind = "end of print statement"
	tokBlockBegin kind = "begin of statement block"
	tokBlockEnd   kind = "end of statement block"
	tokName       kind = "name"
	tokString     kind = "string"
	tokInteger    kind = "integer"
	tokFloat      kind = "float"
	tokEOF        kind = "end of template"
)

type token struct {
	kind  kind
	text  string // a name, a string's value, data
	value Value  // a number
	line  int
}

// describe is how jinja2's messages call a token.
func (t token) describe() string {
	if t.kind == tokName {
		return t.text
	}
	return string(t.kind)
}

// lexer cuts a template into tokens. Its parts follow jinja2's lexer.py, whose rules
// are regular expressions.
type lexer struct {
	source       string
	at, line     int
	lineStarting bool // the last match ended in a line feed, or nothing was read yet
	tokens       []token
}

func lex(source string) ([]token, error) {
	source = normalizeNewlines(source)
	l := &lexer{source: strings.TrimSuffix(source, "\n"), line: 1, lineStarting: true}
	for l.at < len(l.source) {
		if err := l.root(); err != nil {
			return nil, err
		}
	}
	l.add(token{kind: tokEOF})
	return l.tokens, nil
}

func normalizeNewlines(s string) string {
	if !strings.Contains(s, "\r") {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

func (l *lexer) add(t token) {
	t.line = l.line
	l.tokens = append(l.tokens, t)
}

func (l *lexer) fail(format string, args ...any) error {
	return &Error{Kind: syntaxError, Line: l.line, Message: fmt.Sprintf(format, args...)}
}

// skip moves on over n bytes.
func (l *lexer) skip(n int) {
	l.line += strings.Count(l.source[l.at:l.at+n], "\n")
	l.at += n
}

// root reads text up to the next tag, and the tag.
func (l *lexer) root() error {
	rest := l.source[l.at:]
	open := nextTag(rest)
	if open < 0 {
		l.data(rest)
		l.at = len(l.source)
		return nil
	}
	begin := rest[open : open+2]
	sign := byte(0)
	if open+2 < len(rest) && (rest[open+2] == '-' || rest[open+2] == '+') {
		sign = rest[open+2]
	}
	text := rest[:open]
	switch {
	case sign == '-':
		text = strings.TrimRightFunc(text, isSpace)
	case sign == 0 && begin != "{{":
		text = l.lstrip(text)
	}
	l.data(text)
	l.skip(open)
	start := l.line
	n := 2
	if sign != 0 {
		n++
	}
	if begin == "{%" {
		if body, ok := rawBegin(l.source[l.at+n:]); ok {
			l.skip(n + body)
			return l.raw()
		}
	}
	l.skip(n)
	l.lineStarting = false
	switch begin {
	case "{#":
		return l.comment()
	case "{{":
		l.tokens = append(l.tokens, token{kind: tokVarBegin, line: start})
		return l.tag("}}", tokVarEnd)
	}
	l.tokens = append(l.tokens, token{kind: tokBlockBegin, line: start})
	return l.tag("%}", tokBlockEnd)
}

// nextTag is where the first {{, {% or {# is, or -1.
func nextTag(s string) int {
	for i := 0; ; i++ {
		j := strings.IndexByte(s[i:], '{')
		if j < 0 || i+j+1 >= len(s) {
			return -1
		}
		i += j
		if c := s[i+1]; c == '{' || c == '%' || c == '#' {
			return i
		}
	}
}

// lstrip takes the white space between the start of a line and a tag away.
func (l *lexer) lstrip(text string) string {
	line := strings.LastIndexByte(text, '\n') + 1
	if (line > 0 || l.lineStarting) && strings.TrimLeftFunc(text[line:], isSpace) == "" {
		return text[:line]
	}
	return text
}

func (l *lexer) data(text string) {
	if text != "" {
		l.add(token{kind: tokData, text: text})
	}
}

// rawBegin is the length of "raw %}" behind a tag's beginning.
func rawBegin(s string) (int, bool) {
	rest, ok := strings.CutPrefix(strings.TrimLeftFunc(s, isSpace), "raw")
	if !ok {
		return 0, false
	}
	rest = strings.TrimLeftFunc(rest, isSpace)
	if after, ok := strings.CutPrefix(rest, "-%}"); ok {
		return len(s) - len(strings.TrimLeftFunc(after, isSpace)), true
	}
	after, ok := strings.CutPrefix(rest, "%}")
	return len(s) - len(after), ok
}

// raw reads up to endraw.
func (l *lexer) raw() error {
	rest := l.source[l.at:]
	for i := 0; ; {
		j := strings.Index(rest[i:], "{%")
		if j < 0 {
			if rest == "" {
				return nil // as in jinja2
			}
			return l.fail("Missing end of raw directive")
		}
		i += j
		tail := rest[i+2:]
		sign := byte(0)
		if tail != "" && (tail[0] == '-' || tail[0] == '+') {
			sign, tail = tail[0], tail[1:]
		}
		after, ok := strings.CutPrefix(strings.TrimLeftFunc(tail, isSpace), "endraw")
		if ok {
			if n := l.tagEnd(strings.TrimLeftFunc(after, isSpace), "%}"); n > 0 {
				text := rest[:i]
				if sign == '-' {
					text = strings.TrimRightFunc(text, isSpace)
				} else if sign == 0 {
					text = l.lstripRaw(text)
				}
				l.data(text)
				end := len(rest) - len(strings.TrimLeftFunc(after, isSpace)) + n
				l.lineStarting = rest[end-1] == '\n'
				l.skip(end)
				return nil
			}
		}
		i += 2
	}
}

// lstripRaw is lstrip behind {% raw %}, where a line may have started in the tag.
func (l *lexer) lstripRaw(text string) string {
	l.lineStarting = l.source[l.at-1] == '\n'
	return l.lstrip(text)
}

func (l *lexer) comment() error {
	rest := l.source[l.at:]
	for i := 0; i < len(rest); i++ {
		if n := l.tagEnd(rest[i:], "#}"); n > 0 {
			l.lineStarting = rest[i+n-1] == '\n'
			l.skip(i + n)
			return nil
		}
	}
	if rest == "" {
		return nil // as in jinja2
	}
	return l.fail("Missing end of comment tag")
}

// tagEnd is the length of a tag's end with the white space it takes away, or 0.
func (l *lexer) tagEnd(s, end string) int {
	if after, ok := strings.CutPrefix(s, "-"+end); ok {
		return len(s) - len(strings.TrimLeftFunc(after, isSpace))
	}
	if end != "}}" && strings.HasPrefix(s, "+"+end) {
		return 1 + len(end)
	}
	if after, ok := strings.CutPrefix(s, end); ok {
		if end != "}}" && strings.HasPrefix(after, "\n") {
			return len(end) + 1
		}
		return len(end)
	}
	return 0
}

// tag reads the tokens of an expression or statement, up to its end.
func (l *lexer) tag(end string, endKind kind) error {
	var open []byte // the closing brackets that are missing
	for l.at < len(l.source) {
		rest := l.source[l.at:]
		if len(open) == 0 {
			if n := l.tagEnd(rest, end); n > 0 {
				l.add(token{kind: endKind})
				l.lineStarting = rest[n-1] == '\n'
				l.skip(n)
				return nil
			}
		}
		if n := len(rest) - len(strings.TrimLeftFunc(rest, isSpace)); n > 0 {
			l.skip(n)
			continue
		}
		if len(l.tokens) > maxTokens {
			return l.fail("more than %d words are not supported", maxTokens)
		}
		n, err := l.word(rest)
		if err != nil {
			return err
		}
		if n == 0 {
			if n, err = l.operator(rest, &open); err != nil {
				return err
			}
		}
		l.skip(n)
	}
	return nil
}

// word reads a number, a name or a string; 0 if there is none.
func (l *lexer) word(rest string) (int, error) {
	if n := floatLength(rest); n > 0 && (l.at == 0 || l.source[l.at-1] != '.') {
		f, err := strconv.ParseFloat(strings.ReplaceAll(rest[:n], "_", ""), 64)
		if err != nil && f == 0 {
			return 0, l.fail("%s", err)
		}
		l.add(token{kind: tokFloat, value: f})
		return n, nil
	}
	if n := integerLength(rest); n > 0 {
		digits := strings.ReplaceAll(rest[:n], "_", "")
		if len(digits) > maxDigits {
			return 0, l.fail("an integer of more than %d digits is not supported", maxDigits)
		}
		i, _ := new(big.Int).SetString(digits, 0)
		if strings.Trim(digits, "0") == "" {
			i = new(big.Int) // 00 is no octal number
		}
		l.add(token{kind: tokInteger, value: normBig(i)})
		return n, nil
	}
	if n := nameLength(rest); n > 0 {
		if first, _ := utf8.DecodeRuneInString(rest); first != '_' && !unicode.IsLetter(first) && !unicode.Is(unicode.Nl, first) {
			return 0, l.fail("Invalid character in identifier")
		}
		l.add(token{kind: tokName, text: rest[:n]})
		return n, nil
	}
	if rest[0] == '\'' || rest[0] == '"' {
		if n := stringLength(rest); n > 0 {
			s, err := unescape(rest[1 : n-1])
			if err != nil {
				return 0, l.fail("%s", err)
			}
			l.add(token{kind: tokString, text: s})
			return n, nil
		}
	}
	return 0, nil
}

// operators, the longer ones first.
var operators = []string{
	"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
}

func (l *lexer) operator(rest string, open *[]byte) (int, error) {
	for _, op := range operators {
		if !strings.HasPrefix(rest, op) {
			continue
		}
		if i := strings.Index("([{", op); i >= 0 {
			*open = append(*open, ")]}"[i])
		} else if strings.Contains(")]}", op) {
			if len(*open) == 0 {
				return 0, l.fail("unexpected '%s'", op)
			}
			want := (*open)[len(*open)-1]
			*open = (*open)[:len(*open)-1]
			if want != op[0] {
				return 0, l.fail("unexpected '%s', expected '%c'", op, want)
			}
		}
		l.add(token{kind: kind(op)})
		return len(op), nil
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return 0, l.fail("unexpected char %s at %d", quote(string(r)), utf8.RuneCountInString(l.source[:l.at]))
}

// digitsLength is the length of digits with single underscores between them.
func digitsLength(s string, digit func(byte) bool) int {
	n := 0
	for n < len(s) && (digit(s[n]) || s[n] == '_' && n > 0 && s[n-1] != '_' && n+1 < len(s) && digit(s[n+1])) {
		n++
	}
	return n
}

func isDecimal(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDecimal(c) || 'a' <= c|32 && c|32 <= 'f' }

func floatLength(s string) int {
	n := digitsLength(s, isDecimal)
	if n == 0 {
		return 0
	}
	fraction := false
	if n < len(s) && s[n] == '.' {
		if m := digitsLength(s[n+1:], isDecimal); m > 0 {
			n, fraction = n+1+m, true
		}
	}
	if n < len(s) && s[n]|32 == 'e' {
		m := n + 1
		if m < len(s) && (s[m] == '+' || s[m] == '-') {
			m++
		}
		if d := digitsLength(s[m:], isDecimal); d > 0 {
			return m + d
		}
	}
	if !fraction {
		return 0
	}
	return n
}

func integerLength(s string) int {
	if s[0] == '0' {
		if len(s) > 2 {
			base := map[byte]func(byte) bool{
				'b': func(c byte) bool { return c == '0' || c == '1' },
				'o': func(c byte) bool { return '0' <= c && c <= '7' },
				'x': isHex,
			}[s[1]|32]
			if base != nil {
				skip := 2
				if s[2] == '_' {
					skip++
				}
				if n := digitsLength(s[skip:], base); n > 0 {
					return skip + n
				}
			}
		}
		return digitsLength(s, func(c byte) bool { return c == '0' })
	}
	return digitsLength(s, isDecimal)
}

func nameLength(s string) int {
	for i, r := range s {
		if r != '_' && !unicode.In(r, unicode.L, unicode.N, unicode.Mn, unicode.Mc) {
			return i
		}
	}
	return len(s)
}

// stringLength is the length of a string literal with its quotes, or 0.
func stringLength(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	return 0
}

// unescape decodes Python's escapes.
func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", fmt.Errorf(`\ at end of string`)
		}
		if j := strings.IndexByte(`abfnrtv\'"`, s[i]); j >= 0 {
			b.WriteByte("\a\b\f\n\r\t\v\\'\""[j])
			continue
		}
		switch c := s[i]; {
		case c == '\n':
		case '0' <= c && c <= '7':
			n := 1
			for n < 3 && i+n < len(s) && '0' <= s[i+n] && s[i+n] <= '7' {
				n++
			}
			code, _ := strconv.ParseUint(s[i:i+n], 8, 32)
			b.WriteRune(rune(code))
			i += n - 1
		case c == 'x' || c == 'u' || c == 'U':
			n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
			if len(s) < i+1+n || strings.Trim(s[i+1:i+1+n], "0123456789abcdefABCDEF") != "" {
				return "", fmt.Errorf(`truncated \%c%s escape`, c, strings.Repeat("X", n))
			}
			code, _ := strconv.ParseUint(s[i+1:i+1+n], 16, 32)
			if code > unicode.MaxRune {
				return "", fmt.Errorf("illegal Unicode character")
			}
			b.WriteRune(rune(code))
			i += n
		case c == 'N':
			return "", fmt.Errorf(`\N{...} in a string is not supported`)
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}
