package loraone

import (
	"math"

	"example.com/finetune/loraone/spectrum"
	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// AdaRankGrad trains ΔW itself, dense, by projections of its gradient (arXiv 2410.17881);
// the optimizer of its name has the equations. It starts at zero. lora_r bounds the rank
// of the projections, and is that of the file, which holds the leading part of ΔW: see
// [Truncator]. α scales nothing.
var AdaRankGrad = &Method{
	Name: "adarankgrad", Title: "AdaRankGrad, a dense ΔW (arXiv 2410.17881)",
	LeavesBase: true,
	Optimizer:  "adarankgrad",
	Scale:      func(float64, int) float64 { return 1 },
	New:        newDelta, Size: deltaSize,
	Start: func(Module, *Given) (int, error) { return 0, nil },
}

// A Truncator is a module that trains more than a low rank holds.
type Truncator interface {
	Module
	// Truncate replaces what the module adds by what LowRank returns, and returns the
	// squares of the norms of both.
	Truncate() (kept, all float64)
}

var _ Truncator = (*denseDelta)(nil)

// A denseDelta is a module that adds a dense ΔW to a frozen Out×In projection.
type denseDelta struct {
	model.Projection
	r     int       // of the projections and of the file
	w, dw []float32 // Out×In: ΔW, and its gradient
	wt    []float32 // In×Out, kept by Sync
	low   *LowRank  // what Truncate has left; nil after any change
}

func newDelta(at model.Projection, r int, _ float64) Module {
	n := func() []float32 { return make([]float32, at.Out*at.In) }
	return &denseDelta{Projection: at, r: r, w: n(), dw: n(), wt: n()}
}

func deltaSize(at model.Projection, _ int) Size {
	return Size{Trained: at.Out * at.In, Held: 3 * at.Out * at.In}
}

// At returns the projection that the module adapts.
func (d *denseDelta) At() model.Projection { return d.Projection }

// Delta returns ΔW, and the rank that projections of its gradient have at most.
func (d *denseDelta) Delta() (w *Param, r int) {
	return &Param{Name: d.Name + ".delta", Rows: d.Out, Cols: d.In, Value: d.w, Grad: d.dw, Group: "delta"}, d.r
}

// Params returns ΔW.
func (d *denseDelta) Params() []*Param {
	w, _ := d.Delta()
	return []*Param{w}
}

// Frozen returns nothing.
func (d *denseDelta) Frozen() []*Param { return nil }

// Sync must follow every change of a value.
func (d *denseDelta) Sync() {
	d.low = nil
	simd.Transpose(simd.Dense(d.wt, d.In, d.Out), d.view(d.w))
}

func (d *denseDelta) view(x []float32) simd.View { return simd.Dense(x, d.Out, d.In) }

// Forward adds x·ΔWᵀ to y.
func (d *denseDelta) Forward(p *simd.Pool, y, x simd.View) {
	p.AddMul(y, x, simd.Dense(d.wt, d.In, d.Out))
}

// Backward adds to the gradient of ΔW and to dx; see [model.Adapter].
func (d *denseDelta) Backward(p *simd.Pool, dx, dy, x simd.View) {
	p.AddMul(d.view(d.dw), dy.T(), x)
	if dx.Data != nil {
		p.AddMul(dx, dy, d.view(d.w)) // y += x·ΔWᵀ
	}
}

// LowRank returns the leading part of rank r of ΔW, Σ √Sᵢ·uᵢ · √Sᵢ·vᵢᵀ. Values that are
// not numbers, which files refuse, stand for a spectrum that does not converge.
func (d *denseDelta) LowRank() LowRank {
	if d.low != nil {
		return *d.low
	}
	l := LowRank{Projection: d.Projection, R: d.r, A: make([]float32, d.r*d.In), B: make([]float32, d.Out*d.r), Scale: 1}
	sp, err := spectrum.Leading(spectrum.Target{Projection: d.Projection, Pairs: d.r}, d.view(d.w), 0)
	if err != nil {
		for i := range l.B {
			l.B[i] = float32(math.NaN())
		}
		return l
	}
	for k := range d.r {
		u, f := sp.U(k), math.Sqrt(sp.S[k])
		if f == 0 {
			break
		}
		sign := orientation(u)
		for o, v := range u {
			l.B[o*d.r+k] = float32(sign * f * v)
		}
		for i, v := range sp.V(k) {
			l.A[k*d.In+i] = float32(sign * f * v)
		}
	}
	return l
}

// Truncate replaces ΔW by its leading part.
func (d *denseDelta) Truncate() (kept, all float64) {
	l := d.LowRank()
	all = squares(d.w)
	simd.Mul(d.view(d.w), simd.Dense(l.B, d.Out, l.R), simd.Dense(l.A, l.R, d.In))
	d.Sync()
	d.low = &l
	return squares(d.w), all
}

// squares adds in float64, in order.
func squares(x []float32) (sum float64) {
	for _, v := range x {
		sum += float64(float64(v) * float64(v))
	}
	return sum
}
