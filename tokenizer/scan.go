package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The patterns of the byte-level families, as their files spell them.
const (
	patternGPT2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	patternHead = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|`
	patternTail = `| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

	patternLlama3 = patternHead + `\p{N}{1,3}` + patternTail
	patternQwen2  = patternHead + `\p{N}` + patternTail
)

func knownPattern(p string) (scanner, bool) {
	switch p {
	case patternGPT2:
		return scanGPT2, true
	case patternLlama3:
		return func(s string, i int) int { return scanLlama(s, i, 3) }, true
	case patternQwen2:
		return func(s string, i int) int { return scanLlama(s, i, 1) }, true
	case patternGPT4o:
		return func(s string, i int) int { return scanCase(s, i, 3, true) }, true
	case patternTekken:
		return func(s string, i int) int { return scanCase(s, i, 1, false) }, true
	case patternNumbers:
		return scanNumbers, true
	case patternHanKana:
		return scanHanKana, true
	case patternDeepSeek:
		return scanDeepSeek, true
	}
	return nil, false
}

// What a rune is to these patterns: \p{L}, \p{N}, \s or none of them.
const (
	other = iota
	letter
	number
	space
)

var asciiKind = func() (k [utf8.RuneSelf]uint8) {
	for r := range k {
		k[r] = wideKind(rune(r))
	}
	return k
}()

func wideKind(r rune) uint8 {
	switch {
	case unicode.IsLetter(r):
		return letter
	case unicode.IsNumber(r):
		return number
	case unicode.IsSpace(r):
		return space
	case r < firstNew:
		return other
	case unicode.In(r, newLetters...):
		return letter
	case unicode.Is(newNumbers, r):
		return number
	}
	return other
}

// kindAt is the kind and size of the rune at byte i; past the end both are 0.
func kindAt(s string, i int) (kind uint8, size int) {
	if i >= len(s) {
		return other, 0
	}
	if c := s[i]; c < utf8.RuneSelf {
		return asciiKind[c], 1
	}
	r, size := utf8.DecodeRuneInString(s[i:])
	return wideKind(r), size
}

// run is the end of the stretch of one kind that begins at byte i, of at most n runes.
func run(s string, i int, kind uint8, n int) int {
	for ; n != 0; n-- {
		k, size := kindAt(s, i)
		if size == 0 || k != kind {
			break
		}
		i += size
	}
	return i
}

// scanGPT2 is patternGPT2.
func scanGPT2(s string, i int) int {
	if s[i] == '\'' {
		if n := contraction(s[i+1:], false); n > 0 {
			return i + 1 + n
		}
	}
	j := i
	if s[i] == ' ' {
		j++
	}
	if k, size := kindAt(s, j); size > 0 && k != space {
		return run(s, j, k, -1)
	}
	return spaces(s, i)
}

// scanLlama is patternLlama3 (3 digits at a time) or patternQwen2 (1).
func scanLlama(s string, i, digits int) int {
	if s[i] == '\'' {
		if n := contraction(s[i+1:], true); n > 0 {
			return i + 1 + n
		}
	}
	k, size := kindAt(s, i)
	switch {
	case k == letter:
		return run(s, i, letter, -1)
	case k == number:
		return run(s, i, number, digits)
	case s[i] != '\r' && s[i] != '\n':
		if next, _ := kindAt(s, i+size); next == letter {
			return run(s, i+size, letter, -1)
		}
	}
	return scanRest(s, i, "\r\n")
}

// scanRest is ` ?[^\s\p{L}\p{N}]+[tail]*|\s*[\r\n]+|\s+(?!\S)|\s+`.
func scanRest(s string, i int, tail string) int {
	j := i
	if s[i] == ' ' {
		j++
	}
	if k, size := kindAt(s, j); size > 0 && k == other {
		j = run(s, j, other, -1)
		for j < len(s) && strings.IndexByte(tail, s[j]) >= 0 {
			j++
		}
		return j
	}
	return whiteSpace(s, i)
}

// whiteSpace is \s*[\r\n]+|\s+(?!\S)|\s+, of which the first ends after the last line break.
func whiteSpace(s string, i int) int {
	end := run(s, i, space, -1)
	for j := end - 1; j >= i; j-- {
		if s[j] == '\r' || s[j] == '\n' {
			return j + 1
		}
	}
	return spaces(s, i)
}

// spaces is \s+(?!\S)|\s+ : all but the last white space before a word.
func spaces(s string, i int) int {
	end := run(s, i, space, -1)
	if end == len(s) {
		return end
	}
	_, size := utf8.DecodeLastRuneInString(s[i:end])
	if end-size > i {
		return end - size
	}
	return end
}

// contraction is the length of s, t, re, ve, m, ll or d at the start of s, or 0.
// With fold, case is ignored, and U+017F folds to s.
func contraction(s string, fold bool) int {
	const longS = "ſ"
	if fold && len(s) >= len(longS) && s[:len(longS)] == longS {
		return len(longS)
	}
	at := func(i int) byte {
		if i >= len(s) {
			return 0
		}
		c := s[i]
		if fold && 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		return c
	}
	switch at(0) {
	case 's', 't', 'm', 'd':
		return 1
	case 'r', 'v':
		if at(1) == 'e' {
			return 2
		}
	case 'l':
		if at(1) == 'l' {
			return 2
		}
	}
	return 0
}
