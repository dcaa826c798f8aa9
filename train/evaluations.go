package train

import (
	"cmp"

	"example.com/finetune/model"
	"example.com/finetune/train/data"
	"example.com/finetune/train/recipe"
)

// How many evaluations a run has and over how many rows, where its settings leave that to
// the plan. They are to take a tenth of the run's time at most, by the tokens alone: what a
// run does must not depend on a clock.
const (
	evalShare    = 0.1
	trainingCost = 2  // of a token: forward and backward, in tokens that are evaluated
	sampledSteps = 64 // of which the tokens are counted
	mostEvals    = 10 // after the start
)

// An evalPlan is so many evaluations over so many rows each.
type evalPlan struct{ count, rows int }

// ladder is what is given up where evaluations take too long, the least harmful first: down
// to five evaluations, to 32 rows, to three, to eight rows, and to the last one alone.
func ladder() (list []evalPlan) {
	for n := mostEvals; n > 5; n-- {
		list = append(list, evalPlan{n, recipe.MostEvalRows})
	}
	for rows := recipe.MostEvalRows; rows > 32; rows-- {
		list = append(list, evalPlan{5, rows})
	}
	list = append(list, evalPlan{5, 32}, evalPlan{4, 32})
	for rows := 32; rows > 8; rows-- {
		list = append(list, evalPlan{3, rows})
	}
	return append(list, evalPlan{3, 8}, evalPlan{2, 8}, evalPlan{1, 8})
}

// An evalCost is what evaluations are weighed by, in tokens that are evaluated.
type evalCost struct {
	training float64 // of the run
	row      float64 // of a validation row
	samples  float64 // of an evaluation
	steps    int
	rows     int // there are
	before   int // evaluations before the first step
}

// choose returns the first plan of the ladder that takes its share at most, the last one where
// none does. What is set stays: every steps, a number of samples.
func (c evalCost) choose(every, samples recipe.AutoCount) (int, int) {
	chosen := evalPlan{}
	for _, p := range ladder() {
		if chosen = (evalPlan{min(p.count, c.steps), min(p.rows, c.rows)}); every > 0 {
			chosen.count = (c.steps + int(every) - 1) / int(every)
		} else if every == 0 {
			chosen.count = mostEvals
		}
		if samples == 0 {
			chosen.rows = c.rows
		} else if samples > 0 {
			chosen.rows = min(int(samples), c.rows)
		}
		cost := float64(chosen.count+c.before) * (float64(float64(chosen.rows)*c.row) + c.samples)
		if cost <= evalShare/(1-evalShare)*c.training {
			break
		}
	}
	return (c.steps + chosen.count - 1) / chosen.count, chosen.rows
}

// ChooseEvaluations sets eval_steps and eval_samples where they are auto, for the rows of a
// run. It needs no weights. Where answers are scored, their rows are those of evaluations:
// as many as the score asks for, or a hundred.
func ChooseEvaluations(c *recipe.Resolved, m *model.Config, train, valid *data.Set) error {
	if c.EvalSteps != recipe.Chosen && c.EvalSamples != recipe.Chosen || valid == nil || valid.Len() == 0 {
		return nil
	}
	b := newBatches(&c.Recipe, train.Len())
	counted := min(b.perEpoch, sampledSteps)
	computed := 0
	for t := range counted {
		seqs, err := train.Sequences(b.batch(t))
		if err != nil {
			return err
		}
		n, _ := m.SharedTokens(seqs)
		computed += n
	}
	rows := chooseEval(&c.Recipe, valid)
	seqs, err := valid.Sequences(rows)
	if err != nil {
		return err
	}
	evaluated, _ := m.SharedTokens(seqs)
	samples, _ := texts(c, valid, len(rows))
	cost := evalCost{
		training: trainingCost * float64(computed) / float64(counted) * float64(b.total),
		row:      float64(evaluated) / float64(len(rows)),
		samples:  float64(samples.Read + writingCost*samples.Written),
		steps:    b.total, rows: valid.Len(), before: 2,
	}
	if c.Init.Method().LeavesBase {
		cost.before = 1
	}
	wanted := c.EvalSamples
	if c.Score.On() && wanted == recipe.Chosen { // an accuracy of a few rows says nothing
		wanted = recipe.AutoCount(cmp.Or(c.Score.Samples, recipe.MostEvalRows))
	}
	steps, n := cost.choose(c.EvalSteps, wanted)
	if c.EvalSteps == recipe.Chosen {
		c.EvalSteps = recipe.AutoCount(steps)
	}
	if c.EvalSamples == recipe.Chosen {
		c.EvalSamples = recipe.AutoCount(n)
	}
	return nil
}
