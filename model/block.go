package model

import "example.com/finetune/simd"

// kept is what a block's backward pass needs of its forward pass besides its input.
type kept struct {
	qk      []float32 // T×(H+KV)·D before norm and rotation, with QK norm only
	qkv     []float32 // T×(H+2KV)·D, rotated
	out     []float32 // T×H·D, attention output
	softmax []softmax // T×H, attention's
	mid     []float32 // T×C, input of the MLP half
	gu      []float32 // T×2F, gate and up
}

// rowGrain is the number of rows an elementwise task takes.
const rowGrain = 8

// The last block's output is asked for of some rows alone, N of T: those that predict a
// target. Only they have queries there, and all that follows from them; its keys and values
// are still those of all rows. In the other blocks N is T. What has N rows lies together, the
// queries in the first N rows of q's columns.

// An attend sets out (N×H·D) to block l's attention of rotated rows qkv.
type attend func(l int, k *kept, out, qkv simd.View)

// blockForward sets the first N rows of y, the output of block l for x (T×C), and k. y may be
// x itself, whose values are then gone.
func (e *Engine) blockForward(l int, k *kept, x, y simd.View, f attend) {
	e.blockInner(l, k, x, f)
	c, s, N := e.m.Config, &e.scratch, e.queriesOf(l, x.Rows)
	act := e.rows(&s.act, N, c.IntermediateSize)
	sum := e.rows(&s.sum, N, c.HiddenSize)
	e.siluForward(act, matrix(k.gu, N, 2*c.IntermediateSize))
	e.project(MLP, sum, act, e.m.Blocks[l].Down)
	e.addForward(y.Slice(0, N), matrix(k.mid, N, c.HiddenSize), sum)
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

// blockInner is blockForward up to k.
func (e *Engine) blockInner(l int, k *kept, x simd.View, f attend) {
	b, c, s, T := &e.m.Blocks[l], e.m.Config, &e.scratch, x.Rows
	N := e.queriesOf(l, T)
	norm := e.rows(&s.norm, T, c.HiddenSize)
	sum := e.rows(&s.sum, N, c.HiddenSize)
	qkv := e.rows(&k.qkv, T, e.qkvWidth)
	out := e.rows(&k.out, N, e.qWidth)
	mid := e.rows(&k.mid, N, c.HiddenSize)
	gu := e.rows(&k.gu, N, 2*c.IntermediateSize)

	e.normForward(norm, x, b.InputNorm)
	if e.top(l, T) {
		e.project(QKV, qkv.Columns(e.qWidth, e.qkvWidth), norm, b.QKV[1:]...)
		e.project(QKV, qkv.Slice(0, N).Columns(0, e.qWidth), e.pick(&s.act, norm), b.QKV[0])
		x = e.pick(&k.mid, x)
	} else {
		e.project(QKV, qkv, norm, b.QKV...)
	}
	e.rotateForward(l, k, qkv)
	e.Profile.At(Attention)
	f(l, k, out, qkv)
	e.project(Output, sum, out, b.O)
	e.addForward(mid, x, sum)
	norm = norm.Slice(0, N)
	e.normForward(norm, mid, b.MLPNorm)
	e.project(MLP, gu, norm, b.GateUp...)
}

// blockBackward turns dx (T×C) from the gradient of the block's output, in its first N rows,
// into that of its input x, in place. In the lowest adapted block it stops where no adapter
// is left, and dx has no meaning afterwards.
func (e *Engine) blockBackward(l int, k *kept, x, dx simd.View, lowest bool) {
	b, c, s, N := &e.m.Blocks[l], e.m.Config, &e.scratch, e.queriesOf(l, dx.Rows)
	F, dy := c.IntermediateSize, dx.Slice(0, N)
	mid, gu := matrix(k.mid, N, c.HiddenSize), matrix(k.gu, N, 2*F)
	norm := e.rows(&s.norm, N, c.HiddenSize)
	dnorm := e.rows(&s.sum, N, c.HiddenSize)
	act := e.rows(&s.act, N, F)
	dact := e.rows(&s.dact, N, F)

	inAttention := e.adapted(b.QKV...) || e.adapted(b.O)
	if lowest && !inAttention && !e.adapted(b.GateUp...) {
		dact.Data = nil
	}
	e.siluForward(act, gu)
	e.projectBackward(MLP, dact, dy, act, b.Down) // y = mid + down(act)
	if dact.Data == nil {
		return
	}
	e.siluBackward(gu, dact) // act = silu(gate)·up; gu is its own gradient from here on
	if lowest && !inAttention {
		dnorm.Data = nil
	}
	e.normForward(norm, mid, b.MLPNorm)
	e.projectBackward(MLP, dnorm, gu, norm, b.GateUp...)
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
	norm := e.rows(&s.norm, T, c.HiddenSize)
	dnorm := e.rows(&s.sum, T, c.HiddenSize)
	dout := e.rows(&s.dout, N, e.qWidth)

	if lowest && !e.adapted(b.QKV...) {
		dout.Data = nil
	}
	e.projectBackward(Output, dout, dx.Slice(0, N), out, b.O)
	if dout.Data == nil {
		return
	}
	dqkv := e.rows(&s.dqkv, T, e.qkvWidth)
	e.Profile.At(Attention)
	a, texts := e.attention.of(c.Layers[l]), e.textsOf(l, T)
	e.Profile.count(Attention, 4*a.multiplications(texts.queries)) // dv, dp, dq and dk
	a.backward(e.pool, dqkv, dout, out, k.softmax, qkv, e.prefix.keys(l), e.prefix.gradients(l), texts)
	e.rotateBackward(l, k, dqkv)
	if lowest {
		dnorm.Data = nil
	}
	e.normForward(norm, x, b.InputNorm)
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

// askedBackward is projectBackward of q, k and v where some rows alone have queries. Every
// element of dx adds up in the same order as there.
func (e *Engine) askedBackward(dx, dqkv, x simd.View, ls []*Linear) {
	s, N := &e.scratch, len(e.laid.asked)
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

// normForward sets each row of y to the RMS norm of the row of x.
func (e *Engine) normForward(y, x simd.View, w []float32) {
	e.Profile.At(Elementwise)
	e.pool.Range(x.Rows, rowGrain, func(_, lo, hi int) {
		for t := lo; t < hi; t++ {
			simd.RMSNorm(y.Row(t), x.Row(t), w, e.m.Config.RMSNormEps)
		}
	})
}

// normBackward adds to dx the gradient of y = norm(x), given dy, which it uses up.
func (e *Engine) normBackward(dx, dy, x simd.View, w []float32) {
	e.Profile.At(Elementwise)
	e.pool.Range(x.Rows, rowGrain, func(_, lo, hi int) {
		for t := lo; t < hi; t++ {
			rstd := simd.RMSNormScale(x.Row(t), e.m.Config.RMSNormEps)
			simd.RMSNormBackward(dx.Row(t), dy.Row(t), x.Row(t), w, rstd)
		}
	})
}

// rotateForward norms, where the block has norms for them, and rotates the q and k
// heads of qkv in place.
func (e *Engine) rotateForward(l int, k *kept, qkv simd.View) {
	e.eachHeads(l, k, qkv, func(x, qk simd.View, w []float32, positions []int) {
		for t := range x.Rows {
			row := x.Row(t)
			if w != nil {
				copy(qk.Row(t), row)
				for d := len(w); len(row) > 0; row = row[d:] {
					simd.RMSNorm(row[:d], row[:d], w, e.m.Config.RMSNormEps)
				}
			}
			e.rotaries[l].rotate(x.Row(t), positions[t])
		}
	})
}

// rotateBackward replaces the q and k gradients in dqkv by those before rotateForward.
func (e *Engine) rotateBackward(l int, k *kept, dqkv simd.View) {
	e.eachHeads(l, k, dqkv, func(dx, qk simd.View, w []float32, positions []int) {
		dy := make([]float32, len(w))
		for t := range dx.Rows {
			e.rotaries[l].rotateBackward(dx.Row(t), positions[t])
			for i, d := 0, len(w); w != nil && i < dx.Cols; i += d {
				x, dx := qk.Row(t)[i:i+d], dx.Row(t)[i:i+d]
				copy(dy, dx)
				clear(dx)
				simd.RMSNormBackward(dx, dy, x, w, simd.RMSNormScale(x, e.m.Config.RMSNormEps))
			}
		}
	})
}

// eachHeads calls f with rows of the q heads of qkv (N rows), and of its k heads (T rows),
// their rows in k.qk and weights where the block norms them, and their positions.
func (e *Engine) eachHeads(l int, k *kept, qkv simd.View, f func(x, qk simd.View, w []float32, positions []int)) {
	e.Profile.At(Elementwise)
	b, T, end := &e.m.Blocks[l], qkv.Rows, e.qkvWidth-e.kvWidth
	var qk simd.View
	if b.QNorm != nil {
		qk = e.rows(&k.qk, T, end)
	}
	heads := func(lo, hi, first, last int, w []float32, positions []int) {
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

// siluForward sets act = silu(gate)·up.
func (e *Engine) siluForward(act, gu simd.View) {
	e.Profile.At(Elementwise)
	F := act.Cols
	e.pool.Range(act.Rows, rowGrain, func(_, lo, hi int) {
		for t := lo; t < hi; t++ {
			simd.SiLUMul(act.Row(t), gu.Row(t)[:F], gu.Row(t)[F:])
		}
	})
}

// siluBackward replaces gate and up by their gradients, given dact.
func (e *Engine) siluBackward(gu, dact simd.View) {
	e.Profile.At(Elementwise)
	F := dact.Cols
	e.pool.Range(dact.Rows, rowGrain, func(_, lo, hi int) {
		for t := lo; t < hi; t++ {
			gate, up := gu.Row(t)[:F], gu.Row(t)[F:]
			simd.SiLUMulBackward(gate, up, dact.Row(t), gate, up)
		}
	})
}

// addForward sets y = x + f.
func (e *Engine) addForward(y, x, f simd.View) {
	e.Profile.At(Elementwise)
	e.pool.Range(y.Rows, rowGrain, func(_, lo, hi int) {
		for t := lo; t < hi; t++ {
			copy(y.Row(t), x.Row(t))
			simd.Add(y.Row(t), f.Row(t))
		}
	})
}
