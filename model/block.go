package model

import "example.com/finetune/simd"

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

// An attend sets out (T×H·D) to block l's attention of rotated rows qkv.
type attend func(l int, k *kept, out, qkv simd.View)

// blockForward sets y (T×C), the output of block l for x, and k. y may be x itself,
// whose values are then gone.
func (e *Engine) blockForward(l int, k *kept, x, y simd.View, f attend) {
	e.blockInner(l, k, x, f)
	sum := e.rows(&e.scratch.sum, x.Rows, x.Cols)
	e.mlpOut(l, k, sum)
	e.addForward(y, matrix(k.mid, x.Rows, x.Cols), sum)
}

// blockInner is blockForward up to gate and up.
func (e *Engine) blockInner(l int, k *kept, x simd.View, f attend) {
	b, c, s, T := &e.m.Blocks[l], e.m.Config, &e.scratch, x.Rows
	sum := e.rows(&s.sum, T, c.HiddenSize)
	qkv := e.rows(&k.qkv, T, e.qkvWidth)
	out := e.rows(&k.out, T, e.qWidth)
	mid := e.rows(&k.mid, T, c.HiddenSize)
	gu := e.rows(&k.gu, T, 2*c.IntermediateSize)

	e.project(QKV, qkv, e.normed(x, b.InputNorm), b.QKV...)
	e.rotateForward(l, k, qkv)
	e.Profile.At(Attention)
	f(l, k, out, qkv)
	e.outForward(Output, sum, out, b.O, &k.o, b.PostNorm)
	e.addForward(mid, x, sum)
	e.project(MLP, gu, e.normed(mid, b.MLPNorm), b.GateUp...)
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
			simd.RMSNormBackward(d.Row(t), dsum.Row(t), y.Row(t), norm, simd.RMSNormScale(y.Row(t), e.m.Config.RMSNormEps))
		}
		if s != 0 {
			simd.Scale(d.Row(t), float32(s))
		}
	})
	return d
}

// blockBackward turns dx from the gradient of the block's output into that of
// its input x, in place. In the lowest adapted block it stops where no adapter is
// left, and dx has no meaning afterwards.
func (e *Engine) blockBackward(l int, k *kept, x, dx simd.View, lowest bool) {
	b, c, s, T := &e.m.Blocks[l], e.m.Config, &e.scratch, dx.Rows
	F := c.IntermediateSize
	mid, gu := matrix(k.mid, T, c.HiddenSize), matrix(k.gu, T, 2*F)
	act := e.rows(&s.act, T, F)
	dact := e.rows(&s.dact, T, F)

	inAttention := e.adapted(b.QKV...) || e.adapted(b.O)
	if lowest && !inAttention && !e.adapted(b.GateUp...) {
		dact.Data = nil
	}
	if e.adapted(b.Down) { // nothing else reads a projection's input
		e.gateForward(act, gu)
	}
	e.projectBackward(MLP, dact, e.outBackward(dx, k.down, b.MLPPostNorm), act, b.Down) // y = mid + down(act)
	if dact.Data == nil {
		return
	}
	e.gateBackward(gu, dact) // gu is its own gradient from here on
	dnorm := e.rows(&s.sum, T, c.HiddenSize)
	if lowest && !inAttention {
		dnorm.Data = nil
	}
	e.projectBackward(MLP, dnorm, gu, e.normedAgain(mid, b.MLPNorm, b.GateUp...), b.GateUp...)
	if dnorm.Data == nil {
		return
	}
	e.normBackward(dx, dnorm, mid, b.MLPNorm)
	e.attentionHalfBackward(l, k, x, dx, lowest)
}

// attentionHalfBackward is the rest of blockBackward: mid = x + o(attention(x)).
func (e *Engine) attentionHalfBackward(l int, k *kept, x, dx simd.View, lowest bool) {
	b, c, s, T := &e.m.Blocks[l], e.m.Config, &e.scratch, dx.Rows
	qkv, out := matrix(k.qkv, T, e.qkvWidth), matrix(k.out, T, e.qWidth)
	dout := e.rows(&s.dout, T, e.qWidth)

	if lowest && !e.adapted(b.QKV...) {
		dout.Data = nil
	}
	e.projectBackward(Output, dout, e.outBackward(dx, k.o, b.PostNorm), out, b.O)
	if dout.Data == nil {
		return
	}
	dqkv := e.rows(&s.dqkv, T, e.qkvWidth)
	e.Profile.At(Attention)
	a := e.attention.of(c.Layers[l])
	e.Profile.count(Attention, 4*a.multiplications(e.starts)) // dv, dp, dq and dk
	a.backward(e.pool, dqkv, dout, out, k.softmax, qkv, e.starts)
	e.rotateBackward(l, k, dqkv)
	dnorm := e.rows(&s.sum, T, c.HiddenSize)
	if lowest {
		dnorm.Data = nil
	}
	e.projectBackward(QKV, dnorm, dqkv, e.normedAgain(x, b.InputNorm, b.QKV...), b.QKV...)
	if dnorm.Data != nil {
		e.normBackward(dx, dnorm, x, b.InputNorm)
	}
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
		rstd := simd.RMSNormScale(x.Row(t), e.m.Config.RMSNormEps)
		simd.RMSNormBackward(dx.Row(t), dy.Row(t), x.Row(t), w, rstd)
	})
}

// rotateForward norms, where the block has norms for them, and rotates the q and k
// heads of qkv in place.
func (e *Engine) rotateForward(l int, k *kept, qkv simd.View) {
	e.Profile.At(Elementwise)
	b, rotary := &e.m.Blocks[l], e.rotaries[l]
	width := e.qkvWidth - e.kvWidth // q and k
	var qk simd.View
	if b.QNorm != nil {
		qk = e.rows(&k.qk, qkv.Rows, width)
	}
	e.pool.Range(qkv.Rows, rowGrain, func(_, lo, hi int) {
		for t := lo; t < hi; t++ {
			row := qkv.Row(t)[:width]
			if b.QNorm != nil {
				copy(qk.Row(t), row)
				e.headNorms(b, row)
			}
			rotary.rotate(row, e.positions[t], e.lengths[t])
		}
	})
}

// headNorms norms the q and k heads of row: as many values together as a norm has weights.
func (e *Engine) headNorms(b *Block, row []float32) {
	for at := 0; at < len(row); {
		w := b.norm(at, e.qWidth)
		x := row[at : at+len(w)]
		simd.RMSNorm(x, x, w, e.m.Config.RMSNormEps)
		at += len(w)
	}
}

// norm returns the norm of the q or k values from a column on; q's are the first ones.
func (b *Block) norm(column, qWidth int) []float32 {
	if column < qWidth {
		return b.QNorm
	}
	return b.KNorm
}

// rotateBackward replaces the q and k gradients in dqkv by those before rotateForward.
func (e *Engine) rotateBackward(l int, k *kept, dqkv simd.View) {
	e.Profile.At(Elementwise)
	b, rotary := &e.m.Blocks[l], e.rotaries[l]
	width := e.qkvWidth - e.kvWidth
	var qk simd.View
	if b.QNorm != nil {
		qk = matrix(k.qk, dqkv.Rows, width)
	}
	e.pool.Range(dqkv.Rows, rowGrain, func(_, lo, hi int) {
		buf := make([]float32, max(len(b.QNorm), len(b.KNorm)))
		for t := lo; t < hi; t++ {
			row := dqkv.Row(t)[:width]
			rotary.rotateBackward(row, e.positions[t], e.lengths[t])
			if b.QNorm == nil {
				continue
			}
			for at := 0; at < width; {
				w := b.norm(at, e.qWidth)
				x, dx, dy := qk.Row(t)[at:at+len(w)], row[at:at+len(w)], buf[:len(w)]
				copy(dy, dx)
				clear(dx)
				simd.RMSNormBackward(dx, dy, x, w, simd.RMSNormScale(x, e.m.Config.RMSNormEps))
				at += len(w)
			}
		}
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

// addForward sets y = x + f.
func (e *Engine) addForward(y, x, f simd.View) {
	e.eachRow(y.Rows, func(t int) {
		copy(y.Row(t), x.Row(t))
		simd.Add(y.Row(t), f.Row(t))
	})
}
