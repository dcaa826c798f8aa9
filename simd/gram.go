package simd

import "fmt"

// lanes64 are the eight partial sums of a product of two rows: element i is in lane i
// mod 8. A product of two float32 is exact in float64, and each sum is rounded.
type lanes64 [8]float64

// gramSide is the rows of a tile of Gram where the active set has no kernel for one, and
// the most that a kernel has.
const gramSide = 4

// Gram sets k, R×R, to X·Xᵀ for X (R×N, with contiguous columns), summed in float64, on
// the calling goroutine.
func Gram(k []float64, x View) {
	r := x.Rows
	if len(k) != r*r || x.ColStride != 1 {
		panic(fmt.Sprintf("simd: Gram: %d values for %d×%d (column stride %d)", len(k), r, x.Cols, x.ColStride))
	}
	x.check("Gram")
	side, whole := gramSide, 0
	if active.gram != nil {
		side, whole = active.gramSide, x.Cols&^7
	}
	var sums [gramSide * gramSide]lanes64
	for i := 0; i < r; i += side {
		for j := i; j < r; j += side {
			rows, cols, from := min(side, r-i), min(side, r-j), 0
			if whole > 0 && rows == side && cols == side {
				active.gram(whole, at(x.Data[i*x.RowStride:]), 4*x.RowStride, at(x.Data[j*x.RowStride:]), 4*x.RowStride, at(sums[:]))
				from = whole
			} else {
				clear(sums[:])
			}
			for a := range rows {
				for b := range cols {
					l := &sums[a*side+b]
					if from < x.Cols {
						l.add(x.Row(i + a)[from:], x.Row(j + b)[from:])
					}
					v := l.sum()
					k[(i+a)*r+j+b], k[(j+b)*r+i+a] = v, v
				}
			}
		}
	}
}

// add adds the products of two rows, of which the first is lane 0's. It is the twin of
// the kernels of Gram.
func (l *lanes64) add(x, y []float32) {
	for len(x) >= 8 && len(y) >= 8 {
		u, v := (*[8]float32)(x), (*[8]float32)(y)
		for i := range l {
			l[i] += float64(float64(u[i]) * float64(v[i]))
		}
		x, y = x[8:], y[8:]
	}
	for i, v := range x {
		l[i] += float64(float64(v) * float64(y[i]))
	}
}

// sum adds the lanes as a tree.
func (l *lanes64) sum() float64 {
	return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
}
