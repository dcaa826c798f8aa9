package model

import (
	"fmt"
	"slices"

	"example.com/finetune/simd"
)

// A Text is tokens and their keys and values, which [Engine.Extend] adds to. The zero
// value is an empty one. It belongs to one engine and the adapters that this had.
//
// Keys and values lie in pages of keyBlock tokens, the ones that attention takes
// together, so that a text reads the same whether a page is its own or shared.
type Text struct {
	ids    []int32
	pages  []*page
	length int // that the keys are rotated for
}

// A page holds the keys and values of keyBlock tokens in every block of the model.
type page struct {
	shared bool // texts besides the present one may read it: it is written to no more
	// Keys lie transposed and scaled, KV·D rows of pageStride columns, as attention
	// reads them; values lie keyBlock×KV·D.
	keys, values [][]float32
}

// pageStride is a row of keys in a page.
const pageStride = keyBlock + headPad

// IDs returns the tokens so far, which the caller must not change.
func (t *Text) IDs() []int32 { return t.ids }

// Len returns how many they are.
func (t *Text) Len() int { return len(t.ids) }

// Truncate forgets all tokens but the first n. What is added then is computed as after
// a fresh start with those n.
func (t *Text) Truncate(n int) {
	if n < 0 || n > len(t.ids) {
		panic(fmt.Sprintf("model: Truncate to %d of %d tokens", n, len(t.ids)))
	}
	pages := (n + keyBlock - 1) / keyBlock
	clear(t.pages[pages:])
	t.ids, t.pages = t.ids[:n], t.pages[:pages]
}

// Fork returns a text of the first n tokens. Each of the two goes on by itself; whole
// pages they keep in common.
func (t *Text) Fork(n int) *Text {
	whole := n / keyBlock
	f := &Text{ids: slices.Clone(t.ids[:n]), pages: slices.Clone(t.pages[:whole]), length: t.length}
	for _, p := range f.pages {
		p.shared = true
	}
	if more := n % keyBlock; more > 0 {
		f.pages = append(f.pages, t.pages[whole].copy(more))
	}
	return f
}

// TextBytes returns the memory of a text of n tokens that shares nothing.
func (c *Config) TextBytes(n int) int64 {
	return int64((n+keyBlock-1)/keyBlock) * int64(c.NumHiddenLayers) * int64(c.kvWidth()) * 4 * (pageStride + keyBlock)
}

// page returns the i-th page of a text, for the tokens from n on to be written to; a new
// one behind the last.
func (t *Text) page(e *Engine, i, n int) *page {
	switch {
	case i == len(t.pages):
		t.pages = append(t.pages, newPage(len(e.m.Blocks), e.kvWidth))
	case t.pages[i].shared: // and the text was cut in it
		t.pages[i] = t.pages[i].copy(n)
	}
	return t.pages[i]
}

func newPage(blocks, kvWidth int) *page {
	p := new(page)
	for range blocks {
		p.keys = append(p.keys, make([]float32, kvWidth*pageStride))
		p.values = append(p.values, make([]float32, keyBlock*kvWidth))
	}
	return p
}

// copy returns a page of the first n tokens.
func (p *page) copy(n int) *page {
	kvWidth := len(p.values[0]) / keyBlock
	c := newPage(len(p.keys), kvWidth)
	for l := range c.keys {
		for i := range kvWidth {
			copy(c.keys[l][i*pageStride:], p.keys[l][i*pageStride:i*pageStride+n])
		}
		copy(c.values[l], p.values[l][:n*kvWidth])
	}
	return c
}

// A Portion is tokens that a text is extended by.
type Portion struct {
	Text *Text
	IDs  []int32 // at least one
	Ask  bool    // what follows is wanted
}

// Extend adds to texts, each of them once, in one pass, and returns the logits (asked×V)
// of what follows those that ask. They stay valid until the next call of any method of the
// engine. No bit of a text depends on those beside it, nor on its portions.
func (e *Engine) Extend(parts []Portion) simd.View {
	parts = e.layPortions(parts)
	x := e.embed(&e.inputs[len(e.m.Blocks)])
	norm := e.normed(x, e.m.inputNorm(0))
	for l := range e.m.Blocks {
		norm = e.blockForward(l, &e.spare, x, norm, x, func(l int, _ *kept, out, qkv simd.View) {
			e.remember(parts, l, qkv)
			e.attendTexts(parts, l, out, qkv)
		})
	}
	for _, p := range parts {
		p.Text.ids = append(p.Text.ids, p.IDs...)
	}
	asked := len(e.laid.asked)
	V := e.m.Config.VocabSize
	logits := matrix(grown(&e.scratch.head.logits, asked*simd.Pitch(V)), asked, V)
	e.Profile.At(Head)
	e.Profile.count(Head, asked*e.m.Config.HiddenSize*V)
	e.lmHead(logits, norm)
	e.Profile.At(Rest)
	return logits
}

// layPortions lays the new tokens end to end, at their positions, and makes room for them.
// A text that turns all of its keys otherwise when it gets longer begins anew: its portion
// is all of it.
func (e *Engine) layPortions(parts []Portion) []Portion {
	parts = slices.Clone(parts)
	e.layNothing()
	for i := range parts {
		p := &parts[i]
		if len(p.IDs) == 0 {
			panic("model: Extend by no tokens")
		}
		length := p.Text.Len() + len(p.IDs)
		if p.Text.Len() > 0 && !e.sameAngles(p.Text.length, length) {
			p.IDs = slices.Concat(p.Text.ids, p.IDs)
			p.Text.Truncate(0)
		}
		p.Text.length = length
		n := p.Text.Len()
		e.layPiece(p.IDs, piece{first: n, parent: -1, length: length})
		for at := n / keyBlock; at <= (length-1)/keyBlock; at++ {
			p.Text.page(e, at, n%keyBlock)
		}
	}
	e.laid.begin()
	for i, p := range parts {
		if p.Ask {
			e.laid.ask(e.laid.pieces[i].hi - 1)
		}
	}
	return parts
}

// remember stores the keys and values of qkv's rows.
func (e *Engine) remember(parts []Portion, l int, qkv simd.View) {
	for i, p := range parts {
		piece := e.laid.pieces[i]
		for t := piece.first; t < piece.end(); t++ {
			at := t % keyBlock
			row, page := qkv.Row(piece.lo+t-piece.first), p.Text.pages[t/keyBlock]
			keys := page.keys[l]
			for j, v := range row[e.qWidth : e.qWidth+e.kvWidth] {
				keys[j*pageStride+at] = v * e.attention.scale
			}
			copy(page.values[l][at*e.kvWidth:], row[e.qWidth+e.kvWidth:])
		}
	}
}

// attendTexts sets out (N×H·D) for the new queries, each over all keys of its text so far.
func (e *Engine) attendTexts(parts []Portion, l int, out, qkv simd.View) {
	a := e.attention.of(e.m.Config.Layers[l])
	var list []queries
	for _, q := range e.textsOf(l, qkv.Rows).queries {
		list = slices.AppendSeq(list, q.blocks())
	}
	e.pool.Run(len(list)*a.heads, func(worker, task int) {
		s, h := list[task/a.heads], task%a.heads
		w, kv := &a.workers[worker], a.kvOf(h)
		out, q := a.column(out, h).Slice(s.lo, s.hi), a.column(qkv, h).Slice(s.lo, s.hi)
		a.open(w, out)
		for b := range a.blocks(s.first, q.Rows) {
			page := parts[s.piece].Text.pages[b.key/keyBlock]
			kt := simd.View{Data: page.keys[l][kv*a.d*pageStride:], Rows: a.d, Cols: keyBlock, RowStride: pageStride, ColStride: 1}
			v := a.column(simd.Dense(page.values[l], keyBlock, e.kvWidth), kv)
			a.attendBlock(w, b.within(b.key), out, q, kt, v)
		}
		a.close(w, out)
	})
}
