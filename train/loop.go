package train

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/model"
)

// loop takes the run from st.Step to its end. A checkpoint is written before the
// evaluation that is due at its step, and the evaluation follows when it is
// resumed.
func (r *run) loop(ctx context.Context) error {
	for {
		if ctx.Err() != nil {
			path, err := r.save()
			if err != nil {
				return err
			}
			return &InterruptedError{r.st.Step, path}
		}
		if r.evalDue() {
			if err := r.evaluate(ctx); err != nil && ctx.Err() == nil {
				return err
			}
			continue
		}
		if r.st.Step == r.st.Total || r.st.stopped(r.c.EarlyStopping) {
			return nil
		}
		if err := r.step(); err != nil {
			return err
		}
		if r.saveDue() {
			if _, err := r.save(); err != nil {
				return err
			}
		}
	}
}

func (r *run) evalDue() bool {
	step := r.st.Step
	return r.st.Validated && r.st.Evaluated < step && (step%r.s.Plan.EvalEvery == 0 || step == r.st.Total)
}

func (r *run) saveDue() bool {
	return r.st.Step%r.c.SaveSteps == 0 || r.s.now().Sub(r.saved) >= saveEvery
}

// A batchLoss is the summed loss of a batch.
type batchLoss struct {
	sum             float64 // nats
	targets, tokens int
}

// step runs one batch and updates the adapters.
func (r *run) step() error {
	start := r.s.now()
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
	norm, rate, err := r.opt.step(t, loss.targets)
	if err != nil {
		return r.nonFinite(t+1, err, indices)
	}
	r.last = ""
	took := r.s.now().Sub(start)
	r.steps++
	r.clock.trained += loss.tokens
	r.clock.training += took
	r.st.Step++
	r.st.Tokens += loss.tokens
	r.st.Window.add(loss, took.Seconds())
	if rising := r.st.Rise.add(r.st.Step, loss.sum/float64(loss.targets)); rising != "" {
		r.s.Report(Warning{rising})
	}
	r.st.Seconds = r.s.now().Sub(r.started).Seconds()
	if r.st.Step%r.c.LoggingSteps == 0 || r.st.Step == r.st.Total {
		return r.log(norm, rate)
	}
	return nil
}

// backward sets the adapters' gradients to those of the summed loss of a batch.
func (r *run) backward(indices []int) (batchLoss, error) {
	for _, l := range r.adapters.Layers {
		l.ZeroGrad()
	}
	r.engine.Profile = r.profile
	defer func() { r.engine.Profile = nil }()
	var total batchLoss
	done := 0
	seqs, err := r.s.Data.Train.Sequences(indices)
	if err != nil {
		return total, err
	}
	for _, mb := range r.engine.MicroBatches(seqs) {
		for i, l := range r.engine.LossBackward(mb, nil) {
			if !finite(l.Sum) {
				row := indices[done+i]
				return total, nonFiniteError{fmt.Errorf("the loss of %v is not finite", r.s.Data.Train.Origin(row)), []int{row}}
			}
			total.sum += l.Sum
			total.targets += l.Targets
			total.tokens += len(mb[i].IDs)
		}
		done += len(mb)
	}
	return total, r.unchanged()
}

// rows names the rows of a batch, ten at most, in the file's order.
func (r *run) rows(indices []int) string {
	sorted := slices.Sorted(slices.Values(indices))
	var names []string
	for _, i := range sorted[:min(10, len(sorted))] {
		names = append(names, r.s.Data.Train.Origin(i).String())
	}
	if more := len(sorted) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// log reports the window since the last log line and opens the next.
func (r *run) log(norm, rate float64) error {
	w, st := r.st.Window, &r.st
	loss := float64(w.Sum / float64(w.Targets))
	st.Window, st.Logged = window{}, loss
	pace := 0.0
	if w.Seconds > 0 {
		pace = float64(w.Tokens) / w.Seconds
	}
	epoch := r.batches.passed(st.Step)
	r.s.Report(Stepped{
		Step: st.Step, Steps: st.Total, Epoch: epoch, Loss: loss, LearningRate: rate, GradNorm: norm,
		Tokens: st.Tokens, TokensPerSecond: pace, Seconds: st.Seconds, Left: r.s.Plan.Left(st.Step, r.clock.pace()),
	})
	return r.metrics.add(Metric{
		Step: st.Step, Epoch: epoch, Loss: &loss, LearningRate: &rate, GradNorm: &norm,
		Tokens: st.Tokens, TokensPerSecond: pace, Seconds: st.Seconds,
	})
}

// evaluate measures the validation loss of the present step and keeps the adapter
// where it is the best so far.
func (r *run) evaluate(ctx context.Context) error {
	loss := r.st.BaseLoss
	if r.st.Step > 0 || r.c.Init != "lora" { // B = 0 leaves every bit of the base alone
		var err error
		if loss, err = r.evalLoss(ctx); err != nil {
			return err
		}
	}
	r.last = ""
	best := r.st.evaluated(loss)
	if best {
		r.keep()
	}
	line := Metric{Step: r.st.Step, Epoch: r.batches.passed(r.st.Step), EvalLoss: &loss, Tokens: r.st.Tokens}
	if r.st.Step == 0 {
		line.BaseEvalLoss = &r.st.BaseLoss
	}
	r.st.Seconds = r.s.now().Sub(r.started).Seconds()
	line.Seconds = r.st.Seconds
	r.s.Report(Evaluated{Step: r.st.Step, Steps: r.st.Total, Loss: loss, Base: r.st.BaseLoss, Best: best})
	return r.metrics.add(line)
}

func (r *run) evalLoss(ctx context.Context) (float64, error) {
	start := r.s.now()
	loss, err := MeanLoss(ctx, r.engine, r.eval, func(done, total int) { r.s.Report(EvalProgress{done, total}) })
	if err == nil {
		for _, s := range r.eval {
			r.clock.evaluated += len(s.IDs)
		}
		r.clock.evaluation += r.s.now().Sub(start)
		err = r.unchanged()
	}
	if err == nil && !finite(loss) {
		err = hint.Newf(fmt.Errorf("step %d: the validation loss is not finite", r.st.Step), "a lower learning_rate (%g)", r.c.LearningRate)
	}
	return loss, err
}

// keep copies the present adapter as the best so far.
func (r *run) keep() {
	now := parameters(r.opt.layers)
	if r.best == nil {
		r.best = make([][]float32, len(now))
	}
	for i, x := range now {
		r.best[i] = append(r.best[i][:0], x...)
	}
}

// save writes a checkpoint, unless the last one is of the same state, and removes
// the oldest beyond save_total_limit.
func (r *run) save() (string, error) {
	if r.last != "" {
		return r.last, nil
	}
	if err := r.metrics.sync(); err != nil {
		return "", err
	}
	r.st.Metrics = r.metrics.size
	dir := r.path(checkpointsDir)
	path, err := writeCheckpoint(dir, &r.st, r.opt, r.best)
	if err == nil {
		r.saved, r.last = r.s.now(), path
		r.s.Report(Saved{r.st.Step, path})
		err = prune(dir, r.c.SaveTotalLimit)
	}
	if err != nil {
		return "", hint.New(fmt.Errorf("saving a checkpoint: %w", err), "the checkpoints before it are good: --resume goes on from there")
	}
	return path, nil
}
