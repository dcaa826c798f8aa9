package train

import (
	"math"

	"example.com/finetune/internal/random"
	"example.com/finetune/train/recipe"
)

// This file holds what a step does by its number alone: its rows and its rate.

// batches say which sequences make up each step.
type batches struct {
	n, size  int // sequences, and how many of them a batch has
	perEpoch int // steps
	total    int // steps
	seed     uint64

	epoch int   // the epoch that order is of
	order []int // of the sequences
}

func newBatches(r *recipe.Recipe, sequences int) *batches {
	b := &batches{n: sequences, size: r.Sequences(), seed: r.Seed}
	b.perEpoch = (sequences + b.size - 1) / b.size
	if b.total = r.MaxSteps; b.total == 0 {
		b.total = int(math.Ceil(r.NumTrainEpochs * float64(b.perEpoch)))
	}
	return b
}

// batch returns the sequences of step t, from 0: consecutive ones of the epoch's
// order. An epoch's last batch may be smaller.
func (b *batches) batch(t int) []int {
	order := b.epochOrder(t/b.perEpoch + 1)
	lo := t % b.perEpoch * b.size
	return order[lo:min(lo+b.size, b.n)]
}

func (b *batches) epochOrder(epoch int) []int {
	if epoch != b.epoch {
		b.epoch, b.order = epoch, epochOrder(b.seed, epoch, b.n)
	}
	return b.order
}

// passed returns how many epochs are done after t steps.
func (b *batches) passed(t int) float64 {
	within := min(t%b.perEpoch*b.size, b.n)
	return float64(t/b.perEpoch) + float64(within)/float64(b.n)
}

// initial returns the sequences of the initial gradient: the first of epoch 1.
func (b *batches) initial(k int) []int { return b.epochOrder(1)[:k] }

// A schedule is the learning rate of each step.
type schedule struct {
	kind          recipe.Scheduler
	rate          float64 // the peak
	warmup, total int     // steps
}

func newSchedule(r *recipe.Recipe, total int) schedule {
	warmup := r.WarmupSteps
	if warmup < 1 {
		warmup = math.Ceil(warmup * float64(total)) // as transformers does
	}
	return schedule{kind: r.LRSchedulerType, rate: r.Rate(), warmup: min(int(warmup), total), total: total}
}

// at returns the learning rate of step t, from 0.
func (s schedule) at(t int) float64 { return float64(s.rate * s.factor(t)) }

// factor is (t+1)/w while t < w; then 1, (T-t)/(T-w), or ½(1+cos π·(t-w)/(T-w)).
func (s schedule) factor(t int) float64 {
	if t < s.warmup {
		return float64(t+1) / float64(s.warmup)
	}
	left := float64(max(0, s.total-t)) / float64(max(1, s.total-s.warmup))
	switch s.kind {
	case recipe.Linear:
		return left
	case recipe.Cosine:
		return 0.5 * (1 + cosPi(1-left))
	}
	return 1
}

// cosPi returns cos π·x for x in [0,1], within 1e-15. math.Cos may differ in the
// last bit between architectures.
func cosPi(x float64) float64 {
	if x > 0.5 {
		return -cosPi(1 - x)
	}
	// Taylor's series for an angle of at most π/2; every product and sum is rounded.
	square := float64(float64(x*math.Pi) * float64(x*math.Pi))
	sum := 0.0
	for k := 22; k > 0; k -= 2 {
		sum = float64(float64(1+sum) * float64(-square/float64(k*(k-1))))
	}
	return 1 + sum
}

// epochOrder is the order of n sequences in an epoch, from 1.
func epochOrder(seed uint64, epoch, n int) []int {
	return random.ForStep(seed, "order", epoch).Permutation(n)
}
