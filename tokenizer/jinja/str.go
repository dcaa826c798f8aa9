package jinja

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Str is a string that knows where its bytes came from.
type Str struct {
	text   string
	pieces []Piece // what is not the template's own, in order
}

// Piece is a stretch of a text.
type Piece struct {
	Start, End int // bytes
	Origin     int // that of the value it was made of; 0: the template
	Block      int // the generation block that wrote it, counted from 1 as they were run; 0: none
	Item       int // the origin of the item (Dict.Item) whose pass through a loop wrote it; 0: none
}

var emptyText = String("")

// String is a string of the template's own.
func String(s string) *Str { return &Str{text: s} }

// String is the text.
func (s *Str) String() string { return s.text }

// From is text that has an origin as a whole.
func From(text string, origin int) *Str {
	if origin == 0 || text == "" {
		return &Str{text: text}
	}
	return &Str{text: text, pieces: []Piece{{End: len(text), Origin: origin}}}
}

// origin is that of the first piece, 0 without one.
func (s *Str) origin() int {
	if s.pieces == nil {
		return 0
	}
	return s.pieces[0].Origin
}

// slice is the text of bytes i to j.
func (s *Str) slice(i, j int) *Str {
	if i == 0 && j == len(s.text) {
		return s
	}
	out := &Str{text: s.text[i:j]}
	for _, p := range s.pieces {
		if p.Start < j && p.End > i {
			p.Start, p.End = max(p.Start, i)-i, min(p.End, j)-i
			out.pieces = append(out.pieces, p)
		}
	}
	return out
}

// length is the number of characters.
func (s *Str) length() int { return utf8.RuneCountInString(s.text) }

// byteOf is where character i begins.
func (s *Str) byteOf(i int) int {
	for at := range s.text {
		if i == 0 {
			return at
		}
		i--
	}
	return len(s.text)
}

// mapped is the string with f done to its text. The pieces are kept where f works on
// each of them as on the whole; else all is of the first piece's origin.
func (s *Str) mapped(f func(string) string) *Str {
	out := &Str{text: f(s.text)}
	if s.pieces == nil || out.text == "" {
		return out
	}
	var r rope
	at := 0
	for _, p := range s.pieces {
		r.text(f(s.text[at:p.Start]))
		start := len(r.buf)
		r.buf = append(r.buf, f(s.text[p.Start:p.End])...)
		at = p.End
		p.Start, p.End = start, len(r.buf)
		r.add(p)
	}
	r.text(f(s.text[at:]))
	if out.pieces = r.pieces; string(r.buf) != out.text {
		out.pieces = []Piece{{End: len(out.text), Origin: s.origin()}}
	}
	return out
}

// rope puts strings together.
type rope struct {
	buf         []byte
	pieces      []Piece
	block, item int // what is written now belongs to these
}

func (r *rope) text(s string) {
	if s == "" {
		return
	}
	at := len(r.buf)
	r.buf = append(r.buf, s...)
	r.add(Piece{Start: at, End: len(r.buf), Block: r.block, Item: r.item})
}

func (r *rope) str(s *Str) {
	if s.pieces == nil {
		r.text(s.text)
		return
	}
	base, at := len(r.buf), 0
	for _, p := range s.pieces {
		r.text(s.text[at:p.Start])
		r.buf = append(r.buf, s.text[p.Start:p.End]...)
		at = p.End
		p.Start, p.End = base+p.Start, base+p.End
		if p.Block == 0 {
			p.Block = r.block
		}
		p.Item = r.item
		r.add(p)
	}
	r.text(s.text[at:])
}

// add appends a piece, or makes the last one longer.
func (r *rope) add(p Piece) {
	if p.Start == p.End || p.Origin == 0 && p.Block == 0 && p.Item == 0 {
		return
	}
	if n := len(r.pieces); n > 0 {
		last := &r.pieces[n-1]
		if last.End == p.Start && last.Origin == p.Origin && last.Block == p.Block && last.Item == p.Item {
			last.End = p.End
			return
		}
	}
	r.pieces = append(r.pieces, p)
}

func (r *rope) value() *Str {
	out := &Str{text: string(r.buf)}
	for _, p := range r.pieces { // a string belongs to no pass of a loop until it is written
		if p.Origin != 0 || p.Block != 0 {
			p.Item = 0
			out.pieces = append(out.pieces, p)
		}
	}
	return out
}

// join is a + b.
func (m *machine) join(a, b *Str) *Str {
	switch {
	case a.text == "":
		return b
	case b.text == "":
		return a
	}
	m.spend(len(a.text) + len(b.text))
	r := rope{buf: make([]byte, 0, len(a.text)+len(b.text))}
	r.str(a)
	r.str(b)
	return &Str{text: string(r.buf), pieces: r.pieces}
}

// concat puts the texts of values together, with a separator between them.
func (m *machine) concat(items []Value, separator *Str) *Str {
	size := 0
	texts := make([]*Str, len(items))
	for i, v := range items {
		texts[i] = m.str(v)
		size += len(texts[i].text) + len(separator.text)
		checkText(size - len(separator.text))
	}
	m.spend(max(size-len(separator.text), 0))
	r := rope{buf: make([]byte, 0, size)}
	for i, s := range texts {
		if i > 0 {
			r.str(separator)
		}
		r.str(s)
	}
	return r.value()
}

// characters are the strings of one character that s has.
func (m *machine) characters(s *Str) []Value {
	m.items(2 * len(s.text))
	out := make([]Value, 0, len(s.text))
	for i := 0; i < len(s.text); {
		_, size := utf8.DecodeRuneInString(s.text[i:])
		out = append(out, s.slice(i, i+size))
		i += size
	}
	return out
}

// strip takes characters off the ends: white space where chars is nil.
func (s *Str) strip(chars *Str, left, right bool) *Str {
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

// splitSpace cuts at runs of white space, at most n times if n is not negative, from
// the left or right. What is not cut any more keeps its outer white space.
func (s *Str) splitSpace(n int, right bool) []Value {
	var words [][2]int // where they begin and end
	start := -1
	for i, r := range s.text + " " {
		if !isSpace(r) {
			if start < 0 {
				start = i
			}
		} else if start >= 0 {
			words = append(words, [2]int{start, i})
			start = -1
		}
	}
	if extra := len(words) - n; n >= 0 && extra > 0 {
		if right {
			words = append([][2]int{{0, words[extra-1][1]}}, words[extra:]...)
		} else {
			words = append(words[:n:n], [2]int{words[n][0], len(s.text)})
		}
	}
	out := make([]Value, len(words))
	for i, w := range words {
		out[i] = s.slice(w[0], w[1])
	}
	return out
}

// splitAt cuts at a separator, at most n times if n is not negative, from the left or right.
func (s *Str) splitAt(separator string, n int, right bool) []Value {
	var out []Value
	i, j := 0, len(s.text)
	for ; n != 0; n-- {
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
	}
	out = append(out, s.slice(i, j))
	if right {
		slices.Reverse(out)
	}
	return out
}

// splitLines cuts where Python sees the end of a line.
func (s *Str) splitLines(keep bool) []Value {
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

// replace puts a text in the place of another, at most n times; n < 0: everywhere.
func (m *machine) replace(s, from, to *Str, n int) Value {
	count := strings.Count(s.text, from.text)
	if n >= 0 {
		count = min(count, n)
	}
	if count == 0 {
		m.step(len(s.text)>>6 + 1)
		return s
	}
	m.spend(len(s.text) + count*min(max(len(to.text)-len(from.text), 0), 1<<25))
	var r rope
	at := 0
	for k := range count {
		i := strings.Index(s.text[at:], from.text)
		if from.text == "" && k > 0 {
			_, i = utf8.DecodeRuneInString(s.text[at:])
		}
		r.str(s.slice(at, at+i))
		r.str(to)
		at += i + len(from.text)
	}
	r.str(s.slice(at, len(s.text)))
	return r.value()
}

// pad fills a string up on both sides.
func (m *machine) pad(s *Str, left, right int, fill string) *Str {
	left, right = max(left, 0), max(right, 0)
	if left+right == 0 {
		return s
	}
	m.spend(len(s.text) + (min(left, maxText)+min(right, maxText))*len(fill))
	var r rope
	r.text(strings.Repeat(fill, left))
	r.str(s)
	r.text(strings.Repeat(fill, right))
	return r.value()
}

// center pads as Python does, which puts an odd place left only if the width is odd.
func (m *machine) center(s *Str, gap int, fill string) *Str {
	gap = max(gap, 0)
	left := gap/2 + gap&(gap+s.length())&1
	return m.pad(s, left, gap-left, fill)
}

// htmlEscaper makes text safe for HTML, as markupsafe does.
var htmlEscaper = strings.NewReplacer("&", "&amp;", ">", "&gt;", "<", "&lt;", "'", "&#39;", `"`, "&#34;")
