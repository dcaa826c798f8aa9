package train

import (
	"testing"

	"example.com/finetune/train/recipe"
)

// Evaluations take a tenth of the run at most, as long as one over eight rows does; what is
// set stays, and less is given up where that does.
func TestEvaluationsTakeATenth(t *testing.T) {
	const auto = recipe.Chosen
	gsm8k := evalCost{training: 2 * 60 * 8 * 200, row: 200, steps: 60, rows: 1000, before: 2} // 60 steps
	for _, c := range []struct {
		what           string
		cost           evalCost
		every, samples recipe.AutoCount
		steps, rows    int
	}{
		{"a short run", gsm8k, auto, auto, 20, 21},
		{"a longer one", gsm8k.times(3), auto, auto, 36, 45},
		{"a long one", gsm8k.times(20), auto, auto, 120, 100},
		{"few rows", gsm8k.with(func(c *evalCost) { c.rows = 5 }), auto, auto, 6, 5},
		{"a start that is the base", gsm8k.with(func(c *evalCost) { c.before = 1 }), auto, auto, 20, 26},
		{"samples", gsm8k.with(func(c *evalCost) { c.samples = 8 * 48 * writingCost }), auto, auto, 20, 13},
		{"each 30 steps", gsm8k, 30, auto, 30, 26},
		{"each tenth", gsm8k, 0, auto, 6, 8},
		{"50 rows", gsm8k, auto, 50, 60, 50},
		{"all rows", gsm8k, auto, 0, 60, 1000},
		{"two steps", gsm8k.with(func(c *evalCost) { c.steps, c.training = 2, 100 }), auto, auto, 2, 8},
	} {
		steps, rows := c.cost.choose(c.every, c.samples)
		if steps != c.steps || rows != c.rows {
			t.Errorf("%s: every %d steps over %d rows, want %d and %d", c.what, steps, rows, c.steps, c.rows)
		}
	}
}

func (c evalCost) with(change func(*evalCost)) evalCost {
	change(&c)
	return c
}

// times is the cost of a longer run.
func (c evalCost) times(n int) evalCost {
	return c.with(func(c *evalCost) { c.training, c.steps = c.training*float64(n), c.steps*n })
}

func TestChooseEvaluations(t *testing.T) {
	o := newOffice(t)
	c := o.config(t.TempDir() + "/out")
	c.EvalSteps, c.EvalSamples = recipe.Chosen, recipe.Chosen
	s := o.session(t, c)
	r := resolved(t, c)
	if err := ChooseEvaluations(r, s.Model.Config, s.Data.Train, nil); err != nil || r.EvalSteps != recipe.Chosen {
		t.Errorf("without validation rows: %v, %v", r.EvalSteps, err)
	}
	if err := ChooseEvaluations(r, s.Model.Config, s.Data.Train, s.Data.Valid); err != nil || r.EvalSteps < 1 || r.EvalSamples < 1 {
		t.Fatalf("%v steps, %v rows, %v", r.EvalSteps, r.EvalSamples, err)
	}
	scored := resolved(t, c)
	if err := scored.Set("score", "exact"); err != nil {
		t.Fatal(err)
	}
	if err := ChooseEvaluations(scored, s.Model.Config, s.Data.Train, s.Data.Valid); err != nil || int(scored.EvalSamples) != s.Data.Valid.Len() {
		t.Errorf("scored: %v of %d rows, %v", scored.EvalSamples, s.Data.Valid.Len(), err)
	}
	plan, err := NewPlan(r, s.Model.Config, s.Data.Train, s.Data.Valid, 0)
	if err != nil || plan.EvalEvery != int(r.EvalSteps) || plan.EvalRows != int(r.EvalSamples) {
		t.Errorf("%+v, %v", plan, err)
	}
	if share := plan.EvalShare(Pace{Training: 1, Evaluation: trainingCost}); share > evalShare && plan.EvalRows > 8 {
		t.Errorf("evaluations take %v of the time", share)
	}
}
