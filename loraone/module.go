package loraone

import (
	"fmt"

	"example.com/finetune/model"
)

// A Param is one array of numbers of a module.
type Param struct {
	Name       string // such as model.layers.0.self_attn.q_proj.lora_A: checkpoints and optimizers go by it
	Rows, Cols int
	Value      []float32
	Grad       []float32 // ∂L/∂Value; nil where it is never trained
	Group      string    // params whose learning rates are set together, such as A
}

// A Module is the adapter of one projection.
type Module interface {
	model.Adapter
	// At returns the projection that the module adapts.
	At() model.Projection
	// Params lists what is trained, always in the same order.
	Params() []*Param
	// Frozen lists what a start has set and no step changes: the offset of a method that
	// subtracts its start. Most modules have none.
	Frozen() []*Param
	// Sync must follow every change of a value.
	Sync()
	// LowRank returns the module as files hold it.
	LowRank() LowRank
}

// A LowRank is ΔW = Scale·B·A of one projection. What subtracts its start has twice the
// rank that it trains.
type LowRank struct {
	model.Projection
	R     int
	A     []float32 // R×In
	B     []float32 // Out×R
	Scale float32
}

// Folded returns the same ΔW with Scale 1: B' = Scale·B, the product exact in float64
// and rounded once.
func (l LowRank) Folded() LowRank {
	b := make([]float32, len(l.B))
	for i, v := range l.B {
		b[i] = float32(float64(l.Scale) * float64(v))
	}
	l.B, l.Scale = b, 1
	return l
}

// Padded returns the same ΔW with rank r, which is no smaller: A gets rows of zeros and
// B columns of zeros. It is for formats that hold one rank.
func (l LowRank) Padded(r int) LowRank {
	if r < l.R {
		panic(fmt.Sprintf("loraone: %s has rank %d, more than %d", l.Name, l.R, r))
	}
	a, b := make([]float32, r*l.In), make([]float32, l.Out*r)
	copy(a, l.A)
	for o := range l.Out {
		copy(b[o*r:], l.B[o*l.R:(o+1)*l.R])
	}
	l.R, l.A, l.B = r, a, b
	return l
}
