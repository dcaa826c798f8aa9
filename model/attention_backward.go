package model

import (
	"math"

	"example.com/finetune/simd"
)

// A part is positions [from,to) of a piece's text, whose queries are a task of the backward
// pass for each key head: number i of the piece.
type part struct{ piece, i, from, to int }

// backward sets dqkv from dout (N×H·D), which it overwrites, given out and stats of forward
// for qkv, whose rows are as there. Gradients of keys and values of the prefix are added to
// dprefix, not yet scaled. Each piece has some tasks for each key head, each with a part of
// its queries: the sums go over the query heads that share a key head, and their queries, in
// order within a part, then over the parts, in order, and then over the pieces that see a
// token, in order.
func (a *attention) backward(p *simd.Pool, dqkv, dout, out simd.View, stats []softmax, qkv, prefix, dprefix simd.View, x texts) {
	dkv := dqkv.Columns(a.heads*a.d, dqkv.Cols)
	p.Run(len(x.pieces), func(_, i int) {
		if at := x.pieces[i]; at.carried {
			for t := at.first; t < at.end(); t++ {
				copy(dkv.Row(at.lo+t-at.first), dprefix.Row(t))
			}
		} else if at.shared {
			dkv.Slice(at.lo, at.hi).Clear()
		}
	})
	a.divide(p, dout, out, stats)
	rest := x.queries
	for from, to := 0, 0; from < len(x.pieces); from = to {
		to = a.pack(p, qkv, prefix, x.pieces, from, a.copyBackward)
		some := 0
		for some < len(rest) && rest[some].piece < to {
			some++
		}
		a.makeParts(x.pieces, from, to)
		a.backwardParts(p, dqkv, dout, stats, qkv, texts{x.pieces, rest[:some]}, from)
		a.sumParts(p, dkv, dprefix, x.pieces, from, to)
		rest = rest[some:]
	}
}

// divide divides dout by the sums of exp, so that exp serves for the probabilities, and sets
// a.means to Σ p·dp of each query and head, which is Σ dout·out.
func (a *attention) divide(p *simd.Pool, dout, out simd.View, stats []softmax) {
	means := grown(&a.means, dout.Rows*a.heads)
	p.Range(dout.Rows, rowGrain, func(_, lo, hi int) {
		for t := lo; t < hi; t++ {
			for h := range a.heads {
				d, i := dout.Row(t)[h*a.d:(h+1)*a.d], t*a.heads+h
				means[i] = simd.ScaleDot(d, d, out.Row(t)[h*a.d:(h+1)*a.d], stats[i].rcp)
			}
		}
	})
}

// makeParts sets a.parts to those of pieces [from,to).
func (a *attention) makeParts(pieces []piece, from, to int) {
	a.parts = a.parts[:0]
	for i := from; i < to; i++ {
		at, n := pieces[i], a.partsOf(pieces[i])
		lo := at.first
		for k := range n {
			hi := at.first + a.share(at, k+1, n)
			a.parts = append(a.parts, part{i, k, lo, hi})
			lo = hi
		}
	}
}

// backwardParts sets dq, and a.dkv for each part.
func (a *attention) backwardParts(p *simd.Pool, dqkv, dout simd.View, stats []softmax, qkv simd.View, x texts, first int) {
	n := a.packed.n
	grown(&a.dkv, keyParts(a.kvHeads)*n*simd.Pitch(2*a.kvHeads*a.d))
	p.Run(len(a.parts)*a.kvHeads, func(worker, task int) {
		kv, s := task%a.kvHeads, a.parts[task/a.kvHeads]
		lo := a.packed.bases[s.piece-first]
		hi := lo + x.pieces[s.piece].end()
		dkv := a.partial(s.i).Slice(lo, hi)
		g := headBackward{
			attention: a, w: &a.workers[worker], stats: stats, s: s,
			k:  a.head(a.packed.rows, kv, n).Slice(lo, hi),
			kt: a.headT(a.packed.kt, kv, n).Columns(lo, hi), vt: a.headT(a.packed.vt, kv, n).Columns(lo, hi),
			dk: a.column(dkv, kv), dv: a.column(dkv, a.kvHeads+kv),
		}
		for h := range a.heads {
			if a.kvOf(h) == kv {
				g.h, g.dout, g.q, g.dq = h, a.column(dout, h), a.column(qkv, h), a.column(dqkv, h)
				g.part(x.queries)
			}
		}
		if !g.begun {
			g.clear(a.firstKey(s.from), s.to)
		}
	})
}

// partial returns a.dkv of each piece's part i.
func (a *attention) partial(i int) simd.View {
	n, width := a.packed.n, 2*a.kvHeads*a.d
	return matrix(a.dkv[i*n*simd.Pitch(width):], n, width)
}

// keyParts is how many tasks a sequence has for each of some key heads: enough for
// the threads of a laptop, and the same for any number of them, as the sums show it.
func keyParts(kvHeads int) int { return (16 + kvHeads - 1) / kvHeads }

// partsOf is how many a piece has: fewer where it is short and there is much before it,
// as each has gradients of all keys.
func (a *attention) partsOf(at piece) int {
	n := keyParts(a.kvHeads)
	if at.first > 0 {
		n = min(n, (at.hi-at.lo+partQueries-1)/partQueries)
	}
	return n
}

// partQueries is the least number of queries of a part, where other tokens come before.
const partQueries = 64

// share returns how many of a piece's queries have about part/parts of the work, in whole
// strips; all for the last.
func (a *attention) share(at piece, part, parts int) int {
	n := at.hi - at.lo
	if part == parts {
		return n
	}
	if at.first > 0 {
		return n * part / parts / strip * strip
	}
	w := n
	if a.window > 0 {
		w = min(n, a.window)
	}
	// Twice the scores are a square of w, of which half is seen, and a band.
	work := float64(w) * float64(2*n-w) * float64(part) / float64(parts)
	m := math.Sqrt(work)
	if w := float64(w); m > w {
		m = (work + w*w) / (2 * w)
	}
	return int(m) / strip * strip
}

// A headBackward is the backward pass of one query head after the other, for one
// task. dout, q and dq are those of all queries, the others of the piece's text.
type headBackward struct {
	*attention
	w           *attentionScratch
	stats       []softmax
	s           part
	begun       bool // dk and dv are set
	k, kt, vt   simd.View
	dk, dv      simd.View
	h           int
	dout, q, dq simd.View
}

// clear clears dk and dv of positions [from,to).
func (g *headBackward) clear(from, to int) {
	if from < to {
		g.dk.Slice(from, to).Clear()
		g.dv.Slice(from, to).Clear()
	}
}

// part adds what the queries of g.s bring.
func (g *headBackward) part(list []queries) {
	for _, q := range list {
		if q.piece != g.s.piece {
			continue
		}
		row := q.lo - q.first
		to := min(g.s.to, q.end())
		for from := max(g.s.from, q.first); from < to; from += queryBlock {
			g.queries(row+from, row+min(to, from+queryBlock), from)
		}
	}
}

// queries adds what rows [lo,hi) bring, the first of which is at position first. The first
// ones set dk and dv.
func (g *headBackward) queries(lo, hi, first int) {
	q, dq := g.q.Slice(lo, hi), g.dq.Slice(lo, hi)
	n := q.Rows
	dout := simd.Dense(grown(&g.w.dout, n*g.d), n, g.d)
	for i := range n {
		copy(dout.Row(i), g.dout.Row(lo+i))
	}
	if !g.begun { // clear what the blocks below do not set
		g.clear(g.firstKey(g.s.from), g.firstBlock(first))
		g.clear(first+n, g.s.to)
	}
	begun := false
	for b := range g.blocks(first, n) {
		probs, ds := b.view(&g.w.scores), b.view(&g.w.dscores)
		b.mulQueries(probs, q, g.kt)
		var capped simd.View
		if g.limit != 0 {
			capped = b.view(&g.w.capped)
		}
		for i := range n {
			from, to := g.seen(b, i)
			if g.limit != 0 {
				simd.SoftCap(probs.Row(i)[from:to], g.limit)
				copy(capped.Row(i)[from:to], probs.Row(i)[from:to])
			}
			x := framed(probs.Row(i), from, to, none)
			simd.ExpSum(x, x, g.stats[(lo+i)*g.heads+g.h].max)
		}
		b.mulQueriesT(g.dv, probs, dout, g.begun) // out = probs·v
		b.mulQueries(ds, dout, g.vt)
		for i := range n { // the softmax: ds = p∘(dp - Σ p·dp)
			if t := first + i; g.firstKey(t) == t {
				clear(ds.Row(i)) // a lone key has probability 1, whatever its score
				continue
			}
			from, to := g.seen(b, i)
			x := framed(ds.Row(i), from, to, 0)
			simd.SoftmaxBackward(x, probs.Row(i)[from:][:len(x)], g.means[(lo+i)*g.heads+g.h])
			if g.limit != 0 {
				simd.SoftCapBackward(ds.Row(i)[from:to], capped.Row(i)[from:to], g.limit)
			}
		}
		b.mulKeys(dq, ds, g.k, begun) // scores = q·(scale·k)ᵀ
		begun = true
		b.mulQueriesT(g.dk, ds, q, g.begun)
	}
	g.begun = true
}

// keyStrip is the keys of a block on the diagonal that begin together.
const keyStrip = 2 * strip

// mulQueriesT sets c = sᵀ·x, or adds to it, s being of the block's size, x the rows' and c
// (keys×D) the sequence's.
func (b block) mulQueriesT(c, s, x simd.View, add bool) {
	mul := product(add)
	keys, size := b.end-b.key, keyStrip
	if b.first+1 >= b.end {
		size = keys
	}
	for lo := 0; lo < keys; lo += size {
		hi, from := min(keys, lo+size), max(0, b.key+lo-b.first)
		mul(c.Slice(b.key+lo, b.key+hi), s.Slice(from, b.rows).Columns(lo, hi).T(), x.Slice(from, b.rows))
	}
}

// sumParts adds the parts of pieces [from,to), in order, to the gradients of the keys and
// values that they see. A piece is the last to see its own: its keys are complete then, and
// scaled.
func (a *attention) sumParts(p *simd.Pool, dkv, dprefix simd.View, pieces []piece, from, to int) {
	longest := 0
	for _, at := range pieces[from:to] {
		longest = max(longest, at.end())
	}
	p.Range(longest, 4, func(_, lo, hi int) {
		parts := a.parts
		for i := from; i < to; i++ {
			at, n := pieces[i], a.partsOf(pieces[i])
			for t := lo; t < min(hi, at.end()); t++ {
				row := rowAt(dkv, dprefix, pieces, i, t)
				a.sumRow(row, parts[:n], a.packed.bases[i-from]+t, t, t < at.first || at.shared)
				if t >= at.first {
					simd.Scale(row[:len(row)/2], a.scale)
				}
			}
			parts = parts[n:]
		}
	})
}

// rowAt returns the row of position t of piece i's text, in x or that of the prefix.
func rowAt(x, prefix simd.View, pieces []piece, i, t int) []float32 {
	for pieces[i].first > t {
		if i = pieces[i].parent; i < 0 {
			return prefix.Row(t)
		}
	}
	return x.Row(pieces[i].lo + t - pieces[i].first)
}

// sumRow adds row at of some parts to a row (KV·D + KV·D), or sets it to their sum where
// nothing has begun it: those whose queries see position t.
func (a *attention) sumRow(row []float32, parts []part, at, t int, begun bool) {
	for _, s := range parts {
		if t < a.firstKey(s.from) || t >= s.to {
			continue
		}
		if part := a.partial(s.i).Row(at); begun {
			simd.Add(row, part)
		} else {
			copy(row, part)
		}
		begun = true
	}
}
