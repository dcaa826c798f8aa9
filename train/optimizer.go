package train

import (
	"fmt"
	"math"

	"example.com/finetune/loraone"
	"example.com/finetune/simd"
	"example.com/finetune/train/recipe"
)

// An optimizer turns a batch's summed gradients into an update of the adapters:
// divide by the targets, clip by the global norm, precondition, AdamW.
type optimizer struct {
	c        *recipe.Recipe
	schedule schedule
	pool     *simd.Pool
	layers   []*loraone.Layer
	m, v     [][]float32 // AdamW's moments of parameters(layers)
}

func newOptimizer(c *recipe.Recipe, total int, layers []*loraone.Layer, p *simd.Pool) *optimizer {
	o := &optimizer{c: c, schedule: newSchedule(c, total), pool: p, layers: layers}
	for _, x := range parameters(layers) {
		o.m = append(o.m, make([]float32, len(x)))
		o.v = append(o.v, make([]float32, len(x)))
	}
	return o
}

// parameters lists what is trained: A and Bᵀ of each layer.
func parameters(layers []*loraone.Layer) [][]float32 {
	var list [][]float32
	for _, l := range layers {
		list = append(list, l.A, l.Bt)
	}
	return list
}

// step applies step t, from 0, given gradients summed over the batch's targets.
// It returns the norm of the mean gradient before clipping, and the learning
// rate. After an error no parameter has changed.
func (o *optimizer) step(t, targets int) (norm, rate float64, err error) {
	rate = o.schedule.at(t)
	if norm, err = o.mean(targets); err != nil {
		return norm, rate, err
	}
	factor := float32(1)
	if c := o.c.MaxGradNorm; c > 0 {
		factor = float32(min(1, c/(norm+1e-6)))
	}
	failed := make([]error, len(o.layers))
	o.pool.Run(len(o.layers), func(_, i int) { failed[i] = o.prepare(o.layers[i], factor) })
	for _, err := range failed {
		if err != nil {
			return norm, rate, err
		}
	}
	adam := o.adamW(t, rate)
	o.pool.Run(len(o.layers), func(_, i int) {
		l := o.layers[i]
		adam.Step(l.A, l.DA, o.m[2*i], o.v[2*i])
		adam.Step(l.Bt, l.DBt, o.m[2*i+1], o.v[2*i+1])
		l.Sync()
	})
	return norm, rate, nil
}

// mean divides the gradients by the number of targets and returns their norm.
func (o *optimizer) mean(targets int) (float64, error) {
	squares := make([]float64, len(o.layers))
	o.pool.Run(len(o.layers), func(_, i int) {
		l := o.layers[i]
		simd.Scale(l.DA, 1/float32(targets))
		simd.Scale(l.DBt, 1/float32(targets))
		squares[i] = sumSquares(l.DA) + sumSquares(l.DBt)
	})
	var sum float64
	for i, s := range squares {
		if !finite(s) {
			return s, fmt.Errorf("the gradient of %s is not finite", o.layers[i].Name)
		}
		sum += s
	}
	return math.Sqrt(sum), nil
}

// prepare clips and preconditions the gradients of one layer.
func (o *optimizer) prepare(l *loraone.Layer, factor float32) error {
	if factor < 1 {
		simd.Scale(l.DA, factor)
		simd.Scale(l.DBt, factor)
	}
	if o.c.Optimizer == recipe.AdamW {
		return nil
	}
	if err := l.Precondition(o.c.PreconditionReg); err != nil {
		return err
	}
	if !finite(sumSquares(l.DA) + sumSquares(l.DBt)) {
		return fmt.Errorf("the preconditioned gradient of %s is not finite", l.Name)
	}
	return nil
}

func (o *optimizer) adamW(t int, rate float64) *simd.AdamW {
	a := &simd.AdamW{
		LR: float32(rate), Beta1: float32(o.c.AdamBeta1), Beta2: float32(o.c.AdamBeta2),
		Epsilon: float32(o.c.AdamEpsilon), WeightDecay: float32(o.c.WeightDecay),
	}
	a.Correction1, a.Correction2 = correction(a.Beta1, t+1), correction(a.Beta2, t+1)
	return a
}

// correction returns 1-βⁿ by repeated products: math.Pow may differ in the last
// bit between architectures. β is the float32 that the moments decay by.
func correction(beta float32, n int) float32 {
	power := 1.0
	for range n {
		if power = float64(power * float64(beta)); power < 0x1p-60 { // 1 in float32
			break
		}
	}
	return float32(1 - power)
}

// sumSquares adds in float64, in order; the products are exact there.
func sumSquares(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(float64(v) * float64(v))
	}
	return sum
}
