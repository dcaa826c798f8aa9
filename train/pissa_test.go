package train

import (
	"math"

	"example.com/finetune/loraone"
	"example.com/finetune/loraone/spectrum"
	"example.com/finetune/model"
)

// PiSSA (arXiv 2404.02948) is a third method in one file and one row: with
// W = U·S·Vᵀ, B is U·√(S/s) and A is √(S/s)·Vᵀ, and W loses s·B·A.
func init() {
	loraone.Methods = append(loraone.Methods, &loraone.Method{
		Name: "pissa", Title: "PiSSA", Optimizer: "adamw",
		Needs: loraone.Weights,
		Scale: loraone.ByRank,
		New: func(at model.Projection, r int, scale float64) loraone.Module {
			return loraone.NewOffsetLayer(at, r, scale)
		},
		Size:  loraone.OffsetLayerSize,
		Start: startPiSSA,
	})
}

func startPiSSA(m loraone.Module, g *loraone.Given) (pairs int, err error) {
	l := m.(*loraone.Layer)
	sp, err := spectrum.Leading(spectrum.Target{Projection: l.Projection, Pairs: l.R}, g.W, g.Seed)
	if err != nil {
		return 0, err
	}
	for k := range l.R {
		f := math.Sqrt(sp.S[k] / float64(l.Scale))
		for i, x := range sp.U(k) {
			l.Bt[k*l.Out+i] = float32(f * x)
		}
		for i, x := range sp.V(k) {
			l.A[k*l.In+i] = float32(f * x)
		}
	}
	l.Subtract()
	return l.R, nil
}
