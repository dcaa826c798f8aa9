package model

import "example.com/finetune/simd"

// A Linear is a frozen projection y = x·Wᵀ + bias, with an adapter beside it
// where one is set.
type Linear struct {
	Name    string      // such as model.layers.0.self_attn.q_proj
	W       simd.Matrix // Out×In
	Bias    []float32   // Out, or nil
	Adapter Adapter
}

// An Adapter is what a Linear adds to its frozen weight: a LoRA layer, or a
// recorder that only watches the gradient go by.
type Adapter interface {
	// Forward adds the adapter's output for x (T×In) to y (T×Out).
	Forward(p *simd.Pool, y, x simd.View)
	// Backward adds to dx (T×In) and to the adapter's own gradients, given dy
	// (T×Out). It follows the Forward call for the same x. dx.Data is nil where
	// nothing below wants it.
	Backward(p *simd.Pool, dx, dy, x simd.View)
}

// project sets y = x·[W₀;W₁;…]ᵀ + bias and lets the adapters add to it. The
// outputs of the linears lie side by side in y.
func (e *Engine) project(part Part, y, x simd.View, ls ...*Linear) {
	e.Profile.At(part)
	e.Profile.count(part, x.Rows*x.Cols*y.Cols)
	ws := make([]simd.Matrix, len(ls))
	biased := false
	for i, l := range ls {
		ws[i] = l.W
		biased = biased || l.Bias != nil
	}
	if biased {
		for i := range y.Rows {
			setBias(y.Row(i), ls)
		}
		e.products.AddMulNT(y, x, ws...)
	} else {
		e.products.MulNT(y, x, ws...)
	}
	col := 0
	for _, l := range ls {
		if l.Adapter != nil {
			e.Profile.At(Adapters)
			l.Adapter.Forward(e.pool, y.Columns(col, col+l.W.Rows), x)
		}
		col += l.W.Rows
	}
}

func setBias(row []float32, ls []*Linear) {
	for _, l := range ls {
		if l.Bias == nil {
			clear(row[:l.W.Rows])
		} else {
			copy(row, l.Bias)
		}
		row = row[l.W.Rows:]
	}
}

// projectBackward sets dx = dy·[W₀;W₁;…] and lets the adapters add to it and to
// their gradients. Without dx.Data only the adapters' gradients are wanted.
func (e *Engine) projectBackward(part Part, dx, dy, x simd.View, ls ...*Linear) {
	e.Profile.At(part)
	if dx.Data != nil {
		ws := make([]simd.Matrix, len(ls))
		for i, l := range ls {
			ws[i] = l.W
		}
		e.products.MulNN(dx, dy, ws...)
		e.Profile.count(part, dx.Rows*dx.Cols*dy.Cols)
	}
	col := 0
	for _, l := range ls {
		if l.Adapter != nil {
			e.Profile.At(Adapters)
			l.Adapter.Backward(e.pool, dx, dy.Columns(col, col+l.W.Rows), x)
		}
		col += l.W.Rows
	}
}

func adapted(ls ...*Linear) bool {
	for _, l := range ls {
		if l.Adapter != nil {
			return true
		}
	}
	return false
}
