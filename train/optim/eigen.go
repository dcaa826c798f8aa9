package optim

import "math"

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
	for l := range r {
		for range qlSteps {
			m := l
			for m < r-1 && math.Abs(e[m]) > max(least, float64(0x1p-53*(math.Abs(d[m])+math.Abs(d[m+1])))) {
				m++
			}
			if m == l {
				break
			}
			qlStep(d, e, et, l, m)
		}
	}
	return d, et
}

// tridiagonal reduces a, which it overwrites, to Q·T·Qᵀ, where T has diagonal d and e
// beside it. It returns Qᵀ.
func tridiagonal(a []float64, r int) (d, e, qt []float64) {
	d, e = make([]float64, r), make([]float64, r)
	beta, w := make([]float64, r), make([]float64, r)
	for k := range r - 1 {
		v := a[k*r+k+1 : (k+1)*r] // row k beside the diagonal, and then its reflection
		beta[k], e[k] = reflection(v)
		if beta[k] != 0 {
			reflect(a, r, k+1, v, beta[k], w[k+1:])
		}
	}
	q, y := make([]float64, r*r), w
	for i := range r {
		d[i], q[i*r+i] = a[i*r+i], 1
	}
	for k := r - 2; k >= 0; k-- { // Q = H₀·H₁·…, from the last one on
		if beta[k] == 0 {
			continue
		}
		v := a[k*r+k+1 : (k+1)*r]
		clear(y)
		for i, f := range v {
			axpy(y[k+1:], f, q[(k+1+i)*r+k+1:(k+2+i)*r])
		}
		for i, f := range v {
			axpy(q[(k+1+i)*r+k+1:(k+2+i)*r], -float64(beta[k]*f), y[k+1:])
		}
	}
	for i := range r {
		for j := range i {
			q[i*r+j], q[j*r+i] = q[j*r+i], q[i*r+j]
		}
	}
	return d, e, q
}

// reflection replaces x by the v of H = I - β·v·vᵀ, which maps x to (e, 0, 0, …).
func reflection(x []float64) (beta, e float64) {
	rest := dot(x[1:], x[1:])
	if rest == 0 {
		return 0, x[0]
	}
	e = -math.Copysign(math.Sqrt(float64(x[0]*x[0])+rest), x[0])
	x[0] -= e
	return 2 / (float64(x[0]*x[0]) + rest), e
}

// reflect replaces the square of a from row and column k on by H·a·H, with room for as
// many values in w.
func reflect(a []float64, r, k int, v []float64, beta float64, w []float64) {
	for i := range v {
		w[i] = float64(beta * dot(a[(k+i)*r+k:(k+i+1)*r], v))
	}
	axpy(w, -float64(float64(beta*dot(w, v))/2), v)
	for i, vi := range v {
		row := a[(k+i)*r+k : (k+i+1)*r]
		wi := w[i]
		for j, wj := range w[:len(row)] {
			row[j] -= float64(vi*wj) + float64(wi*v[j])
		}
	}
}

// qlStep does an implicit QL step between rows l and m of the tridiagonal matrix, m > l.
func qlStep(d, e, et []float64, l, m int) {
	r := len(d)
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
			return
		}
		s, c = f/h, g/h
		g = d[i+1] - p
		h = float64((d[i]-g)*s) + float64(float64(2*c)*b)
		p = float64(s * h)
		d[i+1] = g + p
		g = float64(c*h) - b
		rotate(et[i*r:(i+1)*r], et[(i+1)*r:(i+2)*r], c, s)
	}
	d[l] -= p
	e[l], e[m] = g, 0
}

// rotate replaces rows x and y by c·x - s·y and s·x + c·y.
func rotate(x, y []float64, c, s float64) {
	y = y[:len(x)]
	for k, v := range x {
		w := y[k]
		x[k] = float64(c*v) - float64(s*w)
		y[k] = float64(s*v) + float64(c*w)
	}
}

// inverseCholesky returns L⁻¹, lower triangular, of K+λI = L·Lᵀ for a symmetric r×r
// matrix K that has no negative eigenvalues but for rounding: no pivot is below λ then.
// It overwrites k.
func inverseCholesky(k []float64, r int, lambda float64) []float64 {
	inverse := make([]float64, r*r)
	for i := range r {
		row := k[i*r : i*r+i]
		for j := range row {
			row[j] = (row[j] - dot(row[:j], k[j*r:j*r+j])) / k[j*r+j]
		}
		pivot := math.Sqrt(max(k[i*r+i]+lambda-dot(row, row), lambda))
		k[i*r+i] = pivot
		x := inverse[i*r : i*r+i+1]
		for j, f := range row {
			axpy(x[:j+1], -f, inverse[j*r:j*r+j+1])
		}
		x[i] = 1
		for j := range x {
			x[j] /= pivot
		}
	}
	return inverse
}

// axpy adds f·x to y.
func axpy(y []float64, f float64, x []float64) {
	x = x[:len(y)]
	for i := range y {
		y[i] += float64(f * x[i])
	}
}

// dot sums products in four lanes, which are added as a tree: index i belongs to lane
// i mod 4.
func dot(x, y []float64) float64 {
	var a, b, c, d float64
	y = y[:len(x)]
	for len(x) >= 4 && len(y) >= 4 {
		a += float64(x[0] * y[0])
		b += float64(x[1] * y[1])
		c += float64(x[2] * y[2])
		d += float64(x[3] * y[3])
		x, y = x[4:], y[4:]
	}
	for i, v := range x {
		a += float64(v * y[i])
	}
	return (a + c) + (b + d)
}

func trace(k []float64, r int) float64 {
	var sum float64
	for i := range r {
		sum += k[i*r+i]
	}
	return sum
}
