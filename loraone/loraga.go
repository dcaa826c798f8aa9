package loraone

import (
	"fmt"
	"math"
)

// LoRAGA starts from directions of the initial gradient (arXiv 2407.05000), as the
// authors' code has it and not PEFT's, which scales other factors
// (Outsider565/LoRA-GA, lora_ga_init in layer.py: ArB2r, stable).
//
// With G = U·S·Vᵀ, row k of A is f·vₖᵀ and column k of B is f·u_{r+k}, where
// f = Out^¼/√γ, and s·B·A is subtracted. It takes 2r singular vectors. A pair whose
// S_{r+k} float32 cannot tell from 0 gets the ordinary LoRA start.
var LoRAGA = &Method{
	Name: "loraga", Title: "LoRA-GA start (arXiv 2407.05000)",
	Needs: Gradient, Gamma: 64, // of their scripts
	Optimizer: "preconditioned-adamw",
	Pairs:     func(r int) int { return 2 * r },
	Scale:     ByRoot,
	New:       newOffsetLayer, Size: OffsetLayerSize,
	Start: startGA,
}

func startGA(m Module, g *Given) (pairs int, err error) {
	if !(g.Gamma > 0) {
		return 0, fmt.Errorf("init_gamma is %v, want a positive number", g.Gamma)
	}
	l, sp := m.(*Layer), g.Gradient.Spectrum
	f := math.Sqrt(math.Sqrt(float64(l.Out))) / math.Sqrt(g.Gamma)
	n, least := 0, negligible(l.Projection, sp)
	for n < l.R && sp.S[l.R+n] > least {
		u, v := sp.U(l.R+n), sp.V(n)
		l.setPair(n, u, v, f*orientation(u), f*orientation(v))
		n++
	}
	l.ordinaryStart(g.Seed, n)
	l.Subtract()
	return n, nil
}
