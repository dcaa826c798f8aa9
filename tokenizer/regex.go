package tokenizer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// patternTranslator writes a pattern of Oniguruma's syntax, which Hugging Face
// tokenizers use, in regexp2's, so that it means the same. What is not known to mean
// the same is an error that names it.
type patternTranslator struct {
	in   string
	at   int
	out  strings.Builder
	fold []bool // by open group: is case ignored?
}

func translatePattern(pattern string) (string, error) {
	t := &patternTranslator{in: pattern, fold: []bool{false}}
	for t.at < len(t.in) {
		if err := t.one(); err != nil {
			return "", err
		}
	}
	return t.out.String(), nil
}

func (t *patternTranslator) rest() string { return t.in[t.at:] }

func (t *patternTranslator) copy(n int) {
	t.out.WriteString(t.in[t.at : t.at+n])
	t.at += n
}

// one translates what comes next.
func (t *patternTranslator) one() error {
	r, size := utf8.DecodeRuneInString(t.rest())
	switch {
	case r == '\\':
		return t.escape()
	case r == '[':
		return t.set()
	case r == '(':
		return t.open()
	case r == ')':
		if len(t.fold) > 1 {
			t.fold = t.fold[:len(t.fold)-1]
		}
	case r == '^' || r == '$': // of a line, in Oniguruma
		t.out.WriteString("(?m:" + string(r) + ")")
		t.at++
		return nil
	case strings.HasPrefix(t.rest(), "{,"):
		t.out.WriteString("{0")
		t.at++
		return nil
	case t.fold[len(t.fold)-1]:
		if other := foldsTo(r); other != 0 {
			t.out.WriteString("[" + string(r) + string(other) + "]")
			t.at += size
			return nil
		}
	}
	t.copy(size)
	if strings.ContainsRune("*+?}", r) && strings.HasPrefix(t.rest(), "+") {
		return errors.New("a quantifier after another is not supported")
	}
	return nil
}

// foldsTo is the letter beyond ASCII that is r without case, or 0.
func foldsTo(r rune) rune {
	switch r {
	case 's', 'S':
		return 'ſ'
	case 'k', 'K':
		return '\u212a'
	}
	return 0
}

// open is the start of a group.
func (t *patternTranslator) open() error {
	fold := t.fold[len(t.fold)-1]
	for _, kind := range []string{"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:", "(?-i:", "(?i)", "(?-i)"} {
		if !strings.HasPrefix(t.rest(), kind) {
			continue
		}
		if strings.Contains(kind, "i") {
			fold = !strings.Contains(kind, "-")
		}
		t.copy(len(kind))
		if strings.HasSuffix(kind, ")") {
			t.fold[len(t.fold)-1] = fold
		} else {
			t.fold = append(t.fold, fold)
		}
		return nil
	}
	if strings.HasPrefix(t.rest(), "(?") {
		return fmt.Errorf("the group %.4q is not supported", t.rest())
	}
	t.copy(1)
	t.fold = append(t.fold, fold)
	return nil
}

// escape is a backslash outside of brackets.
func (t *patternTranslator) escape() error {
	class, negated, n, err := classEscape(t.rest())
	switch {
	case err != nil:
		return err
	case class != nil:
		t.at += n
		not := ""
		if negated {
			not = "^"
		}
		t.out.WriteString("[" + not + class.text() + "]")
		return nil
	}
	return t.literal()
}

// literal is an escape of one character, in or out of brackets.
func (t *patternTranslator) literal() error {
	s := t.rest()
	if len(s) < 2 {
		return errors.New("a backslash at the end")
	}
	switch c := s[1]; {
	case strings.IndexByte("rntfvae", c) >= 0, c < utf8.RuneSelf && !isWordByte(c):
		t.copy(2)
		return nil
	case c == 'u' && len(s) >= 6:
		return t.codePoint(s[2:6], 6)
	case strings.HasPrefix(s, `\x{`) && strings.Contains(s, "}"):
		end := strings.IndexByte(s, '}')
		return t.codePoint(s[3:end], end+1)
	case c == 'x' && len(s) >= 4:
		return t.codePoint(s[2:4], 4)
	}
	return fmt.Errorf("%.2q is not supported", s)
}

func (t *patternTranslator) codePoint(hex string, n int) error {
	v, err := strconv.ParseUint(hex, 16, 32)
	if err != nil || v > unicode.MaxRune || !utf8.ValidRune(rune(v)) {
		return fmt.Errorf("%q is not a character", t.rest()[:n])
	}
	t.at += n
	if v < utf8.RuneSelf {
		fmt.Fprintf(&t.out, `\x%02x`, v)
	} else {
		t.out.WriteRune(rune(v))
	}
	return nil
}

// set is […].
func (t *patternTranslator) set() error {
	t.copy(1)
	if strings.HasPrefix(t.rest(), "^") {
		t.copy(1)
	}
	for first := true; ; first = false {
		s := t.rest()
		switch {
		case s == "":
			return errors.New("a bracket is not closed")
		case s[0] == ']' && !first:
			t.copy(1)
			return nil
		case s[0] == ']', s[0] == '[', strings.HasPrefix(s, "&&"):
			return fmt.Errorf("%.2q inside of brackets is not supported", s)
		case s[0] == '\\':
			class, negated, n, err := classEscape(s)
			if err == nil && class == nil {
				err = t.literal()
			}
			if err != nil {
				return err
			}
			if class != nil {
				if negated {
					class = class.complement()
				}
				t.out.WriteString(class.text())
				t.at += n
			}
		default:
			_, size := utf8.DecodeRuneInString(s)
			t.copy(size)
		}
	}
}

// runeClass is a set of runes as tables.
type runeClass []*unicode.RangeTable

// classEscape reads \w, \p{L} and the like: what they hold, and their length; nil for another escape.
func classEscape(s string) (class runeClass, negated bool, n int, err error) {
	if len(s) < 2 {
		return nil, false, 0, errors.New("a backslash at the end")
	}
	c := s[1] | 0x20
	negated = s[1] != c
	switch c {
	case 'd':
		class = category("Nd")
	case 's':
		class = runeClass{unicode.White_Space}
	case 'w':
		latin := ranges('²', '³', '¹', '¹', '¼', '¾') // numbers that Oniguruma has among letters
		class = append(runeClass{latin, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic}, category("L")...)
		class = append(append(class, category("M")...), category("Nd")...)
	case 'h':
		class = runeClass{unicode.ASCII_Hex_Digit}
	case 'p':
		end := strings.IndexByte(s, '}')
		if len(s) < 3 || s[2] != '{' || end < 0 {
			return nil, false, 0, fmt.Errorf("%.3q is not supported, only %s{…}", s, s[:2])
		}
		name := s[3:end]
		if strings.HasPrefix(name, "^") {
			name, negated = name[1:], !negated
		}
		if class = property(name); class == nil {
			return nil, false, 0, fmt.Errorf("the property %q is not supported", s[3:end])
		}
		return class, negated, end + 1, nil
	}
	return class, negated, 2, nil
}

// property is a category or a script, whatever the case of its name.
func property(name string) runeClass {
	if len(name) == 1 || len(name) == 2 {
		return category(strings.ToUpper(name[:1]) + strings.ToLower(name[1:]))
	}
	for script, table := range unicode.Scripts {
		if strings.EqualFold(script, name) {
			return runeClass{table}
		}
	}
	return nil
}

// spans are the ranges of a class, in order and apart.
func (c runeClass) spans() [][2]rune {
	var all [][2]rune
	for _, t := range c {
		for _, r := range t.R16 {
			for lo := rune(r.Lo); lo <= rune(r.Hi); lo += rune(r.Stride) {
				all = append(all, [2]rune{lo, lo})
				if r.Stride == 1 {
					all[len(all)-1][1] = rune(r.Hi)
					break
				}
			}
		}
		for _, r := range t.R32 {
			for lo := rune(r.Lo); lo <= rune(r.Hi); lo += rune(r.Stride) {
				all = append(all, [2]rune{lo, lo})
				if r.Stride == 1 {
					all[len(all)-1][1] = rune(r.Hi)
					break
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b [2]rune) int { return int(a[0] - b[0]) })
	out := all[:0]
	for _, r := range all {
		if n := len(out) - 1; n >= 0 && r[0] <= out[n][1]+1 {
			out[n][1] = max(out[n][1], r[1])
		} else {
			out = append(out, r)
		}
	}
	return out
}

// complement is all other runes.
func (c runeClass) complement() runeClass {
	var pairs []rune
	next := rune(0)
	for _, r := range c.spans() {
		if next < r[0] {
			pairs = append(pairs, next, r[0]-1)
		}
		next = r[1] + 1
	}
	if next <= unicode.MaxRune {
		pairs = append(pairs, next, unicode.MaxRune)
	}
	return runeClass{ranges(splitAtPlane(pairs)...)}
}

// splitAtPlane cuts a range that runs over U+FFFF in two, as tables want it.
func splitAtPlane(pairs []rune) []rune {
	var out []rune
	for i := 0; i < len(pairs); i += 2 {
		lo, hi := pairs[i], pairs[i+1]
		if lo <= 0xFFFF && hi > 0xFFFF {
			out = append(out, lo, 0xFFFF)
			lo = 0x10000
		}
		out = append(out, lo, hi)
	}
	return out
}

// text is the class for between brackets: large tables, which are Go's in regexp2
// too, by their names.
func (c runeClass) text() string {
	var b strings.Builder
	var small runeClass
	for _, t := range c {
		name := tableName(t)
		if name == "" {
			small = append(small, t)
		} else {
			b.WriteString(`\p{` + name + `}`)
		}
	}
	for _, r := range small.spans() {
		writeRune(&b, r[0])
		if r[0] < r[1] {
			b.WriteByte('-')
			writeRune(&b, r[1])
		}
	}
	return b.String()
}

func tableName(t *unicode.RangeTable) string {
	for name, table := range unicode.Categories {
		if table == t {
			return name
		}
	}
	for name, table := range unicode.Scripts {
		if table == t {
			return name
		}
	}
	return ""
}

func writeRune(b *strings.Builder, r rune) {
	if r <= 0xFFFF { // surrogates too, which a text does not have
		fmt.Fprintf(b, `\u%04x`, r)
	} else {
		b.WriteRune(r)
	}
}

// isWordByte says whether an escape of this character could have a meaning.
func isWordByte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_'
}
