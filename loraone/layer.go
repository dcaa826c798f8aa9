package loraone

import (
	"math"

	"example.com/finetune/internal/random"
	"example.com/finetune/model"
	"example.com/finetune/simd"
)

var _ model.Adapter = (*Layer)(nil)

// A Layer adds Scale·B·A to a frozen Out×In projection. B is held transposed, as
// the products want it; PEFT's layout exists only in files.
type Layer struct {
	Name       string // of the projection: model.layers.0.self_attn.q_proj
	In, Out, R int
	Scale      float32
	A, DA      []float32 // R×In, and ∂L/∂A
	Bt, DBt    []float32 // R×Out, and ∂L/∂Bᵀ

	at, b []float32 // In×R and Out×R: A and Bt transposed, kept by Sync
	h, dh []float32 // T×R: Scale·x·Aᵀ of the last Forward, and its gradient
}

// NewLayer returns a layer that changes nothing yet: A and B are zero.
func NewLayer(name string, in, out, r int, scale float64) *Layer {
	return &Layer{
		Name: name, In: in, Out: out, R: r, Scale: float32(scale),
		A: make([]float32, r*in), DA: make([]float32, r*in), at: make([]float32, r*in),
		Bt: make([]float32, r*out), DBt: make([]float32, r*out), b: make([]float32, r*out),
	}
}

// Sync must follow every change of A or Bt.
func (l *Layer) Sync() {
	simd.Transpose(simd.Dense(l.at, l.In, l.R), simd.Dense(l.A, l.R, l.In))
	simd.Transpose(simd.Dense(l.b, l.Out, l.R), simd.Dense(l.Bt, l.R, l.Out))
}

// ZeroGrad sets the gradients to zero.
func (l *Layer) ZeroGrad() {
	clear(l.DA)
	clear(l.DBt)
}

// B returns a copy of B (Out×R).
func (l *Layer) B() []float32 {
	b := make([]float32, l.Out*l.R)
	simd.Transpose(simd.Dense(b, l.Out, l.R), simd.Dense(l.Bt, l.R, l.Out))
	return b
}

// Forward adds Scale·x·Aᵀ·Bᵀ to y.
func (l *Layer) Forward(p *simd.Pool, y, x simd.View) {
	h := simd.Dense(grown(&l.h, x.Rows*l.R), x.Rows, l.R)
	p.Mul(h, x, simd.Dense(l.at, l.In, l.R))
	simd.Scale(h.Data, l.Scale)
	p.AddMul(y, h, simd.Dense(l.Bt, l.R, l.Out))
}

// Backward adds to DA, DBt and dx; see [model.Adapter].
func (l *Layer) Backward(p *simd.Pool, dx, dy, x simd.View) {
	h, dh := simd.Dense(l.h, x.Rows, l.R), simd.Dense(grown(&l.dh, x.Rows*l.R), x.Rows, l.R)
	p.AddMul(simd.Dense(l.DBt, l.R, l.Out), h.T(), dy) // y += h·Bᵀ
	p.Mul(dh, dy, simd.Dense(l.b, l.Out, l.R))
	simd.Scale(dh.Data, l.Scale) // h = Scale·x·Aᵀ
	p.AddMul(simd.Dense(l.DA, l.R, l.In), dh.T(), x)
	if dx.Data != nil {
		p.AddMul(dx, dh, simd.Dense(l.A, l.R, l.In))
	}
}

// startLoRA gives rows [from,R) of A the ordinary LoRA start, uniform within
// ±1/√In (Kaiming with a = √5, as PEFT's reset_lora_parameters), and zeroes the
// columns of B beside them.
func (l *Layer) startLoRA(seed uint64, from int) {
	rng := random.ForNames(seed, "lora_A", l.Name)
	bound := 1 / math.Sqrt(float64(l.In))
	for i := range l.A {
		if v := float32((2*rng.Float64() - 1) * bound); i >= from*l.In {
			l.A[i] = v
		}
	}
	clear(l.Bt[from*l.Out:])
}

// grown returns the first n values of *buf, made larger if need be.
func grown(buf *[]float32, n int) []float32 {
	if cap(*buf) < n {
		*buf = make([]float32, n)
	}
	*buf = (*buf)[:n]
	return *buf
}
