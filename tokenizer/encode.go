package tokenizer

// Encoding is a text as tokens.
type Encoding struct {
	IDs     []int32
	Offsets [][2]int // bytes of the text behind each token, untrimmed; {0, 0} for what the post-processor adds
}

// Encode tokenizes text. With addSpecial the post-processor's tokens (BOS, …) are
// put around it. Added tokens inside the text are found either way. Invalid UTF-8
// is read as U+FFFD, one per byte. Safe for concurrent use.
func (t *Tokenizer) Encode(text string, addSpecial bool) Encoding {
	e := &encoder{t: t}
	guess := len(text)/3 + 4 // English has 2 to 5 bytes a token
	e.out.IDs = make([]int32, 0, guess)
	e.out.Offsets = make([][2]int, 0, guess)
	if addSpecial {
		e.around(t.before)
	}
	e.link()
	if text != "" {
		t.added.split(&t.added.plain, newPiece(text), e.normalize, e.token)
	}
	if addSpecial {
		e.around(t.after)
	}
	return e.out
}

// encoder is one text on its way.
type encoder struct {
	t     *Tokenizer
	chain func(piece) // the pre-tokenizers and the model
	out   Encoding
}

// link chains the pre-tokenizers, last to first.
func (e *encoder) link() {
	e.chain = func(p piece) { e.t.model.words(p, e.word) }
	for i := len(e.t.pre) - 1; i >= 0; i-- {
		pre, next := e.t.pre[i], e.chain
		e.chain = func(p piece) { pre.split(p, next) }
	}
}

func (e *encoder) normalize(p piece) {
	for _, n := range e.t.normalizers {
		p = n.normalize(p)
	}
	e.t.added.split(&e.t.added.afterNorm, p, e.chain, e.token)
}

func (e *encoder) word(p piece) {
	for _, w := range e.t.model.encode(p.text) {
		start, end := p.span(int(w.start), int(w.end))
		e.out.IDs = append(e.out.IDs, w.id)
		e.out.Offsets = append(e.out.Offsets, [2]int{start, end})
	}
}

func (e *encoder) token(id int32, p piece) {
	start, end := p.span(0, len(p.text))
	e.out.IDs = append(e.out.IDs, id)
	e.out.Offsets = append(e.out.Offsets, [2]int{start, end})
}

func (e *encoder) around(ids []int32) {
	for _, id := range ids {
		e.out.IDs = append(e.out.IDs, id)
		e.out.Offsets = append(e.out.Offsets, [2]int{})
	}
}
