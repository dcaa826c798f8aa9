package simd

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// specials are the values where kernels go wrong.
var specials = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, 0x1p-149, -0x1p-140, 0x1p-126, 0x1p127, -0x1p127,
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
	expLow, math.Nextafter32(expLow, 0), math.Nextafter32(expLow, -100), -87.5, -103, -104, -1e4, 1e4,
	-84.91053, -83.52424, -80.75165, // x·log₂e is a tie
	expHigh, math.Nextafter32(expHigh, 0), math.Nextafter32(expHigh, 100), 88.5, 0.34657359, -0.34657359, 64.3,
}

// operands returns k slices of n values with NaN guards around them, at offsets
// that are no multiple of a vector; mostly ordinary, with special values among
// them if special; and a check that nothing outside was written.
func operands(rng *rand.Rand, k, n int, special bool) (x [][]float32, check func(t *testing.T)) {
	var bufs, wants [][]float32
	starts := make([]int, k)
	for i := range k {
		starts[i] = guard + rng.IntN(16)
		buf := make([]float32, starts[i]+n+guard)
		for i := range buf {
			buf[i] = nan
		}
		v := buf[starts[i] : starts[i]+n : starts[i]+n]
		for i := range v {
			v[i] = float32(rng.NormFloat64())
			if special && rng.IntN(3) == 0 {
				v[i] = specials[rng.IntN(len(specials))]
			}
		}
		bufs, wants, x = append(bufs, buf), append(wants, slices.Clone(buf)), append(x, v)
	}
	return x, func(t *testing.T) {
		t.Helper()
		for i, buf := range bufs {
			copy(wants[i][starts[i]:], buf[starts[i]:starts[i]+n])
			sameBits(t, fmt.Sprintf("around operand %d", i), buf, wants[i])
		}
	}
}

// softmax is what the model makes of Max, ExpSum and Scale.
func softmax(x []float32) { Scale(x, 1/ExpSum(x, x, Max(x))) }

// A vecFunc is an exported function as a test sees it: it changes some of its
// operands and may return a number.
type vecFunc struct {
	name string
	args int
	run  func(x [][]float32) float32
}

var vecFuncs = []vecFunc{
	{"Add", 2, func(x [][]float32) float32 { Add(x[0], x[1]); return 0 }},
	{"MulBy", 2, func(x [][]float32) float32 { MulBy(x[0], x[1]); return 0 }},
	{"Scale", 1, func(x [][]float32) float32 { Scale(x[0], 1.7); return 0 }},
	{"Max", 1, func(x [][]float32) float32 { return Max(x[0]) }},
	{"Dot", 2, func(x [][]float32) float32 { return Dot(x[0], x[1]) }},
	{"ExpSum", 2, func(x [][]float32) float32 { return ExpSum(x[0], x[1], 0.25) }},
	{"ExpSum in place", 1, func(x [][]float32) float32 { return ExpSum(x[0], x[0], 0) }},
	{"Softmax", 1, func(x [][]float32) float32 { softmax(x[0]); return 0 }},
	{"MaxExpSum", 1, func(x [][]float32) float32 {
		m, sum := MaxExpSum(x[0], -0.5)
		return sum + float32(1000*m) // not fused
	}},
	{"MaxExpSum of none before", 1, func(x [][]float32) float32 {
		_, sum := MaxExpSum(x[0], float32(math.Inf(-1)))
		return sum
	}},
	{"SoftmaxBackward", 2, func(x [][]float32) float32 { SoftmaxBackward(x[0], x[1], 0.4); return 0 }},
	{"ScaleDot", 3, func(x [][]float32) float32 { return ScaleDot(x[0], x[1], x[2], 1.3) }},
	{"SiLUMul", 3, func(x [][]float32) float32 { SiLUMul(x[0], x[1], x[2]); return 0 }},
	{"SiLUMul in place", 2, func(x [][]float32) float32 { SiLUMul(x[0], x[0], x[1]); return 0 }},
	{"SiLUMulBackward", 5, func(x [][]float32) float32 { SiLUMulBackward(x[0], x[1], x[2], x[3], x[4]); return 0 }},
	{"SiLUMulBackward in place", 3, func(x [][]float32) float32 { SiLUMulBackward(x[0], x[1], x[2], x[0], x[1]); return 0 }},
	{"GELUMul", 3, func(x [][]float32) float32 { GELUMul(x[0], x[1], x[2]); return 0 }},
	{"GELUMul in place", 2, func(x [][]float32) float32 { GELUMul(x[0], x[0], x[1]); return 0 }},
	{"GELUMulBackward", 5, func(x [][]float32) float32 { GELUMulBackward(x[0], x[1], x[2], x[3], x[4]); return 0 }},
	{"GELUMulBackward in place", 3, func(x [][]float32) float32 { GELUMulBackward(x[0], x[1], x[2], x[0], x[1]); return 0 }},
	{"SoftCap", 1, func(x [][]float32) float32 { SoftCap(x[0], 0.3); return 0 }},
	{"SoftCapBackward", 2, func(x [][]float32) float32 { SoftCapBackward(x[0], x[1], 1.5); return 0 }},
	{"RMSNorm", 3, func(x [][]float32) float32 { RMSNorm(x[0], x[1], x[2], 1e-5); return 0 }},
	{"AddRMSNorm", 5, func(x [][]float32) float32 { AddRMSNorm(x[0], x[1], x[2], x[3], x[4], 1e-5); return 0 }},
	{"AddRMSNorm in place", 4, func(x [][]float32) float32 { AddRMSNorm(x[0], x[1], x[1], x[2], x[3], 1e-5); return 0 }},
	{"RMSNormBackward", 4, func(x [][]float32) float32 { RMSNormBackward(x[0], x[1], x[2], x[3], 1e-5); return 0 }},
	{"Rotate", 3, func(x [][]float32) float32 {
		h := len(x[0]) / 2
		Rotate(x[0][:2*h], x[1][:h], x[2][:h])
		return 0
	}},
	{"Convert F16", 2, func(x [][]float32) float32 { Convert(x[0], bytesOf(x[1])[:2*len(x[0])], F16); return 0 }},
	{"Convert BF16", 2, func(x [][]float32) float32 { Convert(x[0], bytesOf(x[1])[:2*len(x[0])], BF16); return 0 }},
	{"Transpose", 2, func(x [][]float32) float32 {
		cols := 1 + len(x[0])%29
		rows := len(x[0]) / cols
		Transpose(Dense(x[0], cols, rows), Dense(x[1], rows, cols))
		return 0
	}},
	{"AdamW", 4, func(x [][]float32) float32 {
		for i, v := range x[3] {
			x[3][i] = float32(math.Abs(float64(v)))
		}
		testAdamW.Step(x[0], x[1], x[2], x[3])
		return 0
	}},
}

var testAdamW = AdamW{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.01, Correction1: 0.271, Correction2: 0.0029}

// TestVectorsMatchTheTwin: every kernel gives the bits of its twin, for all tails
// and offsets, and writes nowhere else.
func TestVectorsMatchTheTwin(t *testing.T) {
	for _, f := range vecFuncs {
		t.Run(f.name, func(t *testing.T) {
			forEachImpl(t, func(t *testing.T) {
				impl := active
				rng := rand.New(rand.NewPCG(1, 2))
				for n := 0; n <= 130; n++ {
					for trial := range 4 {
						x, check := operands(rng, f.args, n, trial > 0)
						var twin [][]float32
						for _, v := range x {
							twin = append(twin, slices.Clone(v))
						}
						active = &plainGo
						want := f.run(twin)
						active = impl
						got := f.run(x)
						check(t)
						sameBits(t, fmt.Sprintf("n=%d: result", n), []float32{got}, []float32{want})
						for k := range x {
							sameBits(t, fmt.Sprintf("n=%d: operand %d", n, k), x[k], twin[k])
						}
					}
				}
			})
		})
	}
}

// TestVectorsHaveOneHash: one number stands for all functions on every path and
// architecture.
func TestVectorsHaveOneHash(t *testing.T) {
	const want = 0xf32622c781cf22d0
	forEachImpl(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(7, 7))
		h := fnv.New64a()
		for _, f := range vecFuncs {
			for _, n := range []int{1, 15, 64, 333, 1000} {
				x := make([][]float32, f.args)
				for k := range x {
					x[k] = make([]float32, n)
					for i := range x[k] {
						x[k][i] = float32(rng.IntN(1<<20)-1<<19) / (1 << 16)
					}
				}
				fmt.Fprintf(h, "%x", math.Float32bits(f.run(x)))
				for _, v := range x {
					h.Write(bytesOf(v))
				}
			}
		}
		if got := h.Sum64(); got != want {
			t.Errorf("hash %#x, want %#x", got, uint64(want))
		}
	})
}

// TestAddRMSNorm: it has the bits of an Add and a norm, of all lengths.
func TestAddRMSNorm(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 4))
		for n := range 131 {
			x, check := operands(rng, 5, n, n%2 == 1)
			y, norm := slices.Clone(x[2]), make([]float32, n)
			Add(y, x[3])
			RMSNorm(norm, y, x[4], 1e-5)
			AddRMSNorm(x[0], x[1], x[2], x[3], x[4], 1e-5)
			check(t)
			sameBits(t, fmt.Sprintf("n=%d: sum", n), x[1], y)
			sameBits(t, fmt.Sprintf("n=%d: norm", n), x[0], norm)
		}
	})
}

func TestTranspose(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 1))
		for rows := range 35 {
			for cols := range 27 {
				x, checkX := operands(rng, 1, rows*(cols+3), false)
				y, checkY := operands(rng, 1, cols*(rows+5), false)
				for i := range y[0] {
					y[0][i] = -99
				}
				src := View{x[0], rows, cols, cols + 3, 1}
				dst := View{y[0], cols, rows, rows + 5, 1}
				Transpose(dst, src)
				checkX(t)
				checkY(t)
				for i := range rows {
					for j := range cols {
						if dst.Data[j*dst.RowStride+i] != src.Row(i)[j] {
							t.Fatalf("%d×%d: element %d,%d is wrong", rows, cols, i, j)
						}
					}
				}
				for k, v := range y[0] {
					if k%(rows+5) >= rows && v != -99 {
						t.Fatalf("%d×%d: wrote between the rows", rows, cols)
					}
				}
			}
		}
	})
}

func TestVectorsDoNotAllocate(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		x, _ := operands(rand.New(rand.NewPCG(1, 1)), 5, 100, false)
		for _, f := range vecFuncs {
			if n := testing.AllocsPerRun(10, func() { f.run(x[:f.args]) }); n > 0 {
				t.Errorf("%s: %v allocations", f.name, n)
			}
		}
	})
}

func TestVectorPanics(t *testing.T) {
	x, y := make([]float32, 4), make([]float32, 6)
	for name, f := range map[string]func(){
		"Add":              func() { Add(x, y) },
		"MulBy":            func() { MulBy(x, y) },
		"Dot":              func() { Dot(x, y) },
		"ExpSum":           func() { ExpSum(x, y, 0) },
		"SiLUMul":          func() { SiLUMul(x, x, y) },
		"SiLUMulBackward":  func() { SiLUMulBackward(x, x, x, x, y) },
		"GELUMul":          func() { GELUMul(x, x, y) },
		"GELUMulBackward":  func() { GELUMulBackward(x, x, x, x, y) },
		"SoftCapBackward":  func() { SoftCapBackward(x, y, 1) },
		"RMSNorm":          func() { RMSNorm(x, x, y, 0) },
		"AddRMSNorm":       func() { AddRMSNorm(x, x, x, y, x, 0) },
		"RMSNormBackward":  func() { RMSNormBackward(x, x, x, y, 1) },
		"Rotate":           func() { Rotate(y, x[:3], x[:2]) },
		"Transpose shape":  func() { Transpose(Dense(x, 2, 2), Dense(y, 2, 3)) },
		"Transpose memory": func() { Transpose(View{x, 2, 3, 3, 1}, Dense(y, 3, 2)) },
		"AdamW.Step":       func() { testAdamW.Step(x, x, x, y) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if s, ok := recover().(string); !ok || !strings.HasPrefix(s, "simd: ") {
					t.Errorf("panicked with %q, want a message of simd", s)
				}
			}()
			f()
		})
	}
}
