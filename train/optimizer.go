package train

import (
	"fmt"
	"math"

	"example.com/finetune/loraone"
	"example.com/finetune/simd"
	"example.com/finetune/train/optim"
)

// The optimizers: the Gram-preconditioned one of package optim, AdamW, and AdamW
// on gradients that Layer.Precondition has scaled, as LoRA-One's authors have it.
const (
	preconditionedAdamW = "preconditioned-adamw"
	plainAdamW          = "adamw"
	scaledAdamW         = "scaled-adamw"
)

// An optimizer turns a batch's summed gradients into an update of the adapters:
// divide by the targets, clip by the global norm, and take the optimizer's step.
type optimizer struct {
	c        *Config
	schedule schedule
	pool     *simd.Pool
	layers   []*loraone.Layer
	m, v     [][]float32   // first and second moments of parameters(layers)
	grams    []optim.Grams // of the layers before the step at hand; preconditioned-adamw only
}

func newOptimizer(c *Config, total int, layers []*loraone.Layer, p *simd.Pool) *optimizer {
	o := &optimizer{c: c, schedule: newSchedule(c, total), pool: p, layers: layers, grams: make([]optim.Grams, len(layers))}
	for i, x := range parameters(layers) {
		second := len(x)
		if o.byFeature() {
			second /= layers[i/2].R
		}
		o.m = append(o.m, make([]float32, len(x)))
		o.v = append(o.v, make([]float32, second))
	}
	return o
}

// byFeature reports whether the second moments are those of columns of A and Bᵀ,
// rather than of each of their entries.
func (o *optimizer) byFeature() bool { return o.c.Optimizer == preconditionedAdamW }

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
	o.pool.Run(len(o.layers), func(_, i int) { failed[i] = o.prepare(i, factor) })
	for _, err := range failed {
		if err != nil {
			return norm, rate, err
		}
	}
	o.pool.Run(len(o.layers), func(_, i int) {
		if o.byFeature() {
			o.preconditioned(t, rate, i)
		} else {
			o.adamW(t, rate, i)
		}
		o.layers[i].Sync()
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

// prepare clips the gradients of layer i and checks what the step takes for granted.
func (o *optimizer) prepare(i int, factor float32) (err error) {
	l := o.layers[i]
	if factor < 1 {
		simd.Scale(l.DA, factor)
		simd.Scale(l.DBt, factor)
	}
	switch o.c.Optimizer {
	case preconditionedAdamW:
		if o.grams[i], err = optim.NewGrams(l.A, l.Bt, l.R); err != nil {
			err = fmt.Errorf("%s: %w", l.Name, err)
		}
	case scaledAdamW:
		if err = l.Precondition(o.c.PreconditionReg); err == nil && !finite(sumSquares(l.DA)+sumSquares(l.DBt)) {
			err = fmt.Errorf("the preconditioned gradient of %s is not finite", l.Name)
		}
	}
	return err
}

func (o *optimizer) preconditioned(t int, rate float64, i int) {
	l, p := o.layers[i], optim.Preconditioned{Beta1: o.c.beta1(), Beta2: o.c.beta2(), WeightDecay: o.c.WeightDecay}
	p.Step(t, rate,
		optim.Factor{X: l.A, Grad: l.DA, M: o.m[2*i], C: o.v[2*i]},
		optim.Factor{X: l.Bt, Grad: l.DBt, M: o.m[2*i+1], C: o.v[2*i+1]}, o.grams[i])
}

func (o *optimizer) adamW(t int, rate float64, i int) {
	a := &simd.AdamW{
		LR: float32(rate), Beta1: float32(o.c.beta1()), Beta2: float32(o.c.beta2()),
		Epsilon: float32(o.c.AdamEpsilon), WeightDecay: float32(o.c.WeightDecay),
	}
	a.Correction1 = float32(optim.Correction(float64(a.Beta1), t+1)) // of the β that the moments decay by
	a.Correction2 = float32(optim.Correction(float64(a.Beta2), t+1))
	l := o.layers[i]
	a.Step(l.A, l.DA, o.m[2*i], o.v[2*i])
	a.Step(l.Bt, l.DBt, o.m[2*i+1], o.v[2*i+1])
}

// sumSquares adds in float64, in order; the products are exact there.
func sumSquares(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(float64(v) * float64(v))
	}
	return sum
}
