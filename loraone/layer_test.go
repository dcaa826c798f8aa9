package loraone

import (
	"math"
	"math/rand/v2"
	"testing"

	"example.com/finetune/simd"
)

func randomLayer(rng *rand.Rand, in, out, r int) *Layer {
	l := NewLayer("test", in, out, r, 2.5)
	fill(rng, l.A)
	fill(rng, l.Bt)
	l.Sync()
	return l
}

func fill(rng *rand.Rand, x []float32) {
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
}

// The layer is linear in x, A and B each, so a two-sided difference is exact but
// for rounding.
func TestLayerBackwardIsTheSlope(t *testing.T) {
	const T, In, Out, R = 37, 20, 33, 8
	rng := rand.New(rand.NewPCG(1, 0))
	p := simd.NewPool(2)
	defer p.Close()
	l := randomLayer(rng, In, Out, R)
	x, dy := simd.Dense(make([]float32, T*In), T, In), simd.Dense(make([]float32, T*Out), T, Out)
	dx := simd.Dense(make([]float32, T*In), T, In)
	fill(rng, x.Data)
	fill(rng, dy.Data)
	loss := func() (sum float64) {
		l.Sync()
		y := simd.Dense(make([]float32, T*Out), T, Out)
		l.Forward(p, y, x)
		for i, v := range y.Data {
			sum += float64(v) * float64(dy.Data[i])
		}
		return sum
	}
	loss()
	l.Backward(p, dx, dy, x)
	for _, v := range []struct {
		name        string
		value, grad []float32
	}{{"x", x.Data, dx.Data}, {"A", l.A, l.DA}, {"B", l.Bt, l.DBt}} {
		u := make([]float32, len(v.value))
		fill(rng, u)
		var want float64
		for i, g := range v.grad {
			want += float64(g) * float64(u[i])
		}
		step := func(eps float32) float64 {
			for i := range u {
				v.value[i] += eps * u[i]
			}
			return loss()
		}
		const eps = 1. / 64
		up := step(eps)
		down := step(-2 * eps)
		step(eps)
		if got := (up - down) / (2 * eps); math.Abs(got-want) > 1e-4*math.Abs(want) {
			t.Errorf("%s: slope %g, gradient along the direction %g", v.name, got, want)
		}
	}
}

func TestLayerWithZeroBChangesNothing(t *testing.T) {
	p := simd.NewPool(1)
	defer p.Close()
	l := NewLayer("test", 6, 5, 2, 3)
	l.startLoRA(1, 0)
	l.Sync()
	rng := rand.New(rand.NewPCG(1, 1))
	x, y := simd.Dense(make([]float32, 12), 2, 6), simd.Dense(make([]float32, 10), 2, 5)
	fill(rng, x.Data)
	fill(rng, y.Data)
	before := append([]float32(nil), y.Data...)
	l.Forward(p, y, x)
	for i, v := range y.Data {
		if math.Float32bits(v) != math.Float32bits(before[i]) {
			t.Fatalf("y[%d] went from %g to %g", i, before[i], v)
		}
	}
}

func TestStartLoRAIsKaimingUniform(t *testing.T) {
	l := NewLayer("test", 400, 30, 16, 1)
	l.startLoRA(7, 0)
	bound := 1 / math.Sqrt(400.)
	var sum, squares float64
	for _, v := range l.A {
		if math.Abs(float64(v)) > bound {
			t.Fatalf("entry %g outside ±%g", v, bound)
		}
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	n := float64(len(l.A))
	if mean := sum / n; math.Abs(mean) > 4*bound/math.Sqrt(3*n) {
		t.Errorf("mean %g of %v entries", mean, n)
	}
	if sd := math.Sqrt(squares / n); math.Abs(sd-bound/math.Sqrt(3)) > 0.02*bound {
		t.Errorf("standard deviation %g, want %g", sd, bound/math.Sqrt(3))
	}
}

func TestPreconditionSolvesTheSystem(t *testing.T) {
	const In, Out, R, lambda = 11, 7, 3, 0.25
	rng := rand.New(rand.NewPCG(2, 0))
	l := randomLayer(rng, In, Out, R)
	fill(rng, l.DA)
	fill(rng, l.DBt)
	gA, gB := append([]float32(nil), l.DA...), append([]float32(nil), l.DBt...)
	if err := l.Precondition(lambda); err != nil {
		t.Fatal(err)
	}
	check := func(name string, m, x, g []float32) { // (m·mᵀ+λI)·x = g
		n, w := len(m)/R, len(g)/R
		for i := range R {
			for c := range w {
				got := lambda * float64(x[i*w+c])
				for j := range R {
					var dot float64
					for k := range n {
						dot += float64(m[i*n+k]) * float64(m[j*n+k])
					}
					got += dot * float64(x[j*w+c])
				}
				if want := float64(g[i*w+c]); math.Abs(got-want) > 1e-5 {
					t.Errorf("%s[%d,%d]: %g, want %g", name, i, c, got, want)
				}
			}
		}
	}
	check("A", l.Bt, l.DA, gA)
	check("B", l.A, l.DBt, gB)
}

// With B = 0 the system is λI: allowed, as in the ordinary start.
func TestPreconditionWithZeroB(t *testing.T) {
	l := NewLayer("test", 3, 3, 2, 1)
	l.startLoRA(1, 0)
	l.DA[0] = 1
	if err := l.Precondition(1e-6); err != nil {
		t.Fatal(err)
	}
	if math.Abs(float64(l.DA[0])-1e6) > 1 {
		t.Errorf("got %g, want 1e6", l.DA[0])
	}
}
