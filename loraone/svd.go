package loraone

import (
	"errors"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"
)

// A spectrum is the leading part of a singular value decomposition U·diag(S)·Vᵀ,
// S descending.
type spectrum struct {
	s  []float64
	ut *mat.Dense // q×Out: row i is the i-th left singular vector
	vt *mat.Dense // q×In
}

var errNoSVD = errors.New("the singular value decomposition did not converge")

// decompose returns the whole spectrum of g (rows×cols).
func decompose(g []float32, rows, cols int) (*spectrum, error) {
	var svd mat.SVD
	if !svd.Factorize(dense(g, rows, cols), mat.SVDThin) {
		return nil, errNoSVD
	}
	var u, v mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	return &spectrum{s: svd.Values(nil), ut: mat.DenseCopyOf(u.T()), vt: mat.DenseCopyOf(v.T())}, nil
}

// orthonormal replaces the columns of y (rows×cols, rows ≥ cols) by an orthonormal
// basis that spans them: Householder QR in float64, in the memory at buf.
func orthonormal(y []float32, rows, cols int, buf *[]float64) {
	g := blas64.General{Rows: rows, Cols: cols, Stride: cols, Data: widened(buf, y)}
	tau := make([]float64, cols)
	work := make([]float64, 1)
	lapack64.Geqrf(g, tau, work, -1)
	work = make([]float64, max(int(work[0]), cols))
	lapack64.Geqrf(g, tau, work, len(work))
	lapack64.Orgqr(g, tau, work, len(work))
	for i, v := range g.Data {
		y[i] = float32(v)
	}
}

func dense(x []float32, rows, cols int) *mat.Dense {
	return mat.NewDense(rows, cols, widened(new([]float64), x))
}

// widened returns x in float64, in *buf, which is made larger if need be.
func widened(buf *[]float64, x []float32) []float64 {
	if cap(*buf) < len(x) {
		*buf = make([]float64, len(x))
	}
	d := (*buf)[:len(x)]
	for i, v := range x {
		d[i] = float64(v)
	}
	return d
}
