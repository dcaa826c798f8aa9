package model

import (
	"fmt"

	"example.com/finetune/simd"
)

// A Decoder extends one text token by token, keeping keys and values.
type Decoder struct {
	e        *Engine
	capacity int
	n        int // tokens so far
	// Keys lie transposed and scaled, KV·D rows of paddedTokens(capacity) columns,
	// as attention reads them; values lie capacity×KV·D.
	keys, values [][]float32
	x            []float32 // of the new tokens, through the blocks
	work         kept
}

// NewDecoder returns an empty text of at most capacity tokens.
func NewDecoder(e *Engine, capacity int) *Decoder {
	d := &Decoder{e: e, capacity: capacity}
	for range e.m.Blocks {
		d.keys = append(d.keys, make([]float32, e.kvWidth*paddedTokens(capacity)))
		d.values = append(d.values, make([]float32, capacity*e.kvWidth))
	}
	e.growRotaries(capacity)
	return d
}

// Len returns the number of tokens so far, Capacity the most there may be.
func (d *Decoder) Len() int      { return d.n }
func (d *Decoder) Capacity() int { return d.capacity }

// Truncate forgets all tokens but the first n. What is appended then is computed as
// after a fresh start with those n.
func (d *Decoder) Truncate(n int) {
	if n < 0 || n > d.n {
		panic(fmt.Sprintf("model: Truncate to %d of %d tokens", n, d.n))
	}
	d.n = n
}

// Grow makes room for capacity tokens and keeps those that are there.
func (d *Decoder) Grow(capacity int) {
	if capacity <= d.capacity {
		return
	}
	from, to := paddedTokens(d.capacity), paddedTokens(capacity)
	for l := range d.keys {
		keys := make([]float32, d.e.kvWidth*to)
		for i := range d.e.kvWidth {
			copy(keys[i*to:], d.keys[l][i*from:i*from+d.n])
		}
		values := make([]float32, capacity*d.e.kvWidth)
		copy(values, d.values[l][:d.n*d.e.kvWidth])
		d.keys[l], d.values[l] = keys, values
	}
	d.capacity = capacity
	d.e.growRotaries(capacity)
}

// Append adds tokens and returns the logits (V) of what follows the last one.
// They stay valid until the next call of any method of the engine.
func (d *Decoder) Append(ids []int32) []float32 {
	if d.n+len(ids) > d.capacity || len(ids) == 0 {
		panic(fmt.Sprintf("model: Append of %d tokens to %d, capacity %d", len(ids), d.n, d.capacity))
	}
	e := d.e
	e.layText(ids, d.n)
	e.laid.askFor(len(ids) - 1)
	x := e.embed(&d.x)
	for l := range e.m.Blocks {
		e.blockForward(l, &d.work, x, x, func(l int, _ *kept, out, qkv simd.View) {
			d.remember(l, qkv)
			d.attend(l, out, qkv)
		})
	}
	d.n += len(ids)
	last := x.Slice(0, 1)
	e.normForward(last, last, e.m.Norm)
	logits := simd.Dense(grown(&e.scratch.head.logits, e.m.Config.VocabSize), 1, e.m.Config.VocabSize)
	e.products.MulNT(logits, last, e.m.LMHead)
	return logits.Row(0)
}

// remember stores the keys and values of qkv's rows.
func (d *Decoder) remember(l int, qkv simd.View) {
	e, stride := d.e, paddedTokens(d.capacity)
	for t := range qkv.Rows {
		row := qkv.Row(t)
		for i, v := range row[e.qWidth : e.qWidth+e.kvWidth] {
			d.keys[l][i*stride+d.n+t] = v * e.attention.scale
		}
		copy(d.values[l][(d.n+t)*e.kvWidth:], row[e.qWidth+e.kvWidth:])
	}
}

// attend sets out (N×H·D) for the new queries, or the last N of them, over all keys so far.
func (d *Decoder) attend(l int, out, qkv simd.View) {
	a, keys := d.e.attention.of(d.e.m.Config.Layers[l]), d.n+qkv.Rows
	kt := simd.Dense(d.keys[l], d.e.kvWidth, paddedTokens(d.capacity))
	vs := simd.Dense(d.values[l], keys, d.e.kvWidth)
	d.e.pool.Run(a.heads, func(worker, h int) {
		out, q := a.column(out, h), a.column(qkv, h)
		kv := a.kvOf(h)
		kt, v := kt.Slice(kv*a.d, (kv+1)*a.d), a.column(vs, kv)
		for lo := 0; lo < out.Rows; lo += queryBlock {
			hi := min(out.Rows, lo+queryBlock)
			a.attend(&a.workers[worker], out.Slice(lo, hi), q.Slice(lo, hi), kt, v, keys-out.Rows+lo)
		}
	})
}
