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

	most   int // keys that are packed together, if not those of a single piece
	packed packed
	means  []float32 // N×H, see divide
	dkv    []float32 // parts × N×2KV·D
	spans  []span
	parts  []part
}

// packed is the keys and values of some pieces as the products of a pass read them, N in
// all: for each piece those of all its text so far, by position. Keys are scaled.
type packed struct {
	rows   []float32 // KV × N×D: values in the forward pass, keys in the backward pass
	kt, vt []float32 // KV·D × N, padded; vt in the backward pass only
	n      int
	bases  []int // where each piece's begin
	copies []copied
}

// copied is rows of keys and values (KV·D + KV·D columns) that are packed from at on.
type copied struct {
	at  int
	src simd.View
}

// attentionScratch belongs to one worker.
type attentionScratch struct {
	scores, dscores []float32 // queryBlock×keyBlock
	capped          []float32 // likewise, with a limit
	dout            []float32 // queryBlock×D
	max, sum        []float32 // queryBlock
	begun           bool      // some keys have been seen
}

// A span is some queries of a piece, whose keys are packed from base on.
type span struct {
	queries
	base int
}

// packedBatches is how many times a micro-batch's tokens are packed together: all of texts
// that share nothing, and of short pieces with much before them enough to keep threads busy.
const packedBatches = 4

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
		most:    packedBatches * MostTokens,
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

// multiplications returns how many one product of some queries with the keys they see
// takes, over all heads.
func (a *attention) multiplications(list []queries) int {
	before := func(n int) int { // the keys that n queries from the first on see
		w := n
		if a.window > 0 {
			w = min(n, a.window)
		}
		return w*(w+1)/2 + (n-w)*w
	}
	seen := 0
	for _, q := range list {
		seen += before(q.end()) - before(q.first)
	}
	return seen * a.heads * a.d
}

func (a *attention) firstKey(t int) int {
	if a.window == 0 {
		return 0
	}
	return max(0, t-a.window+1)
}

// firstBlock returns where the first block of keys begins that position t sees.
func (a *attention) firstBlock(t int) int { return a.firstKey(t) / keyBlock * keyBlock }

// pack sets a.packed to the keys and values of pieces [from,to), at least one, given qkv
// (T×(H+2KV)·D) and those of the prefix (2KV·D columns), and returns to. copyHead is
// copyForward or copyBackward.
func (a *attention) pack(p *simd.Pool, qkv, prefix simd.View, pieces []piece, from int, copyHead func(c copied, h int)) (to int) {
	x := &a.packed
	x.n, x.bases, x.copies = 0, x.bases[:0], x.copies[:0]
	own := qkv.Columns(a.heads*a.d, qkv.Cols)
	for to = from; to < len(pieces) && (to == from || x.n+pieces[to].end() <= a.most); to++ {
		x.bases = append(x.bases, x.n)
		at := pieces[to]
		for x.add(x.n+at.first, own.Slice(at.lo, at.hi)); at.parent >= 0; {
			at = pieces[at.parent]
			x.add(x.n+at.first, own.Slice(at.lo, at.hi))
		}
		x.add(x.n, prefix.Slice(0, at.first))
		x.n += pieces[to].end()
	}
	n, width := x.n, a.kvHeads*a.d
	grown(&x.rows, n*width)
	grown(&x.kt, width*paddedTokens(n))
	grown(&x.vt, width*paddedTokens(n))
	p.Run(len(x.copies), func(_, task int) {
		for h := range a.kvHeads {
			copyHead(x.copies[task], h)
		}
	})
	return to
}

// copyForward packs head h of some rows for the forward pass.
func (a *attention) copyForward(c copied, h int) {
	x, lo, hi := &a.packed, c.at, c.at+c.src.Rows
	rows, kt := a.head(x.rows, h, x.n).Slice(lo, hi), a.headT(x.kt, h, x.n).Columns(lo, hi)
	v := a.column(c.src, a.kvHeads+h)
	for t := range rows.Rows {
		copy(rows.Row(t), v.Row(t))
	}
	simd.Transpose(kt, a.column(c.src, h))
	for i := range kt.Rows {
		simd.Scale(kt.Row(i), a.scale)
	}
}

// copyBackward packs it for the backward pass.
func (a *attention) copyBackward(c copied, h int) {
	x, lo, hi := &a.packed, c.at, c.at+c.src.Rows
	rows, k := a.head(x.rows, h, x.n).Slice(lo, hi), a.column(c.src, h)
	for t := range rows.Rows {
		copy(rows.Row(t), k.Row(t))
		simd.Scale(rows.Row(t), a.scale)
	}
	simd.Transpose(a.headT(x.kt, h, x.n).Columns(lo, hi), rows)
	simd.Transpose(a.headT(x.vt, h, x.n).Columns(lo, hi), a.column(c.src, a.kvHeads+h))
}

// add has rows copied from at on.
func (x *packed) add(at int, src simd.View) {
	for lo := 0; lo < src.Rows; lo += 64 {
		x.copies = append(x.copies, copied{at + lo, src.Slice(lo, min(src.Rows, lo+64))})
	}
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

// forward sets out (N×H·D) and stats (N×H) for N queries. qkv is T×(H+2KV)·D, q heads, k
// heads, v heads: the queries are its first N rows, keys and values those of all T tokens.
func (a *attention) forward(p *simd.Pool, out simd.View, stats []softmax, qkv, prefix simd.View, x texts) {
	rest := x.queries
	for from, to := 0, 0; from < len(x.pieces); from = to {
		to = a.pack(p, qkv, prefix, x.pieces, from, a.copyForward)
		a.spans = a.spans[:0]
		for ; len(rest) > 0 && rest[0].piece < to; rest = rest[1:] {
			for q := range rest[0].blocks() {
				a.spans = append(a.spans, span{q, a.packed.bases[q.piece-from]})
			}
		}
		a.forwardSpans(p, out, stats, qkv)
	}
}

// forwardSpans is forward for the queries of a.spans.
func (a *attention) forwardSpans(p *simd.Pool, out simd.View, stats []softmax, qkv simd.View) {
	n := a.packed.n
	p.Run(len(a.spans)*a.heads, func(worker, task int) {
		s, h := a.spans[len(a.spans)-1-task/a.heads], task%a.heads // the last queries have most to do
		w, kv := &a.workers[worker], a.kvOf(h)
		kt, v := a.headT(a.packed.kt, kv, n).Columns(s.base, s.base+s.end()), a.head(a.packed.rows, kv, n).Slice(s.base, s.base+s.end())
		a.attend(w, a.column(out, h).Slice(s.lo, s.hi), a.column(qkv, h).Slice(s.lo, s.hi), kt, v, s.first)
		for i := range s.hi - s.lo {
			stats[(s.lo+i)*a.heads+h] = softmax{w.max[i], 1 / w.sum[i]}
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

// open makes w.max and w.sum those of queries that have seen no key. The first block sets
// out.
func (a *attention) open(w *attentionScratch, out simd.View) {
	top, sum := grown(&w.max, out.Rows), grown(&w.sum, out.Rows)
	for i := range out.Rows {
		top[i], sum[i] = none, 0
	}
	w.begun = false
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
		m, s := simd.MaxExpSum(framed(probs.Row(i), lo, hi, none), top[i])
		if m > top[i] {
			if sum[i] > 0 { // some keys came before
				f := exp(top[i] - m)
				sum[i] = float32(sum[i] * f) // rounded, not fused with what is added
				simd.Scale(out.Row(i), f)
			}
			top[i] = m
		}
		sum[i] += s
	}
	b.mulKeys(out, probs, v, w.begun)
	w.begun = true
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
		for key := a.firstBlock(first); key < first+rows; key += keyBlock {
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

// mulKeys sets c = s·k, or adds to it, s being of the block's size, c the rows' and k
// (keys×D) the sequence's.
func (b block) mulKeys(c, s, k simd.View, add bool) {
	mul := product(add)
	b.strips(func(lo, hi, keys int) {
		mul(c.Slice(lo, hi), s.Slice(lo, hi).Columns(0, keys), k.Slice(b.key, b.key+keys))
	})
}

// product is Mul or AddMul.
func product(add bool) func(c, a, b simd.View) {
	if add {
		return simd.AddMul
	}
	return simd.Mul
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
