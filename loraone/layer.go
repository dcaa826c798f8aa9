package loraone

import (
	"math"
	"slices"

	"example.com/finetune/internal/random"
	"example.com/finetune/model"
	"example.com/finetune/simd"
)

var _ Module = (*Layer)(nil)

// A Layer is the module of most methods: it adds Scale·B·A to a frozen Out×In
// projection, and trains both factors. B is held transposed, as the products want it;
// PEFT's layout exists only in files.
type Layer struct {
	model.Projection
	R      int
	Scale  float32
	A, DA  []float32 // R×In, and ∂L/∂A
	Bt     []float32 // R×Out
	DBt    []float32 // ∂L/∂Bᵀ
	offset *Layer    // subtracted from what is added; nil for none

	at, b []float32 // In×R and Out×R: A and Bt transposed, kept by Sync
	h, dh []float32 // T×R: Scale·x·Aᵀ of the last Forward, and its gradient
}

// NewLayer returns a layer that changes nothing yet: A and B are zero.
func NewLayer(at model.Projection, r int, scale float64) *Layer {
	l := frozenLayer(at, r, float32(scale))
	l.DA, l.DBt = make([]float32, len(l.A)), make([]float32, len(l.Bt))
	return l
}

// NewOffsetLayer returns a layer that adds Scale·(B·A - B₀·A₀), where A₀ and B₀ are
// what Subtract finds: for methods whose start leaves the model where it is.
func NewOffsetLayer(at model.Projection, r int, scale float64) *Layer {
	l := NewLayer(at, r, scale)
	l.offset = frozenLayer(at, r, -l.Scale)
	return l
}

func frozenLayer(at model.Projection, r int, scale float32) *Layer {
	return &Layer{
		Projection: at, R: r, Scale: scale,
		A: make([]float32, r*at.In), at: make([]float32, r*at.In),
		Bt: make([]float32, r*at.Out), b: make([]float32, r*at.Out),
	}
}

// LayerSize is the Size of a Layer, OffsetLayerSize that of one with an offset.
func LayerSize(at model.Projection, r int) Size {
	n := (at.In + at.Out) * r
	return Size{Trained: n, Held: 3 * n, PerToken: 2 * r}
}

func OffsetLayerSize(at model.Projection, r int) Size {
	s := LayerSize(at, r)
	s.Held, s.PerToken = s.Held+2*s.Trained, 2*s.PerToken
	return s
}

func newLayer(at model.Projection, r int, scale float64) Module { return NewLayer(at, r, scale) }

func newOffsetLayer(at model.Projection, r int, scale float64) Module {
	return NewOffsetLayer(at, r, scale)
}

// setPair sets column k of B to f·u and row k of A to g·v.
func (l *Layer) setPair(k int, u, v []float64, f, g float64) {
	for i, x := range u {
		l.Bt[k*l.Out+i] = float32(f * x)
	}
	for i, x := range v {
		l.A[k*l.In+i] = float32(g * x)
	}
}

// halveLayer halves B·A, each factor by √½.
func halveLayer(m Module) {
	l := m.(*Layer)
	for _, x := range [][]float32{l.A, l.Bt} {
		simd.Scale(x, math.Sqrt2/2)
	}
}

// Subtract makes the present A and B the offset: the layer then adds nothing.
func (l *Layer) Subtract() {
	copy(l.offset.A, l.A)
	copy(l.offset.Bt, l.Bt)
}

// At returns the projection that the layer adapts.
func (l *Layer) At() model.Projection { return l.Projection }

// Factors returns A and Bᵀ.
func (l *Layer) Factors() (a, bt *Param) {
	return &Param{Name: l.Name + ".lora_A", Rows: l.R, Cols: l.In, Value: l.A, Grad: l.DA, Group: "A"},
		&Param{Name: l.Name + ".lora_Bt", Rows: l.R, Cols: l.Out, Value: l.Bt, Grad: l.DBt, Group: "B"}
}

// Params returns A and Bᵀ.
func (l *Layer) Params() []*Param {
	a, bt := l.Factors()
	return []*Param{a, bt}
}

// Frozen returns the offset's A and Bᵀ.
func (l *Layer) Frozen() []*Param {
	if l.offset == nil {
		return nil
	}
	a, bt := l.offset.Factors()
	a.Name, bt.Name = l.Name+".offset_A", l.Name+".offset_Bt"
	return []*Param{a, bt}
}

// Sync must follow every change of A or Bt.
func (l *Layer) Sync() {
	simd.Transpose(simd.Dense(l.at, l.In, l.R), simd.Dense(l.A, l.R, l.In))
	simd.Transpose(simd.Dense(l.b, l.Out, l.R), simd.Dense(l.Bt, l.R, l.Out))
	if l.offset != nil {
		l.offset.Sync()
	}
}

// LowRank returns A and B; with an offset, [A; A₀] and [B, -B₀].
func (l *Layer) LowRank() LowRank {
	a, bt, r := l.A, l.Bt, l.R
	if l.offset != nil {
		a, bt, r = slices.Concat(a, l.offset.A), slices.Concat(bt, l.offset.Bt), 2*r
		simd.Scale(bt[len(l.Bt):], -1)
	}
	b := make([]float32, len(bt))
	simd.Transpose(simd.Dense(b, l.Out, r), simd.Dense(bt, r, l.Out))
	return LowRank{Projection: l.Projection, R: r, A: a, B: b, Scale: l.Scale}
}

// Forward adds Scale·x·Aᵀ·Bᵀ to y.
func (l *Layer) Forward(p *simd.Pool, y, x simd.View) {
	h := simd.Dense(grown(&l.h, x.Rows*l.R), x.Rows, l.R)
	p.Mul(h, x, simd.Dense(l.at, l.In, l.R))
	simd.Scale(h.Data, l.Scale)
	p.AddMul(y, h, simd.Dense(l.Bt, l.R, l.Out))
	if l.offset != nil {
		l.offset.Forward(p, y, x)
	}
}

// Backward adds to DA, DBt and dx; see [model.Adapter].
func (l *Layer) Backward(p *simd.Pool, dx, dy, x simd.View) {
	dh := simd.Dense(grown(&l.dh, x.Rows*l.R), x.Rows, l.R)
	if l.DBt != nil {
		h := simd.Dense(l.h, x.Rows, l.R)
		p.AddMul(simd.Dense(l.DBt, l.R, l.Out), h.T(), dy) // y += h·Bᵀ
	}
	p.Mul(dh, dy, simd.Dense(l.b, l.Out, l.R))
	simd.Scale(dh.Data, l.Scale) // h = Scale·x·Aᵀ
	if l.DA != nil {
		p.AddMul(simd.Dense(l.DA, l.R, l.In), dh.T(), x)
	}
	if dx.Data != nil {
		p.AddMul(dx, dh, simd.Dense(l.A, l.R, l.In))
		if l.offset != nil {
			l.offset.Backward(p, dx, dy, x)
		}
	}
}

// ordinaryStart gives rows [from,R) of A the ordinary LoRA start, uniform within
// ±1/√In (Kaiming with a = √5, as PEFT's reset_lora_parameters), and zeroes the
// columns of B beside them.
func (l *Layer) ordinaryStart(seed uint64, from int) {
	uniform(l.A, from*l.In, l.In, random.ForNames(seed, "lora_A", l.Name))
	clear(l.Bt[from*l.Out:])
}

// uniform sets x but for its first values to uniform ones within ±1/√n. Which they are
// does not depend on how many are skipped.
func uniform(x []float32, skip, n int, rng *random.Stream) {
	bound := 1 / math.Sqrt(float64(n))
	for i := range x {
		if v := float32((2*rng.Float64() - 1) * bound); i >= skip {
			x[i] = v
		}
	}
}

// grown returns the first n values of *buf, made larger if need be.
func grown(buf *[]float32, n int) []float32 {
	if cap(*buf) < n {
		*buf = make([]float32, n)
	}
	*buf = (*buf)[:n]
	return *buf
}
