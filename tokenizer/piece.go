package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// piece is a stretch of normalized text and where it came from.
type piece struct {
	text  string
	align [][2]int // byte range of the original behind each byte of text; nil: text is the original
	base  int      // where the piece starts in the original
}

// newPiece is the whole of text. Each invalid byte becomes U+FFFD.
func newPiece(text string) piece {
	if utf8.ValidString(text) {
		return piece{text: text}
	}
	var b strings.Builder
	align := make([][2]int, 0, len(text)+8)
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		b.WriteRune(r)
		align = appendAlign(align, utf8.RuneLen(r), [2]int{i, i + size})
		i += size
	}
	return piece{text: b.String(), align: align}
}

func appendAlign(align [][2]int, n int, at [2]int) [][2]int {
	for range n {
		align = append(align, at)
	}
	return align
}

// span is the range of the original behind bytes i..j of the piece, i < j,
// widened to whole characters.
func (p piece) span(i, j int) (start, end int) {
	if p.align != nil {
		return p.align[i][0], p.align[j-1][1]
	}
	for i > 0 && !utf8.RuneStart(p.text[i]) {
		i--
	}
	for j < len(p.text) && !utf8.RuneStart(p.text[j]) {
		j++
	}
	return p.base + i, p.base + j
}

// slice is bytes i..j of the piece.
func (p piece) slice(i, j int) piece {
	q := piece{text: p.text[i:j], base: p.base + i}
	if p.align != nil {
		q.align, q.base = p.align[i:j], p.base
		if i < j {
			q.base = p.align[i][0]
		}
	}
	return q
}

// explicit is the same piece with its alignment written out.
func (p piece) explicit() piece {
	if p.align == nil {
		p.align = p.alignment(make([][2]int, 0, len(p.text)))
	}
	return p
}

// alignment appends the alignment of the piece to dst.
func (p piece) alignment(dst [][2]int) [][2]int {
	if p.align != nil {
		return append(dst, p.align...)
	}
	for i := 0; i < len(p.text); {
		n := 1
		if p.text[i] >= utf8.RuneSelf {
			_, n = utf8.DecodeRuneInString(p.text[i:])
		}
		at := [2]int{p.base + i, p.base + i + n}
		for range n {
			dst = append(dst, at)
		}
		i += n
	}
	return dst
}

// change is one rune of a transformed piece: delta 0 replaces the next rune of
// the old text, -n replaces it and drops n more, 1 inserts.
type change struct {
	r     rune
	delta int
}

// transform rewrites the piece rune by rune. An inserted rune has the alignment
// of what stands before it (tokenizers, NormalizedString::transform).
func (p piece) transform(changes []change) piece {
	p = p.explicit()
	var b strings.Builder
	b.Grow(len(p.text))
	align := make([][2]int, 0, len(p.text))
	at := 0
	for _, c := range changes {
		from := [2]int{p.base, p.base}
		switch {
		case c.delta <= 0:
			from = p.align[at]
			for range 1 - c.delta {
				_, size := utf8.DecodeRuneInString(p.text[at:])
				at += size
			}
		case at > 0:
			from = p.align[at-1]
		}
		b.WriteRune(c.r)
		align = appendAlign(align, utf8.RuneLen(c.r), from)
	}
	return piece{text: b.String(), align: align, base: p.base}
}

// prepend puts s before the text; it has the alignment of the first character.
func (p piece) prepend(s string) piece {
	if p.text == "" || s == "" {
		return p
	}
	start, end := p.span(0, 1)
	align := appendAlign(make([][2]int, 0, len(s)+len(p.text)), len(s), [2]int{start, end})
	return piece{text: s + p.text, align: p.alignment(align), base: p.base}
}

// replace puts content in the place of every match. It has the alignment of the
// last byte replaced.
func (p piece) replace(m matcher, content string) piece {
	var b strings.Builder
	var align [][2]int
	done := 0
	m.find(p.text, func(i, j int) {
		if align == nil {
			p = p.explicit()
			grown := len(p.text) + len(p.text)/2 // room for "▁" in the place of each space
			b.Grow(grown)
			align = make([][2]int, 0, grown)
		}
		b.WriteString(p.text[done:i])
		align = append(align, p.align[done:i]...)
		from := [2]int{p.base, p.base}
		if j > 0 {
			from = p.align[j-1]
		}
		b.WriteString(content)
		align = appendAlign(align, len(content), from)
		done = j
	})
	if align == nil {
		return p
	}
	b.WriteString(p.text[done:])
	return piece{text: b.String(), align: append(align, p.align[done:]...), base: p.base}
}
