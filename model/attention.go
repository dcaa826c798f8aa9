package model

import (
	"math"

	"example.com/finetune/simd"
)

// queryBlock is the number of query rows whose scores are computed together: a
// multiple of the 14 rows of the widest kernel whose block of scores stays in
// the second-level cache up to some thousand keys.
const queryBlock = 56

// headPad keeps the rows of transposed keys off the same cache sets.
const headPad = 16

// An attention computes causal grouped-query attention of one layer after the
// other. Scratch memory grows with the longest sequence, not with its square.
type attention struct {
	heads, kvHeads, d int
	window            int // a position sees this many, itself included; 0: all before it
	scale             float32
	workers           []attentionScratch
	dk, dv            []float32 // T×H·D, the key and value gradients of each query head
}

// attentionScratch belongs to one worker.
type attentionScratch struct{ kt, vt, scores, dscores []float32 }

func newAttention(c *Config, threads int) *attention {
	return &attention{
		heads: c.NumAttentionHeads, kvHeads: c.NumKeyValueHeads, d: c.HeadDim, window: c.SlidingWindow,
		scale:   float32(1 / math.Sqrt(float64(c.HeadDim))),
		workers: make([]attentionScratch, threads),
	}
}

// q, k and v return head h's columns of rows laid out as q heads, k heads, v heads.
func (a *attention) q(qkv simd.View, h int) simd.View { return qkv.Columns(h*a.d, (h+1)*a.d) }

func (a *attention) k(qkv simd.View, h int) simd.View {
	return a.q(qkv, a.heads+h*a.kvHeads/a.heads)
}

func (a *attention) v(qkv simd.View, h int) simd.View {
	return a.q(qkv, a.heads+a.kvHeads+h*a.kvHeads/a.heads)
}

// forward sets out (T×H·D) from qkv (T×(H+2KV)·D), for the sequences
// [starts[i],starts[i+1]).
func (a *attention) forward(p *simd.Pool, out, qkv simd.View, starts []int) {
	p.Run((len(starts)-1)*a.heads, func(worker, task int) {
		s, h := task/a.heads, task%a.heads
		lo, hi := starts[s], starts[s+1]
		qkv, out, w := qkv.Slice(lo, hi), a.q(out.Slice(lo, hi), h), &a.workers[worker]
		kt := transposed(&w.kt, a.k(qkv, h), a.scale)
		a.attend(w, out, a.q(qkv, h), kt, a.v(qkv, h), 0)
	})
}

// multiplications returns how many one product of all queries with the keys they
// see takes, over all heads.
func (a *attention) multiplications(starts []int) int {
	seen := 0
	for i, lo := range starts[:len(starts)-1] {
		n := starts[i+1] - lo
		w := n
		if a.window > 0 {
			w = min(n, a.window)
		}
		seen += w*(w+1)/2 + (n-w)*w
	}
	return seen * a.heads * a.d
}

// attend sets out = softmax(q·kt)·v for queries at positions first, first+1, …;
// kt (D×keys) is scaled already.
func (a *attention) attend(w *attentionScratch, out, q, kt, v simd.View, first int) {
	for lo := 0; lo < q.Rows; lo += queryBlock {
		hi := min(q.Rows, lo+queryBlock)
		probs, key := a.probabilities(&w.scores, q.Slice(lo, hi), kt, first+lo)
		simd.Mul(out.Slice(lo, hi), probs, v.Slice(key, key+probs.Cols))
	}
}

// probabilities returns softmax(q·kt) for queries from position first on, zero
// where a query does not see. Column j is key key+j.
func (a *attention) probabilities(buf *[]float32, q, kt simd.View, first int) (probs simd.View, key int) {
	key = a.firstKey(first)
	probs = simd.Dense(grown(buf, q.Rows*(first+q.Rows-key)), q.Rows, first+q.Rows-key)
	simd.Mul(probs, q, kt.Columns(key, first+q.Rows))
	for i := range q.Rows {
		row, lo, hi := probs.Row(i), a.firstKey(first+i)-key, first+i+1-key
		clear(row[:lo])
		simd.Softmax(row[lo:hi])
		clear(row[hi:])
	}
	return probs, key
}

func (a *attention) firstKey(t int) int {
	if a.window == 0 {
		return 0
	}
	return max(0, t-a.window+1)
}

// backward sets dqkv from dout (T×H·D), given qkv of forward. Key and
// value gradients are summed over queries in order within a query head, and then
// over the query heads that share them, in order.
func (a *attention) backward(p *simd.Pool, dqkv, dout, qkv simd.View, starts []int) {
	n := qkv.Rows * a.heads * a.d
	dks := simd.Dense(grown(&a.dk, n), qkv.Rows, a.heads*a.d)
	dvs := simd.Dense(grown(&a.dv, n), qkv.Rows, a.heads*a.d)
	p.Run((len(starts)-1)*a.heads, func(worker, task int) {
		s, h := task/a.heads, task%a.heads
		lo, hi := starts[s], starts[s+1]
		qkv, w := qkv.Slice(lo, hi), &a.workers[worker]
		g := headGradients{
			dq: a.q(dqkv.Slice(lo, hi), h), dk: a.q(dks.Slice(lo, hi), h), dv: a.q(dvs.Slice(lo, hi), h),
		}
		a.headBackward(w, g, a.q(dout.Slice(lo, hi), h), a.q(qkv, h), a.k(qkv, h), a.v(qkv, h))
	})
	group := a.heads / a.kvHeads
	p.Range(qkv.Rows, 16, func(_, lo, hi int) {
		for t := lo; t < hi; t++ {
			d := dqkv.Row(t)[a.heads*a.d:]
			a.sumHeads(d[:a.kvHeads*a.d], dks.Row(t), group)
			a.sumHeads(d[a.kvHeads*a.d:], dvs.Row(t), group)
		}
	})
}

// headGradients is where one query head's gradients go, T×D each.
type headGradients struct{ dq, dk, dv simd.View }

func (a *attention) headBackward(w *attentionScratch, g headGradients, dout, q, k, v simd.View) {
	kt, vt := transposed(&w.kt, k, a.scale), transposed(&w.vt, v, 1)
	g.dk.Clear()
	g.dv.Clear()
	for lo := 0; lo < q.Rows; lo += queryBlock {
		hi := min(q.Rows, lo+queryBlock)
		q, dout := q.Slice(lo, hi), dout.Slice(lo, hi)
		probs, key := a.probabilities(&w.scores, q, kt, lo)
		end := key + probs.Cols
		ds := simd.Dense(grown(&w.dscores, len(probs.Data)), probs.Rows, probs.Cols)
		simd.AddMul(g.dv.Slice(key, end), probs.T(), dout) // out = probs·v
		simd.Mul(ds, dout, vt.Columns(key, end))
		for i := range ds.Rows { // the softmax: ds = p∘(dp - Σ p·dp), zero for a lone key
			simd.AddNumber(ds.Row(i), -simd.Dot(probs.Row(i), ds.Row(i)))
			simd.MulBy(ds.Row(i), probs.Row(i))
		}
		simd.Mul(g.dq.Slice(lo, hi), ds, k.Slice(key, end)) // scores = scale·q·kᵀ
		simd.AddMul(g.dk.Slice(key, end), ds.T(), q)
	}
	for t := range q.Rows {
		simd.Scale(g.dq.Row(t), a.scale)
		simd.Scale(g.dk.Row(t), a.scale)
	}
}

// sumHeads sets each head of dst to the sum of its group of heads in src.
func (a *attention) sumHeads(dst, src []float32, group int) {
	for ; len(dst) > 0; dst, src = dst[a.d:], src[group*a.d:] {
		copy(dst[:a.d], src)
		for g := 1; g < group; g++ {
			simd.Add(dst[:a.d], src[g*a.d:(g+1)*a.d])
		}
	}
}

// transposed returns s·xᵀ in buf, its rows padded.
func transposed(buf *[]float32, x simd.View, s float32) simd.View {
	stride := (x.Rows+15)&^15 + headPad
	t := simd.View{Data: grown(buf, x.Cols*stride), Rows: x.Cols, Cols: x.Rows, RowStride: stride, ColStride: 1}
	simd.Transpose(t, x)
	if s != 1 {
		for i := range t.Rows {
			simd.Scale(t.Row(i), s)
		}
	}
	return t
}

// grown returns the first n values of *buf, made larger if need be. They hold
// whatever was there.
func grown(buf *[]float32, n int) []float32 {
	if cap(*buf) < n {
		*buf = make([]float32, n)
	}
	return (*buf)[:n]
}
