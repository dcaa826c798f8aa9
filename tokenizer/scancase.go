package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// The patterns that cut where the case of letters changes: GPT-4o's, and Tekken's
// (Mistral Nemo) without contractions and with single digits.
const (
	patternCapital  = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+`
	patternCapitals = `|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*`
	patternSuffix   = `(?i:'s|'t|'re|'ve|'m|'ll|'d)?`
	patternRest     = `| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`

	patternGPT4o  = patternCapital + patternSuffix + patternCapitals + patternSuffix + `|\p{N}{1,3}` + patternRest
	patternTekken = patternCapital + patternCapitals + `|\p{N}` + patternRest
)

// What a letter or mark is to these patterns; noCase is none of them.
const (
	noCase = iota
	upper  // \p{Lu}, \p{Lt}
	lower  // \p{Ll}
	either // \p{Lm}, \p{Lo}, \p{M}: stands in both classes
)

var asciiCase = func() (k [utf8.RuneSelf]uint8) {
	for r := range k {
		k[r] = wideCase(rune(r))
	}
	return k
}()

func wideCase(r rune) uint8 {
	switch {
	case unicode.Is(unicode.Ll, r):
		return lower
	case unicode.In(r, unicode.Lu, unicode.Lt):
		return upper
	case unicode.In(r, unicode.Lm, unicode.Lo, unicode.M):
		return either
	case r < firstNew:
		return noCase
	case unicode.Is(newIn["Ll"], r):
		return lower
	case unicode.Is(newIn["Lu"], r):
		return upper
	case unicode.In(r, newEither...):
		return either
	}
	return noCase
}

// caseAt is the case and size of the rune at byte i; past the end both are 0.
func caseAt(s string, i int) (kind uint8, size int) {
	if i >= len(s) {
		return noCase, 0
	}
	if c := s[i]; c < utf8.RuneSelf {
		return asciiCase[c], 1
	}
	r, size := utf8.DecodeRuneInString(s[i:])
	return wideCase(r), size
}

// scanCase is patternGPT4o (3 digits at a time, a suffix) or patternTekken (1, none).
func scanCase(s string, i, digits int, suffix bool) int {
	if end := casedWord(s, i); end > i {
		if suffix && end < len(s) && s[end] == '\'' {
			if n := contraction(s[end+1:], true); n > 0 {
				end += 1 + n
			}
		}
		return end
	}
	if k, _ := kindAt(s, i); k == number {
		return run(s, i, number, digits)
	}
	return scanRest(s, i, "\r\n/")
}

// casedWord is the end of the word at byte i, with the character that may open it; i if there is none.
func casedWord(s string, i int) int {
	at := i
	k, size := kindAt(s, i)
	if k != letter && k != number && s[i] != '\r' && s[i] != '\n' {
		at += size
	}
	end, capitals := capitalWord(s, at)
	if end == at && at > i { // the opening character may be a mark, and a word by itself
		if end, _ := capitalWord(s, i); end > i {
			return end
		}
	}
	if end == at {
		end = capitals // U+L* where no lower-case letter follows
	}
	if end == at {
		return i
	}
	return end
}

// capitalWord is U*L+ at byte i: its end, or i where it does not match, and the end of U*.
// Without a lower-case letter after U*, L+ takes the last character of U* that is in both.
func capitalWord(s string, i int) (end, capitals int) {
	end = i
	at := i
	k, size := caseAt(s, at)
	for ; k == upper || k == either; k, size = caseAt(s, at) {
		at += size
		if k == either {
			end = at
		}
	}
	if capitals = at; k != lower {
		return end, capitals
	}
	for ; k == lower || k == either; k, size = caseAt(s, at) {
		at += size
	}
	return at, capitals
}
