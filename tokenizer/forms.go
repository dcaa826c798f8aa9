package tokenizer

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// form is a Unicode normalization form that says which rune came from which. The
// bookkeeping is that of the crate unicode-normalization-alignments.
type form struct {
	norm    norm.Form
	compose bool
}

func (f form) normalize(p piece) piece {
	if f.norm.IsNormalString(p.text) {
		return p
	}
	changes := f.decomposed(p.text)
	if f.compose {
		changes = composed(changes)
	}
	return p.transform(changes)
}

// decomposed is the text in canonical order, fully decomposed.
func (f form) decomposed(s string) []change {
	var out []change
	pending := 0 // out[pending:] has no starter but its first
	for _, r := range s {
		for i, d := range f.decompose(r) {
			if combiningClass(d) == 0 {
				sortMarks(out[pending:])
				pending = len(out)
			}
			out = append(out, change{d, min(i, 1)})
		}
	}
	sortMarks(out[pending:])
	return out
}

func sortMarks(c []change) {
	slices.SortStableFunc(c, func(a, b change) int {
		return int(combiningClass(a.r)) - int(combiningClass(b.r))
	})
}

func combiningClass(r rune) uint8 {
	if r < 0x300 {
		return 0
	}
	return norm.NFC.PropertiesString(string(r)).CCC()
}

// Hangul syllables are arithmetic (The Unicode Standard, 3.12).
const (
	hangulS, hangulL, hangulV, hangulT = 0xAC00, 0x1100, 0x1161, 0x11A7

	hangulVs, hangulTs = 21, 28
	hangulSs           = 19 * hangulVs * hangulTs
)

func (f form) decompose(r rune) []rune {
	if r < utf8.RuneSelf {
		return []rune{r}
	}
	if s := r - hangulS; 0 <= s && s < hangulSs {
		d := []rune{hangulL + s/(hangulVs*hangulTs), hangulV + s%(hangulVs*hangulTs)/hangulTs}
		if t := s % hangulTs; t > 0 {
			d = append(d, hangulT+t)
		}
		return d
	}
	if d := f.norm.PropertiesString(string(r)).Decomposition(); d != nil && !unicode.Is(decomposedLater, r) {
		return []rune(string(d))
	}
	return []rune{r}
}

// composed joins each starter with the marks after it that are not blocked.
func composed(in []change) []change {
	out := make([]change, 0, len(in))
	starter, blocking := -1, -1 // index in out; class of the last mark left after it
	for _, c := range in {
		class := int(combiningClass(c.r))
		if starter >= 0 && blocking < class {
			if r, ok := compose(out[starter].r, c.r); ok {
				out[starter] = change{r, out[starter].delta + c.delta - 1}
				continue
			}
		}
		out = append(out, c)
		if class == 0 {
			starter, blocking = len(out)-1, -1
		} else {
			blocking = class
		}
	}
	return out
}

// compose is the primary composite of two runes, if there is one.
func compose(a, b rune) (rune, bool) {
	if a < utf8.RuneSelf && b < utf8.RuneSelf {
		return 0, false
	}
	s := norm.NFC.String(string(a) + string(b))
	r, size := utf8.DecodeRuneInString(s)
	return r, size == len(s) && !unicode.Is(decomposedLater, r)
}
