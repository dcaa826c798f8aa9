package optim

import (
	"math"

	"example.com/finetune/simd"
)

// negligible times the trace is a zero: far below what the damping of every matrix here
// can show. qlSteps bounds the steps for one eigenvalue, of which two are usual.
const (
	negligible = 0x1p-60
	qlSteps    = 60
)

// eigen decomposes the symmetric r×r matrix a = E·diag(d)·Eᵀ by Householder reflections to
// a tridiagonal one and implicit QL steps on that (Wilkinson & Reinsch, Linear Algebra,
// tred2 and imtql2). It overwrites a and returns d, in no order, with the eigenvectors as
// the rows of Eᵀ. a must be finite.
func eigen(a []float64, r int) (d, et []float64) {
	least := float64(negligible * trace(a, r))
	d, e, et := tridiagonal(a, r)
	room := make([]float64, 2*r)
	for l := range r {
		for range qlSteps {
			m := l
			for m < r-1 && math.Abs(e[m]) > max(least, float64(0x1p-53*(math.Abs(d[m])+math.Abs(d[m+1])))) {
				m++
			}
			if m == l {
				break
			}
			cs := qlStep(d, e, l, m, room)
			simd.View64{Data: et[l*r:], Rows: m - l + 1, Cols: r, Stride: r}.Rotate(cs)
		}
	}
	return d, et
}

// tridiagonal reduces a, which it overwrites, to Q·T·Qᵀ, where T has diagonal d and e
// beside it. It returns Qᵀ.
//
// Its vectors have r values, zero where theirs do not reach: rows are changed from
// [aligned] columns on, where zeros add nothing.
func tridiagonal(a []float64, r int) (d, e, qt []float64) {
	d, e = make([]float64, r), make([]float64, r)
	beta, w, padded := make([]float64, r), make([]float64, r), make([]float64, r)
	for k := range r - 1 {
		v := a[k*r+k+1 : (k+1)*r] // row k beside the diagonal, and then its reflection
		beta[k], e[k] = reflection(v)
		clear(padded[:k+1])
		clear(w[:k+1])
		copy(padded[k+1:], v)
		if beta[k] != 0 {
			reflect(a, r, k+1, padded, beta[k], w)
		}
	}
	q, y, f := make([]float64, r*r), w, padded
	for i := range r {
		d[i], q[i*r+i] = a[i*r+i], 1
	}
	for k := r - 2; k >= 0; k-- { // Q = H₀·H₁·…, from the last one on
		if beta[k] == 0 {
			continue
		}
		v, lo := a[k*r+k+1:(k+1)*r], aligned(k+1)
		rows := simd.View64{Data: q[(k+1)*r+lo:], Rows: len(v), Cols: r - lo, Stride: r}
		clear(y)
		rows.Combine(y[lo:], v, 1)
		for i, x := range v {
			f[i] = -float64(beta[k] * x)
		}
		rows.AddOuter(f[:len(v)], y[lo:])
	}
	for i := range r {
		for j := range i {
			q[i*r+j], q[j*r+i] = q[j*r+i], q[i*r+j]
		}
	}
	return d, e, q
}

// aligned is the first column of the eight that k is in: kernels take as many at a time.
func aligned(k int) int { return k &^ 7 }

// reflection replaces x by the v of H = I - β·v·vᵀ, which maps x to (e, 0, 0, …).
func reflection(x []float64) (beta, e float64) {
	rest := simd.Dot64(x[1:], x[1:])
	if rest == 0 {
		return 0, x[0]
	}
	e = -math.Copysign(math.Sqrt(float64(x[0]*x[0])+rest), x[0])
	x[0] -= e
	return 2 / (float64(x[0]*x[0]) + rest), e
}

// reflect replaces the square of a from row and column k on by H·a·H, for v from v[k] on.
// What is below and left of it may change. w has room for r values, and is zero before k.
func reflect(a []float64, r, k int, v []float64, beta float64, w []float64) {
	n, lo := r-k, aligned(k)
	x, y := v[k:], w[k:]
	simd.View64{Data: a[k*r+k:], Rows: n, Cols: n, Stride: r}.Dots(y, x)
	for i := range y {
		y[i] = float64(beta * y[i])
	}
	half := float64(beta*simd.Dot64(y, x)) / 2
	for i, f := range x {
		y[i] -= float64(half * f)
	}
	simd.View64{Data: a[k*r+lo:], Rows: n, Cols: r - lo, Stride: r}.SubOuters(x, w[lo:], y, v[lo:])
}

// qlStep does an implicit QL step between rows l and m of the tridiagonal matrix, m > l.
// It returns the cosines and sines of the rotations of the rows of Eᵀ from m on upwards, in
// cs, which has room for them.
func qlStep(d, e []float64, l, m int, cs []float64) []float64 {
	cs = cs[:0]
	g := (d[l+1] - d[l]) / float64(2*e[l])
	root := math.Sqrt(float64(g*g) + 1)
	g = d[m] - d[l] + e[l]/(g+math.Copysign(root, g))
	s, c, p := 1.0, 1.0, 0.0
	for i := m - 1; i >= l; i-- {
		f, b := float64(s*e[i]), float64(c*e[i])
		h := math.Sqrt(float64(f*f) + float64(g*g))
		e[i+1] = h
		if h == 0 { // the matrix falls apart here
			d[i+1] -= p
			e[m] = 0
			return cs
		}
		s, c = f/h, g/h
		g = d[i+1] - p
		h = float64((d[i]-g)*s) + float64(float64(2*c)*b)
		p = float64(s * h)
		d[i+1] = g + p
		g = float64(c*h) - b
		cs = append(cs, c, s)
	}
	d[l] -= p
	e[l], e[m] = g, 0
	return cs
}

// inverseCholesky returns L⁻¹, lower triangular, of K+λI = L·Lᵀ for a symmetric r×r
// matrix K that has no negative eigenvalues but for rounding: no pivot is below λ then.
// It overwrites k.
func inverseCholesky(k []float64, r int, lambda float64) []float64 {
	inverse, f := make([]float64, r*r), make([]float64, r)
	for i := range r {
		row := k[i*r : i*r+i]
		for j := range row {
			row[j] = (row[j] - simd.Dot64(row[:j], k[j*r:j*r+j])) / k[j*r+j]
			f[j] = -row[j]
		}
		pivot := math.Sqrt(max(k[i*r+i]+lambda-simd.Dot64(row, row), lambda))
		k[i*r+i] = pivot
		x := inverse[i*r : (i+1)*r]
		some := min(r, aligned(i+7)) // columns; those from i on stay zero
		simd.View64{Data: inverse, Rows: i, Cols: some, Stride: r}.Combine(x[:some], f[:i], 1)
		x[i] = 1
		for j := range i + 1 {
			x[j] /= pivot
		}
	}
	return inverse
}

func trace(k []float64, r int) float64 {
	var sum float64
	for i := range r {
		sum += k[i*r+i]
	}
	return sum
}
