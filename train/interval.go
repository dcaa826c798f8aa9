package train

import (
	"context"
	"math/rand/v2"
	"slices"

	"example.com/finetune/model"
)

// RowLosses returns the loss of each sequence. progress, which may be nil, is told the tokens
// that are done. It stops between micro-batches when ctx ends.
func RowLosses(ctx context.Context, e *model.Engine, seqs []model.Sequence, progress func(done, total int)) ([]model.Loss, error) {
	pass := e.Forward(seqs)
	for ctx.Err() == nil && pass.Next() {
		if progress != nil {
			progress(pass.Progress())
		}
	}
	return pass.Losses, ctx.Err()
}

// PerToken returns the loss per trained token of all rows, and the tokens.
func PerToken(losses []model.Loss) (mean float64, tokens int) {
	sum := 0.0
	for _, l := range losses {
		sum += l.Sum
		tokens += l.Targets
	}
	return sum / float64(tokens), tokens
}

// resamples are enough for the second digit of a 95 % interval (Efron and
// Tibshirani 1993, §13: a thousand and more).
const resamples = 2000

// An Interval is a difference of losses per token and where it lies with 95 %
// confidence.
type Interval struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// PairedInterval returns the loss per token of b minus that of a, with the percentile
// interval of a paired bootstrap: rows are drawn with replacement, and each brings both
// its losses. a and b are of the same rows.
func PairedInterval(a, b []model.Loss, seed uint64) Interval {
	rng := rand.New(rand.NewPCG(seed, 0))
	n := len(a)
	means := make([]float64, resamples)
	for i := range means {
		means[i] = difference(a, b, n, func(int) int { return rng.IntN(n) })
	}
	slices.Sort(means)
	tail := resamples * 25 / 1000
	return Interval{Mean: difference(a, b, n, func(k int) int { return k }), Low: means[tail], High: means[resamples-1-tail]}
}

// difference returns b's loss per token minus a's over n rows, which pick numbers.
func difference(a, b []model.Loss, n int, pick func(int) int) float64 {
	sum, targets := 0.0, 0
	for i := range n {
		k := pick(i)
		sum += b[k].Sum - a[k].Sum
		targets += a[k].Targets
	}
	return sum / float64(targets)
}
