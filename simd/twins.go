package simd

import "math"

// The twins: every kernel in plain Go, with the same bits. They define what the
// kernels compute, and compute tails, and what the active set has no kernel for.
// Those for pairs of bf16 are in bf16.go; vek is the twin of Add, MulBy and Scale.

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

// twinDepth bounds the k of a pass, so that its part of B stays in the cache.
const twinDepth = 256

// mulTwin sets or adds to C = A·B.
func mulTwin(c, a, b View, add bool) {
	if !add {
		c.Clear()
	}
	for lo := 0; lo < a.Cols; lo += twinDepth {
		n := min(twinDepth, a.Cols-lo)
		for i := range c.Rows {
			row := c.Row(i)
			x := a.Data[i*a.RowStride+lo*a.ColStride:]
			j := 0
			for ; j+4 <= len(row); j += 4 {
				mulTwin4((*[4]float32)(row[j:]), x, a.ColStride, b.Data[lo*b.RowStride+j:], b.RowStride, n)
			}
			for ; j < len(row); j++ {
				for k := range n {
					row[j] = fma(x[k*a.ColStride], b.Data[(lo+k)*b.RowStride+j], row[j])
				}
			}
		}
	}
}

// mulTwin4 adds n products to four elements of a row. It is fma written out:
// four chains at once are what makes the pure-Go build usable.
func mulTwin4(c *[4]float32, a []float32, as int, b []float32, bs, n int) {
	c0, c1, c2, c3 := float64(c[0]), float64(c[1]), float64(c[2]), float64(c[3])
	for k := range n {
		x := float64(a[k*as])
		r := (*[4]float32)(b[k*bs:])
		p0, p1 := float64(x*float64(r[0])), float64(x*float64(r[1]))
		p2, p3 := float64(x*float64(r[2])), float64(x*float64(r[3]))
		s0, s1, s2, s3 := p0+c0, p1+c1, p2+c2, p3+c3
		if roundsTwice(s0) || roundsTwice(s1) || roundsTwice(s2) || roundsTwice(s3) {
			c0, c1 = float64(roundOnce(p0, c0, s0)), float64(roundOnce(p1, c1, s1))
			c2, c3 = float64(roundOnce(p2, c2, s2)), float64(roundOnce(p3, c3, s3))
			continue
		}
		c0, c1, c2, c3 = float64(float32(s0)), float64(float32(s1)), float64(float32(s2)), float64(float32(s3))
	}
	c[0], c[1], c[2], c[3] = float32(c0), float32(c1), float32(c2), float32(c3)
}

// lanes holds the sixteen partial results of a reduction.
type lanes [16]float32

// sum and max combine the lanes in the order of doc.go. They are written out, because
// loops would take longer than a short reduction itself.
func (l *lanes) sum() float32 {
	a, b, c, d := l[0]+l[8], l[1]+l[9], l[2]+l[10], l[3]+l[11]
	e, f, g, h := l[4]+l[12], l[5]+l[13], l[6]+l[14], l[7]+l[15]
	a, b, c, d = a+e, b+f, c+g, d+h
	return a + c + (b + d)
}

// max is of lanes that are not NaN. Of zeros of both signs the first counts.
func (l *lanes) max() float32 {
	a, b, c, d := larger(l[0], l[8]), larger(l[1], l[9]), larger(l[2], l[10]), larger(l[3], l[11])
	e, f, g, h := larger(l[4], l[12]), larger(l[5], l[13]), larger(l[6], l[14]), larger(l[7], l[15])
	a, b, c, d = larger(a, e), larger(b, f), larger(c, g), larger(d, h)
	return larger(larger(a, c), larger(b, d))
}

// larger returns y where it is larger than x.
func larger(x, y float32) float32 {
	if y > x {
		return y
	}
	return x
}

// pad ends a sum of i values, or i more than a multiple of 16: it adds +0 to the lanes
// that the last ones did not reach, which makes a -0 there +0.
func (l *lanes) pad(i int) {
	for i %= 16; i != 0 && i < 16; i++ {
		l[i] += 0
	}
}

// fma adds x·y to the lanes. It is the function fma written out, which takes a third of
// the time.
func (l *lanes) fma(x, y *[16]float32) {
	for i := range l {
		p, c := float64(float64(x[i])*float64(y[i])), float64(l[i])
		s := p + c
		if roundsTwice(s) {
			l[i] = roundOnce(p, c, s)
		} else {
			l[i] = float32(s)
		}
	}
}

// maxTwin raises the lanes to the values of x.
func maxTwin(l *lanes, x []float32) {
	for len(x) > 0 {
		n := min(16, len(x))
		for i, v := range x[:n] {
			if v > l[i] { // a NaN never wins
				l[i] = v
			}
		}
		x = x[n:]
	}
}

// dotTwin adds x·y to the lanes.
func dotTwin(l *lanes, x, y []float32) {
	for ; len(x) >= 16; x, y = x[16:], y[16:] {
		l.fma((*[16]float32)(x), (*[16]float32)(y))
	}
	for i, v := range x {
		l[i] = fma(v, y[i], l[i])
	}
	l.pad(len(x))
}

// dot3Twin adds x·y·z to the lanes, with x·y rounded.
func dot3Twin(l *lanes, x, y, z []float32) {
	for ; len(x) >= 16; x, y, z = x[16:], y[16:], z[16:] {
		var xy [16]float32
		for i, v := range x[:16] {
			xy[i] = v * y[i]
		}
		l.fma(&xy, (*[16]float32)(z))
	}
	for i, v := range x {
		l[i] = fma(float32(v*y[i]), z[i], l[i])
	}
	l.pad(len(x))
}

// normSumsTwin adds x·x to the first lanes and dy·w·x to the second.
func normSumsTwin(l *[2]lanes, dy, w, x []float32) {
	dotTwin(&l[0], x, x)
	dot3Twin(&l[1], dy, w, x)
}

// addSquaresTwin sets y = x+f and adds y·y to the lanes.
func addSquaresTwin(l *lanes, y, x, f []float32) {
	for i, v := range x {
		y[i] = v + f[i]
	}
	dotTwin(l, y, y)
}

// Cephes expf: n = round(x·log₂e), r = x-n·ln2 in two steps, a polynomial in r,
// and n added to its exponent: between the limits exp is a normal number.
const (
	expLow  = -87.3    // below: exactly 0
	expHigh = 88.72283 // the last with an exp in range; above: +Inf
	log2e   = 1.44269504
	ln2Hi   = 0.693359375 // nine bits: n·ln2Hi is exact
	ln2Lo   = -2.12194440e-4

	roundInt = 1.5 * (1 << 23) // added and taken away it rounds |x| < 2²² to even
)

var expPoly = [...]float32{1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1, 1, 1}

// expTwin returns exp(x). It rounds each step once, as the fused instructions of the
// kernels do: the sums of r are exact in float64; those of the polynomial are far from
// subnormal, so that only ties need roundOnce.
func expTwin(x float32) float32 {
	switch {
	case x != x:
		return x
	case x < expLow:
		return 0
	case x > expHigh:
		return float32(math.Inf(1))
	}
	n := float32(float32(x*log2e)+roundInt) - roundInt
	r := float32(float64(x) - float64(n)*float64(float32(ln2Hi)))
	r = float32(float64(r) - float64(n)*float64(float32(ln2Lo)))
	y := float64(expPoly[0])
	for _, c := range expPoly[1:] {
		p := float64(y * float64(r))
		s := p + float64(c)
		if math.Float64bits(s)&0x1fffffff == 0x10000000 {
			s = float64(roundOnce(p, float64(c), s))
		}
		y = float64(float32(s))
	}
	return math.Float32frombits(math.Float32bits(float32(y)) + uint32(int32(n))<<23)
}

// expSumTwin sets dst = exp(x-shift) and adds it to the lanes.
func expSumTwin(l *lanes, dst, x []float32, shift float32) {
	for i, v := range x {
		e := expTwin(v - shift)
		dst[i] = e
		l[i%16] += e
	}
	l.pad(len(x))
}

// softmaxBackwardTwin sets dx = (dx-mean)·p.
func softmaxBackwardTwin(dx, p []float32, mean float32) {
	for i, v := range p {
		dx[i] = (dx[i] - mean) * v
	}
}

// scaleDotTwin sets y = s·x and adds y·z to the lanes.
func scaleDotTwin(l *lanes, y, x, z []float32, s float32) {
	for i, v := range x {
		y[i] = s * v
	}
	dotTwin(l, y, z)
}

// siluMulTwin sets y = silu(g)·u.
func siluMulTwin(y, g, u []float32) {
	for i, v := range g {
		y[i] = float32(v*u[i]) / (1 + expTwin(-v))
	}
}

// siluMulBackwardTwin sets dg = dy·u·s·(1+g-g·s) and du = dy·g·s, with s = 1/(1+exp(-g)).
func siluMulBackwardTwin(dg, du, dy, g, u []float32) {
	for i, v := range g {
		s := 1 / (1 + expTwin(-v))
		vs := float32(v * s)
		d := dy[i]
		ui := u[i]
		du[i] = d * vs
		dg[i] = float32(s*(1+(v-vs))) * float32(d*ui)
	}
}

// GELU in the form with tanh (gelu_pytorch_tanh) is g·σ(2z), z = √(2/π)·(g + 0.044715·g³):
// a SiLU whose exp is of another number, geluExponent = -2z.
const (
	geluOne   = -1.5957691216    // -2·√(2/π)
	geluThree = -0.0713548162726 // 0.044715 times that
	geluNine  = -0.214064448818  // 3 times that
)

func geluExponent(g float32) float32 { return g * fma(geluThree, float32(g*g), geluOne) }

// geluMulTwin sets y = gelu(g)·u.
func geluMulTwin(y, g, u []float32) {
	for i, v := range g {
		y[i] = float32(v*u[i]) / (1 + expTwin(geluExponent(v)))
	}
}

// geluMulBackwardTwin sets dg = dy·u·s·(1+(g-g·s)·2z') and du = dy·g·s, with s = σ(2z).
func geluMulBackwardTwin(dg, du, dy, g, u []float32) {
	for i, v := range g {
		s := 1 / (1 + expTwin(geluExponent(v)))
		vs := float32(v * s)
		d, ui := dy[i], u[i]
		slope := fma(geluNine, float32(v*v), geluOne) // -2z'
		du[i] = d * vs
		dg[i] = float32(s*fma(-(v-vs), slope, 1)) * float32(d*ui)
	}
}

// tanh is an odd polynomial over an even one between bounds beyond which it is ±1 (as
// Eigen has it).
const tanhBound = 7.90531110763549805

var (
	tanhOdd = [...]float32{
		-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08,
		1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03,
	}
	tanhEven = [...]float32{1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03}
)

func tanhTwin(x float32) float32 {
	if x > tanhBound {
		x = tanhBound
	} else if x < -tanhBound {
		x = -tanhBound
	}
	odd, even, square := tanhOdd[0], tanhEven[0], float32(x*x)
	for _, c := range tanhOdd[1:] {
		odd = fma(odd, square, c)
	}
	for _, c := range tanhEven[1:] {
		even = fma(even, square, c)
	}
	return float32(odd*x) / even
}

// softCapTwin sets x = limit·tanh(x·rcp).
func softCapTwin(x []float32, limit, rcp float32) {
	for i, v := range x {
		x[i] = tanhTwin(v*rcp) * limit
	}
}

// softCapBackwardTwin multiplies dx by 1 - (y·rcp)².
func softCapBackwardTwin(dx, y []float32, rcp float32) {
	for i, v := range y {
		t := float32(v * rcp)
		dx[i] *= fma(-t, t, 1)
	}
}

// scaleMulTwin sets y = s·x·w.
func scaleMulTwin(y, x, w []float32, s float32) {
	for i, v := range x {
		y[i] = float32(v*s) * w[i]
	}
}

// rmsNormBackwardTwin adds rstd·w·dy - k·x to dx.
func rmsNormBackwardTwin(dx, dy, x, w []float32, rstd, k float32) {
	for i, v := range x {
		dx[i] += fma(-k, v, float32(float32(dy[i]*w[i])*rstd))
	}
}

// rotateTwin rotates each pair of a and b by its angle.
func rotateTwin(a, b, cos, sin []float32) {
	for i, x := range a {
		y := b[i]
		a[i] = float32(x*cos[i]) - float32(y*sin[i])
		b[i] = float32(y*cos[i]) + float32(x*sin[i])
	}
}

// adamWTwin takes a step of AdamW with the numbers of AdamW.constants.
func adamWTwin(p, g, m, v []float32, c *[9]float32) {
	beta1, rest1, beta2, rest2, c1, c2, epsilon, lr, decay := c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8]
	for i, gi := range g {
		m[i] = fma(beta1, m[i], float32(rest1*gi))
		v[i] = fma(beta2, v[i], float32(float32(rest2*gi)*gi))
		d := float32(m[i]/c1) / (float32(math.Sqrt(float64(v[i]/c2))) + epsilon)
		p[i] = fma(lr, d, float32(p[i]*decay))
	}
}
