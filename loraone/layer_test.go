package loraone

import (
	"math"
	"math/rand/v2"
	"testing"

	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// at is an Out×In projection.
func at(out, in int) model.Projection { return model.Projection{Name: "test", Out: out, In: in} }

func randomLayer(rng *rand.Rand, in, out, r int) *Layer {
	l := NewLayer(at(out, in), r, 2.5)
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

func TestBackwardIsTheSlope(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	checkSlope(t, rng, randomLayer(rng, 20, 33, 8))
	offset := NewOffsetLayer(at(33, 20), 8, 2.5)
	for _, x := range [][]float32{offset.A, offset.Bt} {
		fill(rng, x)
	}
	offset.Subtract()
	for _, x := range [][]float32{offset.A, offset.Bt} {
		fill(rng, x)
	}
	checkSlope(t, rng, offset)
	c := newCore(at(33, 20), 8, 2.5).(*core)
	for _, x := range [][]float32{c.outer.A, c.outer.Bt, c.r} {
		fill(rng, x)
	}
	checkSlope(t, rng, c)
}

// checkSlope: a module is linear in x and in each parameter, so a two-sided difference is
// exact but for rounding.
func checkSlope(t *testing.T, rng *rand.Rand, l Module) {
	t.Helper()
	const T = 37
	In, Out := l.At().In, l.At().Out
	p := simd.NewPool(2)
	defer p.Close()
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
	for _, v := range append([]*Param{{Name: "x", Value: x.Data, Grad: dx.Data}}, l.Params()...) {
		u := make([]float32, len(v.Value))
		fill(rng, u)
		var want float64
		for i, g := range v.Grad {
			want += float64(g) * float64(u[i])
		}
		step := func(eps float32) float64 {
			for i := range u {
				v.Value[i] += eps * u[i]
			}
			return loss()
		}
		const eps = 1. / 64
		up := step(eps)
		down := step(-2 * eps)
		step(eps)
		if got := (up - down) / (2 * eps); math.Abs(got-want) > 1e-4*math.Abs(want) {
			t.Errorf("%s: slope %g, gradient along the direction %g", v.Name, got, want)
		}
	}
}

func TestLayerWithZeroBChangesNothing(t *testing.T) {
	p := simd.NewPool(1)
	defer p.Close()
	l := NewLayer(at(5, 6), 2, 3)
	l.ordinaryStart(1, 0)
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
	l := NewLayer(at(30, 400), 16, 1)
	l.ordinaryStart(7, 0)
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

// A layer with an offset adds nothing right after its start, and s·(B·A - B₀·A₀) later,
// which is what its low-rank form of twice the rank says.
func TestOffsetIsSubtracted(t *testing.T) {
	const T, In, Out, R = 5, 9, 7, 3
	rng := rand.New(rand.NewPCG(4, 0))
	p := simd.NewPool(1)
	defer p.Close()
	l := NewOffsetLayer(at(Out, In), R, 1.5)
	fill(rng, l.A)
	fill(rng, l.Bt)
	l.Subtract()
	l.Sync()
	x := simd.Dense(make([]float32, T*In), T, In)
	fill(rng, x.Data)
	forward := func() simd.View {
		y := simd.Dense(make([]float32, T*Out), T, Out)
		l.Forward(p, y, x)
		return y
	}
	for _, v := range forward().Data {
		if math.Abs(float64(v)) > 1e-5 {
			t.Fatalf("right after the start it adds %g", v)
		}
	}
	fill(rng, l.A)
	fill(rng, l.Bt)
	l.Sync()
	f := l.LowRank()
	if f.R != 2*R || len(l.Frozen()) != 2 {
		t.Fatalf("rank %d with %d frozen arrays", f.R, len(l.Frozen()))
	}
	for name, f := range map[string]LowRank{"as it is": f, "folded": f.Folded(), "padded": f.Padded(2*R + 3)} {
		got := forward()
		for i := range T {
			for o := range Out {
				var want float64
				for k := range f.R {
					var h float64
					for j := range In {
						h += float64(f.A[k*In+j]) * float64(x.Row(i)[j])
					}
					want += float64(f.Scale) * h * float64(f.B[o*f.R+k])
				}
				if math.Abs(float64(got.Row(i)[o])-want) > 1e-4 { // of values up to 30
					t.Fatalf("%s: y[%d,%d] is %g, want %g", name, i, o, got.Row(i)[o], want)
				}
			}
		}
	}
}
