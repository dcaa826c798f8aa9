package optim

import "math"

// eigen ends when no off-diagonal entry is above negligible times the trace, far
// below what the damping of every matrix here can show, and after jacobiSweeps
// anyway: convergence is quadratic, and 256×256 takes about ten.
const (
	negligible   = 0x1p-60
	jacobiSweeps = 40
)

// eigen decomposes the symmetric r×r matrix a = E·diag(d)·Eᵀ by cyclic Jacobi
// rotations (Golub & Van Loan, Matrix Computations, §8.5). It overwrites a and
// returns d, in no order, with the eigenvectors as the rows of Eᵀ. a must be finite.
func eigen(a []float64, r int) (d, et []float64) {
	et = make([]float64, r*r)
	for i := range r {
		et[i*r+i] = 1
	}
	least := float64(negligible * trace(a, r))
	for range jacobiSweeps {
		if !sweep(a, et, r, least) {
			break
		}
	}
	d = make([]float64, r)
	for i := range d {
		d[i] = a[i*r+i]
	}
	return d, et
}

// sweep rotates once each pair of rows and columns whose common entry is above
// least, and reports whether there was one.
func sweep(a, et []float64, r int, least float64) bool {
	rotated := false
	for p := range r {
		for q := p + 1; q < r; q++ {
			apq := a[p*r+q]
			if math.Abs(apq) <= least {
				continue
			}
			rotated = true
			c, s := rotation(a[p*r+p], a[q*r+q], apq)
			rotateRows(a, r, p, q, c, s)
			rotateColumns(a, r, p, q, c, s)
			a[p*r+q], a[q*r+p] = 0, 0
			rotateRows(et, r, p, q, c, s)
		}
	}
	return rotated
}

// rotation returns the cosine and sine of the rotation that makes apq zero.
func rotation(app, aqq, apq float64) (c, s float64) {
	theta := (aqq - app) / float64(2*apq)
	t := 1 / (math.Abs(theta) + math.Sqrt(float64(theta*theta)+1))
	if theta < 0 {
		t = -t
	}
	c = 1 / math.Sqrt(float64(t*t)+1)
	return c, float64(t * c)
}

// rotateRows replaces rows p and q of the r×r matrix x by c·p - s·q and s·p + c·q.
func rotateRows(x []float64, r, p, q int, c, s float64) {
	xp, xq := x[p*r:(p+1)*r], x[q*r:(q+1)*r]
	for k, v := range xp {
		w := xq[k]
		xp[k] = float64(c*v) - float64(s*w)
		xq[k] = float64(s*v) + float64(c*w)
	}
}

// rotateColumns does to columns what rotateRows does to rows.
func rotateColumns(x []float64, r, p, q int, c, s float64) {
	for k := range r {
		v, w := x[k*r+p], x[k*r+q]
		x[k*r+p] = float64(c*v) - float64(s*w)
		x[k*r+q] = float64(s*v) + float64(c*w)
	}
}

// inverseRoot returns (K+λI)^(-1/2) for a symmetric r×r matrix K that has no
// negative eigenvalues but for rounding. It overwrites k.
func inverseRoot(k []float64, r int, lambda float64) []float64 {
	d, et := eigen(k, r)
	for i, v := range d {
		d[i] = 1 / math.Sqrt(max(v, 0)+lambda)
	}
	p := make([]float64, r*r)
	for i := range r {
		for j := i; j < r; j++ {
			var sum float64
			for k, v := range d {
				sum += float64(float64(et[k*r+i]*v) * et[k*r+j])
			}
			p[i*r+j], p[j*r+i] = sum, sum
		}
	}
	return p
}

// gram returns X·Xᵀ for the r×n matrix x.
func gram[T float32 | float64](x []T, r int) []float64 {
	n := len(x) / r
	k := make([]float64, r*r)
	for i := range r {
		for j := i; j < r; j++ {
			v := dot(x[i*n:(i+1)*n], x[j*n:(j+1)*n])
			k[i*r+j], k[j*r+i] = v, v
		}
	}
	return k
}

// dot sums products in eight lanes, which are added as a tree: index i belongs to
// lane i mod 8.
func dot[T float32 | float64](x, y []T) float64 {
	var l [8]float64
	for len(x) >= 8 && len(y) >= 8 {
		for i := range 8 {
			l[i] += float64(float64(x[i]) * float64(y[i]))
		}
		x, y = x[8:], y[8:]
	}
	for i, v := range x {
		l[i] += float64(float64(v) * float64(y[i]))
	}
	return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
}
