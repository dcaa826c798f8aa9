package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// mulOracle is the definition of a product: from C or +0, k ascending, one fma
// each.
func mulOracle(c, a, b View, add bool) {
	for i := range c.Rows {
		for j := range c.Cols {
			s := float32(0)
			if add {
				s = c.Data[i*c.RowStride+j]
			}
			for k := range a.Cols {
				s = fma(a.Data[i*a.RowStride+k*a.ColStride], b.Data[k*b.RowStride+j], s)
			}
			c.Data[i*c.RowStride+j] = s
		}
	}
}

var nan = float32(math.NaN())

// A guarded matrix is a view with NaN before, behind and between its rows.
type guarded struct {
	View
	all  []float32
	want []float32 // a copy of all, for unchanged
}

const guard = 24

// guardedView returns rows×cols values of fill with gap values between the rows,
// or, transposed, between the columns.
func guardedView(rows, cols, gap int, transposed bool, fill func() float32) guarded {
	if transposed {
		g := guardedView(cols, rows, gap, false, fill)
		g.View = g.T()
		return g
	}
	stride := cols + gap
	all := make([]float32, guard+rows*stride+guard)
	for i := range all {
		all[i] = nan
	}
	end := max(0, (rows-1)*stride+cols)
	g := guarded{View: View{all[guard : guard+end : guard+end], rows, cols, stride, 1}, all: all}
	for i := range rows {
		for j := range cols {
			g.Data[i*stride+j] = fill()
		}
	}
	g.want = append([]float32(nil), all...)
	return g
}

func (g guarded) clone() guarded {
	all := append([]float32(nil), g.all...)
	g.Data = all[guard : guard+len(g.Data) : guard+len(g.Data)]
	g.all = all
	return g
}

// sameBits compares all values, guards included; a NaN equals any NaN.
func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i, w := range want {
		if g := got[i]; math.Float32bits(g) != math.Float32bits(w) && (g == g || w == w) {
			t.Fatalf("%s: value %d of %d: got %v (%#08x), want %v (%#08x)", what, i, len(want), g, math.Float32bits(g), w, math.Float32bits(w))
		}
	}
}

func normal(rng *rand.Rand) func() float32 {
	return func() float32 { return float32(rng.NormFloat64()) }
}

// wild returns normal numbers mixed with what goes wrong first.
func wild(rng *rand.Rand) func() float32 {
	special := []float32{
		0, float32(math.Copysign(0, -1)), nan, float32(math.Inf(1)), float32(math.Inf(-1)),
		math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, -0x1p-140, 0x1p-126, 0x1p-75, 0x1p100,
	}
	return func() float32 {
		if rng.IntN(12) == 0 {
			return special[rng.IntN(len(special))]
		}
		return float32(rng.NormFloat64())
	}
}

// A productSize is M, N, K.
type productSize struct{ m, n, k int }

func awkwardSizes() []productSize {
	var sizes []productSize
	for n := 1; n <= 67; n++ { // all column tails
		sizes = append(sizes, productSize{1 + n%15, n, 1 + n%5})
	}
	for m := 1; m <= 67; m++ { // all row tails
		sizes = append(sizes, productSize{m, 1 + (m*7)%40, 1 + m%9})
	}
	for m := 1; m <= 14; m++ { // all tiles
		for _, n := range []int{4, 8, 12, 16, 28, 32} {
			sizes = append(sizes, productSize{m, n, 6})
		}
	}
	for _, k := range []int{1, 2, 3, 4, 5, 63, 64, 65, blockK() - 1, blockK(), blockK() + 1, 2*blockK() + 3} {
		for _, n := range []int{1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 50} {
			sizes = append(sizes, productSize{5, n, k}, productSize{14, n, k})
		}
	}
	return append(sizes,
		productSize{113, 40, 70}, productSize{230, 70, 3}, productSize{3, 300, 10}, productSize{20, 530, 5},
		productSize{0, 5, 5}, productSize{5, 0, 5}, productSize{5, 5, 0}, productSize{1, 1, 1})
}

func TestMulMatchesOracle(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		for i, s := range awkwardSizes() {
			fill := normal(rng)
			if i%2 == 1 {
				fill = wild(rng)
			}
			for mode := range 8 {
				add, transposed, gap := mode&1 != 0, mode&2 != 0, mode&4
				a := guardedView(s.m, s.k, gap, transposed, fill)
				b := guardedView(s.k, s.n, gap, false, fill)
				c := guardedView(s.m, s.n, gap, false, fill)
				want := c.clone()
				mulOracle(want.View, a.View, b.View, add)
				what := fmt.Sprintf("%+v add=%v transposed=%v gap=%d", s, add, transposed, gap)
				if add {
					AddMul(c.View, a.View, b.View)
				} else {
					Mul(c.View, a.View, b.View)
				}
				sameBits(t, what, c.all, want.all)
				sameBits(t, what+" A", a.all, a.want)
				sameBits(t, what+" B", b.all, b.want)
			}
		}
	})
}

// TestMulStrides multiplies with an A that is contiguous in neither direction.
func TestMulStrides(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 4))
		data := guardedView(30, 90, 0, false, normal(rng))
		a := View{data.Data, 15, 44, 2 * 90, 2}
		b := guardedView(44, 100, 1, false, normal(rng))
		for _, threads := range []int{1, 3} {
			p := NewPool(threads)
			c, want := make([]float32, 15*100), make([]float32, 15*100)
			p.Mul(Dense(c, 15, 100), a, b.View)
			mulOracle(Dense(want, 15, 100), a, b.View, false)
			sameBits(t, fmt.Sprintf("threads=%d", threads), c, want)
			p.Close()
		}
	})
}

// TestMulAccuracy holds every implementation, the twin included, against a
// float64 product: |error| ≤ K·2⁻²⁴·Σ|a·b|, the bound of recursive summation.
func TestMulAccuracy(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(5, 6))
		const m, n, k = 19, 45, 600
		a := guardedView(m, k, 0, false, normal(rng))
		b := guardedView(k, n, 0, false, normal(rng))
		c := make([]float32, m*n)
		Mul(Dense(c, m, n), a.View, b.View)
		for i := range m {
			for j := range n {
				var sum, abs float64
				for x := range k {
					v := float64(a.Data[i*k+x]) * float64(b.Data[x*n+j])
					sum += v
					abs += math.Abs(v)
				}
				if d := math.Abs(float64(c[i*n+j]) - sum); d > k*0x1p-24*abs {
					t.Fatalf("(%d,%d): %v, want %v", i, j, c[i*n+j], sum)
				}
			}
		}
	})
}

// TestMulRowsAlone computes rows one by one and together.
func TestMulRowsAlone(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(7, 8))
		const m, n, k = 37, 83, 300
		a := guardedView(m, k, 0, false, normal(rng))
		b := guardedView(k, n, 0, false, normal(rng))
		all, one := make([]float32, m*n), make([]float32, m*n)
		Mul(Dense(all, m, n), a.View, b.View)
		for i := range m {
			Mul(Dense(one, m, n).Slice(i, i+1), a.Slice(i, i+1), b.View)
		}
		sameBits(t, "rows", one, all)
	})
}

func TestPoolMul(t *testing.T) {
	sizes := []productSize{
		{150, 8, 1024}, // taskWork, in parts of the rows
		{150, 16, 300},
		{120, 576, 8},
		{8, 300, 290}, // in parts of the columns
		{16, 300, 270},
		{120, 100, 256}, // with blocks of A copied
		{1, 1000, 3},
		{1000, 1, 3},
		{3, 3, 3},
		{0, 4, 4},
		{4, 4, 0},
	}
	forEachImpl(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(9, 10))
		for _, s := range sizes {
			for mode := range 4 {
				add, transposed := mode&1 != 0, mode&2 != 0
				a := guardedView(s.m, s.k, 3, transposed, normal(rng))
				b := guardedView(s.k, s.n, 3, false, normal(rng))
				c := guardedView(s.m, s.n, 3, false, normal(rng))
				want := c.clone()
				mulTwin(want.View, a.View, b.View, add) // = mulOracle, see above
				for threads := 1; threads <= 4; threads++ {
					p, got := NewPool(threads), c.clone()
					if add {
						p.AddMul(got.View, a.View, b.View)
					} else {
						p.Mul(got.View, a.View, b.View)
					}
					p.Close()
					sameBits(t, fmt.Sprintf("%+v add=%v transposed=%v threads=%d", s, add, transposed, threads), got.all, want.all)
				}
			}
		}
	})
}

func TestMulPanics(t *testing.T) {
	p := NewPool(1)
	defer p.Close()
	x := make([]float32, 100)
	w := Float32Matrix(x[:12], 3, 4)
	for name, f := range map[string]func(){
		"inner":        func() { Mul(Dense(x, 2, 3), Dense(x, 2, 4), Dense(x, 5, 3)) },
		"rows":         func() { Mul(Dense(x, 2, 3), Dense(x, 3, 4), Dense(x, 4, 3)) },
		"columns":      func() { Mul(Dense(x, 2, 3), Dense(x, 2, 4), Dense(x, 4, 4)) },
		"C transposed": func() { Mul(Dense(x, 3, 2).T(), Dense(x, 2, 4), Dense(x, 4, 3)) },
		"B transposed": func() { p.Mul(Dense(x, 2, 3), Dense(x, 2, 4), Dense(x, 3, 4).T()) },
		"short C":      func() { Mul(View{x[:5], 2, 3, 3, 1}, Dense(x, 2, 4), Dense(x, 4, 3)) },
		"short A":      func() { Mul(Dense(x, 2, 3), View{x[:7], 2, 4, 4, 1}, Dense(x, 4, 3)) },
		"NT inputs":    func() { p.MulNT(Dense(x, 2, 3), Dense(x, 2, 5), w) },
		"NT outputs":   func() { p.MulNT(Dense(x, 2, 4), Dense(x, 2, 4), w) },
		"NT rows":      func() { p.MulNT(Dense(x, 1, 3), Dense(x, 2, 4), w) },
		"NN inputs":    func() { p.MulNN(Dense(x, 2, 5), Dense(x, 2, 3), w) },
		"NN outputs":   func() { p.MulNN(Dense(x, 2, 4), Dense(x, 2, 4), w, w) },
		"weight bytes": func() { p.MulNT(Dense(x, 2, 3), Dense(x, 2, 4), Matrix{w.Data, BF16, 3, 4}) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}
