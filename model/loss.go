package model

import (
	"math"
	"slices"

	"example.com/finetune/simd"
)

// headScratch is the memory of the final norm, lm_head and loss.
type headScratch struct{ x, norm, dnorm, logits []float32 }

// A target is a row of the last block's output and the token it must predict.
type target struct {
	row, id, seq int
}

func (e *Engine) targets(seqs []Sequence) []target {
	var list []target
	for s, q := range seqs {
		for i := 1; i < len(q.IDs); i++ {
			if q.Mask[i] {
				list = append(list, target{row: e.starts[s] + i - 1, id: int(q.IDs[i]), seq: s})
			}
		}
	}
	return list
}

// head returns the loss of each sequence given y (T×C), the last block's output.
// With weights it also sets dx (T×C) to the gradient of Σ weightᵢ·lossᵢ. Norm and
// lm_head run for the targets' rows alone, a chunk of them at a time.
func (e *Engine) head(seqs []Sequence, y simd.View, weights []float32, dx simd.View) []Loss {
	losses := make([]Loss, len(seqs))
	if weights != nil {
		dx.Clear()
	}
	all := e.targets(seqs)
	for part := range slices.Chunk(all, e.Layout.Logits) {
		logps := e.chunk(part, y, weights, dx)
		for i, t := range part {
			losses[t.seq].Sum -= logps[i]
			losses[t.seq].Targets++
		}
	}
	return losses
}

// chunk returns log p of each target and, with weights, sets their rows of dx.
func (e *Engine) chunk(part []target, y simd.View, weights []float32, dx simd.View) []float64 {
	n, C, V, s := len(part), e.m.Config.HiddenSize, e.m.Config.VocabSize, &e.scratch.head
	x := matrix(grown(&s.x, n*simd.Pitch(C)), n, C)
	norm := matrix(grown(&s.norm, n*simd.Pitch(C)), n, C)
	logits := matrix(grown(&s.logits, n*simd.Pitch(V)), n, V)
	for i, t := range part {
		copy(x.Row(i), y.Row(t.row))
	}
	e.normForward(norm, x, e.m.Norm)
	e.Profile.At(Head)
	e.Profile.count(Head, n*C*V)
	e.products.MulNT(logits, norm, e.m.LMHead)
	logps := make([]float64, n)
	e.pool.Run(n, func(_, i int) {
		w := float32(0)
		if weights != nil {
			w = weights[part[i].seq]
		}
		logps[i] = crossEntropy(logits.Row(i), part[i].id, w)
	})
	if weights == nil {
		return logps
	}
	dnorm := matrix(grown(&s.dnorm, n*simd.Pitch(C)), n, C)
	e.products.MulNN(dnorm, logits, e.m.LMHead)
	e.Profile.count(Head, n*C*V)
	e.pool.Range(n, rowGrain, func(_, lo, hi int) {
		for i := lo; i < hi; i++ { // a row is a target at most once
			rstd := simd.RMSNormScale(x.Row(i), e.m.Config.RMSNormEps)
			simd.RMSNormBackward(dx.Row(part[i].row), dnorm.Row(i), x.Row(i), e.m.Norm, rstd)
		}
	})
	return logps
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
