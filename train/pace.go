package train

import (
	"context"
	"strconv"
	"time"

	"example.com/finetune/loraone"
	"example.com/finetune/train/data"
	"example.com/finetune/train/generate"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/score"
)

// A Pace is how fast a run goes on a machine, in tokens a second: those of a step, forward
// and backward, those of an evaluation, and those that the model writes. What rows share
// counts once. 0 is a pace that is not known.
type Pace struct{ Training, Evaluation, Writing float64 }

// UsualPace returns how fast the parts of a run go beside each other on most machines: what
// is known before anything is measured.
func UsualPace() Pace { return Pace{Training: 1, Evaluation: trainingCost} }

// writingCost is how many tokens are read in the time of one that is written, where no pace
// says it: the weights are read again for each token of a batch of texts.
const writingCost = 4

// Texts are what the model reads and writes to answer some prompts, in tokens, about.
type Texts struct{ Count, Read, Written int }

// seconds is how long texts take.
func (t Texts) seconds(pace Pace) float64 {
	if t.Count == 0 || pace.Evaluation == 0 {
		return 0
	}
	writing := pace.Writing
	if writing == 0 {
		writing = pace.Evaluation / writingCost
	}
	return float64(t.Read)/pace.Evaluation + float64(t.Written)/writing
}

// texts estimates the samples of an evaluation and the answers that are scored, of some
// validation rows: a prompt is what of a mean row is not trained, and an answer as long as
// what is.
func texts(c *recipe.Resolved, valid *data.Set, rows int) (samples, scored Texts) {
	answer := valid.Stats.Trained / valid.Stats.Kept
	prompt := valid.Stats.Tokens/valid.Stats.Kept - answer
	if c.SamplePrompts != "" {
		n := mostSamples // of a file
		if number, err := strconv.Atoi(c.SamplePrompts); err == nil {
			n = min(n, number, rows)
		}
		samples = Texts{n, n * prompt, n * sampleTokens}
	}
	if c.Score.On() {
		n := rows
		if c.Score.Samples > 0 {
			n = min(n, c.Score.Samples)
		}
		if scored = (Texts{n, n * prompt, n * min(answer, c.Score.Limit())}); c.Score.Kind == score.Choice {
			scored = Texts{n, n * (prompt + len(c.Score.Choices)*answer), 0}
		}
	}
	return samples, scored
}

// TokensPerSecond is the pace of training by the rows' tokens, those that are shared counted
// in each row.
func (p Plan) TokensPerSecond(pace Pace) float64 {
	return pace.Training * float64(p.Tokens) / float64(p.Computed)
}

// evaluation is how long one takes, its samples included.
func (p Plan) evaluation(pace Pace) float64 {
	if p.EvalEvery == 0 || pace.Evaluation == 0 {
		return 0
	}
	return float64(p.EvalComputed)/pace.Evaluation + p.Samples.seconds(pace)
}

// evaluations is how many follow after a step; the last step is always evaluated.
func (p Plan) evaluations(step int) int {
	if p.EvalEvery == 0 {
		return 0
	}
	return (p.Steps+p.EvalEvery-1)/p.EvalEvery - step/p.EvalEvery
}

// Left returns the time from the end of step to the end of the run at a pace, or
// 0 where the pace is not known.
func (p Plan) Left(step int, pace Pace) time.Duration { return period(p.left(step, pace)) }

// left is Left in seconds.
func (p Plan) left(step int, pace Pace) float64 {
	seconds := float64(p.evaluations(step))*p.evaluation(pace) + 2*p.Scored.seconds(pace)
	if pace.Training > 0 {
		seconds += float64(p.Computed) / float64(p.StepsPerEpoch) * float64(p.Steps-step) / pace.Training
	}
	return seconds
}

// Answers returns the part of the time that scoring answers at the end takes, of the base and of
// the adapter.
func (p Plan) Answers(pace Pace) time.Duration { return period(2 * p.Scored.seconds(pace)) }

// Start returns the time from the mapping of the weights to the first step at a
// pace: evaluations of the base and of the start, and the initial gradient between.
func (p Plan) Start(pace Pace) time.Duration { return period(p.start(pace)) }

// start is Start in seconds.
func (p Plan) start(pace Pace) float64 {
	seconds := p.evaluation(pace)
	if p.EvalStart && pace.Evaluation > 0 {
		seconds += float64(p.EvalComputed) / pace.Evaluation
	}
	if pace.Training > 0 {
		seconds += float64(p.InitPasses*p.InitTokens) / pace.Training
	}
	return seconds
}

// period is so many seconds, a century at most: a Duration holds less than three.
func period(seconds float64) time.Duration {
	const century = 100 * 365.25 * 24 * 3600
	return time.Duration(min(seconds, century) * float64(time.Second))
}

// EvalShare returns the part of the run's time that evaluations take at a pace.
func (p Plan) EvalShare(pace Pace) float64 {
	all := p.start(pace) + p.left(0, pace)
	if all == 0 || pace.Training == 0 {
		return 0
	}
	training := float64(p.Computed) / float64(p.StepsPerEpoch) * float64(p.Steps) / pace.Training
	return 1 - (training+float64(p.InitPasses*p.InitTokens)/pace.Training+2*p.Scored.seconds(pace))/all
}

// Trial measures the pace of the run on its first batch. Nothing is written.
func (s *Session) Trial(ctx context.Context) (Pace, error) {
	r := s.newRun(nil)
	adapters, err := loraone.New(s.Model.Config, s.lora, nil)
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
			r.clock.trained, r.clock.training = loss.computed, time.Since(start)
		}
		if len(r.eval) == 0 {
			return nil
		}
		if _, _, err := r.lossOf(ctx, r.eval[:min(len(r.eval), len(indices))]); err != nil {
			return err
		}
		return r.tryWriting(ctx)
	})
	return r.clock.pace(), err
}

// What a trial lets the model write.
const (
	triedTexts  = 16
	triedTokens = 16
)

// tryWriting measures the pace at which texts are written, where the run has any to write.
func (r *run) tryWriting(ctx context.Context) error {
	var prompts []generate.Prompt
	if r.c.Score.Kind != score.Choice {
		for _, q := range r.speech.questions {
			prompts = append(prompts, q.Prompt)
		}
	}
	for _, s := range r.speech.samples {
		prompts = append(prompts, s.prompt)
	}
	prompts = prompts[:min(len(prompts), triedTexts)]
	return r.write(ctx, prompts, triedTokens, func(int, generate.Answer) error { return nil })
}

// write answers prompts and takes the time.
func (r *run) write(ctx context.Context, prompts []generate.Prompt, limit int, done func(i int, a generate.Answer) error) error {
	start, written := r.now(), 0
	err := r.generator().WriteAll(ctx, prompts, generate.Options{Limit: limit, Memory: r.Plan.TextBytes}, func(i int, a generate.Answer) error {
		written += a.Tokens
		return done(i, a)
	})
	read := 0
	for _, p := range prompts {
		read += len(p.IDs)
	}
	r.clock.wrote(read, written, r.now().Sub(start))
	return err
}

// A stopwatch adds up what a pace is of.
type stopwatch struct {
	trained, evaluated, written   int // tokens
	training, evaluation, writing time.Duration
}

// wrote takes in texts. The time of their prompts is that of an evaluation, and as much as
// three quarters of all where there was none to tell.
func (w *stopwatch) wrote(read, written int, took time.Duration) {
	reading := 0.0
	if pace := w.pace().Evaluation; pace > 0 {
		reading = float64(read) / pace
	}
	w.written += written
	w.writing += took - min(time.Duration(reading*float64(time.Second)), took*3/4)
}

func (w *stopwatch) pace() Pace {
	per := func(tokens int, took time.Duration) float64 {
		if took <= 0 {
			return 0
		}
		return float64(tokens) / took.Seconds()
	}
	return Pace{Training: per(w.trained, w.training), Evaluation: per(w.evaluated, w.evaluation), Writing: per(w.written, w.writing)}
}
