package simd

import "math"

// lanes holds the sixteen partial results of a reduction.
type lanes [16]float32

func (l *lanes) sum() float32 {
	for w := 8; w > 0; w /= 2 {
		for i := range w {
			l[i] += l[i+w]
		}
	}
	return l[0]
}

func (l *lanes) max() float32 {
	for w := 8; w > 0; w /= 2 {
		for i := range w {
			if l[i+w] > l[i] {
				l[i] = l[i+w]
			}
		}
	}
	return l[0]
}

// pad adds +0 to the lanes from i on: the padding of a sum's last block.
func (l *lanes) pad(i int) {
	for i %= 16; i != 0 && i < 16; i++ {
		l[i] += 0
	}
}

func maxGeneric(l *lanes, x []float32) {
	for i, v := range x {
		if v > l[i%16] { // a NaN never wins
			l[i%16] = v
		}
	}
}

func dotGeneric(l *lanes, x, y []float32) {
	for i, v := range x {
		l[i%16] = fma(v, y[i], l[i%16])
	}
	l.pad(len(x))
}

func dot3Generic(l *lanes, x, y, z []float32) {
	for i, v := range x {
		l[i%16] = fma(float32(v*y[i]), z[i], l[i%16])
	}
	l.pad(len(x))
}

// Cephes expf: n = round(x·log₂e), r = x-n·ln2 in two steps, a polynomial in r,
// and 2ⁿ as two exact factors so that n = 128 stays in range.
const (
	expLow  = -87.3     // below: exactly 0
	expHigh = 88.722839 // above: +Inf
	log2e   = 1.44269504
	ln2Hi   = 0.693359375
	ln2Lo   = -2.12194440e-4
)

var expPoly = [...]float32{1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1, 1, 1}

func expGeneric(x float32) float32 {
	switch {
	case x != x:
		return x
	case x < expLow:
		return 0
	case x > expHigh:
		return float32(math.Inf(1))
	}
	n := float32(math.RoundToEven(float64(float32(x * log2e))))
	r := fma(-n, ln2Lo, fma(-n, ln2Hi, x))
	y := expPoly[0]
	for _, c := range expPoly[1:] {
		y = fma(y, r, c)
	}
	i := int32(n)
	half := i >> 1
	return float32(y*pow2(half)) * pow2(i-half)
}

func pow2(n int32) float32 { return math.Float32frombits(uint32(n+127) << 23) }

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
