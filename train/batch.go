package train

import "math"

// batches say which sequences make up each step.
type batches struct {
	n, size  int // sequences, and how many of them a batch has
	perEpoch int // steps
	total    int // steps
	seed     uint64

	epoch int   // the epoch that order is of
	order []int // of the sequences
}

func newBatches(c *Config, sequences int) *batches {
	b := &batches{n: sequences, size: c.sequences(), seed: c.Seed}
	b.perEpoch = (sequences + b.size - 1) / b.size
	if b.total = c.MaxSteps; b.total == 0 {
		b.total = int(math.Ceil(c.NumTrainEpochs * float64(b.perEpoch)))
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
