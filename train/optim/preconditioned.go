package optim

import (
	"errors"
	"fmt"
	"math"

	"example.com/finetune/loraone"
	"example.com/finetune/simd"
)

// PreconditionedAdamW is [Preconditioned] on the two factors of each module. A step of rate
// ρ moves s·B·A by ρ·s·√r in Frobenius norm. That is what one value suits, whatever rank and
// scale are: 0.56/√k for k adapted projections a layer, which move the model together, from
// runs on GSM8K with SmolLM2-135M and on three tasks with stories260K (scripts/evidence.sh).
var PreconditionedAdamW = &Kind{
	Name: "preconditioned-adamw", Title: "preconditioned AdamW", Beta1: 0.8, Beta2: 0.99,
	Rate: func(targets int, alpha float64) float64 {
		return threeDigits(0.56 / math.Sqrt(float64(max(1, targets))) / alpha)
	},
	RateIs: "the size of a step in B·A",
	New:    newPreconditioned,
}

// threeDigits rounds x > 0 to a rate that people can type.
func threeDigits(x float64) float64 {
	if math.IsInf(x, 0) {
		return x
	}
	unit := math.Pow10(2 - int(math.Floor(math.Log10(x))))
	return math.Round(x*unit) / unit
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
	o := &preconditioned{pairs: pairs, state: make([]pairState, len(pairs))}
	o.Beta1, o.Beta2, o.WeightDecay = s.Beta1, s.Beta2, s.WeightDecay
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

func (o *preconditioned) Update(module int) {
	x, s := o.pairs[module], o.state[module]
	o.Step(
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
//
// With K = Y·Yᵀ, u the momentum, D and φ the scale by feature and of the whole, it is
//
//	P = (K+λI)^(-1/2)   O = (P·u·uᵀ·P + ε·τ·I)^(-1/2)·P·u   X ← X - ρ·φ·P·O·D
//
// and is computed by a Cholesky factor in place of P: L⁻¹ for L·Lᵀ = K+λI is an orthogonal
// matrix times P, which turns the rows of O, and cancels behind them. So
//
//	S = L⁻¹·u·uᵀ·L⁻ᵀ + ε·τ·I = E·diag(d)·Eᵀ   T = Eᵀ·L⁻¹   P·O = Tᵀ·diag(1/√d)·T·u
//
// and O's columns, which D asks the size of, have that of diag(1/√d)·T·u. What is r×r is
// computed in float64, u·uᵀ and K from float32 whose products are exact there; the two
// products with u are in float32, as u itself.
type Preconditioned struct {
	Beta1, Beta2 float64 // of the momentum, and of the second moment by feature
	WeightDecay  float64 // B·A decays by ρ times this

	rho                      float64 // of the step that has begun
	correction1, correction2 float64 // 1-β₁ⁿ and 1-β₂ⁿ of step n, from 1: both means begin at 0
}

// What was measured well: the study of 2026-11 tried κ 0, 0.3, 1, 3 and 10.
const (
	kappa          = 10    // damping of the Gram matrix, in steps
	epsilonPolar   = 1e-6  // of the momentum's Gram matrix, in its mean eigenvalue
	epsilonFeature = 1e-10 // of the root of a feature's second moment
)

// A Factor is A or Bᵀ of an adapter, r×n, with its mean, clipped gradient, which a step
// overwrites, and its state, which is zero at first.
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

// Begin starts step t, from 0, of learning rate rho.
func (o *Preconditioned) Begin(t int, rho float64) {
	o.rho, o.correction1, o.correction2 = rho, Correction(o.Beta1, t+1), Correction(o.Beta2, t+1)
}

// Step takes the step that has begun. k holds the Gram matrices of the factors as they
// are, and is overwritten.
func (o *Preconditioned) Step(a, bt Factor, k Grams) {
	o.factor(a, k.B, k.R)
	o.factor(bt, k.A, k.R)
}

// factor updates one factor, given the Gram matrix of the other, which it overwrites.
func (o *Preconditioned) factor(x Factor, other []float64, r int) {
	o.lookAhead(x)
	u := simd.Dense(x.Grad, r, len(x.C))
	lambda := max(kappa*o.rho, 1e-12*trace(other, r)/float64(r), 1e-30)
	orthogonal, back, ok := polar(inverseCholesky(other, r, lambda), u)
	if !ok { // no gradient yet: A while B = 0
		o.byFeature(x.C, nil)
		return
	}
	squares := make([]float32, u.Cols)
	panels(u, func(lo, hi int, ui, y simd.View) {
		var square [panelCols]float32
		simd.Mul(y, orthogonal, ui)
		for i := range r {
			n := copy(square[:], y.Row(i))
			simd.MulBy(square[:n], y.Row(i))
			simd.Add(squares[lo:hi], square[:n])
		}
	})
	simd.Scale(squares, 1/float32(r))
	scale := o.byFeature(x.C, squares)
	simd.Scale(scale, float32(-o.rho))
	if o.WeightDecay != 0 {
		simd.Scale(x.X, float32(1-float64(float64(o.rho*o.WeightDecay)/2)))
	}
	values := simd.Dense(x.X, r, u.Cols)
	panels(u, func(lo, hi int, ui, y simd.View) {
		simd.Mul(y, back, ui)
		for i := range r {
			simd.MulBy(y.Row(i), scale[lo:hi])
			simd.Add(values.Row(i)[lo:hi], y.Row(i))
		}
	})
}

// panelCols is the columns that are updated at a time: those of rank 64 stay in a first
// cache of 48 KB.
const panelCols = 128

// panels calls f for columns [lo,hi) of u, and room for as many values.
func panels(u simd.View, f func(lo, hi int, u, room simd.View)) {
	room := make([]float32, u.Rows*min(panelCols, u.Cols))
	for lo := 0; lo < u.Cols; lo += panelCols {
		hi := min(u.Cols, lo+panelCols)
		f(lo, hi, u.Columns(lo, hi), simd.Dense(room, u.Rows, hi-lo))
	}
}

// lookAhead moves the momentum by the gradient g, in whose place it puts Nesterov's
// β₁·m̂ + (1-β₁)·g.
func (o *Preconditioned) lookAhead(x Factor) {
	var buffer [1024]float32
	rest, corrected := float32(1-o.Beta1), float32(o.Beta1/o.correction1)
	for lo := 0; lo < len(x.M); lo += len(buffer) {
		hi := min(len(x.M), lo+len(buffer))
		m, g, ahead := x.M[lo:hi], x.Grad[lo:hi], buffer[:hi-lo]
		simd.Scale(g, rest)
		simd.Scale(m, float32(o.Beta1))
		simd.Add(m, g)
		copy(ahead, m)
		simd.Scale(ahead, corrected)
		simd.Add(g, ahead)
	}
}

// polar returns diag(1/√d)·T and Tᵀ·diag(1/√d)·T, with the letters of [Preconditioned],
// given L⁻¹. ok is false where u is zero. A tiny u is made larger by a power of two, which
// the two products with it do not show.
func polar(l []float64, u simd.View) (orthogonal, back simd.View, ok bool) {
	r := u.Rows
	s := make([]float64, r*r)
	simd.Gram(s, u)
	for n := trace(s, r); n < 0x1p-120; n *= 0x1p120 {
		if n == 0 {
			return orthogonal, back, false
		}
		simd.Scale(u.Data, 0x1p60)
		for i := range s {
			s[i] *= 0x1p120
		}
	}
	congruent(s, l, r)
	damping := epsilonPolar * trace(s, r) / float64(r)
	d, et := eigen(s, r)
	square := func() simd.View { return simd.Dense(make([]float32, r*r), r, r) }
	orthogonal, back = square(), square()
	turned, scaled := make([]float64, r*r), make([]float64, r*r) // T and diag(1/√d)·T
	for i, v := range d {
		row := turned[i*r : (i+1)*r]
		simd.Dense64(l, r, r).Combine(row, et[i*r:(i+1)*r], 1)
		f := 1 / math.Sqrt(max(v, 0)+damping)
		for j, v := range row {
			v = float64(f * v)
			scaled[i*r+j], orthogonal.Data[i*r+j] = v, float32(v)
		}
	}
	sum := s
	clear(sum)
	for i := range r {
		lo := aligned(i)
		simd.View64{Data: turned[lo:], Rows: r, Cols: r - lo, Stride: r}.Combine(sum[i*r+lo:(i+1)*r], scaled[i:], r)
		for j := i; j < r; j++ {
			v := float32(sum[i*r+j])
			back.Data[i*r+j], back.Data[j*r+i] = v, v
		}
	}
	return orthogonal, back, true
}

// congruent replaces the symmetric r×r matrix g by L·g·Lᵀ, for a lower triangular l.
func congruent(g, l []float64, r int) {
	lg := make([]float64, r*r)
	for i := range r {
		simd.Dense64(g, i+1, r).Combine(lg[i*r:(i+1)*r], l[i*r:i*r+i+1], 1)
	}
	for i := range r {
		row := g[i*r : i*r+i+1]
		simd.Dense64(l, i+1, r).TriangleDots(row, lg[i*r:i*r+i+1])
		for j, v := range row {
			g[j*r+i] = v
		}
	}
}

// byFeature moves the second moment c of each column of O by the mean of its squares, nil
// for zeros, in whose place it puts what the column is multiplied by: the inverse of the
// moment's root, times what gives O its norm back.
func (o *Preconditioned) byFeature(c, squares []float32) (scale []float32) {
	if squares == nil {
		simd.Scale(c, float32(o.Beta2))
		return nil
	}
	var before, after float64
	scale = squares // its values are read before they are written
	for j, q := range squares {
		q := float64(q)
		c[j] = float32(float64(o.Beta2*float64(c[j])) + float64((1-o.Beta2)*q))
		f := 1 / (math.Sqrt(float64(c[j])/o.correction2) + epsilonFeature)
		before += q
		after += float64(q * float64(f*f))
		scale[j] = float32(f)
	}
	if after > 0 {
		simd.Scale(scale, float32(math.Sqrt(before/after)))
	}
	return scale
}

// gram returns X·Xᵀ for x of r rows.
func gram(x []float32, r int) []float64 {
	k := make([]float64, r*r)
	simd.Gram(k, simd.Dense(x, r, len(x)/r))
	return k
}

func finite(x []float64) bool {
	for _, v := range x {
		if v-v != 0 { // Inf-Inf and NaN-NaN are NaN
			return false
		}
	}
	return true
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
