package loraone

import (
	"math"

	"example.com/finetune/loraone/spectrum"
)

// PiSSA trains the principal part of the weights (arXiv 2404.02948), as PEFT's pissa_init
// has it: with W = U·S·Vᵀ, column k of B is √(Sₖ/s)·uₖ and row k of A is √(Sₖ/s)·vₖᵀ, and
// s·B·A is subtracted.
var PiSSA = &Method{
	Name: "pissa", Title: "PiSSA start (arXiv 2404.02948)",
	Needs:     Weights,
	Optimizer: "preconditioned-adamw",
	Scale:     ByRank,
	New:       newOffsetLayer, Size: OffsetLayerSize,
	Start: startPiSSA,
}

func startPiSSA(m Module, g *Given) (pairs int, err error) {
	l := m.(*Layer)
	sp, err := spectrum.Leading(spectrum.Target{Projection: l.Projection, Pairs: l.R}, g.W, g.Seed)
	if err != nil {
		return 0, err
	}
	n, least := 0, negligible(l.Projection, sp)
	for n < l.R && sp.S[n] > least {
		f := math.Sqrt(sp.S[n]/float64(l.Scale)) * orientation(sp.U(n))
		l.setPair(n, sp.U(n), sp.V(n), f, f)
		n++
	}
	l.ordinaryStart(g.Seed, n)
	l.Subtract()
	return n, nil
}
