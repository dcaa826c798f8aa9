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

// An attend sets out (T×H·D) to block l's attention of rotated rows qkv.
type attend func(l int, k *kept, out, qkv simd.View)

// blockForward sets y (T×C), the output of block l for x, and k. y may be x itself,
// whose values are then gone.
func (e *Engine) blockForward(l int, k *kept, x, y simd.View, f attend) {
	e.blockInner(l, k, x, f)
	c, s, T := e.m.Config, &e.scratch, x.Rows
	act := e.rows(&s.act, T, c.IntermediateSize)
	sum := e.rows(&s.sum, T, c.HiddenSize)
	e.siluForward(act, matrix(k.gu, T, 2*c.IntermediateSize))
	e.project(MLP, sum, act, e.m.Blocks[l].Down)
	e.addForward(y, matrix(k.mid, T, c.HiddenSize), sum)
}

// blockInner is blockForward up to k.
func (e *Engine) blockInner(l int, k *kept, x simd.View, f attend) {
	b, c, s, T := &e.m.Blocks[l], e.m.Config, &e.scratch, x.Rows
	norm := e.rows(&s.norm, T, c.HiddenSize)
	sum := e.rows(&s.sum, T, c.HiddenSize)
	qkv := e.rows(&k.qkv, T, e.qkvWidth)
	out := e.rows(&k.out, T, e.qWidth)
	mid := e.rows(&k.mid, T, c.HiddenSize)
	gu := e.rows(&k.gu, T, 2*c.IntermediateSize)

	e.normForward(norm, x, b.InputNorm)
	e.project(QKV, qkv, norm, b.QKV...)
	e.rotateForward(l, k, qkv)
	e.Profile.At(Attention)
	f(l, k, out, qkv)
	e.project(Output, sum, out, b.O)
	e.addNormForward(norm, mid, x, sum, b.MLPNorm)
	e.project(MLP, gu, norm, b.GateUp...)
}

// blockBackward turns dx from the gradient of the block's output into that of
// its input x, in place. In the lowest adapted block it stops where no adapter is
// left, and dx has no meaning afterwards.
func (e *Engine) blockBackward(l int, k *kept, x, dx simd.View, lowest bool) {
	b, c, s, T := &e.m.Blocks[l], e.m.Config, &e.scratch, dx.Rows
	F := c.IntermediateSize
	mid, gu := matrix(k.mid, T, c.HiddenSize), matrix(k.gu, T, 2*F)
	norm := e.rows(&s.norm, T, c.HiddenSize)
	dnorm := e.rows(&s.sum, T, c.HiddenSize)
	act := e.rows(&s.act, T, F)
	dact := e.rows(&s.dact, T, F)

	inAttention := e.adapted(b.QKV...) || e.adapted(b.O)
	if lowest && !inAttention && !e.adapted(b.GateUp...) {
		dact.Data = nil
	}
	if e.adapted(b.Down) { // nothing else reads a projection's input
		e.siluForward(act, gu)
	}
	e.projectBackward(MLP, dact, dx, act, b.Down) // y = mid + down(act)
	if dact.Data == nil {
		return
	}
	e.siluBackward(gu, dact) // act = silu(gate)·up; gu is its own gradient from here on
	if lowest && !inAttention {
		dnorm.Data = nil
	}
	if e.adapted(b.GateUp...) {
		e.normForward(norm, mid, b.MLPNorm)
	}
	e.projectBackward(MLP, dnorm, gu, norm, b.GateUp...)
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
	norm := e.rows(&s.norm, T, c.HiddenSize)
	dnorm := e.rows(&s.sum, T, c.HiddenSize)
	dout := e.rows(&s.dout, T, e.qWidth)

	if lowest && !e.adapted(b.QKV...) {
		dout.Data = nil
	}
	e.projectBackward(Output, dout, dx, out, b.O)
	if dout.Data == nil {
		return
	}
	dqkv := e.rows(&s.dqkv, T, e.qkvWidth)
	e.Profile.At(Attention)
	a := e.attention.of(c.Layers[l])
	e.Profile.count(Attention, 4*a.multiplications(e.starts)) // dv, dp, dq and dk
	a.backward(e.pool, dqkv, dout, out, k.softmax, qkv, e.starts)
	e.rotateBackward(l, k, dqkv)
	if lowest {
		dnorm.Data = nil
	}
	if e.adapted(b.QKV...) {
		e.normForward(norm, x, b.InputNorm)
	}
	e.projectBackward(QKV, dnorm, dqkv, norm, b.QKV...)
	if dnorm.Data != nil {
		e.normBackward(dx, dnorm, x, b.InputNorm)
	}
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

// addNormForward sets each row of sum to that of x + f, and of y to its RMS norm.
func (e *Engine) addNormForward(y, sum, x, f simd.View, w []float32) {
	e.Profile.At(Elementwise)
	e.pool.Range(x.Rows, rowGrain, func(_, lo, hi int) {
		for t := lo; t < hi; t++ {
			copy(sum.Row(t), x.Row(t))
			simd.Add(sum.Row(t), f.Row(t))
			simd.RMSNorm(y.Row(t), sum.Row(t), w, e.m.Config.RMSNormEps)
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
			rotary.rotate(row, e.positions[t])
		}
	})
}

// headNorms norms each q and k head of row.
func (e *Engine) headNorms(b *Block, row []float32) {
	d := e.m.Config.HeadDim
	for h := 0; h*d < len(row); h++ {
		w := b.QNorm
		if h >= e.m.Config.NumAttentionHeads {
			w = b.KNorm
		}
		simd.RMSNorm(row[h*d:(h+1)*d], row[h*d:(h+1)*d], w, e.m.Config.RMSNormEps)
	}
}

// rotateBackward replaces the q and k gradients in dqkv by those before rotateForward.
func (e *Engine) rotateBackward(l int, k *kept, dqkv simd.View) {
	e.Profile.At(Elementwise)
	b, rotary := &e.m.Blocks[l], e.rotaries[l]
	width, d := e.qkvWidth-e.kvWidth, e.m.Config.HeadDim
	var qk simd.View
	if b.QNorm != nil {
		qk = matrix(k.qk, dqkv.Rows, width)
	}
	e.pool.Range(dqkv.Rows, rowGrain, func(_, lo, hi int) {
		dy := make([]float32, d)
		for t := lo; t < hi; t++ {
			row := dqkv.Row(t)[:width]
			rotary.rotateBackward(row, e.positions[t])
			if b.QNorm == nil {
				continue
			}
			for h := 0; h*d < width; h++ {
				w, x, dx := b.QNorm, qk.Row(t)[h*d:(h+1)*d], row[h*d:(h+1)*d]
				if h >= e.m.Config.NumAttentionHeads {
					w = b.KNorm
				}
				copy(dy, dx)
				clear(dx)
				simd.RMSNormBackward(dx, dy, x, w, simd.RMSNormScale(x, e.m.Config.RMSNormEps))
			}
		}
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
