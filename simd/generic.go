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

// padded calls f for every lane of every block of 16, with i = -1 in the padding.
func padded(n int, f func(lane, i int)) {
	for b := 0; b < n; b += 16 {
		for l := range 16 {
			if b+l < n {
				f(l, b+l)
			} else {
				f(l, -1)
			}
		}
	}
}

func maxGeneric(x []float32) float32 {
	var l lanes
	for i := range l {
		l[i] = float32(math.Inf(-1))
	}
	for i, v := range x {
		if v > l[i%16] { // a NaN never wins
			l[i%16] = v
		}
	}
	return l.max()
}

func dotGeneric(x, y []float32) float32 {
	var l lanes
	padded(len(x), func(lane, i int) {
		if i < 0 {
			l[lane] += 0
			return
		}
		l[lane] = fma(x[i], y[i], l[lane])
	})
	return l.sum()
}

func dot3Generic(x, y, z []float32) float32 {
	var l lanes
	padded(len(x), func(lane, i int) {
		if i < 0 {
			l[lane] += 0
			return
		}
		l[lane] = fma(float32(x[i]*y[i]), z[i], l[lane])
	})
	return l.sum()
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

func expSumGeneric(dst, x []float32, shift float32) float32 {
	var l lanes
	padded(len(x), func(lane, i int) {
		if i < 0 {
			l[lane] += 0
			return
		}
		dst[i] = expGeneric(x[i] - shift)
		l[lane] += dst[i]
	})
	return l.sum()
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

func rotateGeneric(x, cos, sin []float32) {
	h := len(cos)
	for i := range h {
		a, b := x[i], x[h+i]
		x[i] = float32(a*cos[i]) - float32(b*sin[i])
		x[h+i] = float32(b*cos[i]) + float32(a*sin[i])
	}
}

func adamWGeneric(p, g, m, v []float32, a *AdamW) {
	for i, gi := range g {
		m[i] = fma(a.Beta1, m[i], float32((1-a.Beta1)*gi))
		v[i] = fma(a.Beta2, v[i], float32(float32((1-a.Beta2)*gi)*gi))
		d := float32(m[i]/a.Correction1) / (float32(math.Sqrt(float64(v[i]/a.Correction2))) + a.Epsilon)
		p[i] = fma(-a.LR, d, float32(p[i]*a.decay()))
	}
}
