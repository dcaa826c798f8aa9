package train

import (
	"math"
	"testing"
)

func TestScheduleFollowsItsFormula(t *testing.T) {
	for _, c := range []struct {
		kind   string
		warmup float64
		total  int
		want   []float64 // of rate 1
	}{
		{"linear", 0, 4, []float64{1, 0.75, 0.5, 0.25}},
		{"linear", 2, 6, []float64{0.5, 1, 1, 0.75, 0.5, 0.25}},
		{"linear", 0.5, 4, []float64{0.5, 1, 1, 0.5}},
		{"linear", 0.3, 4, []float64{0.5, 1, 1, 0.5}}, // 1.2 steps are 2
		{"linear", 9, 3, []float64{1. / 3, 2. / 3, 1}},
		{"constant", 2, 4, []float64{0.5, 1, 1, 1}},
		{"cosine", 1, 5, []float64{1, 1, 0.5 * (1 + math.Sqrt2/2), 0.5, 0.5 * (1 - math.Sqrt2/2)}},
	} {
		s := newSchedule(&Config{LRSchedulerType: c.kind, WarmupSteps: c.warmup, LearningRate: 1}, c.total)
		for i, want := range c.want {
			if got := s.at(i); math.Abs(got-want) > 1e-15 {
				t.Errorf("%s, warm-up %v of %d: step %d: %v, want %v", c.kind, c.warmup, c.total, i, got, want)
			}
		}
	}
}

func TestCosPiIsTheCosine(t *testing.T) {
	for i := range 1001 {
		x := float64(i) / 1000
		if got, want := cosPi(x), math.Cos(math.Pi*x); math.Abs(got-want) > 1e-15 {
			t.Fatalf("cosPi(%v) = %v, want %v", x, got, want)
		}
	}
}

func TestRateIsTheOptimizersUnlessSet(t *testing.T) {
	c := Default()
	if c.Rate() != 0.0247 {
		t.Errorf("q and v: %v, want 0.0247", c.Rate())
	}
	c.TargetModules = Names{"all-linear"}
	if c.Rate() != 0.0132 {
		t.Errorf("every projection: %v, want 0.0132", c.Rate())
	}
	c.Optimizer = "adamw"
	if c.Rate() != rateAdamW {
		t.Errorf("adamw: %v, want %v", c.Rate(), rateAdamW)
	}
	c.LearningRate = 3e-4
	if c.Rate() != 3e-4 {
		t.Errorf("set: %v", c.Rate())
	}
}
