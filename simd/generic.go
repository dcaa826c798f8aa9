package simd

import "math"

// lanes holds the sixteen partial results of a reduction.
type lanes [16]float32

// sum and max are written out: as loops they take longer than what they end.
func (l *lanes) sum() float32 {
	a, b, c, d := l[0]+l[8], l[1]+l[9], l[2]+l[10], l[3]+l[11]
	e, f, g, h := l[4]+l[12], l[5]+l[13], l[6]+l[14], l[7]+l[15]
	a, b, c, d = a+e, b+f, c+g, d+h
	return a + c + (b + d)
}

// No lane is NaN.
func (l *lanes) max() float32 {
	a, b, c, d := max(l[0], l[8]), max(l[1], l[9]), max(l[2], l[10]), max(l[3], l[11])
	e, f, g, h := max(l[4], l[12]), max(l[5], l[13]), max(l[6], l[14]), max(l[7], l[15])
	return max(max(a, e, c, g), max(b, f, d, h))
}

// pad adds +0 to the lanes from i on: the padding of a sum's last block.
func (l *lanes) pad(i int) {
	for i %= 16; i != 0 && i < 16; i++ {
		l[i] += 0
	}
}

// fma adds x·y to the lanes. It is the function fma written out, with a third of
// its time.
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

func maxGeneric(l *lanes, x []float32) {
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

func dotGeneric(l *lanes, x, y []float32) {
	for ; len(x) >= 16; x, y = x[16:], y[16:] {
		l.fma((*[16]float32)(x), (*[16]float32)(y))
	}
	for i, v := range x {
		l[i] = fma(v, y[i], l[i])
	}
	l.pad(len(x))
}

func dot3Generic(l *lanes, x, y, z []float32) {
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

// expGeneric has one rounding in each step, like fma. The sums of r are exact in
// float64, those of the polynomial are far from subnormal: only ties round twice.
func expGeneric(x float32) float32 {
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

func expSumGeneric(l *lanes, dst, x []float32, shift float32) {
	for i, v := range x {
		e := expGeneric(v - shift)
		dst[i] = e
		l[i%16] += e
	}
	l.pad(len(x))
}

func siluMulGeneric(y, g, u []float32) {
	for i, v := range g {
		y[i] = float32(v*u[i]) / (1 + expGeneric(-v))
	}
}

func siluMulBackwardGeneric(dg, du, dy, g, u []float32) {
	for i, v := range g {
		s := 1 / (1 + expGeneric(-v))
		vs := float32(v * s)
		d := dy[i]
		ui := u[i]
		du[i] = d * vs
		dg[i] = float32(s*(1+(v-vs))) * float32(d*ui)
	}
}

func scaleMulGeneric(y, x, w []float32, s float32) {
	for i, v := range x {
		y[i] = float32(v*s) * w[i]
	}
}

func rmsNormBackwardGeneric(dx, dy, x, w []float32, rstd, k float32) {
	for i, v := range x {
		dx[i] += fma(-k, v, float32(float32(dy[i]*w[i])*rstd))
	}
}

func rotateGeneric(a, b, cos, sin []float32) {
	for i, x := range a {
		y := b[i]
		a[i] = float32(x*cos[i]) - float32(y*sin[i])
		b[i] = float32(y*cos[i]) + float32(x*sin[i])
	}
}

func adamWGeneric(p, g, m, v []float32, c *[9]float32) {
	beta1, rest1, beta2, rest2, c1, c2, epsilon, lr, decay := c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8]
	for i, gi := range g {
		m[i] = fma(beta1, m[i], float32(rest1*gi))
		v[i] = fma(beta2, v[i], float32(float32(rest2*gi)*gi))
		d := float32(m[i]/c1) / (float32(math.Sqrt(float64(v[i]/c2))) + epsilon)
		p[i] = fma(lr, d, float32(p[i]*decay))
	}
}
