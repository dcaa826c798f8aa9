package loraone

import (
	"fmt"
	"math"

	"example.com/finetune/loraone/spectrum"
	"example.com/finetune/model"
)

// LoRAOne starts from the initial gradient (arXiv 2502.01235). The authors write A·B, so
// their A is our B; where their README and code differ, the code (run_exp.py at 01bba05)
// is followed.
//
// With -G = U·S·Vᵀ and fᵢ = √(Sᵢ/S₀)/√γ, column i of B is fᵢ·uᵢ and row i of A is fᵢ·vᵢᵀ
// (run_exp.py:160-189). The largest entry of uᵢ by size is positive. W is not changed:
// the model itself moves, by a step of steepest descent. A projection without a gradient,
// and pairs whose Sᵢ float32 cannot tell from 0, get the ordinary LoRA start.
var LoRAOne = &Method{
	Name: "loraone", Title: "LoRA-One start (arXiv 2502.01235)",
	Needs: Gradient, Gamma: 128,
	Optimizer: "preconditioned-adamw",
	Pairs:     func(r int) int { return r },
	Scale:     ByRoot,
	New:       newLayer, Size: LayerSize,
	Start: startOne,
	Halve: halveLayer,
}

func startOne(m Module, g *Given) (pairs int, err error) {
	if !(g.Gamma > 0) {
		return 0, fmt.Errorf("init_gamma is %v, want a positive number", g.Gamma)
	}
	l, sp := m.(*Layer), g.Gradient.Spectrum
	least := negligible(l.Projection, sp)
	n := 0
	for n < l.R && sp.S[n] > least {
		u, v := sp.U(n), sp.V(n)
		f := math.Sqrt(sp.S[n]/sp.S[0]) / math.Sqrt(g.Gamma)
		f *= orientation(u)
		l.setPair(n, u, v, f, -f) // -G = U·S·Vᵀ: u and v of G, one of them with the other sign
		n++
	}
	l.ordinaryStart(g.Seed, n)
	return n, nil
}

// negligible returns the singular value up to which float32 cannot tell one from zero in
// an Out×In matrix with a given spectrum.
func negligible(at model.Projection, sp *spectrum.Spectrum) float64 {
	return float64(max(at.Out, at.In)) * 0x1p-23 * sp.S[0]
}

// orientation returns the sign by which x is multiplied so that its largest entry by
// size, the first of equals, is positive: singular vectors have no sign of their own.
func orientation(x []float64) float64 {
	var m float64
	for _, v := range x {
		if math.Abs(v) > math.Abs(m) {
			m = v
		}
	}
	return math.Copysign(1, m)
}
