package spectrum

import (
	"errors"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"example.com/finetune/simd"
)

// A Spectrum is the leading part of a singular value decomposition U·diag(S)·Vᵀ of an
// Out×In matrix.
type Spectrum struct {
	S []float64 // descending

	ut *mat.Dense // q×Out: row i is the i-th left singular vector
	vt *mat.Dense // q×In
}

// U returns the i-th left singular vector (Out values), V the i-th right one (In). They
// are not to be changed. Where S[i] is 0 they have no meaning.
func (s *Spectrum) U(i int) []float64 { return s.ut.RawRowView(i) }
func (s *Spectrum) V(i int) []float64 { return s.vt.RawRowView(i) }

// exactSide is the shorter side up to which a matrix in memory is decomposed whole. Only
// tests change it.
var exactSide = 128

// Leading returns the leading t.Pairs singular triples of x (Out×In), or more, on the
// calling goroutine. Where x is large they are those of a sketch, whose random numbers
// follow from the seed and t.Name.
func Leading(t Target, x simd.View, seed uint64) (*Spectrum, error) {
	if min(t.In, t.Out) <= exactSide {
		return decompose(x.Data, t.Out, t.In)
	}
	return newSketch(t, seed).of(x)
}

var errNoSVD = errors.New("the singular value decomposition did not converge")

// decompose returns the whole spectrum of g (rows×cols).
func decompose(g []float32, rows, cols int) (*Spectrum, error) {
	var svd mat.SVD
	if !svd.Factorize(dense(g, rows, cols), mat.SVDThin) {
		return nil, errNoSVD
	}
	var u, v mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	return &Spectrum{S: svd.Values(nil), ut: mat.DenseCopyOf(u.T()), vt: mat.DenseCopyOf(v.T())}, nil
}

// eigen returns the eigenvalues d of x·xᵀ = V·diag(d)·Vᵀ, descending, and V.
func eigen(x mat.Matrix) (d []float64, v *mat.Dense, err error) {
	var gram mat.SymDense
	gram.SymOuterK(1, x)
	var eig mat.EigenSym
	if !eig.Factorize(&gram, true) {
		return nil, nil, errNoSVD
	}
	var ascending mat.Dense
	eig.VectorsTo(&ascending)
	d = eig.Values(nil)
	slices.Reverse(d)
	n := len(d)
	v = mat.NewDense(n, n, nil)
	for i := range n {
		v.SetCol(i, mat.Col(nil, n-1-i, &ascending))
	}
	return d, v, nil
}

// inverseRoots returns 1/√d; 0 for what float64 cannot tell from 0 in a Gram matrix
// with eigenvalues d, descending.
func inverseRoots(d []float64) []float64 {
	roots := make([]float64, len(d))
	for i, x := range d {
		if x > float64(len(d))*0x1p-52*d[0] {
			roots[i] = 1 / math.Sqrt(x)
		}
	}
	return roots
}

// basis sets y = x·V·diag(1/√d): for xᵀx = V·diag(d)·Vᵀ an orthonormal basis of the
// columns of x, and zeros where they have no more directions.
func basis(y, x simd.View, d []float64, v *mat.Dense) {
	w := simd.Dense(make([]float32, len(d)*len(d)), len(d), len(d))
	roots := inverseRoots(d)
	for i := range d {
		for k, x := range v.RawRowView(i) {
			w.Row(i)[k] = float32(x * roots[k])
		}
	}
	simd.Mul(y, x, w)
}

func dense(x []float32, rows, cols int) *mat.Dense {
	d := make([]float64, len(x))
	for i, v := range x {
		d[i] = float64(v)
	}
	return mat.NewDense(rows, cols, d)
}
