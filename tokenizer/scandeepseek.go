package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// The patterns of DeepSeek-V3 and R1, which cut one after the other: numbers, then
// Chinese characters and kana, then the rest. None of them covers every text.
const (
	patternNumbers  = `\p{N}{1,3}`
	patternHanKana  = "[一-龥぀-ゟ゠-ヿ]+"
	patternDeepSeek = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+" +
		"| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
)

// What a rune is to patternDeepSeek: \p{L} or \p{M}, \p{P} or \p{S}, or none of them.
const (
	unwritten = iota
	written
	sign
)

var asciiWriting = func() (k [utf8.RuneSelf]uint8) {
	for r := range k {
		k[r] = wideWriting(rune(r))
	}
	return k
}()

func wideWriting(r rune) uint8 {
	switch {
	case unicode.IsLetter(r), unicode.IsMark(r):
		return written
	case unicode.IsPunct(r), unicode.IsSymbol(r):
		return sign
	case r < firstNew:
		return unwritten
	case unicode.In(r, newLetters...), unicode.Is(newIn["M"], r):
		return written
	case unicode.In(r, newIn["P"], newIn["S"]):
		return sign
	}
	return unwritten
}

// writingAt is the kind and size of the rune at byte i; past the end both are 0.
func writingAt(s string, i int) (kind uint8, size int) {
	if i >= len(s) {
		return unwritten, 0
	}
	if c := s[i]; c < utf8.RuneSelf {
		return asciiWriting[c], 1
	}
	r, size := utf8.DecodeRuneInString(s[i:])
	return wideWriting(r), size
}

// writingRun is the end of the stretch of one kind that begins at byte i.
func writingRun(s string, i int, kind uint8) int {
	for {
		k, size := writingAt(s, i)
		if size == 0 || k != kind {
			return i
		}
		i += size
	}
}

// scanNumbers is patternNumbers.
func scanNumbers(s string, i int) int { return run(s, i, number, 3) }

// scanHanKana is patternHanKana.
func scanHanKana(s string, i int) int {
	for i < len(s) && s[i] >= utf8.RuneSelf {
		r, size := utf8.DecodeRuneInString(s[i:])
		if (r < '一' || r > '龥') && (r < '\u3040' || r > '\u30ff') {
			break
		}
		i += size
	}
	return i
}

// scanDeepSeek is patternDeepSeek.
func scanDeepSeek(s string, i int) int {
	k, size := writingAt(s, i)
	next := i + size
	switch {
	case k == written:
		return writingRun(s, i, written)
	case k == sign && s[i] < utf8.RuneSelf && next < len(s) && isASCIILetter(s[next]):
		for next < len(s) && isASCIILetter(s[next]) {
			next++
		}
		return next
	case k == sign:
		return lineBreaks(s, writingRun(s, i, sign))
	case s[i] == '\r' || s[i] == '\n':
		return whiteSpace(s, i)
	}
	switch k, _ := writingAt(s, next); {
	case k == written:
		return writingRun(s, next, written)
	case k == sign && s[i] == ' ':
		return lineBreaks(s, writingRun(s, next, sign))
	}
	return whiteSpace(s, i)
}

func isASCIILetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// lineBreaks is the end of the [\r\n]* at byte i.
func lineBreaks(s string, i int) int {
	for i < len(s) && (s[i] == '\r' || s[i] == '\n') {
		i++
	}
	return i
}
