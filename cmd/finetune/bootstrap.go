package main

import (
	"math/rand/v2"
	"slices"

	"example.com/finetune/model"
)

// resamples are enough for the second digit of a 95 % interval (Efron and
// Tibshirani 1993, §13: a thousand and more).
const resamples = 2000

// An interval is a difference of losses per token and where it lies with 95 %
// confidence.
type interval struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// bootstrap returns the loss per token of adapter minus that of base, with the
// percentile interval of a paired bootstrap: rows are drawn with replacement, and
// each brings both its losses. Adapter and base are of the same rows.
func bootstrap(base, adapter []model.Loss, seed uint64) interval {
	rng := rand.New(rand.NewPCG(seed, 0))
	n := len(base)
	means := make([]float64, resamples)
	for i := range means {
		sum, targets := 0.0, 0
		for range n {
			k := rng.IntN(n)
			sum += adapter[k].Sum - base[k].Sum
			targets += base[k].Targets
		}
		means[i] = sum / float64(targets)
	}
	slices.Sort(means)
	sum, targets := 0.0, 0
	for k := range n {
		sum += adapter[k].Sum - base[k].Sum
		targets += base[k].Targets
	}
	tail := resamples * 25 / 1000
	return interval{Mean: sum / float64(targets), Low: means[tail], High: means[resamples-1-tail]}
}
