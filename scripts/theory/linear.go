package main

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
)

// The linear model of every experiment: find D (out×in, rank trueRank) from N inputs, by
// ∇ = (B·A - D)·H with H = XᵀX/N. D's singular values fall geometrically from 1 to 1/κ.
const (
	out, in  = 64, 96
	trueRank = 4
	samples  = 1920
)

// A problem is one draw of it.
type problem struct {
	d, h *mat.Dense
	rng  *rand.Rand
}

func newProblem(n int, kappa float64, seed uint64) *problem {
	p := &problem{rng: rand.New(rand.NewPCG(seed, 0)), h: mat.NewDense(in, in, nil)}
	p.d = p.target(out, in, kappa)
	x := p.normal(n, in, 1)
	p.h.Mul(x.T(), x)
	p.h.Scale(1/float64(n), p.h)
	return p
}

// target is a rows×cols matrix of rank trueRank whose singular values fall from 1 to 1/κ.
func (p *problem) target(rows, cols int, kappa float64) *mat.Dense {
	u, v := p.orthonormal(rows, trueRank), p.orthonormal(cols, trueRank)
	s := make([]float64, trueRank)
	for i := range s {
		s[i] = math.Pow(kappa, -float64(i)/(trueRank-1))
	}
	return halves(u, s, v).product()
}

func (p *problem) normal(rows, cols int, size float64) *mat.Dense {
	x := mat.NewDense(rows, cols, nil)
	for i := range rows {
		for j := range cols {
			x.Set(i, j, size*p.rng.NormFloat64())
		}
	}
	return x
}

func (p *problem) orthonormal(rows, cols int) *mat.Dense {
	var qr mat.QR
	qr.Factorize(p.normal(rows, cols, 1))
	var q mat.Dense
	qr.QTo(&q)
	return mat.DenseCopyOf(q.Slice(0, rows, 0, cols))
}

// A pair is an adapter: B is out×r, A is r×in.
type pair struct{ b, a *mat.Dense }

func (x pair) product() *mat.Dense {
	var w mat.Dense
	w.Mul(x.b, x.a)
	return &w
}

// lora is LoRA's start: A uniform within ±size/√in, B zero.
func (p *problem) lora(r int, size float64) pair {
	a := mat.NewDense(r, in, nil)
	for i := range r {
		for j := range in {
			a.Set(i, j, size*(2*p.rng.Float64()-1)/math.Sqrt(in))
		}
	}
	return pair{mat.NewDense(out, r, nil), a}
}

// spectral is LoRA-One's start: the leading part of rank r of the negative gradient at
// zero, half of each singular value in either factor.
func (p *problem) spectral(r int) pair {
	return halves(leading(p.descent(), r))
}

// halves makes a pair of singular triples, half of each value in either factor.
func halves(u *mat.Dense, s []float64, v *mat.Dense) pair {
	root := mat.NewDiagDense(len(s), nil)
	for i, x := range s {
		root.SetDiag(i, math.Sqrt(x))
	}
	var b, a mat.Dense
	b.Mul(u, root)
	a.Mul(root, v.T())
	return pair{&b, &a}
}

// descent is -∇ at zero.
func (p *problem) descent() *mat.Dense {
	var g mat.Dense
	g.Mul(p.d, p.h)
	return &g
}

// leading returns the leading r singular triples, vectors as columns.
func leading(x mat.Matrix, r int) (u *mat.Dense, s []float64, v *mat.Dense) {
	var svd mat.SVD
	if !svd.Factorize(x, mat.SVDThin) {
		panic("the singular value decomposition did not converge")
	}
	var left, right mat.Dense
	svd.UTo(&left)
	svd.VTo(&right)
	rows, cols := x.Dims()
	return mat.DenseCopyOf(left.Slice(0, rows, 0, r)), svd.Values(nil)[:r], mat.DenseCopyOf(right.Slice(0, cols, 0, r))
}

// step is one of gradient descent, or with a λ one of Scaled GD. It returns ‖BA-D‖/‖D‖
// before it.
func (p *problem) step(x pair, rate, lambda float64) float64 {
	e := x.product()
	e.Sub(e, p.d)
	var g mat.Dense
	g.Mul(e, p.h)
	x.step(&g, rate, lambda)
	return mat.Norm(e, 2) / mat.Norm(p.d, 2)
}

// step moves both factors down the gradient g of their product, or with a λ by their
// gradients times (BᵀB+λI)⁻¹ and (AAᵀ+λI)⁻¹.
func (x pair) step(g *mat.Dense, rate, lambda float64) {
	var ga, gb mat.Dense
	ga.Mul(x.b.T(), g)
	gb.Mul(g, x.a.T())
	if lambda != 0 {
		var byB, byA, solved mat.Dense
		byB.Mul(x.b.T(), x.b)
		byA.Mul(x.a, x.a.T())
		for i := range byA.RawMatrix().Rows {
			byA.Set(i, i, byA.At(i, i)+lambda)
			byB.Set(i, i, byB.At(i, i)+lambda)
		}
		if err := solved.Solve(&byB, &ga); err == nil {
			ga.Copy(&solved)
		}
		var transposed mat.Dense
		if err := transposed.Solve(&byA, gb.T()); err == nil {
			gb.Copy(transposed.T())
		}
	}
	ga.Scale(rate, &ga)
	gb.Scale(rate, &gb)
	x.a.Sub(x.a, &ga)
	x.b.Sub(x.b, &gb)
}

// angle is the sine of the largest principal angle between the leading trueRank singular
// subspaces of B·A and of the gradient at zero, the larger of left and right.
func (p *problem) angle(x pair) float64 {
	u, _, v := leading(x.product(), trueRank)
	ug, _, vg := leading(p.descent(), trueRank)
	return max(apart(u, ug), apart(v, vg))
}

// apart is ‖(I-XXᵀ)·Y‖₂ of orthonormal columns.
func apart(x, y *mat.Dense) float64 {
	var c, rest mat.Dense
	c.Mul(x.T(), y)
	rest.Mul(x, &c)
	rest.Sub(y, &rest)
	var svd mat.SVD
	if !svd.Factorize(&rest, mat.SVDNone) {
		return math.NaN()
	}
	return svd.Values(nil)[0]
}
