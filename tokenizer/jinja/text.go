package jinja

import (
	"math/big"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// clampInt is an integer, or the nearest int64.
func clampInt(b *big.Int) int64 {
	if b.IsInt64() {
		return b.Int64()
	}
	return int64(b.Sign()) * (1<<63 - 1)
}

// isSpace is Python's str.isspace of a character.
func isSpace(r rune) bool {
	switch {
	case r == ' ' || '\t' <= r && r <= '\r' || 0x1c <= r && r <= 0x1f:
		return true
	case r < 0x80:
		return false
	}
	return r == 0x85 || r == 0xa0 || r == 0x1680 || 0x2000 <= r && r <= 0x200a || r == 0x2028 || r == 0x2029 || r == 0x202f || r == 0x205f || r == 0x3000
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func upper(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

func lower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return cases.Lower(language.Und).String(s)
}

// titleRune is the title case of one character.
func titleRune(r rune) string {
	if r < utf8.RuneSelf {
		return string(unicode.ToUpper(r))
	}
	return cases.Title(language.Und, cases.NoLower).String(string(r))
}

func capitalize(s string) string {
	if s == "" {
		return ""
	}
	r, size := utf8.DecodeRuneInString(s)
	return titleRune(r) + lower(s[size:])
}

// isCased says whether a character is a letter with case.
func isCased(r rune) bool {
	return unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r) || unicode.Is(unicode.Other_Lowercase, r) || unicode.Is(unicode.Other_Uppercase, r)
}

// title is str.title: every run of cased letters begins with a capital.
func title(s string) string {
	var b strings.Builder
	inWord := false
	for _, r := range s {
		switch {
		case !isCased(r):
			b.WriteRune(r)
		case inWord:
			b.WriteString(lower(string(r)))
		default:
			b.WriteString(titleRune(r))
		}
		inWord = isCased(r)
	}
	return b.String()
}

func swapCase(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case unicode.IsUpper(r):
			b.WriteString(lower(string(r)))
		case unicode.IsLower(r):
			b.WriteString(upper(string(r)))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hasCase answers isupper and islower: some letter has that case, and none another.
func hasCase(s string, want, other func(rune) bool) bool {
	found := false
	for _, r := range s {
		if other(r) || unicode.IsTitle(r) {
			return false
		}
		found = found || want(r)
	}
	return found
}

func isLower(r rune) bool { return unicode.IsLower(r) || unicode.Is(unicode.Other_Lowercase, r) }
func isUpper(r rune) bool { return unicode.IsUpper(r) || unicode.Is(unicode.Other_Uppercase, r) }

func isTitled(s string) bool {
	inWord, found := false, false
	for _, r := range s {
		switch {
		case isUpper(r) || unicode.IsTitle(r):
			if inWord {
				return false
			}
			inWord, found = true, true
		case isLower(r):
			if !inWord {
				return false
			}
			found = true
		default:
			inWord = false
		}
	}
	return found
}

// isDigitRune is Python's isdigit: decimals, and digits of other shapes.
func isDigitRune(r rune) bool {
	return unicode.Is(unicode.Nd, r) || strings.ContainsRune("²³¹", r) || 0x2070 <= r && r <= 0x2079 && unicode.Is(unicode.No, r) || 0x2080 <= r && r <= 0x2089 ||
		0x2460 <= r && r <= 0x2468 || 0x2474 <= r && r <= 0x247c || 0x2488 <= r && r <= 0x2490 || 0x2776 <= r && r <= 0x277e || 0x1369 <= r && r <= 0x1371
}

func allRunes(s string, f func(rune) bool) bool {
	for _, r := range s {
		if !f(r) {
			return false
		}
	}
	return s != ""
}

// strip takes characters off the ends: white space where chars is nil.
func strip(s, chars *Str, left, right bool) *Str {
	in := isSpace
	if chars != nil {
		in = func(r rune) bool { return strings.ContainsRune(chars.text, r) }
	}
	i, j := 0, len(s.text)
	if left {
		i = j - len(strings.TrimLeftFunc(s.text, in))
	}
	if right {
		j = max(i, len(strings.TrimRightFunc(s.text, in)))
	}
	return s.slice(i, j)
}

// splitSpace cuts at runs of white space, at most n times, from the left or right.
func splitSpace(s *Str, n int, right bool) []Value {
	var out []Value
	if right {
		end := len(strings.TrimRightFunc(s.text, isSpace))
		for end > 0 {
			if n == 0 {
				return append(out, s.slice(0, end))
			}
			start := strings.LastIndexFunc(s.text[:end], isSpace)
			if start >= 0 {
				_, size := utf8.DecodeRuneInString(s.text[start:])
				start += size
			} else {
				start = 0
			}
			out = append(out, s.slice(start, end))
			end = len(strings.TrimRightFunc(s.text[:start], isSpace))
			n--
		}
		return out
	}
	at := len(s.text) - len(strings.TrimLeftFunc(s.text, isSpace))
	for at < len(s.text) {
		if n == 0 {
			return append(out, s.slice(at, len(s.text)))
		}
		end := strings.IndexFunc(s.text[at:], isSpace)
		if end < 0 {
			return append(out, s.slice(at, len(s.text)))
		}
		out = append(out, s.slice(at, at+end))
		at += end
		at = len(s.text) - len(strings.TrimLeftFunc(s.text[at:], isSpace))
		n--
	}
	return out
}

// splitAt cuts at a separator, at most n times, from the left or right.
func splitAt(s *Str, separator string, n int, right bool) []Value {
	var out []Value
	i, j := 0, len(s.text)
	for n != 0 {
		if right {
			at := strings.LastIndex(s.text[:j], separator)
			if at < 0 {
				break
			}
			out, j = append(out, s.slice(at+len(separator), j)), at
		} else {
			at := strings.Index(s.text[i:], separator)
			if at < 0 {
				break
			}
			out, i = append(out, s.slice(i, i+at)), i+at+len(separator)
		}
		n--
	}
	return append(out, s.slice(i, j))
}

// splitLines cuts where Python sees the end of a line.
func splitLines(s *Str, keep bool) []Value {
	var out []Value
	start := 0
	for i := 0; i < len(s.text); {
		r, size := utf8.DecodeRuneInString(s.text[i:])
		if !('\n' <= r && r <= '\r' || 0x1c <= r && r <= 0x1e || r == 0x85 || r == 0x2028 || r == 0x2029) {
			i += size
			continue
		}
		end := i + size
		if r == '\r' && strings.HasPrefix(s.text[end:], "\n") {
			end++
		}
		if keep {
			i = end
		}
		out = append(out, s.slice(start, i))
		start, i = end, end
	}
	if start < len(s.text) {
		out = append(out, s.slice(start, len(s.text)))
	}
	return out
}

// replace puts text in the place of another, at most n times; n < 0: everywhere.
func (m *machine) replace(s, from, to *Str, n int) (Value, error) {
	count := strings.Count(s.text, from.text)
	if n >= 0 {
		count = min(count, n)
	}
	if count == 0 {
		return s, m.step(len(s.text)>>6 + 1)
	}
	if err := m.spend(len(s.text) + count*min(max(len(to.text)-len(from.text), 0), 1<<25)); err != nil {
		return nil, err
	}
	var r rope
	at := 0
	for k := range count {
		i := strings.Index(s.text[at:], from.text)
		if from.text == "" {
			i = 0
			if k > 0 {
				_, i = utf8.DecodeRuneInString(s.text[at:])
			}
		}
		r.str(s.slice(at, at+i))
		r.str(to)
		at += i + len(from.text)
	}
	r.str(s.slice(at, len(s.text)))
	return r.value(), nil
}

// pad fills a string up on both sides.
func (m *machine) pad(s *Str, left, right int, fill string) (Value, error) {
	left, right = max(left, 0), max(right, 0)
	if left+right == 0 {
		return s, nil
	}
	if err := m.spend(len(s.text) + (min(left, maxText)+min(right, maxText))*len(fill)); err != nil {
		return nil, err
	}
	var r rope
	r.text(strings.Repeat(fill, left))
	r.str(s)
	r.text(strings.Repeat(fill, right))
	return r.value(), nil
}

func (m *machine) center(s *Str, width int, fill string) (Value, error) {
	n, _ := runes(s.text)
	if width <= n {
		return s, nil
	}
	gap := width - n
	left := gap/2 + gap&width&1
	return m.pad(s, left, gap-left, fill)
}

// escape makes text safe for HTML, as markupsafe does.
func escape(s *Str) *Str {
	if s.markup {
		return s
	}
	out := *s
	if strings.ContainsAny(s.text, `&<>'"`) {
		out = *s.mapped(htmlEscaper.Replace)
	}
	out.markup = true
	return &out
}

var htmlEscaper = strings.NewReplacer("&", "&amp;", ">", "&gt;", "<", "&lt;", "'", "&#39;", `"`, "&#34;")

// wrapText is Python's textwrap.wrap of one line, without tabs and replaced white space.
func wrapText(s *Str, width int, breakLong, breakHyphens bool) []Value {
	chunks := wrapChunks(s, breakHyphens)
	var out []Value
	for len(chunks) > 0 {
		if len(out) > 0 && strings.TrimFunc(chunks[0].text, isSpace) == "" {
			chunks = chunks[1:]
			continue
		}
		var r rope
		used := 0
		for len(chunks) > 0 {
			n, _ := runes(chunks[0].text)
			if used+n > width {
				if n > width && breakLong {
					cut := byteOf(chunks[0].text, max(width-used, 1))
					if used > 0 && width-used < 1 {
						break
					}
					r.str(chunks[0].slice(0, cut))
					chunks[0] = chunks[0].slice(cut, len(chunks[0].text))
				} else if n > width && used == 0 {
					r.str(chunks[0])
					chunks = chunks[1:]
				}
				break
			}
			r.str(chunks[0])
			used += n
			chunks = chunks[1:]
		}
		line := r.value()
		if line = strip(line, nil, false, true); line.text != "" {
			out = append(out, line)
		}
	}
	return out
}

// wrapChunks are words and the white space between them; a word may be cut behind its
// hyphens.
func wrapChunks(s *Str, hyphens bool) []*Str {
	var out []*Str
	start := 0
	cut := func(i int) {
		if i > start {
			out = append(out, s.slice(start, i))
			start = i
		}
	}
	text := s.text
	letter := func(i int) bool {
		if i < 0 || i >= len(text) {
			return false
		}
		r, _ := utf8.DecodeRuneInString(text[i:])
		return unicode.IsLetter(r)
	}
	for i := 0; i < len(text); i++ {
		if i > 0 && isSpace(rune(text[i])) != isSpace(rune(text[i-1])) {
			cut(i)
		}
		if hyphens && text[i] == '-' && letter(i-1) && letter(i-2) && letter(i+1) && letter(i+2) {
			cut(i + 1)
		}
	}
	cut(len(text))
	return out
}
