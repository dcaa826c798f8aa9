package simd

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// bigFMA rounds x·y+z once. big.Float has no subnormals, so it is asked for as
// many bits as float32 has at the result's exponent.
func bigFMA(x, y, z float32) float32 {
	exact := new(big.Float).SetPrec(1000)
	exact.Mul(big.NewFloat(float64(x)), new(big.Float).SetPrec(1000).SetFloat64(float64(y)))
	exact.Add(exact, new(big.Float).SetPrec(1000).SetFloat64(float64(z)))
	f, _ := exact.Float32() // to nearest even, subnormals included
	return f
}

func TestFMA(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	check := func(x, y, z float32) {
		t.Helper()
		got, want := fma(x, y, z), bigFMA(x, y, z)
		if got != want {
			t.Fatalf("fma(%x, %x, %x) = %x, want %x", x, y, z, got, want)
		}
	}
	for range 200_000 {
		// Few significant bits make ties, small exponents make subnormals.
		few := func() float32 {
			m := float32(rng.IntN(1<<(1+rng.IntN(24)))) - float32(rng.IntN(1<<12))
			return float32(math.Ldexp(float64(m), rng.IntN(40)-20))
		}
		x, y := few(), few()
		check(x, y, few())
		check(x, y, -x*y)
		tiny := float32(math.Ldexp(float64(x), -100))
		check(tiny, float32(math.Ldexp(float64(y), -30-rng.IntN(30))), float32(math.Ldexp(float64(few()), -140)))
		// A tie of the sum that a small product breaks.
		z := math.Float32frombits(rng.Uint32()&0x3ffffff | 0x3f000000)
		half := float32(math.Ldexp(1, math.Ilogb(float64(z))-24))
		check(half, 1+float32(rng.IntN(3)-1)*0x1p-23, z)
		check(half, 1-float32(rng.IntN(2))*0x1p-24, -z)
	}
	// x·y = 2⁴⁶+1 at 2⁻¹⁹⁶: half the least float32 and a bit that float64 loses
	// beside z, which is subnormal.
	x, y := float32(math.Ldexp(1<<23-1<<12+1, -98)), float32(math.Ldexp(1<<23+1<<12+1, -98))
	for m := 1<<22 - 4; m < 1<<22+4; m++ {
		z := float32(math.Ldexp(float64(m), -149))
		check(x, y, z)
		check(x, y, -z)
		check(-x, y, z)
		check(-x, y, -z)
	}
	// Overflow, by a hair and not.
	check(math.MaxFloat32, 1, 0x1p103)
	check(math.MaxFloat32, 1, 0x1.fffffep102)
	check(math.MaxFloat32, math.MaxFloat32, -math.MaxFloat32)
	check(math.SmallestNonzeroFloat32, 0.5, 0)
	check(math.SmallestNonzeroFloat32, 0.5, math.SmallestNonzeroFloat32)
	check(-math.SmallestNonzeroFloat32, 0.25, math.SmallestNonzeroFloat32)
}

func TestFMASpecial(t *testing.T) {
	inf, zero := float32(math.Inf(1)), float32(0)
	negZero := float32(math.Copysign(0, -1))
	for _, c := range []struct{ x, y, z, want float32 }{
		{inf, 1, 1, inf},
		{1, 1, -inf, -inf},
		{inf, -2, 5, -inf},
		{inf, 0, 1, nan},
		{inf, 1, -inf, nan},
		{nan, 1, 1, nan},
		{1, 1, nan, nan},
		{1, -1, 1, zero},
		{negZero, 1, zero, zero},
		{negZero, 1, negZero, negZero},
		{zero, 5, negZero, zero},
	} {
		got := fma(c.x, c.y, c.z)
		if math.Float32bits(got) != math.Float32bits(c.want) && (got == got || c.want == c.want) {
			t.Errorf("fma(%v, %v, %v) = %v, want %v", c.x, c.y, c.z, got, c.want)
		}
	}
}
