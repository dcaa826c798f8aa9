package simd

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// specials are the values where kernels go wrong.
var specials = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, 0x1p-149, -0x1p-140, 0x1p-126, 0x1p127, -0x1p127,
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
	expLow, math.Nextafter32(expLow, 0), math.Nextafter32(expLow, -100), -87.5, -103, -104, -1e4, 1e4,
	expHigh, math.Nextafter32(expHigh, 0), math.Nextafter32(expHigh, 100), 88.5, 0.34657359, -0.34657359, 64.3,
}

// operands returns k slices of n values with NaN guards around them, mostly
// ordinary, with special ones among them if special, and a check that nothing
// outside was written.
func operands(rng *rand.Rand, k, n int, special bool) (x [][]float32, check func(t *testing.T)) {
	const guard = 16
	var bufs [][]float32
	for range k {
		buf := make([]float32, n+2*guard)
		for i := range buf {
			buf[i] = float32(math.NaN())
		}
		v := buf[guard : guard+n : guard+n]
		for i := range v {
			v[i] = float32(rng.NormFloat64())
			if special && rng.IntN(3) == 0 {
				v[i] = specials[rng.IntN(len(specials))]
			}
		}
		bufs, x = append(bufs, buf), append(x, v)
	}
	return x, func(t *testing.T) {
		t.Helper()
		for i, buf := range bufs {
			for j, v := range buf {
				if (j < guard || j >= guard+n) && v == v {
					t.Fatalf("operand %d: wrote at %d of %d", i, j-guard, n)
				}
			}
		}
	}
}

// A vecFunc is an exported function as a test sees it: it changes some of its
// operands and may return a number.
type vecFunc struct {
	name string
	args int
	run  func(x [][]float32) float32
}

var vecFuncs = []vecFunc{
	{"Add", 2, func(x [][]float32) float32 { Add(x[0], x[1]); return 0 }},
	{"MulBy", 2, func(x [][]float32) float32 { MulBy(x[0], x[1]); return 0 }},
	{"Scale", 1, func(x [][]float32) float32 { Scale(x[0], 1.7); return 0 }},
	{"AddNumber", 1, func(x [][]float32) float32 { AddNumber(x[0], -0.3); return 0 }},
	{"Max", 1, func(x [][]float32) float32 { return Max(x[0]) }},
	{"Dot", 2, func(x [][]float32) float32 { return Dot(x[0], x[1]) }},
	{"dot3", 3, func(x [][]float32) float32 { return dot3(x[0], x[1], x[2]) }},
	{"ExpSum", 2, func(x [][]float32) float32 { return ExpSum(x[0], x[1], 0.25) }},
	{"ExpSum in place", 1, func(x [][]float32) float32 { return ExpSum(x[0], x[0], 0) }},
	{"Softmax", 1, func(x [][]float32) float32 { Softmax(x[0]); return 0 }},
	{"SiLUMul", 3, func(x [][]float32) float32 { SiLUMul(x[0], x[1], x[2]); return 0 }},
	{"SiLUMul in place", 2, func(x [][]float32) float32 { SiLUMul(x[0], x[0], x[1]); return 0 }},
	{"SiLUMulBackward", 5, func(x [][]float32) float32 { SiLUMulBackward(x[0], x[1], x[2], x[3], x[4]); return 0 }},
	{"SiLUMulBackward in place", 3, func(x [][]float32) float32 { SiLUMulBackward(x[0], x[1], x[2], x[0], x[1]); return 0 }},
	{"RMSNorm", 3, func(x [][]float32) float32 { RMSNorm(x[0], x[1], x[2], 1e-5); return 0 }},
	{"RMSNormBackward", 4, func(x [][]float32) float32 { RMSNormBackward(x[0], x[1], x[2], x[3], 0.7); return 0 }},
	{"Rotate", 3, func(x [][]float32) float32 {
		h := len(x[0]) / 2
		Rotate(x[0][:2*h], x[1][:h], x[2][:h])
		return 0
	}},
	{"AdamW", 4, func(x [][]float32) float32 {
		for i, v := range x[3] {
			x[3][i] = float32(math.Abs(float64(v)))
		}
		testAdamW.Step(x[0], x[1], x[2], x[3])
		return 0
	}},
}

var testAdamW = AdamW{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.01, Correction1: 0.271, Correction2: 0.0029}

// Every kernel gives the bits of its twin, for all tails, and writes nowhere else.
func TestVectorsMatchTheTwin(t *testing.T) {
	for _, f := range vecFuncs {
		t.Run(f.name, func(t *testing.T) {
			forEachImpl(t, func(t *testing.T) {
				impl := active
				rng := rand.New(rand.NewPCG(1, 2))
				for n := 0; n <= 130; n++ {
					for trial := range 4 {
						if n == 0 && f.name[0] == 'R' && f.name != "Rotate" {
							continue // a norm of nothing is NaN
						}
						x, check := operands(rng, f.args, n, trial > 0)
						var twin [][]float32
						for _, v := range x {
							twin = append(twin, slices.Clone(v))
						}
						active = generic
						want := f.run(twin)
						active = impl
						got := f.run(x)
						check(t)
						if !equalBits(got, want) {
							t.Fatalf("n=%d: returned %g (%#x), want %g (%#x)", n, got, math.Float32bits(got), want, math.Float32bits(want))
						}
						for k := range x {
							for i := range x[k] {
								if !equalBits(x[k][i], twin[k][i]) {
									t.Fatalf("n=%d: operand %d[%d] is %g, want %g", n, k, i, x[k][i], twin[k][i])
								}
							}
						}
					}
				}
			})
		})
	}
}

// One number stands for all functions on every path and architecture.
func TestVectorsHaveOneHash(t *testing.T) {
	const want = 0x263a3181b1bbb3e0
	forEachImpl(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(7, 7))
		h := fnv.New64a()
		for _, f := range vecFuncs {
			for _, n := range []int{1, 15, 64, 333, 1000} {
				x := make([][]float32, f.args)
				for k := range x {
					x[k] = make([]float32, n)
					for i := range x[k] {
						x[k][i] = float32(rng.IntN(1<<20)-1<<19) / (1 << 16)
					}
				}
				fmt.Fprintf(h, "%x", math.Float32bits(f.run(x)))
				for _, v := range x {
					h.Write(bytesOf(v))
				}
			}
		}
		if got := h.Sum64(); got != want {
			t.Errorf("hash %#x, want %#x", got, uint64(want))
		}
	})
}

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
		if worst > 0.9 { // measured 0.82
			t.Errorf("off by %.3f units in the last place", worst)
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
			Softmax(got)
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
		dx := slices.Clone(zero)
		RMSNormBackward(dx, dy, a, b, RMSNormScale(a, 1e-5))
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

func TestRotateTurnsBack(t *testing.T) {
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
				t.Fatal("nothing was turned")
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

func TestTranspose(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 1))
		for rows := range 35 {
			for cols := range 27 {
				x, checkX := operands(rng, 1, rows*(cols+3), false)
				y, checkY := operands(rng, 1, cols*(rows+5), false)
				for i := range y[0] {
					y[0][i] = -99
				}
				src := View{x[0], rows, cols, cols + 3, 1}
				dst := View{y[0], cols, rows, rows + 5, 1}
				Transpose(dst, src)
				checkX(t)
				checkY(t)
				for i := range rows {
					for j := range cols {
						if dst.Data[j*dst.RowStride+i] != src.Row(i)[j] {
							t.Fatalf("%d×%d: element %d,%d is wrong", rows, cols, i, j)
						}
					}
				}
				for k, v := range y[0] {
					if k%(rows+5) >= rows && v != -99 {
						t.Fatalf("%d×%d: wrote between the rows", rows, cols)
					}
				}
			}
		}
	})
}

func TestVectorsDoNotAllocate(t *testing.T) {
	x, _ := operands(rand.New(rand.NewPCG(1, 1)), 5, 100, false)
	for _, f := range vecFuncs {
		if n := testing.AllocsPerRun(10, func() { f.run(x) }); n > 0 {
			t.Errorf("%s: %v allocations", f.name, n)
		}
	}
}

func BenchmarkVectors(b *testing.B) {
	for _, f := range vecFuncs {
		for _, n := range []int{64, 576, 1536, 49152} {
			x, _ := operands(rand.New(rand.NewPCG(1, 1)), f.args, n, false)
			b.Run(fmt.Sprintf("%s/n=%d", f.name, n), func(b *testing.B) {
				for b.Loop() {
					f.run(x)
				}
				b.ReportMetric(float64(n)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "values/ns")
			})
		}
	}
}

// equalBits reports whether two results are the same, NaN being NaN.
func equalBits(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}
