package model

import (
	"slices"

	"example.com/finetune/simd"
)

// kept is what a block's backward pass needs of its forward pass besides its input.
type kept struct {
	qk      []float32 // T×(H+KV)·D before norm and rotation, with QK norm only
	qkv     []float32 // T×(H+2KV)·D, rotated
	out     []float32 // T×H·D, attention output
	softmax []softmax // T×H, attention's
	o       []float32 // T×C, o's output, with a norm behind it only
	mid     []float32 // T×C, input of the MLP half
	gu      []float32 // T×2F, gate and up
	down    []float32 // T×C, down's output, with a norm behind it only
}

// rowGrain is the number of rows an elementwise task takes.
const rowGrain = 8

// The last block's output is asked for of some rows alone, N of T: those that predict a
// target. Only they have queries there, and all that follows from them; its keys and values
// are still those of all rows. In the other blocks N is T. What has N rows lies together, the
// queries in the first N rows of q's columns.

// An attend sets out (N×H·D) to block l's attention of rotated rows qkv.
type attend func(l int, k *kept, out, qkv simd.View)

// blockForward sets the first N rows of y, the output of block l for x (T×C) and its norm,
// and k. It returns y's norm, of the block that follows. y may be x itself, whose values are
// then gone.
func (e *Engine) blockForward(l int, k *kept, x, norm, y simd.View, f attend) simd.View {
	e.blockInner(l, k, x, norm, f)
	N := e.queriesOf(l, x.Rows)
	sum := e.rows(&e.scratch.sum, N, x.Cols)
	e.mlpOut(l, k, sum)
	return e.addNormed(y.Slice(0, N), matrix(k.mid, N, x.Cols), sum, e.m.inputNorm(l+1))
}

// top reports whether block l is the last, and asked for some of T rows only.
func (e *Engine) top(l, T int) bool {
	return l == len(e.m.Blocks)-1 && len(e.laid.asked) < T
}

// queriesOf returns N of block l.
func (e *Engine) queriesOf(l, T int) int {
	if e.top(l, T) {
		return len(e.laid.asked)
	}
	return T
}

// pick returns the rows of x that the last block is asked for, in buf.
func (e *Engine) pick(buf *[]float32, x simd.View) simd.View {
	y := e.rows(buf, len(e.laid.asked), x.Cols)
	for i, row := range e.laid.asked {
		copy(y.Row(i), x.Row(row))
	}
	return y
}

// spread puts the first rows of x, which pick would return, where they belong, and clears
// the others.
func (e *Engine) spread(x simd.View) {
	end := x.Rows
	for i := len(e.laid.asked) - 1; i >= 0; i-- {
		row := e.laid.asked[i]
		x.Slice(row+1, end).Clear()
		copy(x.Row(row), x.Row(i))
		end = row
	}
	x.Slice(0, end).Clear()
}

// blockInner is blockForward up to gate and up.
func (e *Engine) blockInner(l int, k *kept, x, norm simd.View, f attend) {
	b, c, s, T := &e.m.Blocks[l], e.m.Config, &e.scratch, x.Rows
	N := e.queriesOf(l, T)
	sum := e.rows(&s.sum, N, c.HiddenSize)
	qkv := e.rows(&k.qkv, T, e.qkvWidth)
	out := e.rows(&k.out, N, e.qWidth)
	mid := e.rows(&k.mid, N, c.HiddenSize)
	gu := e.rows(&k.gu, N, 2*c.IntermediateSize)

	if e.top(l, T) {
		e.askedForward(qkv, norm, b.QKV)
		x = e.pick(&k.mid, x)
	} else {
		e.project(QKV, qkv, norm, b.QKV...)
	}
	e.rotateForward(l, k, qkv)
	e.Profile.At(Attention)
	f(l, k, out, qkv)
	e.outForward(Output, sum, out, b.O, &k.o, b.PostNorm)
	e.project(MLP, gu, e.addNormed(mid, x, sum, b.MLPNorm), b.GateUp...)
}

// mlpOut sets sum to what block l's MLP adds, from k's gate and up.
func (e *Engine) mlpOut(l int, k *kept, sum simd.View) {
	b, F, T := &e.m.Blocks[l], e.m.Config.IntermediateSize, sum.Rows
	act := e.rows(&e.scratch.act, T, F)
	e.gateForward(act, matrix(k.gu, T, 2*F))
	e.outForward(MLP, sum, act, b.Down, &k.down, b.MLPPostNorm)
}

// outForward sets sum to what a half of a block adds: the norm of its last projection of
// x, where there is one, times the family's scale. keep is for the norm's backward pass.
func (e *Engine) outForward(part Part, sum, x simd.View, l *Linear, keep *[]float32, norm []float32) {
	if norm == nil {
		e.project(part, sum, x, l)
	} else {
		y := e.rows(keep, sum.Rows, sum.Cols)
		e.project(part, y, x, l)
		e.normForward(sum, y, norm)
	}
	if s := e.m.Config.ResidualScale; s != 0 {
		e.eachRow(sum.Rows, func(t int) { simd.Scale(sum.Row(t), float32(s)) })
	}
}

// outBackward returns the gradient of the last projection of a half, given dsum, that of
// outForward's sum: dsum itself, or other rows where there is a norm or a scale.
func (e *Engine) outBackward(dsum simd.View, keep, norm []float32) simd.View {
	s := e.m.Config.ResidualScale
	if norm == nil && s == 0 {
		return dsum
	}
	d, y := e.rows(&e.scratch.sum, dsum.Rows, dsum.Cols), matrix(keep, dsum.Rows, dsum.Cols)
	e.eachRow(d.Rows, func(t int) {
		if norm == nil {
			copy(d.Row(t), dsum.Row(t))
		} else {
			clear(d.Row(t))
			simd.RMSNormBackward(d.Row(t), dsum.Row(t), y.Row(t), norm, e.m.Config.RMSNormEps)
		}
		if s != 0 {
			simd.Scale(d.Row(t), float32(s))
		}
	})
	return d
}

// blockBackward turns dx (T×C) from the gradient of the block's output, in its first N rows,
// into that of its input x, in place. In the lowest adapted block it stops where no adapter
// is left, and dx has no meaning afterwards.
func (e *Engine) blockBackward(l int, k *kept, x, dx simd.View, lowest bool) {
	b, c, s, N := &e.m.Blocks[l], e.m.Config, &e.scratch, e.queriesOf(l, dx.Rows)
	F, dy := c.IntermediateSize, dx.Slice(0, N)
	mid, gu := matrix(k.mid, N, c.HiddenSize), matrix(k.gu, N, 2*F)
	act := e.rows(&s.act, N, F)
	dact := e.rows(&s.dact, N, F)

	inAttention := e.adapted(b.QKV...) || e.adapted(b.O)
	if lowest && !inAttention && !e.adapted(b.GateUp...) {
		dact.Data = nil
	}
	if e.adapted(b.Down) { // nothing else reads a projection's input
		e.gateForward(act, gu)
	}
	e.projectBackward(MLP, dact, e.outBackward(dy, k.down, b.MLPPostNorm), act, b.Down) // y = mid + down(act)
	if dact.Data == nil {
		return
	}
	e.gateBackward(gu, dact) // gu is its own gradient from here on
	dnorm := e.rows(&s.sum, N, c.HiddenSize)
	if lowest && !inAttention {
		dnorm.Data = nil
	}
	e.projectBackward(MLP, dnorm, gu, e.normedAgain(mid, b.MLPNorm, b.GateUp...), b.GateUp...)
	if dnorm.Data == nil {
		return
	}
	e.normBackward(dy, dnorm, mid, b.MLPNorm)
	e.attentionHalfBackward(l, k, x, dx, lowest)
}

// attentionHalfBackward is the rest of blockBackward: mid = x + o(attention(x)).
func (e *Engine) attentionHalfBackward(l int, k *kept, x, dx simd.View, lowest bool) {
	b, c, s, T := &e.m.Blocks[l], e.m.Config, &e.scratch, dx.Rows
	N := e.queriesOf(l, T)
	qkv, out := matrix(k.qkv, T, e.qkvWidth), matrix(k.out, N, e.qWidth)
	dout := e.rows(&s.dout, N, e.qWidth)

	if lowest && !e.adapted(b.QKV...) {
		dout.Data = nil
	}
	e.projectBackward(Output, dout, e.outBackward(dx.Slice(0, N), k.o, b.PostNorm), out, b.O)
	if dout.Data == nil {
		return
	}
	dqkv := e.rows(&s.dqkv, T, e.qkvWidth)
	e.Profile.At(Attention)
	a, texts := e.attention.of(c.Layers[l]), e.textsOf(l, T)
	e.Profile.count(Attention, 4*a.multiplications(texts.queries)) // dv, dp, dq and dk
	a.backward(e.pool, dqkv, dout, out, k.softmax, qkv, e.prefix.keys(l), e.prefix.gradients(l), texts)
	e.rotateBackward(l, k, dqkv)
	dnorm := e.rows(&s.sum, T, c.HiddenSize)
	if lowest {
		dnorm.Data = nil
	}
	norm := e.normedAgain(x, b.InputNorm, b.QKV...)
	if e.top(l, T) {
		e.spread(dx)
		e.askedBackward(dnorm, dqkv, norm, b.QKV)
	} else {
		e.projectBackward(QKV, dnorm, dqkv, norm, b.QKV...)
	}
	if dnorm.Data != nil {
		e.normBackward(dx, dnorm, x, b.InputNorm)
	}
}

// askedForward is project of q, k and v where some rows alone have queries.
func (e *Engine) askedForward(qkv, x simd.View, ls []*Linear) {
	q := qkv.Columns(0, e.qWidth)
	if len(ls) == 1 { // they are one projection
		e.project(QKV, qkv, x, ls...)
		for i, row := range e.laid.asked {
			copy(q.Row(i), q.Row(row))
		}
		return
	}
	e.project(QKV, qkv.Columns(e.qWidth, e.qkvWidth), x, ls[1:]...)
	e.project(QKV, q.Slice(0, len(e.laid.asked)), e.pick(&e.scratch.act, x), ls[0])
}

// askedBackward is projectBackward of q, k and v where some rows alone have queries. Every
// element of dx adds up in the same order as there.
func (e *Engine) askedBackward(dx, dqkv, x simd.View, ls []*Linear) {
	s, N := &e.scratch, len(e.laid.asked)
	if len(ls) == 1 {
		e.spread(dqkv.Columns(0, e.qWidth))
		e.projectBackward(QKV, dx, dqkv, x, ls...)
		return
	}
	dq, dkv := dqkv.Slice(0, N).Columns(0, e.qWidth), dqkv.Columns(e.qWidth, e.qkvWidth)
	if dx.Data != nil {
		e.productBackward(QKV, dx.Slice(0, N), dq, false, ls[:1])
		e.spread(dx)
		e.productBackward(QKV, dx, dkv, true, ls[1:])
	}
	if e.adapted(ls[0]) {
		some := simd.View{}
		if dx.Data != nil {
			some = e.pick(&s.dact, dx)
		}
		e.adaptersBackward(some, dq, e.pick(&s.act, x), ls[:1])
		for i := range some.Rows {
			copy(dx.Row(e.laid.asked[i]), some.Row(i))
		}
	}
	e.adaptersBackward(dx, dkv, x, ls[1:])
}

// eachRow calls f for rows 0 to n-1 of an elementwise operation.
func (e *Engine) eachRow(n int, f func(t int)) {
	e.Profile.At(Elementwise)
	e.pool.Range(n, rowGrain, func(_, lo, hi int) {
		for t := lo; t < hi; t++ {
			f(t)
		}
	})
}

// normed returns the RMS norm of x in scratch rows; x itself where there is no norm.
func (e *Engine) normed(x simd.View, w []float32) simd.View {
	if w == nil {
		return x
	}
	y := e.rows(&e.scratch.norm, x.Rows, x.Cols)
	e.normForward(y, x, w)
	return y
}

// addNormed sets y = x + f and returns normed of y, a row at a time while it is in the cache.
func (e *Engine) addNormed(y, x, f simd.View, w []float32) simd.View {
	norm := y
	if w != nil {
		norm = e.rows(&e.scratch.norm, y.Rows, y.Cols)
	}
	e.eachRow(y.Rows, func(t int) {
		if w == nil {
			copy(y.Row(t), x.Row(t))
			simd.Add(y.Row(t), f.Row(t))
			return
		}
		simd.AddRMSNorm(norm.Row(t), y.Row(t), x.Row(t), f.Row(t), w, e.m.Config.RMSNormEps)
	})
	return norm
}

// normedAgain returns normed for the backward pass of ls, whose adapters alone read it:
// no rows where there are none.
func (e *Engine) normedAgain(x simd.View, w []float32, ls ...*Linear) simd.View {
	if !e.adapted(ls...) {
		return simd.View{}
	}
	return e.normed(x, w)
}

// normForward sets each row of y to the RMS norm of the row of x.
func (e *Engine) normForward(y, x simd.View, w []float32) {
	e.eachRow(x.Rows, func(t int) { simd.RMSNorm(y.Row(t), x.Row(t), w, e.m.Config.RMSNormEps) })
}

// normBackward adds to dx the gradient of y = norm(x), given dy; without a norm dy itself.
func (e *Engine) normBackward(dx, dy, x simd.View, w []float32) {
	e.eachRow(x.Rows, func(t int) {
		if w == nil {
			simd.Add(dx.Row(t), dy.Row(t))
			return
		}
		simd.RMSNormBackward(dx.Row(t), dy.Row(t), x.Row(t), w, e.m.Config.RMSNormEps)
	})
}

// rotateForward norms, where the block has norms for them, and rotates the q and k
// heads of qkv in place. As many values are normed together as a norm has weights.
func (e *Engine) rotateForward(l int, k *kept, qkv simd.View) {
	e.eachHeads(l, k, qkv, func(x, qk simd.View, w []float32, positions []position) {
		for t := range x.Rows {
			row := x.Row(t)
			if w != nil {
				copy(qk.Row(t), row)
				for part := range slices.Chunk(row, len(w)) {
					simd.RMSNorm(part, part, w, e.m.Config.RMSNormEps)
				}
			}
			e.rotaries[l].rotate(row, positions[t])
		}
	})
}

// rotateBackward replaces the q and k gradients in dqkv by those before rotateForward.
func (e *Engine) rotateBackward(l int, k *kept, dqkv simd.View) {
	e.eachHeads(l, k, dqkv, func(dx, qk simd.View, w []float32, positions []position) {
		dy := make([]float32, len(w))
		for t := range dx.Rows {
			e.rotaries[l].rotateBackward(dx.Row(t), positions[t])
			for i, d := 0, len(w); w != nil && i < dx.Cols; i += d {
				x, dx := qk.Row(t)[i:i+d], dx.Row(t)[i:i+d]
				copy(dy, dx)
				clear(dx)
				simd.RMSNormBackward(dx, dy, x, w, e.m.Config.RMSNormEps)
			}
		}
	})
}

// eachHeads calls f with rows of the q heads of qkv (N rows), and of its k heads (T rows),
// their rows in k.qk and weights where the block norms them, and their positions.
func (e *Engine) eachHeads(l int, k *kept, qkv simd.View, f func(x, qk simd.View, w []float32, positions []position)) {
	e.Profile.At(Elementwise)
	b, T, end := &e.m.Blocks[l], qkv.Rows, e.qkvWidth-e.kvWidth
	var qk simd.View
	if b.QNorm != nil {
		qk = e.rows(&k.qk, T, end)
	}
	heads := func(lo, hi, first, last int, w []float32, positions []position) {
		if hi = min(hi, len(positions)); lo >= hi {
			return
		}
		part := qk
		if w != nil {
			part = qk.Slice(lo, hi).Columns(first, last)
		}
		f(qkv.Slice(lo, hi).Columns(first, last), part, w, positions[lo:hi])
	}
	positions := e.laid.positions
	if e.top(l, T) {
		positions = e.laid.askedPositions
	}
	e.pool.Range(T, rowGrain, func(_, lo, hi int) {
		heads(lo, hi, 0, e.qWidth, b.QNorm, positions)
		heads(lo, hi, e.qWidth, end, b.KNorm, e.laid.positions)
	})
}

// gateForward sets act = a(gate)·up.
func (e *Engine) gateForward(act, gu simd.View) {
	F, f := act.Cols, simd.SiLUMul
	if e.m.Config.Activation == GELUTanh {
		f = simd.GELUMul
	}
	e.eachRow(act.Rows, func(t int) { f(act.Row(t), gu.Row(t)[:F], gu.Row(t)[F:]) })
}

// gateBackward replaces gate and up by their gradients, given dact.
func (e *Engine) gateBackward(gu, dact simd.View) {
	F, f := dact.Cols, simd.SiLUMulBackward
	if e.m.Config.Activation == GELUTanh {
		f = simd.GELUMulBackward
	}
	e.eachRow(dact.Rows, func(t int) {
		gate, up := gu.Row(t)[:F], gu.Row(t)[F:]
		f(gate, up, dact.Row(t), gate, up)
	})
}
