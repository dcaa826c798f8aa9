package loraone

import (
	"fmt"
	"math"
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
	Name: "loraone", Title: "LoRA-One start (arXiv 2502.01235)", Optimizer: "preconditioned-adamw",
	Needs: Gradient,
	Pairs: func(r int) int { return r },
	Scale: ByRoot,
	New:   newLayer, Size: LayerSize,
	Start: startOne,
}

func startOne(m Module, g *Given) (pairs int, err error) {
	if !(g.Gamma > 0) {
		return 0, fmt.Errorf("init_gamma is %v, want a positive number", g.Gamma)
	}
	l, sp := m.(*Layer), g.Gradient.Spectrum
	// What float32 can tell from zero in an Out×In matrix of spectral norm S₀.
	least := float64(max(l.Out, l.In)) * 0x1p-23 * sp.S[0]
	n := 0
	for n < l.R && sp.S[n] > least {
		u, v := sp.U(n), sp.V(n)
		f := math.Sqrt(sp.S[n]/sp.S[0]) / math.Sqrt(g.Gamma)
		fu := f
		if largest(u) < 0 {
			fu = -f
		}
		for i, x := range u {
			l.Bt[n*l.Out+i] = float32(fu * x)
		}
		for i, x := range v { // -G = U·S·Vᵀ: u and v of G, one of them with the other sign
			l.A[n*l.In+i] = float32(-fu * x)
		}
		n++
	}
	l.ordinaryStart(g.Seed, n)
	return n, nil
}

// largest returns the entry of x that is largest by size, the first of equals.
func largest(x []float64) float64 {
	var m float64
	for _, v := range x {
		if math.Abs(v) > math.Abs(m) {
			m = v
		}
	}
	return m
}
