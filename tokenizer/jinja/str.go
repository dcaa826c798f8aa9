package jinja

// Str is a string that knows where its bytes came from.
type Str struct {
	text   string
	pieces []Piece // what is not the template's own, in order
	markup bool    // escaped: Markup
}

// Piece is a stretch of a text.
type Piece struct {
	Start, End int // bytes
	Origin     int // that of the value it was made of; 0: the template
	Block      int // the generation block that wrote it, counted from 1 as they were run; 0: none
	Item       int // the origin of the item (Dict.Item) whose pass through a loop wrote it; 0: none
}

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
	out := &Str{text: s.text[i:j], markup: s.markup}
	for _, p := range s.pieces {
		if p.Start < j && p.End > i {
			p.Start, p.End = max(p.Start, i)-i, min(p.End, j)-i
			out.pieces = append(out.pieces, p)
		}
	}
	return out
}

// mapped is the string with f done to its text. The pieces are kept where f works on
// each of them as on the whole.
func (s *Str) mapped(f func(string) string) *Str {
	out := &Str{text: f(s.text), markup: s.markup}
	if s.pieces == nil || out.text == "" {
		return out
	}
	if p := s.pieces[0]; p.Start == 0 && p.End == len(s.text) {
		p.End = len(out.text)
		out.pieces = []Piece{p}
		return out
	}
	var r rope
	at := 0
	for _, p := range s.pieces {
		r.text(f(s.text[at:p.Start]))
		r.str(&Str{text: f(s.text[p.Start:p.End]), pieces: []Piece{{End: len(f(s.text[p.Start:p.End])), Origin: p.Origin, Block: p.Block}}})
		at = p.End
	}
	r.text(f(s.text[at:]))
	if string(r.buf) == out.text {
		out.pieces = r.pieces
	} else {
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
