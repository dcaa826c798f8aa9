package tokenizer

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// matcher finds all matches in s, in order and without overlap, as byte ranges.
type matcher interface {
	find(s string, emit func(i, j int))
}

// literal matches one string.
type literal string

func (l literal) find(s string, emit func(i, j int)) {
	for at := 0; ; {
		i := strings.Index(s[at:], string(l))
		if i < 0 {
			return
		}
		emit(at+i, at+i+len(l))
		at += i + len(l)
	}
}

// class matches single characters.
type class func(r rune) bool

func (c class) find(s string, emit func(i, j int)) {
	for i, r := range s {
		if c(r) {
			emit(i, i+utf8.RuneLen(r))
		}
	}
}

// scanner is a hand-written pattern: it returns the end of the match that begins at
// byte i, or i where there is none.
type scanner func(s string, i int) int

func (sc scanner) find(s string, emit func(i, j int)) {
	for i := 0; i < len(s); {
		j := sc(s, i)
		if j > i {
			emit(i, j)
			i = j
			continue
		}
		for i++; i < len(s) && !utf8.RuneStart(s[i]); i++ {
		}
	}
}

// expression is a regular expression with lookaround.
type expression struct{ re *regexp2.Regexp }

// find counts in runes as regexp2 does and reports bytes.
func (e expression) find(s string, emit func(i, j int)) {
	runes := []rune(s)
	bytes, at := 0, 0 // runes[:at] are bytes long
	advance := func(to int) int {
		for ; at < to; at++ {
			bytes += utf8.RuneLen(runes[at])
		}
		return bytes
	}
	m, err := e.re.FindRunesMatch(runes)
	for m != nil && err == nil {
		i := advance(m.Index)
		emit(i, advance(m.Index+m.Length))
		m, err = e.re.FindNextMatch(m)
	}
}

// compileExpression compiles a pattern in Oniguruma's syntax.
func compileExpression(pattern string) (expression, error) {
	translated, err := translatePattern(pattern)
	if err != nil {
		return expression{}, err
	}
	re, err := regexp2.Compile(translated, regexp2.None)
	return expression{re}, err
}

// maxPattern bounds a regular expression: the longest in use has about 400 bytes.
const maxPattern = 8192

// patternJSON is {"String": …} or {"Regex": …}.
type patternJSON struct {
	String, Regex *string
}

// matcher compiles the pattern; those of the files scan*.go are scanned by hand.
func (p *patternJSON) matcher() (matcher, error) {
	switch {
	case p == nil:
		return nil, errors.New(`"pattern" is missing`)
	case (p.String == nil) == (p.Regex == nil):
		return nil, errors.New(`pattern: want one of "String" and "Regex"`)
	case p.String != nil && *p.String == "":
		return nil, errors.New("pattern: the empty string")
	case p.String != nil:
		return literal(*p.String), nil
	}
	if sc, ok := knownPattern(*p.Regex); ok {
		return sc, nil
	}
	if len(*p.Regex) > maxPattern {
		return nil, fmt.Errorf("pattern: %d bytes long, more than %d", len(*p.Regex), maxPattern)
	}
	e, err := compileExpression(*p.Regex)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", *p.Regex, err)
	}
	return e, nil
}
