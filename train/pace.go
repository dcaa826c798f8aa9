package train

import (
	"context"
	"time"

	"example.com/finetune/loraone"
)

// A Pace is how fast a run goes on a machine, in tokens a second: of a step,
// forward and backward, and of an evaluation.
type Pace struct{ Training, Evaluation float64 }

// Left returns the time from the end of step to the end of the run at a pace, or
// 0 where the pace is not known.
func (p Plan) Left(step int, pace Pace) time.Duration {
	seconds := 0.0
	if pace.Training > 0 {
		seconds += float64(p.Tokens) / float64(p.StepsPerEpoch) * float64(p.Steps-step) / pace.Training
	}
	if p.EvalEvery > 0 && pace.Evaluation > 0 {
		done, all := step/p.EvalEvery, (p.Steps+p.EvalEvery-1)/p.EvalEvery // the last step is always evaluated
		seconds += float64(all-done) * float64(p.EvalTokens) / pace.Evaluation
	}
	return time.Duration(seconds * float64(time.Second))
}

// Start returns the time from the mapping of the weights to the first step at a
// pace: evaluations of the base and of the start, and the initial gradient between.
func (p Plan) Start(pace Pace) time.Duration {
	seconds := 0.0
	if p.EvalEvery > 0 && pace.Evaluation > 0 {
		seconds += 2 * float64(p.EvalTokens) / pace.Evaluation
	}
	if pace.Training > 0 {
		seconds += float64(p.InitPasses*p.InitTokens) / pace.Training
	}
	return time.Duration(seconds * float64(time.Second))
}

// Trial measures the pace of the run on its first batch. Nothing is written.
func (s *Session) Trial(ctx context.Context) (Pace, error) {
	r, err := s.newRun()
	if err != nil {
		return Pace{}, err
	}
	adapters, err := loraone.New(s.Model.Config, r.c.Lora(), nil)
	if err != nil {
		return Pace{}, err
	}
	adapters.Attach(r.engine)
	r.adapters = adapters
	err = s.Model.Guard(func() error {
		indices := r.batches.batch(0)
		for range 2 { // the first finds no page of the weights in memory and no buffer made
			start := time.Now()
			loss, err := r.backward(indices)
			if err != nil {
				return err
			}
			r.clock.trained, r.clock.training = loss.tokens, time.Since(start)
		}
		if len(r.eval) == 0 {
			return nil
		}
		r.eval = r.eval[:min(len(r.eval), len(indices))]
		_, err := r.evalLoss(ctx)
		return err
	})
	return r.clock.pace(), err
}

// A stopwatch adds up what a pace is of.
type stopwatch struct {
	trained, evaluated   int // tokens
	training, evaluation time.Duration
}

func (w *stopwatch) pace() (p Pace) {
	if w.training > 0 {
		p.Training = float64(w.trained) / w.training.Seconds()
	}
	if w.evaluation > 0 {
		p.Evaluation = float64(w.evaluated) / w.evaluation.Seconds()
	}
	return p
}
