package train

import (
	"context"
	"fmt"
	"slices"

	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/random"
	"example.com/finetune/model"
	"example.com/finetune/train/data"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

// chooseEval returns the indices of the validation rows used during training: a
// seeded choice, in the file's order.
func chooseEval(c *recipe.Recipe, valid *data.Set) []int {
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

// evaluate measures the validation loss of the present step and keeps the adapter
// where it is the best so far.
func (r *run) evaluate(ctx context.Context) error {
	loss := r.st.Losses.Base
	if r.st.Step > 0 || !r.c.Init.Method().LeavesBase {
		var err error
		if loss, err = r.evalLoss(ctx); err != nil {
			return err
		}
	}
	best := r.st.evaluated(loss)
	if best {
		r.keep()
	}
	line := rundir.Metric{Step: r.st.Step, Epoch: r.batches.passed(r.st.Step), EvalLoss: &loss, Tokens: r.st.Tokens}
	if r.st.Step == 0 {
		line.BaseEvalLoss = &r.st.Losses.Base
	}
	r.st.Seconds = r.now().Sub(r.started).Seconds()
	line.Seconds = r.st.Seconds
	r.Report(Evaluated{Step: r.st.Step, Steps: r.st.Total, Loss: loss, Base: r.st.Losses.Base, Best: best})
	return r.dir.Record(line)
}

// evalLoss returns the loss of the validation rows.
func (r *run) evalLoss(ctx context.Context) (float64, error) { return r.lossOf(ctx, r.eval) }

func (r *run) lossOf(ctx context.Context, seqs []model.Sequence) (float64, error) {
	start := r.now()
	loss, err := MeanLoss(ctx, r.engine, seqs, func(done, total int) { r.Report(EvalProgress{done, total}) })
	if err == nil {
		for _, s := range seqs {
			r.clock.evaluated += len(s.IDs)
		}
		r.clock.evaluation += r.now().Sub(start)
		err = r.unchanged()
	}
	if err == nil && !finite(loss) {
		err = hint.Newf(fmt.Errorf("step %d: the validation loss is not finite", r.st.Step), "a lower learning_rate (%g)", r.c.LearningRate)
	}
	return loss, err
}

// keep copies the present adapter as the best so far.
func (r *run) keep() {
	now := r.adapters.Params()
	if r.best == nil {
		r.best = make([][]float32, len(now))
	}
	for i, p := range now {
		r.best[i] = append(r.best[i][:0], p.Value...)
	}
}
