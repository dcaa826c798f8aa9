package model

import (
	"math"

	"example.com/finetune/simd"
)

// backward sets dqkv from dout (T×H·D), given out and stats of forward for qkv.
// Each key head has some tasks for a sequence, each with a part of the queries.
// Key and value gradients are summed over the query heads that share them, and
// their queries, in order within a task, then over the tasks, in order.
func (a *attention) backward(p *simd.Pool, dqkv, dout, out simd.View, stats []softmax, qkv simd.View, starts []int) {
	a.pack(p, qkv)
	parts := keyParts(a.kvHeads)
	a.spans = a.spans[:0]
	for i, lo := range starts[:len(starts)-1] {
		from, hi := lo, starts[i+1]
		for part := range parts {
			to := lo + a.share(hi-lo, part+1, parts)
			a.spans = append(a.spans, span{lo, hi, from, to})
			from = to
		}
	}
	T := qkv.Rows
	n := parts * T * a.kvHeads * a.d
	dk, dv := grown(&a.dk, n), grown(&a.dv, n)
	p.Run(len(a.spans)*a.kvHeads, func(worker, task int) {
		kv, i := task%a.kvHeads, task/a.kvHeads
		s, at := a.spans[i], kv*parts+i%parts
		g := headBackward{
			attention: a, w: &a.workers[worker], stats: stats,
			k:  a.head(a.packed.k, kv, T).Slice(s.lo, s.hi),
			kt: a.headT(a.packed.kt, kv, T).Columns(s.lo, s.hi), vt: a.headT(a.packed.vt, kv, T).Columns(s.lo, s.hi),
			dk: a.head(dk, at, T).Slice(s.lo, s.hi), dv: a.head(dv, at, T).Slice(s.lo, s.hi),
		}
		from, to := a.keys(s)
		g.dk.Slice(from-s.lo, to-s.lo).Clear()
		g.dv.Slice(from-s.lo, to-s.lo).Clear()
		for h := range a.heads {
			if a.kvOf(h) == kv {
				g.h, g.dout, g.out, g.q, g.dq = h, a.column(dout, h), a.column(out, h), a.column(qkv, h), a.column(dqkv, h)
				g.span(s)
			}
		}
	})
	p.Range(T, 16, func(_, lo, hi int) {
		for h := range a.kvHeads {
			to := a.column(dqkv, a.heads+h).Slice(lo, hi)
			a.sumParts(to, dk, h*parts, lo, T)
			for t := range to.Rows {
				simd.Scale(to.Row(t), a.scale)
			}
			a.sumParts(a.column(dqkv, a.heads+a.kvHeads+h).Slice(lo, hi), dv, h*parts, lo, T)
		}
	})
}

// keys returns the tokens, [from,to), that the queries of s see.
func (a *attention) keys(s span) (from, to int) { return s.lo + a.firstKey(s.from-s.lo), s.to }

// keyParts is how many tasks a sequence has for each of some key heads: enough for
// the threads of a laptop, and the same for any number of them, as the sums show it.
func keyParts(kvHeads int) int { return (16 + kvHeads - 1) / kvHeads }

// share returns how many of n queries have about part/parts of the work, in whole
// strips; all for the last.
func (a *attention) share(n, part, parts int) int {
	if part == parts {
		return n
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
// task. dout, out, q and dq are those of all tokens, the others of the sequence.
type headBackward struct {
	*attention
	w            *attentionScratch
	stats        []softmax
	k, kt, vt    simd.View
	dk, dv       simd.View
	h            int
	dout, out, q simd.View
	dq           simd.View
}

func (g *headBackward) span(s span) {
	for from := s.from; from < s.to; from += queryBlock {
		g.queries(from, min(s.to, from+queryBlock), from-s.lo)
	}
}

// queries adds the part of tokens [lo,hi), the first of which is at position first.
func (g *headBackward) queries(lo, hi, first int) {
	q, dq := g.q.Slice(lo, hi), g.dq.Slice(lo, hi)
	n := q.Rows
	dout, delta := simd.Dense(grown(&g.w.dout, n*g.d), n, g.d), grown(&g.w.sum, n)
	for i := range n { // dout/Σexp, so that exp serves for the probabilities
		copy(dout.Row(i), g.dout.Row(lo+i))
		simd.Scale(dout.Row(i), g.stat(lo+i).rcp)
		delta[i] = simd.Dot(dout.Row(i), g.out.Row(lo+i)) // Σ p·dp
	}
	dq.Clear()
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
			simd.ExpSum(x, x, g.stat(lo+i).max)
		}
		b.addMulQueries(g.dv, probs, dout) // out = probs·v
		b.mulQueries(ds, dout, g.vt)
		for i := range n { // the softmax: ds = p∘(dp - Σ p·dp)
			if t := first + i; g.firstKey(t) == t {
				clear(ds.Row(i)) // a lone key has probability 1, whatever its score
				continue
			}
			from, to := g.seen(b, i)
			x := framed(ds.Row(i), from, to, 0)
			simd.AddNumber(x, -delta[i])
			simd.MulBy(x, probs.Row(i)[from:][:len(x)])
			if g.limit != 0 {
				simd.SoftCapBackward(ds.Row(i)[from:to], capped.Row(i)[from:to], g.limit)
			}
		}
		b.addMulKeys(dq, ds, g.k) // scores = q·(scale·k)ᵀ
		b.addMulQueries(g.dk, ds, q)
	}
}

func (g *headBackward) stat(t int) softmax { return g.stats[t*g.heads+g.h] }

// keyStrip is the keys of a block on the diagonal that begin together.
const keyStrip = 2 * strip

// addMulQueries adds sᵀ·x to c, s being of the block's size, x the rows' and c
// (keys×D) the sequence's.
func (b block) addMulQueries(c, s, x simd.View) {
	keys, size := b.end-b.key, keyStrip
	if b.first+1 >= b.end {
		size = keys
	}
	for lo := 0; lo < keys; lo += size {
		hi, from := min(keys, lo+size), max(0, b.key+lo-b.first)
		simd.AddMul(c.Slice(b.key+lo, b.key+hi), s.Slice(from, b.rows).Columns(lo, hi).T(), x.Slice(from, b.rows))
	}
}

// sumParts sets rows lo… of a head to the sum of its parts, of which first is the
// first, in order: those whose queries see the token. The spans are backward's.
func (a *attention) sumParts(dst simd.View, x []float32, first, lo, T int) {
	parts := keyParts(a.kvHeads)
	at := 0
	for i := range dst.Rows {
		t, row, begun := lo+i, dst.Row(i), false
		for a.spans[at].hi <= t {
			at += parts
		}
		for part, s := range a.spans[at : at+parts] {
			if from, to := a.keys(s); t < from || t >= to {
				continue
			}
			src := a.head(x, first+part, T).Row(t)
			if begun {
				simd.Add(row, src)
			} else {
				copy(row, src)
			}
			begun = true
		}
	}
}
