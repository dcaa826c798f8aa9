package optim

import (
	"errors"
	"math"
)

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
