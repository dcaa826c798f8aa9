package model

import (
	"fmt"
	"slices"

	"example.com/finetune/simd"
)

// A Linear is a frozen projection y = x·Wᵀ + bias. An [Engine] may hold an adapter
// for it.
type Linear struct {
	Projection
	W    simd.Matrix // Out×In, as stored
	Bias []float32   // Out, or nil
}

// An Adapter is what an engine adds to a frozen projection: a low-rank module, or a
// recorder that only watches the gradient go by.
type Adapter interface {
	// Forward adds the adapter's output for x (T×In) to y (T×Out).
	Forward(p *simd.Pool, y, x simd.View)
	// Backward adds to dx (T×In) and to the adapter's own gradients, given dy
	// (T×Out). It follows the Forward call for the same x, or for one with further rows
	// behind its T. dx.Data is nil where nothing below wants it.
	Backward(p *simd.Pool, dx, dy, x simd.View)
}

// SetAdapters gives the engine the adapters it computes with from now on, one for each
// of the model's linears, by index, nil for none. A nil list leaves the base alone.
func (e *Engine) SetAdapters(adapters []Adapter) {
	if adapters != nil && len(adapters) != len(e.m.linears) {
		panic(fmt.Sprintf("model: %d adapters for %d linears", len(adapters), len(e.m.linears)))
	}
	e.adapters = adapters
}

// Adapters returns what SetAdapters was given.
func (e *Engine) Adapters() []Adapter { return e.adapters }

// adapter returns that of l, or nil.
func (e *Engine) adapter(l *Linear) Adapter {
	if e.adapters == nil {
		return nil
	}
	return e.adapters[l.Index]
}

// adapted reports whether any of some linears has an adapter.
func (e *Engine) adapted(ls ...*Linear) bool {
	return slices.ContainsFunc(ls, func(l *Linear) bool { return e.adapter(l) != nil })
}

// project sets y = x·[W₀;W₁;…]ᵀ + bias and lets the adapters add to it. The
// outputs of the linears lie side by side in y.
func (e *Engine) project(part Part, y, x simd.View, ls ...*Linear) {
	if x.Rows == 0 {
		return
	}
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
		if a := e.adapter(l); a != nil {
			e.Profile.At(Adapters)
			a.Forward(e.pool, y.Columns(col, col+l.W.Rows), x)
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
// their gradients, for which alone x is read. Without dx.Data only the adapters'
// gradients are wanted.
func (e *Engine) projectBackward(part Part, dx, dy, x simd.View, ls ...*Linear) {
	if dx.Data != nil {
		e.productBackward(part, dx, dy, false, ls)
	}
	e.adaptersBackward(dx, dy, x, ls)
}

// productBackward sets dx = dy·[W₀;W₁;…] or adds that to it.
func (e *Engine) productBackward(part Part, dx, dy simd.View, add bool, ls []*Linear) {
	if dx.Rows == 0 {
		return
	}
	e.Profile.At(part)
	e.Profile.count(part, dx.Rows*dx.Cols*dy.Cols)
	ws := make([]simd.Matrix, len(ls))
	for i, l := range ls {
		ws[i] = l.W
	}
	if add {
		e.products.AddMulNN(dx, dy, ws...)
	} else {
		e.products.MulNN(dx, dy, ws...)
	}
}

// adaptersBackward lets the adapters add to dx and to their gradients.
func (e *Engine) adaptersBackward(dx, dy, x simd.View, ls []*Linear) {
	if x.Rows == 0 {
		return
	}
	col := 0
	for _, l := range ls {
		if a := e.adapter(l); a != nil {
			e.Profile.At(Adapters)
			a.Backward(e.pool, dx, dy.Columns(col, col+l.W.Rows), x)
		}
		col += l.W.Rows
	}
}
