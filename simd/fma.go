package simd

import "math"

// fma returns x·y+z with one rounding. float32(math.FMA(float64…)) would round
// twice: the product is exact in float64, the sum is not, and a sum that was
// rounded to a tie between two float32 rounds the wrong way.
func fma(x, y, z float32) float32 {
	p := float64(float64(x) * float64(y)) // exact: 24+24 bits
	s := p + float64(z)
	if !roundsTwice(s) {
		return float32(s)
	}
	return roundOnce(p, float64(z), s)
}

// roundsTwice reports whether float32(s) may differ from rounding the exact sum
// behind s: where the 29 bits it drops are a tie, and near and below the normal
// range of float32, where it drops more.
func roundsTwice(s float64) bool {
	bits := math.Float64bits(s)
	return bits&0x1fffffff == 0x10000000 || bits<<1 < (1023-126+1)<<53
}

// roundOnce rounds p+c to float32, given s = float64(p+c).
func roundOnce(p, c, s float64) float32 {
	bits := math.Float64bits(s)
	if s == 0 || bits>>52&0x7ff == 0x7ff {
		return float32(s)
	}
	// Two-sum gives the error of s; round s to odd, so that float32(s) is right.
	t := s - p
	e := (p - (s - t)) + (c - t)
	if e != 0 && bits&1 == 0 {
		if (e > 0) == (s > 0) {
			bits++
		} else {
			bits--
		}
	}
	return float32(math.Float64frombits(bits))
}
