package simd

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// bigFMAFlush rounds x·y+z once to 24 bits of any exponent, then flushes.
func bigFMAFlush(x, y, z float32) float32 {
	exact := new(big.Float).SetPrec(1000)
	exact.Mul(big.NewFloat(float64(x)), big.NewFloat(float64(y)).SetPrec(1000))
	exact.Add(exact, big.NewFloat(float64(z)).SetPrec(1000))
	exact.SetPrec(24).SetMode(big.ToNearestEven)
	f, _ := exact.Float32()
	if exact.Sign() != 0 && exact.MantExp(nil) < -125 { // 0.5 ≤ mantissa < 1
		return float32(math.Copysign(0, float64(exact.Sign())))
	}
	return f
}

func TestFMAFlush(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	few := func(exp int) float32 { return float32(math.Ldexp(float64(rng.IntN(1<<8)+1), exp)) }
	for i := range 300_000 {
		// Around the least normal number, by a product of any size.
		x, y := few(-60-rng.IntN(8)), few(-70-rng.IntN(40))
		z := math.Float32frombits(1<<23 + uint32(rng.IntN(1<<(1+rng.IntN(24)))))
		if i%2 == 0 {
			x = -x
		}
		if i%3 == 0 {
			z = -z
		}
		if got, want := fmaFlush(x, y, z), bigFMAFlush(x, y, z); math.Float32bits(got) != math.Float32bits(want) {
			t.Fatalf("fmaFlush(%x, %x, %x) = %x, want %x", x, y, z, got, want)
		}
	}
	least := float32(0x1p-126)
	for _, c := range []struct{ x, y, z, want float32 }{
		{-0x1p-100, 0x1p-50, least, 0},       // 2⁻¹²⁶(1-2⁻²⁴) has 24 bits
		{-0x1p-100, 0x1p-51, least, least},   // a tie, to even
		{-0x1.8p-100, 0x1p-51, least, 0},     // below it
		{0x1p-100, 0x1p-51, -least, -least},  // and below zero
		{0x1p100, 1, -0x1p100, 0},            // no overflow on the way
		{-0x1p-100, 0x1p-100, 0, -0 * least}, // see below for its sign
		{math.MaxFloat32, 2, -math.MaxFloat32, math.MaxFloat32},
	} {
		if got := fmaFlush(c.x, c.y, c.z); got != c.want {
			t.Errorf("fmaFlush(%x, %x, %x) = %x, want %x", c.x, c.y, c.z, got, c.want)
		}
	}
	if r := fmaFlush(-0x1p-100, 0x1p-100, 0); !math.Signbit(float64(r)) {
		t.Error("a flushed negative number has lost its sign")
	}
}

// bigAddOdd rounds x+y to odd, then flushes.
func bigAddOdd(x, y float32) float32 {
	exact := new(big.Float).SetPrec(1000)
	exact.Add(big.NewFloat(float64(x)).SetPrec(1000), big.NewFloat(float64(y)))
	cut := new(big.Float).SetPrec(24).SetMode(big.ToZero).Set(exact)
	f, _ := cut.Float32()
	switch {
	case exact.Sign() != 0 && exact.MantExp(nil) < -125: // 0.5 ≤ mantissa < 1
		return float32(math.Copysign(0, float64(exact.Sign())))
	case cut.Cmp(exact) != 0 && !math.IsInf(float64(f), 0):
		return math.Float32frombits(math.Float32bits(f) | 1)
	}
	return f
}

func TestAddOdd(t *testing.T) {
	rng := rand.New(rand.NewPCG(39, 40))
	any := func(spread int) float32 { // of 1 to 24 bits, exponents around 2⁻¹¹⁰ or 2⁰
		bits := rng.Uint32()<<rng.IntN(24)&(1<<23-1) | rng.Uint32()&(1<<31)
		return math.Float32frombits(bits | uint32(17+110*rng.IntN(2)+rng.IntN(spread))<<23)
	}
	for i := range 500_000 {
		x, y := any(1+i%70), any(1+i%70)
		if got, want := addOdd(x, y), bigAddOdd(x, y); math.Float32bits(got) != math.Float32bits(want) {
			t.Fatalf("addOdd(%x, %x) = %x, want %x", x, y, got, want)
		}
	}
	inf := float32(math.Inf(1))
	for _, c := range []struct{ x, y, want float32 }{
		{1, 0x1p-60, math.Nextafter32(1, 2)},                                      // more, by a bit that float64 has not
		{1, -0x1p-60, math.Nextafter32(1, 0)},                                     // less
		{-1, 0x1p-60, -math.Nextafter32(1, 0)},                                    // less, below zero
		{math.Nextafter32(1, 2), 0x1p-60, math.Nextafter32(1, 2)},                 // odd already
		{math.Nextafter32(1, 2), -0x1p-60, math.Nextafter32(1, 2)},                // 1 would be even
		{0x1p-126, -0x1.fffffep-126, float32(math.Copysign(0, -1))},               // flushed
		{math.MaxFloat32, math.MaxFloat32, inf},                                   // too large
		{math.MaxFloat32, 0x1p60, math.MaxFloat32}, {inf, 1, inf}, {0.5, -0.5, 0}, // no overflow by rounding
	} {
		if got := addOdd(c.x, c.y); math.Float32bits(got) != math.Float32bits(c.want) {
			t.Errorf("addOdd(%x, %x) = %x, want %x", c.x, c.y, got, c.want)
		}
	}
	// Two products that are too small alone: only BFDOT adds them to each other first.
	if even, odd := addPairEven(1, 0x1p-24, 1, 0x1p-24, 1), addPairOdd(1, 0x1p-24, 1, 0x1p-24, 1); even != 1 || odd != 1+0x1p-23 {
		t.Errorf("1 + 2⁻²⁴ + 2⁻²⁴ is %x and %x", even, odd)
	}
}

// TestRoundPairs rounds all lengths, and all exponents with the numbers around
// ties.
func TestRoundPairs(t *testing.T) {
	forEachPairs(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(33, 34))
		for n := range 80 {
			src := guardedView(1+n%3, n, 3, false, wild(rng))
			dst := guardedView(1+n%3, pairCount(n), 5, false, normal(rng))
			want := dst.clone()
			for i := range src.Rows {
				row := append(append([]float32(nil), src.Row(i)...), 0)
				for k := range want.Row(i) {
					want.Row(i)[k] = pair(row[2*k], row[2*k+1])
				}
			}
			roundPairs(dst.View, src.View)
			samePatterns(t, fmt.Sprint(n, " values"), dst.all, want.all)
			samePatterns(t, fmt.Sprint(n, " values, from"), src.all, src.want)
		}
		src, dst := Dense(make([]float32, 64), 1, 64), Dense(make([]float32, 32), 1, 32)
		for b := uint64(0); b < 1<<32; b += 1 << 11 * 16 {
			for i := range src.Data {
				src.Data[i] = math.Float32frombits(uint32(b) + uint32(i/4)<<15 + uint32(i%4) - 1)
			}
			roundPairs(dst, src)
			for i, p := range dst.Data {
				if want := pair(src.Data[2*i], src.Data[2*i+1]); math.Float32bits(p) != math.Float32bits(want) {
					t.Fatalf("%x, %x: %08x, want %08x", src.Data[2*i], src.Data[2*i+1], math.Float32bits(p), math.Float32bits(want))
				}
			}
		}
	})
}

// samePatterns is sameBits for what may not be numbers.
func samePatterns(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i, w := range want {
		if g, w := math.Float32bits(got[i]), math.Float32bits(w); g != w {
			t.Fatalf("%s: value %d of %d: got %08x, want %08x", what, i, len(want), g, w)
		}
	}
}

func TestBFloat16(t *testing.T) {
	for bits, want := range map[uint32]uint16{
		0x3f808000: 0x3f80, // ties to even
		0x3f818000: 0x3f82,
		0x3f808001: 0x3f81,
		0x3f807fff: 0x3f80,
		0x7f7fffff: 0x7f80, // to Inf
		0x7f800000: 0x7f80,
		0xff800000: 0xff80,
		0x7f800001: 0x7fc0, // NaN, quiet
		0x7fffffff: 0x7fff,
		0xffc12345: 0xffc1,
		0x00800000: 0x0080,
		0x007fffff: 0, // subnormals
		0x80000001: 0x8000,
		0x80000000: 0x8000,
	} {
		if got := bfloat16(math.Float32frombits(bits)); got != want {
			t.Errorf("%08x: %04x, want %04x", bits, got, want)
		}
	}
}

// dotOracle is the definition of a product in bf16: from C or +0, pairs of k
// ascending. Without any, C stays as it is.
func dotOracle(c, a, b View, add bool) {
	rounded := func(v View) View { // with zeros to an even number of columns
		r := Dense(make([]float32, v.Rows*2*pairCount(v.Cols)), v.Rows, 2*pairCount(v.Cols))
		for i := range v.Rows {
			for k := range v.Cols {
				r.Row(i)[k] = flush(math.Float32frombits(uint32(bfloat16(v.Data[i*v.RowStride+k*v.ColStride])) << 16))
			}
		}
		return r
	}
	x, y := rounded(a), rounded(b.T())
	for i := range c.Rows {
		for j := range c.Cols {
			s := float32(0)
			if add {
				s = c.Data[i*c.RowStride+j]
			}
			if a.Cols > 0 {
				s = flush(s)
			}
			u, v := x.Row(i), y.Row(j)
			for k := 0; k < len(u); k += 2 {
				s = addPair(s, u[k], v[k], u[k+1], v[k+1])
			}
			c.Data[i*c.RowStride+j] = s
		}
	}
}

// wildMatrix is randomMatrix with one value in twelve of any bits.
func wildMatrix(rng *rand.Rand, d DType, rows, cols int) Matrix {
	m := randomMatrix(rng, d, rows, cols)
	size := d.Size()
	for i := range rows * cols {
		if rng.IntN(12) == 0 {
			for b := range size {
				m.Data[i*size+b] = byte(rng.Uint32())
			}
		}
		if d != F16 && rng.IntN(12) == 0 { // near the ends of the range
			binary.LittleEndian.PutUint16(m.Data[(i+1)*size-2:], []uint16{0, 0x8000, 1, 0x8001, 0x80, 0x7f7f, 0xff7f, 0x7f80, 0xff80}[rng.IntN(9)])
		}
	}
	return m
}

// TestDotProducts holds the products in bf16 against the oracle, for every type,
// stacked, adding or not, on 1 to 4 threads, with ordinary and wild numbers.
func TestDotProducts(t *testing.T) {
	forEachPairs(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(35, 36))
		list := append(stacks(), stack{[]int{3, 5, 2}, 34, 4}, stack{[]int{613}, 64, 2}, stack{[]int{40}, 2*2*blockK() + 9, 3})
		var tails []stack
		for m := 1; m <= 30; m++ { // of rows and columns
			tails = append(tails, stack{[]int{64 - m}, 2 * m, m}, stack{[]int{m}, 65 - m, 31 - m})
		}
		testRounded(t, ComputeBF16, dotOracle, rng, list, tails, 2)
	})
}

// TestDotAccuracy: with factors that are bf16 already, a product in bf16 is one
// in float32 but for the order of each pair.
func TestDotAccuracy(t *testing.T) {
	forEachPairs(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(37, 38))
		const m, n, k = 19, 45, 600
		w := randomMatrix(rng, BF16, n, k)
		x := guardedView(m, k, 0, false, func() float32 {
			return math.Float32frombits(math.Float32bits(float32(rng.NormFloat64())) &^ 0xffff)
		})
		p := NewPool(1)
		defer p.Close()
		c := make([]float32, m*n)
		p.With(ComputeBF16).MulNT(Dense(c, m, n), x.View, w)
		full := stackedFloat32([]Matrix{w})
		for i := range m {
			for j := range n {
				var sum, abs float64
				for l := range k {
					v := float64(x.Data[i*k+l]) * float64(full.Data[j*k+l])
					sum += v
					abs += math.Abs(v)
				}
				if d := math.Abs(float64(c[i*n+j]) - sum); d > k*0x1p-24*abs {
					t.Fatalf("(%d,%d): %v, want %v", i, j, c[i*n+j], sum)
				}
			}
		}
	})
}
