package train

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/finetune/model"
	"example.com/finetune/train/rundir"
)

// saveEvery is the longest time between two checkpoints.
const saveEvery = 5 * time.Minute

// loop takes the run from st.Step to its end, or to the end of ctx: done says which. A
// checkpoint is written before the evaluation that is due at its step, and the
// evaluation follows when it is resumed.
func (r *run) loop(ctx context.Context) (done bool, err error) {
	for ctx.Err() == nil {
		if r.evalDue() {
			if err := r.evaluate(ctx); err != nil && ctx.Err() == nil {
				return false, err
			}
			continue
		}
		if r.st.Step == r.st.Total || r.st.stopped(r.c.EarlyStopping) {
			return true, nil
		}
		if err := r.step(); err != nil {
			return false, err
		}
		if r.saveDue() {
			if _, err := r.save(); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

func (r *run) evalDue() bool {
	step := r.st.Step
	return r.st.Validated && r.st.Evaluated < step && (step%r.Plan.EvalEvery == 0 || step == r.st.Total)
}

func (r *run) saveDue() bool {
	return r.st.Step%r.c.SaveSteps == 0 || r.now().Sub(r.saved.at) >= saveEvery
}

// A batchLoss is the summed loss of a batch.
type batchLoss struct {
	sum             float64 // nats
	targets, tokens int
	computed        int // tokens, those that rows share counted once
}

// step runs one batch and updates the adapters.
func (r *run) step() error {
	start := r.now()
	r.profile.At(model.Rest)
	defer r.profile.At(model.Outside)
	t, indices := r.st.Step, r.batches.batch(r.st.Step)
	loss, err := r.backward(indices)
	var bad nonFiniteError
	if errors.As(err, &bad) {
		return r.nonFinite(t+1, bad, bad.rows)
	}
	if err != nil {
		return err
	}
	r.profile.At(model.Optimizer)
	norm, rate, err := r.updater.step(t, loss.targets)
	if err != nil {
		return r.nonFinite(t+1, err, indices)
	}
	took := r.now().Sub(start)
	r.steps++
	r.clock.trained += loss.computed
	r.clock.training += took
	r.st.stepped(loss, took.Seconds())
	if rising := r.st.Rise.add(r.st.Step, loss.sum/float64(loss.targets)); rising != "" {
		r.Report(Warning{rising})
	}
	r.st.Seconds = r.now().Sub(r.started).Seconds()
	if r.st.Step%r.c.LoggingSteps == 0 || r.st.Step == r.st.Total {
		return r.log(norm, rate)
	}
	return nil
}

// backward sets the adapters' gradients to those of the summed loss of a batch.
func (r *run) backward(indices []int) (batchLoss, error) {
	r.adapters.ZeroGrad()
	r.engine.Profile = r.profile
	defer func() { r.engine.Profile = nil }()
	var total batchLoss
	seqs, err := r.Data.Train.Sequences(indices)
	if err != nil {
		return total, err
	}
	pass := r.engine.Backward(seqs, nil)
	for pass.Next() {
		for i, l := range pass.Losses {
			if !finite(l.Sum) {
				row := indices[i]
				return total, nonFiniteError{fmt.Errorf("the loss of %v is not finite", r.Data.Train.Origin(row)), []int{row}}
			}
		}
	}
	_, total.computed = pass.Progress()
	for i, l := range pass.Losses {
		total.sum += l.Sum
		total.targets += l.Targets
		total.tokens += len(seqs[i].IDs)
	}
	return total, r.unchanged()
}

// log reports the window since the last log line and opens the next.
func (r *run) log(norm, rate float64) error {
	w, loss := r.st.logged()
	st := &r.st
	pace := 0.0
	if w.Seconds > 0 {
		pace = float64(w.Tokens) / w.Seconds
	}
	epoch := r.batches.passed(st.Step)
	r.Report(Stepped{
		Step: st.Step, Steps: st.Total, Epoch: epoch, Loss: loss, LearningRate: rate, GradNorm: norm,
		Tokens: st.Tokens, TokensPerSecond: pace, Seconds: st.Seconds, Left: r.Plan.Left(st.Step, r.clock.pace()),
	})
	return r.dir.Record(rundir.Metric{
		Step: st.Step, Epoch: epoch, Loss: &loss, LearningRate: &rate, GradNorm: &norm,
		Tokens: st.Tokens, TokensPerSecond: pace, Seconds: st.Seconds,
	})
}
