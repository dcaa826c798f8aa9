package simd

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

var dtypes = []DType{F32, F16, BF16}

// randomMatrix returns stored weights of one type with guard bytes that are NaN
// in every type around them.
func randomMatrix(rng *rand.Rand, d DType, rows, cols int) Matrix {
	size := d.Size()
	data := make([]byte, guard+rows*cols*size+guard)
	for i := range data {
		data[i] = 0xff
	}
	data = data[guard : guard+rows*cols*size : guard+rows*cols*size]
	for i := range rows * cols {
		v := float32(rng.NormFloat64())
		switch d {
		case F32:
			binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(v))
		case BF16:
			binary.LittleEndian.PutUint16(data[2*i:], uint16(math.Float32bits(v)>>16))
		case F16: // random bits, subnormals included, but no Inf or NaN
			h := uint16(rng.Uint32())
			if h&0x7c00 == 0x7c00 {
				h &^= 0x4000
			}
			binary.LittleEndian.PutUint16(data[2*i:], h)
		}
	}
	return Matrix{data, d, rows, cols}
}

// stackedFloat32 converts stacked matrices to one float32 matrix.
func stackedFloat32(w []Matrix) View {
	var all []float32
	rows := 0
	for _, m := range w {
		rows += m.Rows
		f := make([]float32, m.Rows*m.Cols)
		Convert(f, m.Data, m.DType)
		all = append(all, f...)
	}
	return Dense(all, rows, w[0].Cols)
}

// transposed copies a view's transpose.
func transposed(v View) View {
	out := Dense(make([]float32, v.Rows*v.Cols), v.Cols, v.Rows)
	for i := range v.Rows {
		for j, x := range v.Row(i) {
			out.Data[j*v.Rows+i] = x
		}
	}
	return out
}

// A stack is the rows of stacked matrices, their columns, and T.
type stack struct {
	rows    []int
	cols, t int
}

func stacks() []stack {
	list := []stack{
		{[]int{48, 16, 16}, 64, 20},          // q, k, v
		{[]int{33, 7, 24, 1}, 70, 9},         // panels straddle
		{[]int{64, 64}, 2*blockK() + 37, 15}, // more than one block of k
		{[]int{300, 300}, 40, 3},             // more than one block of columns, or of k
		{[]int{17}, 1, 1},
		{[]int{1, 1, 1}, 3, 2},
		{[]int{32}, 32, 0},
		{[]int{5}, 0, 4},
		{[]int{0, 9}, 31, 115},
	}
	for n := 1; n < 67; n += 5 {
		list = append(list, stack{[]int{n}, 68 - n, 1 + n%16})
	}
	return list
}

// TestWeightProducts holds MulNT and MulNN against the oracle on converted
// weights, for every type, stacked, adding or not, on 1 to 4 threads.
func TestWeightProducts(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(11, 12))
		for i, s := range stacks() {
			for _, d := range dtypes {
				var w []Matrix
				for _, rows := range s.rows {
					w = append(w, randomMatrix(rng, d, rows, s.cols))
				}
				p := NewPool(1 + i%4)
				testWeights(t, p, fmt.Sprintf("%+v %v threads=%d", s, d, p.Threads()), mulOracle, normal(rng), w, s.t)
				p.Close()
			}
		}
	})
}

// testWeights compares the products with stacked weights, both directions, adding or not,
// with an oracle of C = A·B.
func testWeights(t *testing.T, p *Pool, what string, oracle func(c, a, b View, add bool), fill func() float32, w []Matrix, tokens int) {
	t.Helper()
	full := stackedFloat32(w)
	x := guardedView(tokens, full.Cols, 5, false, fill)
	y := guardedView(tokens, full.Rows, 5, false, fill)
	for _, add := range []bool{false, true} {
		got, want := y.clone(), y.clone()
		oracle(want.View, x.View, transposed(full), add)
		if add {
			p.AddMulNT(got.View, x.View, w...)
		} else {
			p.MulNT(got.View, x.View, w...)
		}
		sameBits(t, fmt.Sprintf("NT %s add=%v", what, add), got.all, want.all)

		got, want = x.clone(), x.clone()
		oracle(want.View, y.View, full, add)
		if add {
			p.AddMulNN(got.View, y.View, w...)
		} else {
			p.MulNN(got.View, y.View, w...)
		}
		sameBits(t, fmt.Sprintf("NN %s add=%v", what, add), got.all, want.all)
	}
	sameBits(t, what+" x", x.all, x.want)
	sameBits(t, what+" y", y.all, y.want)
}

// testRounded is testWeights in a precision that rounds: every stack of list in all types,
// every one of tails in one type, and each wildEvery-th of them with wild numbers.
func testRounded(t *testing.T, c Compute, oracle func(c, a, b View, add bool), rng *rand.Rand, list, tails []stack, wildEvery int) {
	t.Helper()
	for i, s := range append(list, tails...) {
		for k, d := range dtypes {
			if i >= len(list) && k != i/2%len(dtypes) {
				continue
			}
			matrix, fill := randomMatrix, normal(rng)
			if i%wildEvery == wildEvery-1 {
				matrix, fill = wildMatrix, wild(rng)
			}
			var w []Matrix
			for _, rows := range s.rows {
				w = append(w, matrix(rng, d, rows, s.cols))
			}
			p := NewPool(1 + i%4)
			testWeights(t, p.With(c), fmt.Sprintf("%+v %v threads=%d", s, d, p.Threads()), oracle, fill, w, s.t)
			p.Close()
		}
	}
}

// TestStackedIsSeparate multiplies with three matrices at once and one by one.
func TestStackedIsSeparate(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(13, 14))
		const tokens, in = 21, 96
		w := []Matrix{randomMatrix(rng, BF16, 40, in), randomMatrix(rng, F16, 24, in), randomMatrix(rng, F32, 33, in)}
		x := guardedView(tokens, in, 0, false, normal(rng))
		p := NewPool(2)
		defer p.Close()
		all, parts := make([]float32, tokens*97), make([]float32, tokens*97)
		p.MulNT(Dense(all, tokens, 97), x.View, w...)
		col := 0
		for _, m := range w {
			p.MulNT(Dense(parts, tokens, 97).Columns(col, col+m.Rows), x.View, m)
			col += m.Rows
		}
		sameBits(t, "NT", parts, all)

		dy := Dense(all, tokens, 97)
		dx, sum := make([]float32, tokens*in), make([]float32, tokens*in)
		p.MulNN(Dense(dx, tokens, in), dy, w...)
		col = 0
		for _, m := range w {
			p.AddMulNN(Dense(sum, tokens, in), dy.Columns(col, col+m.Rows), m)
			col += m.Rows
		}
		sameBits(t, "NN", sum, dx)
	})
}

// TestWeightNaNStays puts NaN and Inf into one row of W: the other columns of Y,
// and the other rows where X has them, are what they were.
func TestWeightNaNStays(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(15, 16))
		const tokens, in, out, bad = 17, 70, 53, 37
		p := NewPool(1)
		defer p.Close()
		for _, d := range dtypes {
			w := randomMatrix(rng, d, out, in)
			x := guardedView(tokens, in, 0, false, normal(rng))
			clean, dirty := make([]float32, tokens*out), make([]float32, tokens*out)
			p.MulNT(Dense(clean, tokens, out), x.View, w)
			for i := range in * d.Size() {
				w.Data[bad*in*d.Size()+i] = 0xff
			}
			p.MulNT(Dense(dirty, tokens, out), x.View, w)
			for i := range dirty {
				if i%out == bad {
					if dirty[i] == dirty[i] {
						t.Fatalf("%v: NaN row gave %v", d, dirty[i])
					}
					clean[i] = nan
				}
			}
			sameBits(t, d.String(), dirty, clean)
		}
	})
}

// TestWeightThreads computes the same product on 1 to 9 threads, and one row of it
// alone, in each precision.
func TestWeightThreads(t *testing.T) {
	forEachPairs(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(17, 18))
		for _, c := range []Compute{ComputeF32, ComputeBF16, ComputeInt8} {
			for _, tokens := range []int{1, 150} {
				w := []Matrix{randomMatrix(rng, BF16, 96, 64), randomMatrix(rng, F16, 70, 64)}
				if c == ComputeF32 {
					w[1] = randomMatrix(rng, BF16, 70, 64)
				}
				x := guardedView(tokens, 64, 0, false, normal(rng))
				var want, wantBack []float32
				for threads := 1; threads <= 9; threads++ {
					what := fmt.Sprintf("%v tokens=%d threads=%d", c, tokens, threads)
					p := NewPool(threads).With(c)
					y, dx := make([]float32, tokens*166), make([]float32, tokens*64)
					p.MulNT(Dense(y, tokens, 166), x.View, w...)
					p.MulNN(Dense(dx, tokens, 64), Dense(y, tokens, 166), w...)
					if threads == 1 {
						want, wantBack = y, dx
					}
					sameBits(t, what+" NT", y, want)
					sameBits(t, what+" NN", dx, wantBack)
					i := tokens / 2
					p.MulNT(Dense(y, tokens, 166).Slice(i, i+1), x.Slice(i, i+1), w...)
					sameBits(t, what+" row alone", y, want)
					p.Close()
				}
			}
		}
	})
}

// TestProductAllocations: products run in the pool's memory.
func TestProductAllocations(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(19, 20))
		w := []Matrix{randomMatrix(rng, BF16, 64, 80), randomMatrix(rng, F16, 40, 80)}
		x, y := make([]float32, 40*80), make([]float32, 40*104)
		xs, ys := Dense(x, 40, 80), Dense(y, 40, 104)
		a := make([]float32, 8*80)
		for _, threads := range []int{1, 3} {
			p := NewPool(threads)
			b, q := p.With(ComputeBF16), p.With(ComputeInt8)
			for name, f := range map[string]func(){
				"bf16 NT": func() { b.MulNT(ys, xs, w[0], w[1]) },
				"bf16 NN": func() { b.MulNN(xs, ys, w[0], w[1]) },
				"int8 NT": func() { q.MulNT(ys, xs, w[0], w[1]) },
				"int8 NN": func() { q.MulNN(xs, ys, w[0], w[1]) },
				"one row": func() { p.MulNT(ys.Columns(0, 64).Slice(0, 1), xs.Slice(0, 1), w[0]) },
				"NT":      func() { p.MulNT(ys, xs, w[0], w[1]) },
				"NN":      func() { p.MulNN(xs, ys, w[0], w[1]) },
				"pool":    func() { p.Mul(Dense(a, 8, 80), ys.Columns(0, 8).T(), xs) },
				"serial":  func() { Mul(Dense(a, 8, 80), ys.Columns(0, 8).T(), xs) },
			} {
				if n := testing.AllocsPerRun(20, f); n > 0 {
					t.Errorf("%s, %d threads: %v allocations", name, threads, n)
				}
			}
			p.Close()
		}
	})
}

// TestProductHash pins the bits of forward and backward products: for each precision one
// number for every implementation, and but for bf16 for both architectures.
func TestProductHash(t *testing.T) {
	pairs := map[string]uint64{"amd64": 0x587384a1d9db942, "arm64": 0xf7231b29c8843d08}[runtime.GOARCH]
	for c, want := range map[Compute]uint64{ComputeF32: 0xa90f1ed29c5e13e8, ComputeBF16: pairs, ComputeInt8: 0xb8c42d105778dfbe} {
		t.Run(c.String(), func(t *testing.T) { testProductHash(t, c, want) })
	}
}

func testProductHash(t *testing.T, c Compute, want uint64) {
	forEachPairs(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(21, 22))
		fill := func() float32 { return float32(rng.Int32()) * 0x1p-31 }
		bf16 := func(rows, cols int) Matrix {
			data := make([]byte, 2*rows*cols)
			for i := range rows * cols {
				binary.LittleEndian.PutUint16(data[2*i:], uint16(math.Float32bits(fill())>>16))
			}
			return Matrix{data, BF16, rows, cols}
		}
		const tokens, in = 33, 290
		w := []Matrix{bf16(70, in), bf16(23, in)}
		x := guardedView(tokens, in, 0, false, fill)
		p := NewPool(2).With(c)
		defer p.Close()
		y, dx, g := make([]float32, tokens*93), make([]float32, tokens*in), make([]float32, 93*in)
		p.MulNT(Dense(y, tokens, 93), x.View, w...)
		p.MulNN(Dense(dx, tokens, in), Dense(y, tokens, 93), w...)
		p.Mul(Dense(g, 93, in), Dense(y, tokens, 93).T(), Dense(dx, tokens, in))
		h := fnv.New64a()
		for _, v := range [][]float32{y, dx, g} {
			for _, f := range v {
				h.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(f)))
			}
		}
		if got := h.Sum64(); got != want {
			t.Errorf("hash %#x, want %#x", got, want)
		}
	})
}
