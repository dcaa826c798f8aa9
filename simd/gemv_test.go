package simd

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// fewRows are rows of A: all that a kernel takes at once and one more, and then what is
// taken in two portions, in three, and in too many.
func fewRows() []int {
	if active.gemv[BF16].run == nil {
		return []int{1, 5}
	}
	return []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 24, 25}
}

// TestFewRows holds the products of decoding, of as many rows as fewRows has, against the
// oracles: whole groups of rows of W and what is left of them, stacked, adding or
// not, on 1 to 3 threads, with ordinary and wild numbers.
func TestFewRows(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(51, 52))
		list := []stack{
			{[]int{48, 16, 16}, 64, 0},
			{[]int{33, 7, 64, 1}, 72, 0},
			{[]int{96}, 2*blockK() + 40, 0},
			{[]int{700, 300}, 128, 0}, // several tasks
			{[]int{0, 40}, 8, 0},
			{[]int{64}, 0, 0},
			{[]int{50}, 70, 0},   // no whole blocks
			{[]int{70}, 1024, 0}, // rows that are copied,
			{[]int{40}, 2048, 0}, // in chunks
		}
		for n := 1; n < 70; n += 3 {
			list = append(list, stack{[]int{n}, 8 + n/3*8, 0})
		}
		for i, s := range list {
			for _, d := range dtypes {
				make, fill := randomMatrix, normal(rng)
				if i%2 == 1 {
					make, fill = wildMatrix, wild(rng)
				}
				var w []Matrix
				for _, n := range s.rows {
					w = append(w, make(rng, d, n, s.cols))
				}
				p := NewPool(1 + i%3)
				what := fmt.Sprintf("%+v %v threads=%d", s, d, p.Threads())
				testFewRows(t, p, what, mulOracle, fill, w)
				testFewRows(t, p.With(ComputeBF16), "bf16 "+what, dotOracle, fill, w)
				p.Close()
			}
		}
	})
}

// testFewRows compares the first rows of a product, however many are computed, with those
// of the oracle for all.
func testFewRows(t *testing.T, p *Pool, what string, oracle func(c, a, b View, add bool), fill func() float32, w []Matrix) {
	t.Helper()
	most := slices.Max(fewRows())
	full := transposed(stackedFloat32(w))
	x := guardedView(most, full.Rows, 5, false, fill)
	y := guardedView(most, full.Cols, 5, false, fill)
	for _, add := range []bool{false, true} {
		all := y.clone()
		oracle(all.View, x.View, full, add)
		for _, rows := range fewRows() {
			got, want := y.clone(), y.clone()
			copyRows(want.Slice(0, rows), all.Slice(0, rows))
			if add {
				p.AddMulNT(got.Slice(0, rows), x.Slice(0, rows), w...)
			} else {
				p.MulNT(got.Slice(0, rows), x.Slice(0, rows), w...)
			}
			sameBits(t, fmt.Sprintf("%d rows, %s add=%v", rows, what, add), got.all, want.all)
		}
	}
	sameBits(t, what+" x", x.all, x.want)
}

// TestFewIsMany: rows have the same bits alone, and among others, however many at once.
func TestFewIsMany(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(53, 54))
		const n, k, many = 96, 320, 27
		p := NewPool(2)
		defer p.Close()
		for _, d := range dtypes {
			for _, q := range []*Pool{p, p.With(ComputeBF16)} {
				w := randomMatrix(rng, d, n, k)
				x := guardedView(many, k, 0, false, normal(rng))
				want, got := make([]float32, many*n), make([]float32, many*n)
				q.MulNT(Dense(want, many, n), x.View, w)
				for _, rows := range fewRows() {
					for i := 0; i < many; i += rows {
						end := min(many, i+rows)
						q.MulNT(Dense(got, many, n).Slice(i, end), x.Slice(i, end), w)
					}
					sameBits(t, fmt.Sprintf("%v %v, %d rows", d, q.compute, rows), got, want)
					clear(got)
				}
			}
		}
	})
}

// TestFewRowsTaken: the kernels take what decoding has, and nothing else.
func TestFewRowsTaken(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		if active.gemv[F32].run == nil {
			t.Skip("no such kernels")
		}
		rng := rand.New(rand.NewPCG(55, 56))
		w := map[DType][]Matrix{}
		for _, d := range dtypes {
			w[d] = []Matrix{randomMatrix(rng, d, 3, 24), randomMatrix(rng, d, 40, 24)}
		}
		most := gemvTimes * len(active.gemv[BF16].group)
		c := Dense(make([]float32, (most+1)*43), most+1, 43)
		for _, s := range []struct {
			what string
			g    product
			w    []Matrix
			want bool
		}{
			{"bf16", product{c: c.Slice(0, most), nt: true}, w[BF16], true},
			{"f32", product{c: c.Slice(0, 1), nt: true}, w[F32], true},
			{"f16", product{c: c.Slice(0, 2), nt: true}, w[F16], true},
			{"one f16", product{c: c.Slice(0, 1), nt: true}, []Matrix{w[BF16][0], w[F16][1]}, true},
			{"a row more", product{c: c, nt: true}, w[BF16], false},
			{"backward", product{c: c.Slice(0, 1)}, w[BF16], false},
			{"pairs", product{c: c.Slice(0, 1), nt: true, pairs: true}, w[BF16], active.pairs != nil},
			{"f32 in pairs", product{c: c.Slice(0, 1), nt: true, pairs: true}, w[F32], false},
			{"f16 in pairs", product{c: c.Slice(0, 1), nt: true, pairs: true}, w[F16], false},
			{"12 bytes left", product{c: c.Slice(0, 1), nt: true}, []Matrix{randomMatrix(rng, BF16, 32, 30)}, false},
		} {
			if got := s.g.isFew(s.w); got != s.want {
				t.Errorf("%s: %v, want %v", s.what, got, s.want)
			}
		}
	})
}
