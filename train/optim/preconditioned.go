package optim

import (
	"errors"
	"fmt"
	"math"

	"example.com/finetune/loraone"
)

// PreconditionedAdamW is [Preconditioned] on the two factors of each module. The learning
// rate is from runs on GSM8K with SmolLM2-135M and on three tasks with stories260K; it is
// divided by √k for k adapted projections a layer, which move the model together.
var PreconditionedAdamW = &Kind{
	Name: "preconditioned-adamw", Title: "preconditioned AdamW", Beta1: 0.8, Beta2: 0.99,
	Rate: func(targets int) float64 {
		return math.Round(0.035/math.Sqrt(float64(max(1, targets)))*1e4) / 1e4
	},
	New: newPreconditioned,
}

// A preconditioned keeps the state of each module's pair.
type preconditioned struct {
	Preconditioned
	pairs []pair
	state []pairState
}

// pairState is m and c of A and Bᵀ, and the Gram matrices before the step at hand.
type pairState struct {
	mA, cA, mB, cB *loraone.Param
	grams          Grams
}

func newPreconditioned(s Settings, modules []loraone.Module) (Rule, error) {
	if len(s.Factors) > 0 {
		return nil, errors.New("preconditioned-adamw sets the size of both factors' steps itself: learning rates by group are for adamw")
	}
	pairs, err := pairsOf("preconditioned-adamw", modules)
	if err != nil {
		return nil, err
	}
	o := &preconditioned{Preconditioned{s.Beta1, s.Beta2, s.WeightDecay}, pairs, make([]pairState, len(pairs))}
	for i, x := range pairs {
		o.state[i] = pairState{
			mA: remembered("m.", x.a, x.a.Rows), cA: remembered("v.", x.a, 1), // by feature
			mB: remembered("m.", x.bt, x.bt.Rows), cB: remembered("v.", x.bt, 1),
		}
	}
	return o, nil
}

func (o *preconditioned) Prepare(module int) (err error) {
	x := o.pairs[module]
	if o.state[module].grams, err = NewGrams(x.a.Value, x.bt.Value, x.a.Rows); err != nil {
		return fmt.Errorf("%s: %w", x.name, err)
	}
	return nil
}

func (o *preconditioned) Update(module, t int, rate float64) {
	x, s := o.pairs[module], o.state[module]
	o.Step(t, rate,
		Factor{X: x.a.Value, Grad: x.a.Grad, M: s.mA.Value, C: s.cA.Value},
		Factor{X: x.bt.Value, Grad: x.bt.Grad, M: s.mB.Value, C: s.cB.Value}, s.grams)
}

func (o *preconditioned) State() []*loraone.Param {
	var list []*loraone.Param
	for _, s := range o.state {
		list = append(list, s.mA, s.cA, s.mB, s.cB)
	}
	return list
}

// A Preconditioned is an AdamW whose momentum is seen through the square root of
// the other factor's inverse Gram matrix, orthogonalised, scaled by feature, and
// put back through the same root. Its learning rate ρ is about the largest singular
// value that one factor's step gives B·A.
//
// The first root makes a step independent of how B·A is divided between its
// factors, the second gives it the size ρ whatever they are. The damping κ·ρ bounds
// what the two steps do together, ΔB·ΔA, by ρ/κ.
type Preconditioned struct {
	Beta1, Beta2 float64 // of the momentum, and of the second moment by feature
	WeightDecay  float64 // B·A decays by ρ times this
}

// What was measured well: the study of 2026-11 tried κ 0, 0.3, 1, 3 and 10.
const (
	kappa          = 10    // damping of the Gram matrix, in steps
	epsilonPolar   = 1e-6  // of the momentum's Gram matrix, in its mean eigenvalue
	epsilonFeature = 1e-10 // of the root of a feature's second moment
)

// A Factor is A or Bᵀ of an adapter, r×n, with its mean, clipped gradient and its
// state, which is zero at first.
type Factor struct {
	X, Grad []float32 // r×n
	M       []float32 // r×n: the momentum of the gradient
	C       []float32 // n: the second moment of the orthogonalised momentum by feature
}

// Grams are A·Aᵀ and BᵀB of an adapter before its step.
type Grams struct {
	A, B []float64 // r×r
	R    int
}

// NewGrams returns the Gram matrices of a and bt. One that is not finite is an
// error: with finite gradients, nothing else can fail in a step.
func NewGrams(a, bt []float32, r int) (Grams, error) {
	k := Grams{A: gram(a, r), B: gram(bt, r), R: r}
	switch {
	case !finite(k.A):
		return k, errors.New("the Gram matrix of lora_A is not finite")
	case !finite(k.B):
		return k, errors.New("the Gram matrix of lora_B is not finite")
	}
	return k, nil
}

// Step takes step t, from 0, of learning rate rho. k holds the Gram matrices of
// the factors as they are.
func (o Preconditioned) Step(t int, rho float64, a, bt Factor, k Grams) {
	o.factor(t, rho, a, k.B, k.R)
	o.factor(t, rho, bt, k.A, k.R)
}

// factor updates one factor, given the Gram matrix of the other, which it overwrites.
func (o Preconditioned) factor(t int, rho float64, x Factor, other []float64, r int) {
	lambda := max(kappa*rho, 1e-12*trace(other, r)/float64(r), 1e-30)
	p := inverseRoot(other, r, lambda)
	z := multiply(p, o.lookAhead(t, x), r) // the momentum as W sees it
	s := gram(z, r)
	tau := trace(s, r) / float64(r)
	if tau == 0 { // no gradient yet: A while B = 0
		z = nil
	} else {
		z = multiply(inverseRoot(s, r, epsilonPolar*tau), z, r)
	}
	o.byFeature(t, x.C, z, r)
	if z == nil {
		return
	}
	keep := 1 - float64(float64(rho*o.WeightDecay)/2)
	for i, step := range multiply(p, z, r) {
		x.X[i] = float32(float64(float64(x.X[i])*keep) - float64(rho*step))
	}
}

// lookAhead moves the momentum by the gradient and returns Nesterov's β₁·m̂ + (1-β₁)·g.
func (o Preconditioned) lookAhead(t int, x Factor) []float64 {
	u := make([]float64, len(x.Grad))
	rest, corrected := 1-o.Beta1, o.Beta1/Correction(o.Beta1, t+1)
	for i, g := range x.Grad {
		fresh := float64(rest * float64(g))
		x.M[i] = float32(float64(o.Beta1*float64(x.M[i])) + fresh)
		u[i] = float64(corrected*float64(x.M[i])) + fresh
	}
	return u
}

// byFeature moves the second moment c of each column of z (r×n) and divides the
// column by its root, then gives z its norm back. A nil z counts as zero.
func (o Preconditioned) byFeature(t int, c []float32, z []float64, r int) {
	n := len(c)
	mean := make([]float64, n)
	if z != nil {
		for i := range r {
			for j, v := range z[i*n : (i+1)*n] {
				mean[j] += float64(v * v)
			}
		}
	}
	correction := Correction(o.Beta2, t+1)
	scale := mean // its values are read before they are written
	for j, q := range mean {
		c[j] = float32(float64(o.Beta2*float64(c[j])) + float64((1-o.Beta2)*(q/float64(r))))
		scale[j] = 1 / (math.Sqrt(float64(c[j])/correction) + epsilonFeature)
	}
	if z == nil {
		return
	}
	before := dot(z, z)
	for i := range r {
		row := z[i*n : (i+1)*n]
		for j := range row {
			row[j] = float64(row[j] * scale[j])
		}
	}
	if after := dot(z, z); after > 0 {
		factor := math.Sqrt(before / after)
		for i := range z {
			z[i] = float64(z[i] * factor)
		}
	}
}

// multiply returns P·X for P r×r and X r×n.
func multiply(p, x []float64, r int) []float64 {
	n := len(x) / r
	y := make([]float64, len(x))
	for i := range r {
		row := y[i*n : (i+1)*n]
		for k := range r {
			f := p[i*r+k]
			for j, v := range x[k*n : (k+1)*n] {
				row[j] += float64(f * v)
			}
		}
	}
	return y
}

func finite(x []float64) bool {
	for _, v := range x {
		if v-v != 0 { // Inf-Inf and NaN-NaN are NaN
			return false
		}
	}
	return true
}

func trace(k []float64, r int) float64 {
	var sum float64
	for i := range r {
		sum += k[i*r+i]
	}
	return sum
}

// Correction returns 1-βⁿ by repeated products: math.Pow may differ in the last
// bit between architectures.
func Correction(beta float64, n int) float64 {
	power := 1.0
	for range n {
		if power = float64(power * beta); power < 0x1p-60 { // 1-βⁿ is 1
			break
		}
	}
	return 1 - power
}
