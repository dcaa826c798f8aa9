package model

import (
	"math"
	"slices"

	"example.com/finetune/simd"
)

// headScratch is the memory of lm_head and loss.
type headScratch struct{ dnorm, logits []float32 }

// head adds the loss of the micro-batch's targets to those of their sequences, given y, the
// last block's output, and its norm, a row for each target. With weights, of the sequences, it
// also sets dx, as large as y, to the gradient of Σ weightᵢ·lossᵢ. lm_head runs for a chunk of
// targets at a time.
func (e *Engine) head(losses []Loss, y, norm simd.View, weights []float32, dx simd.View) {
	if weights != nil {
		dx.Clear()
	}
	at := 0
	for part := range slices.Chunk(e.laid.targets, e.Layout.Logits) {
		to := at + len(part)
		var dpart simd.View
		if weights != nil {
			dpart = dx.Slice(at, to)
		}
		for i, logp := range e.chunk(part, y.Slice(at, to), norm.Slice(at, to), weights, dpart) {
			losses[part[i].seq].Sum -= logp
			losses[part[i].seq].Targets++
		}
		at = to
	}
}

// chunk returns log p of each target, of which x (n×C) are the rows and norm their norms, and,
// with weights, adds to their gradients dx.
func (e *Engine) chunk(part []target, x, norm simd.View, weights []float32, dx simd.View) []float64 {
	n, C, V, s := len(part), e.m.Config.HiddenSize, e.m.Config.VocabSize, &e.scratch.head
	logits := e.targetRows(&s.logits, n, V)
	e.Profile.At(Head)
	e.Profile.count(Head, n*C*V)
	e.lmHead(logits, norm)
	logps := make([]float64, n)
	e.pool.Run(n, func(_, i int) {
		w := float32(0)
		if weights != nil {
			w = weights[part[i].seq]
		}
		if c := e.m.Config.LogitsCap; c == 0 {
			logps[i] = crossEntropy(logits.Row(i), part[i].id, w)
		} else {
			logps[i] = cappedCrossEntropy(logits.Row(i), part[i].id, w, float32(c))
		}
	})
	if weights == nil {
		return logps
	}
	dnorm := e.targetRows(&s.dnorm, n, C)
	e.products.MulNN(dnorm, logits, e.m.LMHead)
	e.Profile.count(Head, n*C*V)
	e.pool.Range(n, rowGrain, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			simd.RMSNormBackward(dx.Row(i), dnorm.Row(i), x.Row(i), e.m.Norm, e.m.Config.RMSNormEps)
		}
	})
	return logps
}

// targetRows is rows for at most Layout.Logits targets, which it makes at once.
func (e *Engine) targetRows(buf *[]float32, n, width int) simd.View {
	if cap(*buf) < n*simd.Pitch(width) {
		*buf = make([]float32, e.Layout.Logits*simd.Pitch(width))
	}
	return matrix((*buf)[:n*simd.Pitch(width)], n, width)
}

// crossEntropy returns log softmax(logits)[id] and replaces the logits by the
// gradient of its negative, times weight: weight·(p - 1 at id).
func crossEntropy(logits []float32, id int, weight float32) float64 {
	top, z := simd.Max(logits), logits[id]
	sum := simd.ExpSum(logits, logits, top)
	if weight != 0 {
		simd.Scale(logits, weight/sum)
		logits[id] -= weight
	}
	return float64(z) - float64(top) - math.Log(float64(sum))
}

// cappedCrossEntropy is crossEntropy of logits that lmHead has capped; their gradient
// becomes that before the cap, whose slope is only known from the capped ones.
func cappedCrossEntropy(logits []float32, id int, weight, limit float32) float64 {
	var part [512]float32
	top, z := simd.Max(logits), logits[id]
	sum := float32(0)
	for row := range slices.Chunk(logits, len(part)) {
		sum += simd.ExpSum(part[:len(row)], row, top)
	}
	for row := range slices.Chunk(logits, len(part)) {
		p := part[:len(row)]
		simd.ExpSum(p, row, top)
		simd.Scale(p, weight/sum)
		if id >= 0 && id < len(row) {
			p[id] -= weight
		}
		id -= len(row)
		simd.SoftCapBackward(p, row, limit)
		copy(row, p)
	}
	return float64(z) - float64(top) - math.Log(float64(sum))
}

// lmHead sets logits (rows×V) from normed rows of the last block's output.
func (e *Engine) lmHead(logits, norm simd.View) {
	e.products.MulNT(logits, norm, e.m.LMHead)
	if c := e.m.Config.LogitsCap; c != 0 {
		e.pool.Run(logits.Rows, func(_, i int) { simd.SoftCap(logits.Row(i), float32(c)) })
	}
}
