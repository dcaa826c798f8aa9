package optim

import (
	"fmt"
	"slices"

	"example.com/finetune/loraone"
	"example.com/finetune/loraone/spectrum"
	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// AdaRankGrad is Adam on projections of a dense ΔW's gradient, of a rank that adapts to it
// (arXiv 2410.17881). Every [subspaceSteps] steps
//
//	Q: the fewest left singular vectors of G that hold the share 1-η of ‖G‖², r at most
//	R = Q·Q₀ᵀ of the new and the old Q   m ← R·m   v ← (R∘R)·v
//
// and in every step, with Adam's moments of Q·G,
//
//	ΔW ← ΔW·(1-rate·wd) - rate·Qᵀ·m̂/(√v̂+ε)
//
// The authors change Q when the projected gradient has become small, which batches of a
// few rows never let it; here, as in GaLore, after a number of steps. They project from the
// shorter side, here it is the rows. A second moment must not become negative: R's squares
// move it, as if the old directions were independent.
var AdaRankGrad = &Kind{
	Name: "adarankgrad", Title: "AdaRankGrad", Beta1: 0.9, Beta2: 0.999,
	Rate:   func(int, float64) float64 { return 5e-4 },
	RateIs: ofEachNumber,
	New:    newAdaRankGrad,
	Held:   func(at model.Projection, r int) int { return 2*r*(at.Out+at.In) + r*at.In },
}

const (
	subspaceSteps = 20   // between two choices of Q
	energyLeft    = 0.1  // η
	subspaceSeed  = 2410 // of the sketches of large gradients
)

// A dense module trains ΔW, Out×In, by projections of rank r at most.
type dense interface {
	Delta() (w *loraone.Param, r int)
}

type adaRankGrad struct {
	Settings
	every   int
	modules []*projected
	rate    float64
	step    simd.AdamW // of the projections, of rate 1
}

// A projected is ΔW of a module and what is remembered of it: Q (r×Out), m and v (r×In)
// have as many rows as count says, then zeros.
type projected struct {
	at        model.Projection
	r         int
	w         *loraone.Param
	q, m, v   *loraone.Param
	count     *loraone.Param // the present rank, and the steps since Q was chosen
	fresh     []float32      // the Q that the step at hand begins with, r×Out; nil: the old one
	freshRank int
	update    []float32 // r×In
}

func newAdaRankGrad(s Settings, modules []loraone.Module) (Rule, error) {
	o := &adaRankGrad{Settings: s, every: subspaceSteps}
	for _, m := range modules {
		d, ok := m.(dense)
		if !ok {
			return nil, fmt.Errorf("%s trains no dense ΔW, which adarankgrad needs: it is for init adarankgrad", m.At().Name)
		}
		w, r := d.Delta()
		state := func(prefix string, rows, cols int) *loraone.Param {
			return &loraone.Param{Name: prefix + w.Name, Rows: rows, Cols: cols, Value: make([]float32, rows*cols)}
		}
		o.modules = append(o.modules, &projected{
			at: m.At(), r: r, w: w,
			q: state("q.", r, w.Rows), m: state("m.", r, w.Cols), v: state("v.", r, w.Cols), count: state("rank.", 1, 2),
			update: make([]float32, r*w.Cols),
		})
	}
	return o, nil
}

func (o *adaRankGrad) Begin(t int, rate float64) {
	o.rate, o.step = rate, o.adam(t)
	o.step.LR, o.step.WeightDecay = 1, 0 // ΔW decays, not its projections
}

// Prepare chooses a new Q where the old one has served.
func (o *adaRankGrad) Prepare(module int) error {
	x := o.modules[module]
	x.fresh, x.freshRank = nil, 0
	if x.count.Value[0] > 0 && int(x.count.Value[1]) < o.every {
		return nil
	}
	g := simd.Dense(x.w.Grad, x.w.Rows, x.w.Cols)
	sp, err := spectrum.Leading(spectrum.Target{Projection: x.at, Pairs: x.r}, g, subspaceSeed)
	if err != nil {
		return fmt.Errorf("the gradient of %s: %w", x.at.Name, err)
	}
	left := (1 - energyLeft) * sumSquares(x.w.Grad)
	x.fresh = make([]float32, len(x.q.Value))
	for k := 0; k < x.r && left > 0 && sp.S[k] > 0; k++ {
		for i, v := range sp.U(k) {
			x.fresh[k*x.w.Rows+i] = float32(v)
		}
		left -= float64(sp.S[k] * sp.S[k])
		x.freshRank = k + 1
	}
	return nil
}

func (o *adaRankGrad) Update(module int) {
	x := o.modules[module]
	if x.freshRank > 0 {
		x.move()
	}
	n := int(x.count.Value[0])
	if n == 0 { // no gradient yet
		return
	}
	x.count.Value[1]++
	rate := o.rate * o.factor(x.w)
	cols := x.w.Cols
	q := simd.Dense(x.q.Value, n, x.w.Rows)
	g, step := simd.Dense(x.w.Grad, x.w.Rows, cols), simd.Dense(x.update[:n*cols], n, cols)
	projected := make([]float32, n*cols)
	simd.Mul(simd.Dense(projected, n, cols), q, g)
	clear(step.Data)
	a := o.step
	a.Step(step.Data, projected, x.m.Value[:n*cols], x.v.Value[:n*cols]) // -m̂/(√v̂+ε)
	simd.Scale(step.Data, float32(rate))
	if o.WeightDecay != 0 {
		simd.Scale(x.w.Value, float32(1-float64(rate*o.WeightDecay)))
	}
	simd.AddMul(simd.Dense(x.w.Value, x.w.Rows, cols), q.T(), step)
}

// move makes the fresh Q the present one, and moves the moments to it.
func (x *projected) move() {
	from, to, cols := int(x.count.Value[0]), x.freshRank, x.w.Cols
	if from > 0 {
		basis := simd.Dense(make([]float32, to*from), to, from) // Q·Q₀ᵀ
		old := simd.Dense(make([]float32, x.w.Rows*from), x.w.Rows, from)
		simd.Transpose(old, simd.Dense(x.q.Value, from, x.w.Rows))
		simd.Mul(basis, simd.Dense(x.fresh, to, x.w.Rows), old)
		x.carry(x.m, basis, cols)
		simd.MulBy(basis.Data, slices.Clone(basis.Data))
		x.carry(x.v, basis, cols)
	}
	copy(x.q.Value, x.fresh)
	x.count.Value[0], x.count.Value[1] = float32(to), 0
	x.fresh, x.freshRank = nil, 0
}

// carry replaces a moment by R times it.
func (x *projected) carry(m *loraone.Param, r simd.View, cols int) {
	old := slices.Clone(m.Value[:r.Cols*cols])
	clear(m.Value)
	simd.Mul(simd.Dense(m.Value, r.Rows, cols), r, simd.Dense(old, r.Cols, cols))
}

func (o *adaRankGrad) State() []*loraone.Param {
	var list []*loraone.Param
	for _, x := range o.modules {
		list = append(list, x.q, x.m, x.v, x.count)
	}
	return list
}
