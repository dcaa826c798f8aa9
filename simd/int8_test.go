package simd

import (
	"math"
	"math/rand/v2"
	"testing"
)

// quadOracle is the definition of a product in int8, in float64 but for what is rounded:
// groups of 64 along k, integers by the scale of their group, and their exact sums.
func quadOracle(c, a, b View, add bool) {
	if a.Cols == 0 && !add {
		for i := range c.Rows {
			clear(c.Row(i))
		}
	}
	for lo := 0; lo < a.Cols; lo += 64 {
		hi := min(a.Cols, lo+64)
		var x, y []integers
		for i := range c.Rows {
			x = append(x, integersOf(lo, hi, func(k int) float32 { return a.Data[i*a.RowStride+k*a.ColStride] }))
		}
		for j := range c.Cols {
			y = append(y, integersOf(lo, hi, func(k int) float32 { return b.Data[k*b.RowStride+j*b.ColStride] }))
		}
		for i := range c.Rows {
			for j := range c.Cols {
				sum := 0.0
				for k, q := range x[i].q {
					sum += q * y[j].q[k]
				}
				at := &c.Data[i*c.RowStride+j]
				if t := float32(x[i].scale * y[j].scale); lo == 0 && !add {
					*at = float32(float32(sum) * t)
				} else {
					*at = fma(float32(sum), t, *at)
				}
			}
		}
	}
}

// integers is a group: q·scale are its values, rounded.
type integers struct {
	q     []float64
	scale float32
}

func integersOf(lo, hi int, value func(k int) float32) integers {
	most := 0.0
	for k := lo; k < hi; k++ {
		v := math.Abs(float64(value(k)))
		if v-v != 0 { // NaN or infinite
			return integers{make([]float64, hi-lo), float32(math.NaN())}
		}
		most = max(most, v)
	}
	if most < 0x1p-100 {
		return integers{make([]float64, hi-lo), 0}
	}
	var q []float64
	for k := lo; k < hi; k++ {
		q = append(q, math.RoundToEven(float64(value(k)*(127/float32(most)))))
	}
	return integers{q, float32(float32(most) * (float32(1) / 127))}
}

// TestQuadProducts holds the products in int8 against the oracle, for every type, stacked,
// adding or not, with ordinary and wild numbers, over all tails of rows, columns and k.
func TestQuadProducts(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(43, 44))
		list := append(stacks(), stack{[]int{3, 61, 70}, 128, 4}, stack{[]int{40}, 64*blockGroups() + 9, 3}, stack{[]int{1700}, 40, 2})
		var tails []stack
		for m := 1; m <= 30; m++ { // of rows and columns
			tails = append(tails, stack{[]int{128 - m}, 64 * (1 + m%3), m}, stack{[]int{m}, 129 - m, 31 - m})
		}
		testRounded(t, ComputeInt8, quadOracle, rng, list, tails, 4)
	})
}

// TestQuadAccuracy: an element is off by at most what the rounding of either factor, half
// a 127th of the largest of its group, can do. A wrong scale is off by far more.
func TestQuadAccuracy(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(45, 46))
		const m, n, k = 19, 45, 600
		w := randomMatrix(rng, BF16, n, k)
		x := guardedView(m, k, 0, false, func() float32 { return float32(rng.NormFloat64() * math.Exp(rng.NormFloat64())) })
		p := NewPool(1)
		defer p.Close()
		c := make([]float32, m*n)
		p.With(ComputeInt8).MulNT(Dense(c, m, n), x.View, w)
		full := stackedFloat32([]Matrix{w})
		for i := range m {
			for j := range n {
				var sum, bound float64
				for lo := 0; lo < k; lo += 64 {
					var a, b, as, bs float64 // largest and sums of magnitudes
					hi := min(k, lo+64)
					for l := lo; l < hi; l++ {
						u, v := float64(x.Data[i*k+l]), float64(full.Data[j*k+l])
						sum += u * v
						a, b, as, bs = max(a, math.Abs(u)), max(b, math.Abs(v)), as+math.Abs(u), bs+math.Abs(v)
					}
					bound += a/254*bs + b/254*as + a*b/254/254*float64(hi-lo)
				}
				if d := math.Abs(float64(c[i*n+j]) - sum); d > 1.001*bound {
					t.Fatalf("(%d,%d): %v, want %v within %v", i, j, c[i*n+j], sum, bound)
				}
			}
		}
	})
}

// TestQuantized pins scales at the ends of the range.
func TestQuantized(t *testing.T) {
	for _, c := range []struct{ most, inverse, scale float32 }{
		{127, 1, 1},
		{1, 127, float32(1) / 127},
		{0, 0, 0},
		{0x1.fffffep-101, 0, 0},
		{0x1p-100, 127 * 0x1p100, float32(1) / 127 * 0x1p-100},
	} {
		if i, s := quantized(magnitude(-c.most)); i != c.inverse || s != c.scale {
			t.Errorf("%x: %x, %x, want %x, %x", c.most, i, s, c.inverse, c.scale)
		}
	}
	for _, most := range []float64{math.Inf(1), math.Inf(-1), math.NaN()} {
		if _, s := quantized(magnitude(float32(most))); s == s {
			t.Errorf("%v: the scale is %v", most, s)
		}
	}
}

// TestQuantisedBytes: the memory that plans count is what a product takes.
func TestQuantisedBytes(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(49, 50))
		for _, k := range []int{40, 576, 3000} {
			w := []Matrix{randomMatrix(rng, BF16, 33, k)}
			p := NewPool(1)
			const tokens = 17
			x, y := make([]float32, tokens*k), make([]float32, tokens*33)
			p.With(ComputeInt8).MulNT(Dense(y, tokens, 33), Dense(x, tokens, k), w...)
			if got, want := int64(4*len(p.product.ints)), QuantisedBytes(tokens, k); got != want {
				t.Errorf("k=%d: %d bytes, want %d", k, got, want)
			}
			p.Close()
		}
	})
}
