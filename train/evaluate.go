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
// seeded choice, in the file's order. Where nobody has chosen how many, it is a hundred.
func chooseEval(c *recipe.Recipe, valid *data.Set) []int {
	n := valid.Len()
	list := random.ForStep(c.Seed, "eval", 0).Permutation(n)
	most := int(c.EvalSamples)
	if c.EvalSamples == recipe.Chosen {
		most = recipe.MostEvalRows
	}
	if most > 0 {
		list = list[:min(n, most)]
	}
	slices.Sort(list)
	return list
}

// evaluate measures the validation loss of the present step and keeps the adapter
// where it is the best so far.
func (r *run) evaluate(ctx context.Context) error {
	loss, rows := r.st.Losses.Base, r.st.BestRows
	if r.st.Step > 0 || !r.c.Init.Method().LeavesBase {
		var err error
		if loss, rows, err = r.evalLoss(ctx); err != nil {
			return err
		}
	}
	samples, err := r.sample(ctx)
	if err != nil {
		return err
	}
	best := r.st.evaluated(loss)
	if best {
		r.st.BestRows = rows
		r.keep()
	}
	line := rundir.Metric{Step: r.st.Step, Epoch: r.batches.passed(r.st.Step), EvalLoss: &loss, Tokens: r.st.Tokens, Samples: samples}
	if r.st.Step == 0 {
		line.BaseEvalLoss = &r.st.Losses.Base
	}
	r.st.Seconds = r.now().Sub(r.started).Seconds()
	line.Seconds = r.st.Seconds
	r.Report(Evaluated{Step: r.st.Step, Steps: r.st.Total, Loss: loss, Base: r.st.Losses.Base, Best: best})
	if len(samples) > 0 {
		r.Report(Sampled{r.st.Step, samples})
	}
	return r.dir.Record(line)
}

// evalLoss returns the loss of the validation rows, and the nats of each.
func (r *run) evalLoss(ctx context.Context) (loss float64, rows []float64, err error) {
	return r.lossOf(ctx, r.eval)
}

func (r *run) lossOf(ctx context.Context, seqs []model.Sequence) (loss float64, rows []float64, err error) {
	start, computed := r.now(), 0
	list, err := RowLosses(ctx, r.engine, seqs, func(done, total int) {
		computed = done
		r.Report(EvalProgress{done, total})
	})
	if err == nil {
		loss, _ = PerToken(list) // every validation row has trained tokens
		for _, l := range list {
			rows = append(rows, l.Sum)
		}
		r.clock.evaluated += computed
		r.clock.evaluation += r.now().Sub(start)
		err = r.unchanged()
	}
	if err == nil && !finite(loss) {
		err = hint.Newf(fmt.Errorf("step %d: the validation loss is not finite", r.st.Step), "a lower learning_rate (%g)", r.c.LearningRate)
	}
	return loss, rows, err
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
