package train

import (
	"context"
	"fmt"
	"slices"

	"example.com/finetune/internal/random"
	"example.com/finetune/model"
	"example.com/finetune/train/data"
)

// chooseEval returns the indices of the validation rows used during training: a
// seeded choice, in the file's order.
func chooseEval(c *Config, valid *data.Set) []int {
	n := valid.Len()
	list := random.ForStep(c.Seed, "eval", 0).Permutation(n)
	if c.EvalSamples > 0 {
		list = list[:min(n, c.EvalSamples)]
	}
	slices.Sort(list)
	return list
}

// MeanLoss returns the loss per target of the sequences, each counted by its
// targets. progress may be nil. It stops between micro-batches when ctx ends.
func MeanLoss(ctx context.Context, e *model.Engine, seqs []model.Sequence, progress func(done, total int)) (float64, error) {
	var sum float64
	targets, done := 0, 0
	for _, mb := range e.MicroBatches(seqs) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		for _, l := range e.Loss(mb) {
			sum += l.Sum
			targets += l.Targets
		}
		if done += len(mb); progress != nil {
			progress(done, len(seqs))
		}
	}
	if targets == 0 {
		return 0, fmt.Errorf("no trained tokens among %d rows", len(seqs))
	}
	return float64(sum / float64(targets)), nil
}
