package simd

import "fmt"

// A View64 is rows of float64: Rows of Cols values, whose first values are Stride apart.
// It is for matrices r×r, r the rank of an adapter, on the calling goroutine. Each product
// and each sum is rounded by itself, in one order.
type View64 struct {
	Data               []float64
	Rows, Cols, Stride int
}

// Dense64 is the view of a matrix without gaps.
func Dense64(data []float64, rows, cols int) View64 { return View64{data, rows, cols, cols} }

// Row returns row i.
func (x View64) Row(i int) []float64 { return x.Data[i*x.Stride : i*x.Stride+x.Cols] }

func (x View64) check(what string) {
	if x.Rows < 0 || x.Cols < 0 || x.Stride < x.Cols || x.Rows > 0 && len(x.Data) < (x.Rows-1)*x.Stride+x.Cols {
		panic(fmt.Sprintf("simd: %s: %d values for %d×%d (stride %d)", what, len(x.Data), x.Rows, x.Cols, x.Stride))
	}
}

// whole is how many columns the kernels take: a multiple of 8, none where there is no
// kernel or no row.
func (x View64) whole() int {
	if active.rows == nil || x.Rows == 0 {
		return 0
	}
	return x.Cols &^ 7
}

// Combine adds Σᵢ f[i·step]·xᵢ to y, i ascending.
func (x View64) Combine(y, f []float64, step int) {
	x.check("Combine")
	same("Combine", len(y), x.Cols)
	if x.Rows > 0 && (step < 1 || len(f) <= (x.Rows-1)*step) {
		panic(fmt.Sprintf("simd: Combine: %d factors, %d apart, for %d rows", len(f), step, x.Rows))
	}
	n := x.whole()
	if n > 0 {
		active.rows.combine(n, x.Rows, at(y), at(f), 8*step, at(x.Data), 8*x.Stride)
	}
	if n < x.Cols {
		for i := range x.Rows {
			addMul(y[n:], f[i*step], x.Row(i)[n:])
		}
	}
}

// AddOuter adds f[i]·y to each xᵢ.
func (x View64) AddOuter(f, y []float64) {
	x.check("AddOuter")
	same("AddOuter", len(f), x.Rows)
	same("AddOuter", len(y), x.Cols)
	n := x.whole()
	if n > 0 {
		active.rows.addOuter(x.Rows, n, at(x.Data), 8*x.Stride, at(f), at(y))
	}
	if n < x.Cols {
		for i, v := range f {
			addMul(x.Row(i)[n:], v, y[n:])
		}
	}
}

// SubOuters takes f[i]·y + h[i]·z away from each xᵢ.
func (x View64) SubOuters(f, y, h, z []float64) {
	x.check("SubOuters")
	same("SubOuters", len(f), len(h), x.Rows)
	same("SubOuters", len(y), len(z), x.Cols)
	n := x.whole()
	if n > 0 {
		active.rows.subOuters(x.Rows, n, at(x.Data), 8*x.Stride, at(f), at(y), at(h), at(z))
	}
	if n < x.Cols {
		for i, v := range f {
			w, row := h[i], x.Row(i)
			for j := n; j < len(row); j++ {
				row[j] -= float64(v*y[j]) + float64(w*z[j])
			}
		}
	}
}

// Rotate rotates the last row with the one before it, that one with its own, and so on,
// for pairs (c, s) of cs: rows x, y become c·x - s·y, s·x + c·y.
func (x View64) Rotate(cs []float64) {
	x.check("Rotate")
	if len(cs)%2 != 0 || len(cs) > 0 && len(cs)/2 >= x.Rows {
		panic(fmt.Sprintf("simd: Rotate: %d cosines and sines for %d rows", len(cs), x.Rows))
	}
	n := x.whole()
	if n > 0 && len(cs) > 0 {
		active.rows.rotate(len(cs)/2, n, at(x.Row(x.Rows-1)), 8*x.Stride, at(cs))
	}
	if n == x.Cols {
		return
	}
	for i := x.Rows - 2; len(cs) > 0; i, cs = i-1, cs[2:] {
		c, s, a, b := cs[0], cs[1], x.Row(i)[n:], x.Row(i + 1)[n:]
		for k, v := range a {
			w := b[k]
			a[k] = float64(c*v) - float64(s*w)
			b[k] = float64(s*v) + float64(c*w)
		}
	}
}

// lanes4 are the four partial sums of Dot64.
type lanes4 [4]float64

// Dots sets dst[i] to the Dot64 of xᵢ and y.
func (x View64) Dots(dst, y []float64) {
	x.check("Dots")
	same("Dots", len(dst), x.Rows)
	same("Dots", len(y), x.Cols)
	var lanes [16]lanes4
	n := 0
	if active.rows != nil {
		n = x.Cols &^ 3
	}
	for lo := 0; lo < x.Rows; lo += len(lanes) {
		rows := min(len(lanes), x.Rows-lo)
		if n > 0 {
			active.rows.dots(rows, n, at(x.Data[lo*x.Stride:]), 8*x.Stride, at(y), at(lanes[:]))
		} else {
			clear(lanes[:])
		}
		for i := range rows {
			dst[lo+i] = lanes[i].add(x.Row(lo + i)[n:], y[n:])
		}
	}
}

// TriangleDots sets dst[i] to the Dot64 of the first i+1 values of xᵢ and of y, for a lower
// triangular x.
func (x View64) TriangleDots(dst, y []float64) {
	x.check("TriangleDots")
	same("TriangleDots", len(dst), len(y), x.Rows)
	if x.Rows > x.Cols {
		panic(fmt.Sprintf("simd: TriangleDots: %d×%d", x.Rows, x.Cols))
	}
	var lanes [4]lanes4
	for lo := 0; lo < x.Rows; lo += len(lanes) {
		n, rows := 0, min(len(lanes), x.Rows-lo)
		if active.rows != nil && lo > 0 { // what these rows have in common
			n = lo
			active.rows.dots(rows, n, at(x.Data[lo*x.Stride:]), 8*x.Stride, at(y), at(lanes[:]))
		} else {
			clear(lanes[:])
		}
		for i := range rows {
			dst[lo+i] = lanes[i].add(x.Row(lo + i)[n:lo+i+1], y[n:lo+i+1])
		}
	}
}

// Dot64 returns Σ x[i]·y[i] in four lanes, which are added as a tree: index i belongs to
// lane i mod 4, but those after the last whole four to lane 0.
func Dot64(x, y []float64) float64 {
	same("Dot64", len(x), len(y))
	var l lanes4
	return l.add(x, y)
}

// add adds the products of x and y to the lanes, and returns their sum.
func (l *lanes4) add(x, y []float64) float64 {
	a, b, c, d := l[0], l[1], l[2], l[3]
	for len(x) >= 4 && len(y) >= 4 {
		a += float64(x[0] * y[0])
		b += float64(x[1] * y[1])
		c += float64(x[2] * y[2])
		d += float64(x[3] * y[3])
		x, y = x[4:], y[4:]
	}
	y = y[:len(x)]
	for i, v := range x {
		a += float64(v * y[i])
	}
	return (a + c) + (b + d)
}

// addMul adds f·x to y.
func addMul(y []float64, f float64, x []float64) {
	x = x[:len(y)]
	for i := range y {
		y[i] += float64(f * x[i])
	}
}
