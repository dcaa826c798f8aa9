package simd

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// A rowsFunc is a method of View64 and the plain loop that defines it, of a view and two
// vectors as long as it has rows and two as long as it has columns.
type rowsFunc struct {
	name  string
	run   func(x View64, rows, cols [][]float64)
	plain func(x View64, rows, cols [][]float64)
}

var rowsFuncs = []rowsFunc{
	{"Combine", func(x View64, rows, cols [][]float64) {
		x.Combine(cols[0], rows[0], 1)
	}, func(x View64, rows, cols [][]float64) {
		for i := range x.Rows {
			for j, v := range x.Row(i) {
				cols[0][j] += float64(rows[0][i] * v)
			}
		}
	}},
	{"AddOuter", func(x View64, rows, cols [][]float64) {
		x.AddOuter(rows[0], cols[0])
	}, func(x View64, rows, cols [][]float64) {
		for i := range x.Rows {
			for j := range x.Row(i) {
				x.Row(i)[j] += float64(rows[0][i] * cols[0][j])
			}
		}
	}},
	{"SubOuters", func(x View64, rows, cols [][]float64) {
		x.SubOuters(rows[0], cols[0], rows[1], cols[1])
	}, func(x View64, rows, cols [][]float64) {
		for i := range x.Rows {
			for j := range x.Row(i) {
				x.Row(i)[j] -= float64(rows[0][i]*cols[0][j]) + float64(rows[1][i]*cols[1][j])
			}
		}
	}},
	{"Rotate", func(x View64, rows, cols [][]float64) {
		x.Rotate(angles(rows))
	}, func(x View64, rows, cols [][]float64) {
		cs := angles(rows)
		for k := range len(cs) / 2 {
			a, b := x.Row(x.Rows-2-k), x.Row(x.Rows-1-k)
			c, s := cs[2*k], cs[2*k+1]
			for j := range a {
				u, v := a[j], b[j]
				a[j], b[j] = float64(c*u)-float64(s*v), float64(s*u)+float64(c*v)
			}
		}
	}},
	{"Dots", func(x View64, rows, cols [][]float64) {
		x.Dots(rows[0], cols[0])
	}, func(x View64, rows, cols [][]float64) {
		for i := range x.Rows {
			rows[0][i] = plainDot(x.Row(i), cols[0])
		}
	}},
	{"TriangleDots", func(x View64, rows, cols [][]float64) {
		if x.Rows <= x.Cols {
			x.TriangleDots(rows[0], cols[0][:x.Rows])
		}
	}, func(x View64, rows, cols [][]float64) {
		for i := range x.Rows {
			if x.Rows <= x.Cols {
				rows[0][i] = plainDot(x.Row(i)[:i+1], cols[0][:i+1])
			}
		}
	}},
}

// angles makes a cosine and a sine for each row but one, and for fewer of many rows.
func angles(rows [][]float64) (cs []float64) {
	for i := range max(0, len(rows[0])-1-len(rows[0])/8) {
		cs = append(cs, rows[0][i], rows[1][i])
	}
	return cs
}

// plainDot has lanes by index, and all after the last whole four in the first.
func plainDot(x, y []float64) float64 {
	var l [4]float64
	for i := range x {
		lane := i % 4
		if i >= len(x)&^3 {
			lane = 0
		}
		l[lane] += float64(x[i] * y[i])
	}
	return (l[0] + l[2]) + (l[1] + l[3])
}

// TestRowsMatchPlainLoops: every kernel gives the bits of plain loops for all tails, and
// writes nothing between rows.
func TestRowsMatchPlainLoops(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	random := func(n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = rng.NormFloat64() * math.Pow(10, float64(rng.IntN(9)-4))
		}
		return x
	}
	forEachImpl(t, func(t *testing.T) {
		for _, f := range rowsFuncs {
			for _, n := range []int{0, 1, 3, 7, 8, 9, 16, 24, 31, 40, 64, 77} {
				for _, r := range []int{0, 1, 2, 3, 4, 5, 8, 17, 64} {
					got := View64{random(r*(n+3) + 1), r, n, n + 3}
					rows, cols := [][]float64{random(r), random(r)}, [][]float64{random(n), random(n)}
					want := View64{slices.Clone(got.Data), r, n, n + 3}
					wantRows, wantCols := cloned(rows), cloned(cols)
					f.plain(want, wantRows, wantCols)
					f.run(got, rows, cols)
					for _, p := range [][2][]float64{{got.Data, want.Data}, {rows[0], wantRows[0]}, {cols[0], wantCols[0]}} {
						for i, v := range p[0] {
							if math.Float64bits(v) != math.Float64bits(p[1][i]) {
								t.Fatalf("%s of %d rows of %d: %g at %d, want %g", f.name, r, n, v, i, p[1][i])
							}
						}
					}
				}
			}
		}
	})
}

func cloned(x [][]float64) [][]float64 {
	y := make([][]float64, len(x))
	for i, v := range x {
		y[i] = slices.Clone(v)
	}
	return y
}

// Factors may lie apart, as a column of a matrix does.
func TestCombineOfAColumn(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		x, f, y := Dense64(make([]float64, 3*16), 3, 16), []float64{1, 9, 2, 9, 3}, make([]float64, 16)
		for i := range x.Data {
			x.Data[i] = float64(i)
		}
		x.Combine(y, f, 2)
		for j, v := range y {
			if want := float64(j + 2*(16+j) + 3*(32+j)); v != want {
				t.Fatalf("%g at %d, want %g", v, j, want)
			}
		}
	})
}

// What is not a number stays none, and what is infinite infinite.
func TestRowsOfExtremes(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		for _, v := range []float64{math.NaN(), math.Inf(1), math.MaxFloat64, 5e-324} {
			x, y, got := Dense64(make([]float64, 2*9), 2, 9), make([]float64, 9), make([]float64, 2)
			for i := range x.Data {
				x.Data[i] = v
			}
			y[4], y[8] = 1, 1
			x.Dots(got, y)
			for _, sum := range got {
				if want := plainDot(x.Row(0), y); sum != want && !(math.IsNaN(sum) && math.IsNaN(want)) {
					t.Errorf("of %g: %g, want %g", v, sum, want)
				}
			}
		}
	})
}

func TestRowsRefuseWrongShapes(t *testing.T) {
	x := Dense64(make([]float64, 6), 2, 3)
	two, three := make([]float64, 2), make([]float64, 3)
	for name, f := range map[string]func(){
		"few values":    func() { View64{make([]float64, 5), 2, 3, 3}.AddOuter(two, three) },
		"stride":        func() { View64{make([]float64, 6), 2, 3, 2}.AddOuter(two, three) },
		"factors":       func() { x.Combine(three, two, 2) },
		"a row too few": func() { x.Rotate(make([]float64, 4)) },
		"no triangle":   func() { Dense64(make([]float64, 6), 3, 2).TriangleDots(three, three) },
		"lengths":       func() { x.Dots(three, three) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func BenchmarkRows(b *testing.B) {
	x := Dense64(make([]float64, 64*64), 64, 64)
	rows, cols := [][]float64{make([]float64, 64), make([]float64, 64)}, [][]float64{make([]float64, 64), make([]float64, 64)}
	for _, f := range rowsFuncs {
		b.Run(f.name, func(b *testing.B) {
			benchEachImpl(b, func(b *testing.B) {
				for b.Loop() {
					f.run(x, rows, cols)
				}
			})
		})
	}
}
