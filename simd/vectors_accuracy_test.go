package simd

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestExpIsAccurate holds exp against float64 where it is neither 0 nor +Inf; its
// worst is 0.82 units in the last place.
func TestExpIsAccurate(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		var worst float64
		x, y := make([]float32, 1024), make([]float32, 1024)
		for lo := -87.2; lo < 88.6; lo += 0.5 {
			for i := range x {
				x[i] = float32(lo + 0.5*float64(i)/float64(len(x)))
			}
			ExpSum(y, x, 0)
			for i, v := range x {
				want := math.Exp(float64(v))
				ulp := float64(math.Nextafter32(float32(want), math.MaxFloat32) - float32(want))
				worst = max(worst, math.Abs(float64(y[i])-want)/ulp)
			}
		}
		if worst > 0.9 {
			t.Errorf("off by %.3f units in the last place", worst)
		}
	})
}

// TestSoftCapAndGELUAreAccurate compares with float64 from where they are linear to where
// they are flat.
func TestSoftCapAndGELUAreAccurate(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		ones := slices.Repeat([]float32{1}, 4001)
		x, y := make([]float32, 4001), make([]float32, 4001)
		for i := range x {
			x[i] = float32(i-2000) / 200 // -10 to 10
		}
		copy(y, x)
		SoftCap(y, 1)
		for i, v := range x {
			if want := math.Tanh(float64(v)); math.Abs(float64(y[i])-want) > 4e-7*math.Abs(want) {
				t.Errorf("tanh(%g): %g, want %g", v, y[i], want)
			}
		}
		GELUMul(y, x, ones)
		for i, v := range x {
			v := float64(v)
			z := math.Sqrt(2/math.Pi) * (v + 0.044715*v*v*v)
			if want := v / (1 + math.Exp(-2*z)); math.Abs(float64(y[i])-want) > 1e-5*math.Abs(want)+1e-37 {
				t.Errorf("gelu(%g): %g, want %g", v, y[i], want)
			}
		}
		SoftCap(x[:3], 0.5)
		if math.Abs(float64(x[0])+0.5) > 2e-7 {
			t.Errorf("a cap of 0.5 makes -10 to %g", x[0])
		}
	})
}

func TestSoftmaxOfExtremes(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		for _, c := range []struct{ x, want []float32 }{
			{[]float32{1000, 1000}, []float32{.5, .5}},
			{[]float32{-1000, 0, -1000}, []float32{0, 1, 0}},
			{[]float32{3e38, -3e38}, []float32{1, 0}},
			{[]float32{-2e38}, []float32{1}},
		} {
			got := slices.Clone(c.x)
			softmax(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("softmax of %v is %v, want %v", c.x, got, c.want)
			}
		}
	})
}

// slope compares Σ grad·u with the two-sided difference of a float64 loss.
func slope(t *testing.T, what string, x, grad []float32, loss func(x []float64) float64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(11, 12))
	up, down := make([]float64, len(x)), make([]float64, len(x))
	var got float64
	const eps = 1e-4
	for i, v := range x {
		u := rng.NormFloat64()
		up[i], down[i] = float64(v)+eps*u, float64(v)-eps*u
		got += u * float64(grad[i])
	}
	if want := (loss(up) - loss(down)) / (2 * eps); math.Abs(got-want) > 1e-4*math.Max(1, math.Abs(want)) {
		t.Errorf("%s: gradient along the direction %g, slope %g", what, got, want)
	}
}

func TestBackwardsAreSlopes(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		x, _ := operands(rand.New(rand.NewPCG(5, 6)), 4, 77, false)
		dy, a, b, zero := x[0], x[1], x[2], make([]float32, 77)
		silu := func(g, u []float64) (sum float64) {
			for i := range g {
				sum += float64(dy[i]) * g[i] / (1 + math.Exp(-g[i])) * u[i]
			}
			return sum
		}
		dg, du := make([]float32, 77), make([]float32, 77)
		SiLUMulBackward(dg, du, dy, a, b)
		wide := func(x []float32) []float64 {
			y := make([]float64, len(x))
			for i, v := range x {
				y[i] = float64(v)
			}
			return y
		}
		slope(t, "SiLUMul gate", a, dg, func(g []float64) float64 { return silu(g, wide(b)) })
		slope(t, "SiLUMul up", b, du, func(u []float64) float64 { return silu(wide(a), u) })
		gelu := func(g, u []float64) (sum float64) {
			for i, x := range g {
				sum += float64(dy[i]) * x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))) * u[i]
			}
			return sum
		}
		GELUMulBackward(dg, du, dy, a, b)
		slope(t, "GELUMul gate", a, dg, func(g []float64) float64 { return gelu(g, wide(b)) })
		slope(t, "GELUMul up", b, du, func(u []float64) float64 { return gelu(wide(a), u) })
		capped, dcap := slices.Clone(a), slices.Clone(dy)
		SoftCap(capped, 1.3)
		SoftCapBackward(dcap, capped, 1.3)
		slope(t, "SoftCap", a, dcap, func(x []float64) (sum float64) {
			for i, v := range x {
				sum += float64(dy[i]) * 1.3 * math.Tanh(v/1.3)
			}
			return sum
		})
		dx := slices.Clone(zero)
		RMSNormBackward(dx, dy, a, b, 1e-5)
		slope(t, "RMSNorm", a, dx, func(x []float64) (sum float64) {
			var ss float64
			for _, v := range x {
				ss += v * v
			}
			for i, v := range x {
				sum += float64(dy[i]) * float64(b[i]) * v / math.Sqrt(ss/77+1e-5)
			}
			return sum
		})
	})
}

func TestRotateBack(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		for _, h := range []int{4, 16, 32, 40} {
			x, _ := operands(rand.New(rand.NewPCG(9, 9)), 1, 2*h, false)
			cos, sin, back := make([]float32, h), make([]float32, h), make([]float32, h)
			for i := range h {
				s, c := math.Sincos(float64(i) * 0.37)
				cos[i], sin[i], back[i] = float32(c), float32(s), float32(-s)
			}
			y := slices.Clone(x[0])
			Rotate(y, cos, sin)
			if slices.Equal(y, x[0]) {
				t.Fatal("nothing was rotated")
			}
			Rotate(y, cos, back)
			for i, v := range y {
				if math.Abs(float64(v-x[0][i])) > 1e-6 {
					t.Errorf("half %d: element %d is %g, was %g", h, i, v, x[0][i])
				}
			}
		}
	})
}

func TestAdamWMatchesFloat64(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		x, _ := operands(rand.New(rand.NewPCG(3, 1)), 4, 53, false)
		p, g, m, v := x[0], x[1], x[2], x[3]
		for i := range v {
			v[i] *= v[i]
		}
		a, p0, m0, v0 := testAdamW, slices.Clone(p), slices.Clone(m), slices.Clone(v)
		a.Step(p, g, m, v)
		for i := range p {
			gi := float64(g[i])
			mi := 0.9*float64(m0[i]) + 0.1*gi
			vi := 0.999*float64(v0[i]) + 0.001*gi*gi
			want := float64(p0[i])*(1-1e-3*0.01) - 1e-3*(mi/0.271)/(math.Sqrt(vi/0.0029)+1e-8)
			if math.Abs(float64(p[i])-want) > 1e-6*math.Max(1, math.Abs(want)) {
				t.Errorf("p[%d] = %g, want %g", i, p[i], want)
			}
		}
	})
}

func TestRMSNormMatchesFloat64(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		for _, n := range []int{1, 8, 64, 77, 576} {
			x, _ := operands(rand.New(rand.NewPCG(2, 8)), 3, n, false)
			y, x1, w := x[0], x[1], x[2]
			RMSNorm(y, x1, w, 1e-5)
			var squares float64
			for _, v := range x1 {
				squares += float64(v) * float64(v)
			}
			rms := math.Sqrt(squares/float64(n) + 1e-5)
			for i, v := range x1 {
				want := float64(v) * float64(w[i]) / rms
				if math.Abs(float64(y[i])-want) > 1e-6*math.Max(1, math.Abs(want)) {
					t.Errorf("n=%d: element %d is %g, want %g", n, i, y[i], want)
				}
			}
		}
	})
}

// TestVectorEdges pins what the twins define.
func TestVectorEdges(t *testing.T) {
	inf := float32(math.Inf(1))
	forEachImpl(t, func(t *testing.T) {
		long := slices.Repeat([]float32{nan}, 40)
		long[33] = -5
		for _, c := range []struct {
			what      string
			got, want float32
		}{
			{"Max of nothing", Max(nil), -inf},
			{"Max of NaN", Max(long[:33]), -inf},
			{"Max beside NaN", Max(long), -5},
			{"Dot of nothing", Dot(nil, nil), 0},
			{"ExpSum of nothing", ExpSum(nil, nil, 0), 0},
		} {
			if c.got != c.want {
				t.Errorf("%s is %v, want %v", c.what, c.got, c.want)
			}
		}
		// expHigh is the last number whose exp is in range.
		below, above := math.Nextafter32(expLow, -inf), math.Nextafter32(expHigh, inf)
		x := slices.Repeat([]float32{-inf, below, expLow, 0, expHigh, above, inf, nan, float32(math.Copysign(0, -1)), 1}, 2)
		y := make([]float32, len(x))
		ExpSum(y, x, 0)
		low, high := y[2], y[4]
		if low < 0x1p-126 || high < 0x1.fffp127 || high > math.MaxFloat32 {
			t.Errorf("exp of the thresholds is %g and %g, want normal numbers", low, high)
		}
		sameBits(t, "exp", y, slices.Repeat([]float32{0, 0, low, 1, high, inf, inf, nan, 1, 2.7182817}, 2))
	})
}

// A zero of the other sign is not greater: the lane keeps what it has.
func TestMaxOfZeros(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		x := make([]float32, 32)
		for i := range 16 {
			x[i] = float32(math.Copysign(0, -1))
		}
		if m := Max(x); !math.Signbit(float64(m)) {
			t.Errorf("%g of -0 before +0", m)
		}
	})
}
