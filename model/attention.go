package model

import (
	"cmp"
	"iter"
	"math"

	"example.com/finetune/simd"
)

// Attention goes in blocks of queryBlock queries by keyBlock keys, whose scores
// stay in the second-level cache. Blocks of keys start at multiples of keyBlock,
// so that a row's result does not depend on the rows beside it.
const (
	queryBlock = 96
	keyBlock   = 256
	strip      = 12 // rows of a block on the diagonal that end together: whole tiles of every kernel
	lanes      = 16 // columns that are computed together, likewise
	headPad    = 16 // keeps rows off the same cache sets
)

// An attention computes causal grouped-query attention of one layer after the
// other: forward with a running softmax, backward from its maxima and sums
// (FlashAttention-2, arXiv 2307.08691, algorithms 1 and 2). Its memory grows with
// the number of tokens, not with their square.
type attention struct {
	heads, kvHeads, d int
	window            int // of the layer at hand: a position sees this many, itself included; 0: all before it
	scale             float32
	limit             float32 // a score s becomes limit·tanh(s/limit); 0: s
	workers           []attentionScratch

	packed packed
	dk, dv []float32 // KV×parts × T×D
	spans  []span
}

// packed is keys and values as the products read them. Keys are scaled.
type packed struct {
	k, v   []float32 // KV × T×D
	kt, vt []float32 // KV·D × T, padded
}

// attentionScratch belongs to one worker.
type attentionScratch struct {
	scores, dscores []float32 // queryBlock×keyBlock
	capped          []float32 // likewise, with a limit
	dout            []float32 // queryBlock×D
	max, sum        []float32 // queryBlock
}

// A span is positions [from,to) of the sequence of tokens [lo,hi).
type span struct{ lo, hi, from, to int }

// none is the score of a key that is not seen.
var none = float32(math.Inf(-1))

// A softmax is what the backward pass needs of one: exp(x-max)·rcp are the
// probabilities.
type softmax struct{ max, rcp float32 }

func newAttention(c *Config, threads int) *attention {
	return &attention{
		heads: c.NumAttentionHeads, kvHeads: c.NumKeyValueHeads, d: c.HeadDim,
		scale:   float32(cmp.Or(c.AttentionScale, 1/math.Sqrt(float64(c.HeadDim)))),
		limit:   float32(c.AttentionCap),
		workers: make([]attentionScratch, threads),
	}
}

// of makes the attention that of a layer.
func (a *attention) of(l LayerConfig) *attention {
	a.window = l.Window
	return a
}

// column returns block h of D columns: a head.
func (a *attention) column(x simd.View, h int) simd.View { return x.Columns(h*a.d, (h+1)*a.d) }

// kvOf returns the key and value head that query head h reads.
func (a *attention) kvOf(h int) int { return h * a.kvHeads / a.heads }

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

func (a *attention) firstKey(t int) int {
	if a.window == 0 {
		return 0
	}
	return max(0, t-a.window+1)
}

// pack sets a.packed from qkv (T×(H+2KV)·D).
func (a *attention) pack(p *simd.Pool, qkv simd.View) {
	T, n := qkv.Rows, a.kvHeads*a.d
	k, v := grown(&a.packed.k, n*T), grown(&a.packed.v, n*T)
	kt, vt := grown(&a.packed.kt, n*paddedTokens(T)), grown(&a.packed.vt, n*paddedTokens(T))
	p.Range(T, 64, func(_, lo, hi int) {
		for h := range a.kvHeads {
			k, v := a.head(k, h, T).Slice(lo, hi), a.head(v, h, T).Slice(lo, hi)
			for t := range k.Rows {
				copy(k.Row(t), a.column(qkv, a.heads+h).Row(lo+t))
				simd.Scale(k.Row(t), a.scale)
				copy(v.Row(t), a.column(qkv, a.heads+a.kvHeads+h).Row(lo+t))
			}
			simd.Transpose(a.headT(kt, h, T).Columns(lo, hi), k)
			simd.Transpose(a.headT(vt, h, T).Columns(lo, hi), v)
		}
	})
}

// head returns the T×D matrix of head h in x.
func (a *attention) head(x []float32, h, T int) simd.View { return simd.Dense(x[h*T*a.d:], T, a.d) }

// headT returns the transposed D×T one. Some columns behind the last may be read.
func (a *attention) headT(x []float32, h, T int) simd.View {
	n := paddedTokens(T)
	return simd.View{Data: x[h*n*a.d : (h+1)*n*a.d], Rows: a.d, Cols: T, RowStride: n, ColStride: 1}
}

// paddedTokens is a row of T tokens and a vector, not a multiple of a kilobyte.
func paddedTokens(T int) int { return (T+31)&^31 + lanes }

// forward sets out (T×H·D) and stats (T×H) from qkv (T×(H+2KV)·D: q heads, k
// heads, v heads), for the sequences [starts[i],starts[i+1]).
func (a *attention) forward(p *simd.Pool, out simd.View, stats []softmax, qkv simd.View, starts []int) {
	a.pack(p, qkv)
	a.spans = a.spans[:0]
	for i, lo := range starts[:len(starts)-1] {
		for from := lo; from < starts[i+1]; from += queryBlock {
			a.spans = append(a.spans, span{lo, starts[i+1], from, min(starts[i+1], from+queryBlock)})
		}
	}
	T := qkv.Rows
	p.Run(len(a.spans)*a.heads, func(worker, task int) {
		s, h := a.spans[len(a.spans)-1-task/a.heads], task%a.heads // the last queries have most to do
		w, kv := &a.workers[worker], a.kvOf(h)
		kt, v := a.headT(a.packed.kt, kv, T).Columns(s.lo, s.hi), a.head(a.packed.v, kv, T).Slice(s.lo, s.hi)
		a.attend(w, a.column(out, h).Slice(s.from, s.to), a.column(qkv, h).Slice(s.from, s.to), kt, v, s.from-s.lo)
		for i := range s.to - s.from {
			stats[(s.from+i)*a.heads+h] = softmax{w.max[i], 1 / w.sum[i]}
		}
	})
}

// attend sets out = softmax(q·kt)·v for at most queryBlock queries from position
// first on, and w.max and w.sum to their maxima and sums.
func (a *attention) attend(w *attentionScratch, out, q, kt, v simd.View, first int) {
	a.open(w, out)
	for b := range a.blocks(first, q.Rows) {
		a.attendBlock(w, b, out, q, kt, v)
	}
	a.close(w, out)
}

// open makes out, w.max and w.sum those of queries that have seen no key.
func (a *attention) open(w *attentionScratch, out simd.View) {
	top, sum := grown(&w.max, out.Rows), grown(&w.sum, out.Rows)
	for i := range out.Rows {
		top[i], sum[i] = none, 0
	}
	out.Clear()
}

// attendBlock adds a block of keys to what queries have seen, the blocks before it
// among it.
func (a *attention) attendBlock(w *attentionScratch, b block, out, q, kt, v simd.View) {
	top, sum := w.max, w.sum
	probs := b.view(&w.scores)
	b.mulQueries(probs, q, kt)
	for i := range q.Rows {
		lo, hi := a.seen(b, i)
		if a.limit != 0 {
			simd.SoftCap(probs.Row(i)[lo:hi], a.limit)
		}
		x := framed(probs.Row(i), lo, hi, none)
		if m := simd.Max(x); m > top[i] {
			if sum[i] > 0 { // some keys came before
				f := exp(top[i] - m)
				sum[i] = float32(sum[i] * f) // rounded, not fused with what is added
				simd.Scale(out.Row(i), f)
			}
			top[i] = m
		}
		sum[i] += simd.ExpSum(x, x, top[i])
	}
	b.addMulKeys(out, probs, v)
}

// close divides what queries have seen by their sums.
func (a *attention) close(w *attentionScratch, out simd.View) {
	for i := range out.Rows {
		simd.Scale(out.Row(i), 1/w.sum[i])
	}
}

// exp is the kernels' exponential.
func exp(x float32) float32 {
	y := [1]float32{x}
	return simd.ExpSum(y[:], y[:], 0)
}

// A block is rows queries from position first on, and keys [key,end).
type block struct{ first, rows, key, end int }

// within returns the block among the keys from key on.
func (b block) within(key int) block { return block{b.first - key, b.rows, b.key - key, b.end - key} }

// blocks returns the blocks of some queries with all keys that any of them sees,
// in ascending order.
func (a *attention) blocks(first, rows int) iter.Seq[block] {
	return func(yield func(block) bool) {
		for key := a.firstKey(first) / keyBlock * keyBlock; key < first+rows; key += keyBlock {
			if !yield(block{first, rows, key, min(key+keyBlock, first+rows)}) {
				return
			}
		}
	}
}

// view returns a matrix of the block's size in buf.
func (b block) view(buf *[]float32) simd.View {
	const stride = keyBlock + headPad
	return simd.View{Data: grown(buf, b.rows*stride), Rows: b.rows, Cols: wholeLanes(b.end - b.key), RowStride: stride, ColStride: 1}
}

func wholeLanes(n int) int { return (n + lanes - 1) &^ (lanes - 1) }

// strips calls f for the block's rows [lo,hi), strip by strip where the diagonal
// crosses it, and the number of keys that the last one sees.
func (b block) strips(f func(lo, hi, keys int)) {
	size := strip
	if b.first+1 >= b.end {
		size = b.rows
	}
	for lo := 0; lo < b.rows; lo += size {
		hi := min(b.rows, lo+size)
		if keys := min(b.end, b.first+hi) - b.key; keys > 0 {
			f(lo, hi, keys)
		}
	}
}

// mulQueries sets c = x·kt, of the block's size, where a query sees the key, x
// being the rows' and kt (D×keys) the sequence's.
func (b block) mulQueries(c, x, kt simd.View) {
	b.strips(func(lo, hi, keys int) {
		keys = wholeLanes(keys)
		simd.Mul(c.Slice(lo, hi).Columns(0, keys), x.Slice(lo, hi), kt.Columns(b.key, b.key+keys))
	})
}

// addMulKeys adds s·k to c, s being of the block's size, c the rows' and k
// (keys×D) the sequence's.
func (b block) addMulKeys(c, s, k simd.View) {
	b.strips(func(lo, hi, keys int) {
		simd.AddMul(c.Slice(lo, hi), s.Slice(lo, hi).Columns(0, keys), k.Slice(b.key, b.key+keys))
	})
}

// seen returns the block's keys, [lo,hi), that query i sees.
func (a *attention) seen(b block, i int) (lo, hi int) {
	t := b.first + i
	lo = min(max(a.firstKey(t), b.key), b.end) - b.key
	return lo, max(min(t+1, b.end)-b.key, lo)
}

// framed returns row[lo:hi] with pad behind it up to a whole vector, and clears
// the rest of the row.
func framed(row []float32, lo, hi int, pad float32) []float32 {
	end := wholeLanes(hi)
	clear(row[:lo])
	for j := hi; j < end; j++ {
		row[j] = pad
	}
	clear(row[end:])
	return row[lo:end]
}

// grown returns the first n values of *buf, made larger if need be. They hold
// whatever was there.
func grown[T any](buf *[]T, n int) []T {
	if cap(*buf) < n {
		*buf = make([]T, n)
	}
	return (*buf)[:n]
}
