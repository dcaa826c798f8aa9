package loraone

import (
	"gonum.org/v1/gonum/mat"

	"example.com/finetune/simd"
)

// OLoRA starts from an orthonormal basis of the weights' first columns (arXiv
// 2406.01775), as PEFT's olora_init has it: with W = Q·R by Householder's reflections, B
// is the first r columns of Q and A the first r rows of R, and s·B·A is subtracted.
var OLoRA = &Method{
	Name: "olora", Title: "OLoRA start (arXiv 2406.01775)",
	Needs:     Weights,
	Optimizer: "preconditioned-adamw",
	Scale:     ByRank,
	New:       newOffsetLayer, Size: OffsetLayerSize,
	Start: startOLoRA,
}

// startOLoRA decomposes only the first r columns of W, which decide r columns of Q. The
// rows of R follow: QᵀW.
func startOLoRA(m Module, g *Given) (pairs int, err error) {
	l := m.(*Layer)
	first := mat.NewDense(l.Out, l.R, nil)
	for i := range l.Out {
		for k, v := range g.W.Row(i)[:l.R] {
			first.Set(i, k, float64(v))
		}
	}
	var qr mat.QR
	var q mat.Dense
	qr.Factorize(first)
	qr.QTo(&q)
	bt := simd.Dense(l.Bt, l.R, l.Out)
	for i := range l.Out {
		for k := range l.R {
			bt.Row(k)[i] = float32(q.At(i, k))
		}
	}
	simd.Mul(simd.Dense(l.A, l.R, l.In), bt, g.W)
	l.Subtract()
	return l.R, nil
}
