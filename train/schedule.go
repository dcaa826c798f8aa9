package train

import "math"

// A schedule is the learning rate of each step.
type schedule struct {
	kind          string  // constant, linear or cosine
	rate          float64 // the peak
	warmup, total int     // steps
}

func newSchedule(c *Config, total int) schedule {
	warmup := c.WarmupSteps
	if warmup < 1 {
		warmup = math.Ceil(warmup * float64(total)) // as transformers does
	}
	return schedule{kind: c.LRSchedulerType, rate: c.Rate(), warmup: min(int(warmup), total), total: total}
}

// at returns the learning rate of step t, from 0.
func (s schedule) at(t int) float64 { return float64(s.rate * s.factor(t)) }

// factor is (t+1)/w while t < w; then 1, (T-t)/(T-w), or ½(1+cos π·(t-w)/(T-w)).
func (s schedule) factor(t int) float64 {
	if t < s.warmup {
		return float64(t+1) / float64(s.warmup)
	}
	left := float64(max(0, s.total-t)) / float64(max(1, s.total-s.warmup))
	switch s.kind {
	case "linear":
		return left
	case "cosine":
		return 0.5 * (1 + cosPi(1-left))
	}
	return 1
}

// cosPi returns cos π·x for x in [0,1], within 1e-15. math.Cos may differ in the
// last bit between architectures.
func cosPi(x float64) float64 {
	if x > 0.5 {
		return -cosPi(1 - x)
	}
	// Taylor's series for an angle of at most π/2; every product and sum is rounded.
	square := float64(float64(x*math.Pi) * float64(x*math.Pi))
	sum := 0.0
	for k := 22; k > 0; k -= 2 {
		sum = float64(float64(1+sum) * float64(-square/float64(k*(k-1))))
	}
	return 1 + sum
}
