package jinja

import (
	"math/big"
	"regexp"
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

// The rules are those of jinja2's lexer.py. S is the white space of Python's \s.
const (
	space  = `[\s\v\x1c-\x1f\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]`
	digits = `[0-9](?:_?[0-9])*`
)

func rule(pattern string) *regexp.Regexp {
	return regexp.MustCompile(strings.NewReplacer("S", space, "D", digits).Replace(pattern))
}

var (
	tagRule      = rule(`\{[{%#][-+]?`)
	rawRule      = rule(`^\{%[-+]?S*raw(?:S*-%\}S*|S*%\})`)
	endRawRule   = rule(`\{%([-+]?)S*endrawS*(?:\+%\}|-%\}S*|%\}\n?)`)
	commentRule  = rule(`\+#\}|-#\}S*|#\}\n?`)
	blockEndRule = rule(`^(?:\+%\}|-%\}S*|%\}\n?)`)
	varEndRule   = rule(`^(?:-\}\}S*|\}\})`)
	spaceRule    = rule(`^S+`)
	floatRule    = rule(`^D(?:(?:\.D)?[eE][-+]?D|\.D)`)
	integerRule  = rule(`^(?:0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[0-9a-fA-F])+|[1-9](?:_?[0-9])*|0(?:_?0)*)`)
	nameRule     = rule(`^[_\pL\pN\p{Mn}\p{Mc}]+`)
	stringRule   = rule(`(?s)^(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")`)
	operatorRule = rule(`^(?://|\*\*|[=!<>]=|[-+/*%~\[\](){}<>=.:|,;])`)
)

// lexer cuts a template into tokens.
type lexer struct {
	source       string
	at, line     int
	lineStarting bool // the last match ended in a line feed, or nothing was read yet
	tokens       []token
}

func lex(source string) []token {
	source = strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n")
	l := &lexer{source: strings.TrimSuffix(source, "\n"), line: 1, lineStarting: true}
	for l.at < len(l.source) {
		l.root()
	}
	l.add(token{kind: tokEOF})
	return l.tokens
}

func (l *lexer) add(t token) {
	t.line = l.line
	l.tokens = append(l.tokens, t)
}

func syntaxAt(line int, format string, args ...any) *Error {
	e := raise(syntaxError, format, args...)
	e.Line = line
	return e
}

func checkSyntax(holds bool, line int, format string, args ...any) {
	if !holds {
		panic(syntaxAt(line, format, args...))
	}
}

// skip moves on over n bytes.
func (l *lexer) skip(n int) {
	text := l.source[l.at : l.at+n]
	l.line += strings.Count(text, "\n")
	l.lineStarting = strings.HasSuffix(text, "\n")
	l.at += n
}

// take moves on over what a rule that begins with ^ matches, and gives it.
func (l *lexer) take(rule *regexp.Regexp) string {
	at := rule.FindStringIndex(l.source[l.at:])
	if at == nil {
		return ""
	}
	l.skip(at[1])
	return l.source[l.at-at[1] : l.at]
}

// data adds text before a tag. A minus in the tag takes the white space before it away,
// and without a sign lstrip_blocks takes it away up to the start of the line.
func (l *lexer) data(text, sign string, strip bool) {
	switch {
	case sign == "-":
		text = strings.TrimRightFunc(text, isSpace)
	case sign == "" && strip:
		line := strings.LastIndexByte(text, '\n') + 1
		if (line > 0 || l.lineStarting) && strings.TrimLeftFunc(text[line:], isSpace) == "" {
			text = text[:line]
		}
	}
	if text != "" {
		l.add(token{kind: tokData, text: text})
	}
}

// root reads text up to the next tag, and the tag.
func (l *lexer) root() {
	rest := l.source[l.at:]
	open := tagRule.FindStringIndex(rest)
	if open == nil {
		l.data(rest, "", false)
		l.at = len(l.source)
		return
	}
	tag := rest[open[0]:open[1]]
	l.data(rest[:open[0]], tag[2:], tag[1] != '{')
	l.skip(open[0])
	if l.take(rawRule) != "" {
		l.raw()
		return
	}
	switch tag[1] {
	case '#':
		l.skip(len(tag))
		l.comment()
	case '{':
		l.add(token{kind: tokVarBegin})
		l.skip(len(tag))
		l.words(varEndRule, tokVarEnd)
	default:
		l.add(token{kind: tokBlockBegin})
		l.skip(len(tag))
		l.words(blockEndRule, tokBlockEnd)
	}
}

// raw reads up to endraw.
func (l *lexer) raw() {
	rest := l.source[l.at:]
	end := endRawRule.FindStringSubmatchIndex(rest)
	if end != nil {
		l.data(rest[:end[0]], rest[end[2]:end[3]], true)
		l.skip(end[1])
	} else if rest != "" { // at the very end it is no mistake
		panic(syntaxAt(l.line, "Missing end of raw directive"))
	}
}

func (l *lexer) comment() {
	rest := l.source[l.at:]
	if end := commentRule.FindStringIndex(rest); end != nil {
		l.skip(end[1])
	} else if rest != "" {
		panic(syntaxAt(l.line, "Missing end of comment tag"))
	}
}

// words reads the tokens of an expression or statement, up to its end.
func (l *lexer) words(end *regexp.Regexp, endKind kind) {
	var open []byte // the closing brackets that are missing
	for l.at < len(l.source) {
		if len(open) == 0 {
			line := l.line
			if l.take(end) != "" {
				l.tokens = append(l.tokens, token{kind: endKind, line: line})
				return
			}
		}
		checkSyntax(len(l.tokens) <= maxTokens, l.line, "more than %d words are not supported", maxTokens)
		if l.take(spaceRule) == "" && !l.word() {
			open = l.operator(open)
		}
	}
}

// word reads a number, a name or a string.
func (l *lexer) word() bool {
	line := l.line
	t := token{line: line}
	if l.at == 0 || l.source[l.at-1] != '.' {
		if text := l.take(floatRule); text != "" {
			f, _ := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64) // too large: infinite
			l.tokens = append(l.tokens, token{kind: tokFloat, value: f, line: line})
			return true
		}
	}
	if text := l.take(integerRule); text != "" {
		text = strings.ReplaceAll(text, "_", "")
		checkSyntax(len(text) <= maxDigits, line, "an integer of more than %d digits is not supported", maxDigits)
		i, _ := new(big.Int).SetString(text, 0)
		t.kind, t.value = tokInteger, normBig(i)
	} else if text := l.take(nameRule); text != "" {
		first, _ := utf8.DecodeRuneInString(text)
		checkSyntax(first == '_' || unicode.IsLetter(first) || unicode.Is(unicode.Nl, first), line, "Invalid character in identifier")
		t.kind, t.text = tokName, text
	} else if text := l.take(stringRule); text != "" {
		t.kind, t.text = tokString, unescape(text[1:len(text)-1], line)
	} else {
		return false
	}
	l.tokens = append(l.tokens, t)
	return true
}

// operator reads an operator, and gives the brackets that are open behind it.
func (l *lexer) operator(open []byte) []byte {
	op := operatorRule.FindString(l.source[l.at:])
	switch op {
	case "":
		r, _ := utf8.DecodeRuneInString(l.source[l.at:])
		panic(syntaxAt(l.line, "unexpected char %s at %d", quote(string(r)), utf8.RuneCountInString(l.source[:l.at])))
	case "(", "[", "{":
		open = append(open, ")]}"[strings.Index("([{", op)])
	case ")", "]", "}":
		checkSyntax(len(open) != 0, l.line, "unexpected '%s'", op)
		want := open[len(open)-1]
		if open = open[:len(open)-1]; want != op[0] {
			panic(syntaxAt(l.line, "unexpected '%s', expected '%c'", op, want))
		}
	}
	l.add(token{kind: kind(op)})
	l.skip(len(op))
	return open
}

// unescape decodes Python's escapes, which are Go's and a few others.
func unescape(s string, line int) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 || i+1 == len(s) {
			return b.String() + s
		}
		b.WriteString(s[:i])
		s = s[i:]
		c := s[1]
		checkSyntax(c != 'N', line, `\N{...} in a string is not supported`)
		switch {
		case c == '\n':
			s = s[2:]
		case strings.IndexByte(`abfnrtv\'"xuU0123`, c) >= 0:
			if c == '0' && (len(s) == 2 || s[2] < '0' || s[2] > '7') {
				s = `\00` + s[1:] // Python takes one to three digits
			}
			r, _, tail, err := strconv.UnquoteChar(s, c)
			checkSyntax(err == nil, line, "wrong escape in a string: %s", quote(s[:min(len(s), 4)]))
			b.WriteRune(r)
			s = tail
		default:
			b.WriteString(s[:2])
			s = s[2:]
		}
	}
}
