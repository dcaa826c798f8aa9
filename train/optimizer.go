package train

import (
	"fmt"
	"math"

	"example.com/finetune/loraone"
	"example.com/finetune/simd"
	"example.com/finetune/train/optim"
	"example.com/finetune/train/recipe"
)

// An updater turns a batch's summed gradients into an update of the adapters: divide
// by the targets, clip by the global norm, and take the optimizer's step.
type updater struct {
	c         *recipe.Recipe
	schedule  schedule
	pool      *simd.Pool
	adapters  *loraone.Adapters
	optimizer *optim.Optimizer
}

func newUpdater(c *recipe.Recipe, total int, a *loraone.Adapters, p *simd.Pool) (*updater, error) {
	o, err := optim.New(c.Kind(), c.Updates(), a.Modules, p)
	if err != nil {
		return nil, err
	}
	return &updater{c: c, schedule: newSchedule(c, total), pool: p, adapters: a, optimizer: o}, nil
}

// step applies step t, from 0, given gradients summed over the batch's targets.
// It returns the norm of the mean gradient before clipping, and the learning
// rate. After an error no parameter has changed.
func (u *updater) step(t, targets int) (norm, rate float64, err error) {
	rate = u.schedule.at(t)
	if norm, err = u.mean(targets); err != nil {
		return norm, rate, err
	}
	if c := u.c.MaxGradNorm; c > 0 {
		u.clip(float32(min(1, c/(norm+1e-6))))
	}
	return norm, rate, u.optimizer.Step(t, rate)
}

// mean divides the gradients by the number of targets and returns their norm.
func (u *updater) mean(targets int) (float64, error) {
	modules := u.adapters.Modules
	squares := make([]float64, len(modules))
	u.pool.Run(len(modules), func(_, i int) {
		for _, p := range modules[i].Params() {
			simd.Scale(p.Grad, 1/float32(targets))
			squares[i] += sumSquares(p.Grad)
		}
	})
	var sum float64
	for i, s := range squares {
		if !finite(s) {
			return s, fmt.Errorf("the gradient of %s is not finite", modules[i].At().Name)
		}
		sum += s
	}
	return math.Sqrt(sum), nil
}

// clip multiplies the gradients by a factor of at most 1.
func (u *updater) clip(factor float32) {
	if factor == 1 {
		return
	}
	modules := u.adapters.Modules
	u.pool.Run(len(modules), func(_, i int) {
		for _, p := range modules[i].Params() {
			simd.Scale(p.Grad, factor)
		}
	})
}

// sumSquares adds in float64, in order; the products are exact there.
func sumSquares(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(float64(v) * float64(v))
	}
	return sum
}
