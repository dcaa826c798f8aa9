package optim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

func normals(rng *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

func singles(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

// root is (K+λI)^p by gonum.
func root(k mat.Matrix, r int, lambda, power float64) *mat.Dense {
	var e mat.EigenSym
	sym := mat.NewSymDense(r, nil)
	for i := range r {
		for j := range r {
			sym.SetSym(i, j, k.At(i, j))
		}
	}
	if !e.Factorize(sym, true) {
		panic("no eigenvalues")
	}
	var v, d, out mat.Dense
	e.VectorsTo(&v)
	f := make([]float64, r)
	for i, x := range e.Values(nil) {
		f[i] = math.Pow(max(x, 0)+lambda, power)
	}
	d.Mul(&v, mat.NewDiagDense(r, f))
	out.Mul(&d, v.T())
	return &out
}

// E·diag(d)·Eᵀ is the matrix, and Eᵀ's rows are orthonormal, for matrices of every rank
// whose rows are of very different size; so is L·Lᵀ, where λ is no smaller than rounding.
func TestDecompositions(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, r := range []int{1, 2, 3, 8, 17, 64} {
		for _, n := range []int{0, 1, r, 3 * r} { // zero, rank-deficient, square, full
			x := normals(rng, r*n)
			for i := range x {
				x[i] *= math.Pow(10, float64(-(i/max(n, 1))%7))
			}
			k := gram(singles(x), r)
			size := trace(k, r)
			d, et := eigen(slices.Clone(k), r)
			lambda := 1e-12 * size / float64(r)
			inverse := mat.NewDense(r, r, inverseCholesky(slices.Clone(k), r, lambda))
			var e, product, unit mat.Dense
			e.CloneFrom(mat.NewDense(r, r, et).T())
			product.Mul(&e, mat.NewDiagDense(r, d))
			product.Mul(&product, e.T())
			unit.Mul(&e, e.T())
			for i := range r {
				for j := range r {
					if got := product.At(i, j); math.Abs(got-k[i*r+j]) > 1e-14*size {
						t.Fatalf("r %d, n %d: E·diag(d)·Eᵀ has %v at %d,%d, want %v", r, n, got, i, j, k[i*r+j])
					}
					want := 0.0
					if i == j {
						want = 1
					}
					if got := unit.At(i, j); math.Abs(got-want) > 1e-13 {
						t.Fatalf("r %d, n %d: E·Eᵀ has %v at %d,%d", r, n, got, i, j)
					}
				}
			}
			if n == 0 {
				continue
			}
			var l mat.Dense
			if err := l.Inverse(inverse); err != nil {
				if _, bad := err.(mat.Condition); !bad {
					t.Fatal(err)
				}
			}
			product.Mul(&l, l.T())
			for i := range r {
				for j := range r {
					want := k[i*r+j]
					if i == j {
						want += lambda
					}
					if got := product.At(i, j); math.Abs(got-want) > 1e-9*size {
						t.Fatalf("r %d, n %d: L·Lᵀ has %v at %d,%d, want %v", r, n, got, i, j, want)
					}
				}
			}
		}
	}
}

// A twin takes the steps of spec and paper with gonum's matrices in float64.
type twin struct {
	x, m mat.Dense
	c    []float64
}

func (w *twin) step(o *Preconditioned, t int, rho float64, g, k *mat.Dense) {
	r, n := g.Dims()
	lambda := max(kappa*rho, 1e-12*mat.Trace(k)/float64(r), 1e-30)
	p := root(k, r, lambda, -0.5)
	fresh, ahead := mat.Dense{}, mat.Dense{}
	fresh.Scale(1-o.Beta1, g)
	w.m.Scale(o.Beta1, &w.m)
	w.m.Add(&w.m, &fresh)
	ahead.Scale(o.Beta1/(1-math.Pow(o.Beta1, float64(t+1))), &w.m)
	ahead.Add(&ahead, &fresh)
	var z, s, polar mat.Dense
	z.Mul(p, &ahead)
	s.Mul(&z, z.T())
	tau := mat.Trace(&s) / float64(r)
	polar.Mul(root(&s, r, epsilonPolar*tau, -0.5), &z)
	before := mat.Norm(&polar, 2)
	for j := range n {
		var q float64
		for i := range r {
			q += polar.At(i, j) * polar.At(i, j) / float64(r)
		}
		w.c[j] = o.Beta2*w.c[j] + (1-o.Beta2)*q
		for i := range r {
			polar.Set(i, j, polar.At(i, j)/(math.Sqrt(w.c[j]/(1-math.Pow(o.Beta2, float64(t+1))))+epsilonFeature))
		}
	}
	polar.Scale(before/mat.Norm(&polar, 2), &polar)
	var step mat.Dense
	step.Mul(p, &polar)
	step.Scale(rho, &step)
	w.x.Scale(1-rho*o.WeightDecay/2, &w.x)
	w.x.Sub(&w.x, &step)
}

func TestStepMatchesGonum(t *testing.T) {
	const r, in, out = 4, 21, 13
	o := &Preconditioned{Beta1: 0.8, Beta2: 0.99, WeightDecay: 0.1}
	rng := rand.New(rand.NewPCG(3, 4))
	make1 := func(n int) (Factor, *twin) {
		x := singles(normals(rng, r*n))
		w := &twin{c: make([]float64, n)}
		w.m = *mat.NewDense(r, n, nil)
		w.x = *mat.NewDense(r, n, nil)
		for i, v := range x {
			w.x.Set(i/n, i%n, float64(v))
		}
		return Factor{X: x, Grad: make([]float32, r*n), M: make([]float32, r*n), C: make([]float32, n)}, w
	}
	a, wa := make1(in)
	b, wb := make1(out)
	for step := range 10 {
		ga, gb := mat.NewDense(r, in, normals(rng, r*in)), mat.NewDense(r, out, normals(rng, r*out))
		copy(a.Grad, singles(ga.RawMatrix().Data))
		copy(b.Grad, singles(gb.RawMatrix().Data))
		var ka, kb mat.Dense
		ka.Mul(&wa.x, wa.x.T())
		kb.Mul(&wb.x, wb.x.T())
		rho := 0.05 / float64(step+1)
		wa.step(o, step, rho, ga, &kb)
		wb.step(o, step, rho, gb, &ka)
		k, err := NewGrams(a.X, b.X, r)
		if err != nil {
			t.Fatal(err)
		}
		o.Begin(step, rho)
		o.Step(a, b, k)
		for name, pair := range map[string]struct {
			f Factor
			w *twin
		}{"A": {a, wa}, "B": {b, wb}} {
			for i, v := range pair.f.X {
				if want := pair.w.x.RawMatrix().Data[i]; math.Abs(float64(v)-want) > 2e-5 {
					t.Fatalf("step %d: %s[%d] is %v, want %v", step, name, i, v, want)
				}
			}
		}
	}
}

// A step has the size it is said to have: ρ is the largest singular value that a
// factor's step gives B·A, however B·A is divided, once the damping is small.
func TestStepHasItsSizeHoweverTheFactorsAreScaled(t *testing.T) {
	const r, in, out, rho = 4, 40, 30, 1e-4
	for _, scale := range []float64{0.1, 1, 10} {
		rng := rand.New(rand.NewPCG(5, 6))
		av, bv, ga := normals(rng, r*in), normals(rng, r*out), normals(rng, r*in)
		for i := range av {
			av[i] *= scale
		}
		for i := range bv {
			bv[i] /= scale
		}
		a := Factor{X: singles(av), Grad: singles(ga), M: make([]float32, r*in), C: make([]float32, in)}
		b := Factor{X: singles(bv), Grad: make([]float32, r*out), M: make([]float32, r*out), C: make([]float32, out)}
		k, err := NewGrams(a.X, b.X, r)
		if err != nil {
			t.Fatal(err)
		}
		before := append([]float32{}, a.X...)
		o := &Preconditioned{Beta1: 0.8, Beta2: 0.99}
		o.Begin(0, rho)
		o.Step(a, b, k)
		moved := mat.NewDense(r, in, nil)
		for i, v := range a.X {
			moved.Set(i/in, i%in, float64(v)-float64(before[i]))
		}
		var ba mat.Dense
		ba.Mul(mat.NewDense(r, out, bv).T(), moved)
		var svd mat.SVD
		if !svd.Factorize(&ba, mat.SVDNone) {
			t.Fatal("no singular values")
		}
		if top := svd.Values(nil)[0]; top < 0.5*rho || top > 2*rho {
			t.Errorf("scale %v: the step's largest singular value is %v, want about %v", scale, top, rho)
		}
		for i, v := range b.X {
			if v != float32(bv[i]) {
				t.Fatalf("scale %v: B without a gradient has moved", scale)
			}
		}
	}
}

func TestFactorWithoutAGradientStays(t *testing.T) {
	const r, in, out = 2, 6, 5
	rng := rand.New(rand.NewPCG(7, 8))
	a := Factor{X: singles(normals(rng, r*in)), Grad: make([]float32, r*in), M: make([]float32, r*in), C: make([]float32, in)}
	b := Factor{X: make([]float32, r*out), Grad: singles(normals(rng, r*out)), M: make([]float32, r*out), C: make([]float32, out)}
	a.C[0] = 1
	before := append([]float32{}, a.X...)
	k, err := NewGrams(a.X, b.X, r)
	if err != nil {
		t.Fatal(err)
	}
	o := &Preconditioned{Beta1: 0.8, Beta2: 0.99, WeightDecay: 1}
	o.Begin(0, 0.1)
	o.Step(a, b, k)
	for i := range before {
		if a.X[i] != before[i] {
			t.Fatal("A has moved while B = 0")
		}
	}
	if a.C[0] != 0.99 {
		t.Errorf("the second moment is %v, want 0.99", a.C[0])
	}
	if moved := math.Sqrt(sumSquares(b.X)); moved == 0 || moved-moved != 0 {
		t.Errorf("B has moved by %v", moved)
	}
}

func TestGramsThatAreNotFinite(t *testing.T) {
	for name, bad := range map[string]float32{"NaN": float32(math.NaN()), "Inf": float32(math.Inf(1))} {
		good, x := []float32{1, 2, 3, 4}, []float32{1, 2, bad, 4}
		if _, err := NewGrams(x, good, 2); err == nil || !strings.Contains(err.Error(), "lora_A") {
			t.Errorf("%s: got %v", name, err)
		}
		if _, err := NewGrams(good, x, 2); err == nil || !strings.Contains(err.Error(), "lora_B") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestCorrectionIsOneMinusAPower(t *testing.T) {
	for _, n := range []int{1, 2, 10, 1000, 100000} {
		for _, beta := range []float64{0, 0.8, 0.9, 0.999} {
			if got, want := Correction(beta, n), 1-math.Pow(beta, float64(n)); math.Abs(got-want) > 1e-13*want {
				t.Errorf("1-%v^%d: %v, want %v", beta, n, got, want)
			}
		}
	}
}

// BenchmarkStep is one projection of SmolLM2-135M's width in step 4,000 of a run: what a
// step computes once for all is not in it.
func BenchmarkStep(b *testing.B) {
	for _, r := range []int{8, 64} {
		b.Run(fmt.Sprintf("r=%d", r), func(b *testing.B) {
			const n = 576
			rng := rand.New(rand.NewPCG(9, 10))
			newFactor := func() Factor {
				return Factor{X: singles(normals(rng, r*n)), Grad: singles(normals(rng, r*n)), M: make([]float32, r*n), C: make([]float32, n)}
			}
			x, y := newFactor(), newFactor()
			o := &Preconditioned{Beta1: 0.8, Beta2: 0.99}
			o.Begin(4000, 1e-3)
			for b.Loop() {
				k, err := NewGrams(x.X, y.X, r)
				if err != nil {
					b.Fatal(err)
				}
				o.Step(x, y, k)
			}
		})
	}
}
