package simd

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// run times f and reports the speed of ops operations, of the fastest round, which
// nothing interrupted, and what that is of a peak in operations a second.
func run(b *testing.B, ops, peak float64, f func()) {
	least := time.Duration(1<<63 - 1)
	for b.Loop() {
		start := time.Now()
		f()
		least = min(least, time.Since(start))
	}
	b.ReportMetric(ops*float64(b.N)/b.Elapsed().Seconds()*1e-9, "GFLOP/s")
	b.ReportMetric(ops/least.Seconds()*1e-9, "best-GFLOP/s")
	b.ReportMetric(100*ops/least.Seconds()/peak, "%peak")
}

// ops is the operations of a product.
func (s productSize) ops() float64 { return 2 * float64(s.m) * float64(s.n) * float64(s.k) }

// peakTile is the micro-kernel alone on one k, again and again: the speed of its
// FMA, or of VDPBF16PS with pairs. On Zen 4 at 3.7 GHz, loops of nothing but these
// reach 118.2 GFLOP/s with 512 bits and with 256, and 236.4 (220.7).
func peakTile(pairs bool) (ops float64, f func()) {
	s := productSize{tileRows(panelCols()), panelCols(), 1 << 14}
	c := Dense(make([]float32, s.m*s.n), s.m, s.n)
	x := View{make([]float32, s.m+1), s.m, s.k, 1, 0}
	w := View{make([]float32, s.n), s.k, s.n, 0, 1}
	if pairs {
		return 2 * s.ops(), func() { mulPairs(c, x, w, false) }
	}
	return s.ops(), func() { mulPanel(c, x, w, false) }
}

// peak measures the operations a second of peakTile: the ceiling of the rest.
func peak(pairs bool) float64 {
	ops, f := peakTile(pairs)
	least := time.Duration(1<<63 - 1)
	for start := time.Now(); time.Since(start) < 100*time.Millisecond; {
		start := time.Now()
		f()
		least = min(least, time.Since(start))
	}
	return ops / least.Seconds()
}

func BenchmarkPeak(b *testing.B) {
	benchEachImpl(b, func(b *testing.B) {
		for _, pairs := range []bool{false, true} {
			if pairs && active.pairs == nil {
				continue
			}
			b.Run(fmt.Sprintf("pairs=%v", pairs), func(b *testing.B) {
				ops, f := peakTile(pairs)
				run(b, ops, peak(pairs), f)
			})
		}
	})
}

// A layer is stacked weights of SmolLM2-135M.
type layer struct {
	name string
	rows []int
	cols int
}

func smolWeights() []layer {
	return []layer{
		{"o", []int{576}, 576},
		{"qkv", []int{576, 192, 192}, 576},
		{"gateup", []int{1536, 1536}, 576},
		{"down", []int{576}, 1536},
		{"head", []int{49152}, 576},
	}
}

func (l layer) matrices(rng *rand.Rand, d DType) (w []Matrix, out int) {
	for _, rows := range l.rows {
		w = append(w, randomMatrix(rng, d, rows, l.cols))
		out += rows
	}
	return w, out
}

// pitched returns zeros in rows as those of the model.
func pitched(rows, cols int) View {
	return View{make([]float32, rows*Pitch(cols)), rows, cols, Pitch(cols), 1}
}

// BenchmarkWeights has the products of a training step, in the precisions this
// CPU has kernels for.
func BenchmarkWeights(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, c := range []Compute{ComputeF32, ComputeBF16, ComputeInt8} {
		if c.Supported() != nil {
			continue
		}
		top := peak(c == ComputeBF16)
		if c == ComputeInt8 {
			top *= 4
		}
		for _, threads := range []int{1, 2} {
			p := NewPool(threads)
			defer p.Close()
			for _, l := range smolWeights() {
				w, out := l.matrices(rng, BF16)
				for _, tokens := range []int{64, 256, 512, 2048} {
					x, y := pitched(tokens, l.cols), pitched(tokens, out)
					ops := productSize{tokens, out, l.cols}.ops()
					name := fmt.Sprintf("%v/threads=%d/%s/M=%d", c, threads, l.name, tokens)
					b.Run(name+"/NT", func(b *testing.B) {
						run(b, ops, top*float64(threads), func() { p.With(c).MulNT(y, x, w...) })
					})
					b.Run(name+"/NN", func(b *testing.B) {
						run(b, ops, top*float64(threads), func() { p.With(c).MulNN(x, y, w...) })
					})
				}
			}
		}
	}
}

// BenchmarkDecode has the products of few rows, and what of the memory's speed
// they reach: the layers lie in a cache, the head does not.
func BenchmarkDecode(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	memory := make([]byte, 256<<20)
	for i := 0; i < len(memory); i += 512 {
		memory[i] = 1
	}
	for _, threads := range []int{1, 2} {
		p := NewPool(threads)
		defer p.Close()
		bytesPer := func(b *testing.B, n int, f func()) {
			b.SetBytes(int64(n))
			for b.Loop() {
				f()
			}
		}
		b.Run(fmt.Sprintf("threads=%d/read", threads), func(b *testing.B) {
			bytesPer(b, len(memory), func() {
				p.Range(len(memory), 1<<18, func(_, lo, hi int) { touch(memory[lo:hi]) })
			})
		})
		for _, l := range smolWeights() {
			for _, d := range dtypes {
				w, out := l.matrices(rng, d)
				for _, rows := range []int{1, 2, 4} {
					x := Dense(make([]float32, rows*l.cols), rows, l.cols)
					y := Dense(make([]float32, rows*out), rows, out)
					b.Run(fmt.Sprintf("threads=%d/%s/%v/M=%d", threads, l.name, d, rows), func(b *testing.B) {
						bytesPer(b, out*l.cols*d.Size(), func() { p.MulNT(y, x, w...) })
					})
				}
			}
		}
	}
}

// BenchmarkDType packs each type where packing shows, at 64 rows.
func BenchmarkDType(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	p := NewPool(1)
	defer p.Close()
	const tokens, n = 64, 576
	x, y := Dense(make([]float32, tokens*n), tokens, n), Dense(make([]float32, tokens*n), tokens, n)
	for _, c := range []Compute{ComputeF32, ComputeBF16, ComputeInt8} {
		if c.Supported() != nil {
			continue
		}
		q, top := p.With(c), peak(c == ComputeBF16)
		for _, d := range dtypes {
			w := randomMatrix(rng, d, n, n)
			b.Run(fmt.Sprintf("%v/%v/NT", c, d), func(b *testing.B) {
				run(b, productSize{tokens, n, n}.ops(), top, func() { q.MulNT(y, x, w) })
			})
			b.Run(fmt.Sprintf("%v/%v/NN", c, d), func(b *testing.B) {
				run(b, productSize{tokens, n, n}.ops(), top, func() { q.MulNN(x, y, w) })
			})
		}
	}
}

// BenchmarkViews has the products of LoRA, of attention (three query heads of 64
// share a key head) and of the one gradient.
func BenchmarkViews(b *testing.B) {
	top := peak(false)
	for _, threads := range []int{1, 2} {
		p := NewPool(threads)
		defer p.Close()
		for _, s := range []struct {
			name       string
			size       productSize
			transposed bool
		}{
			{"xA", productSize{512, 8, 576}, false},
			{"xA", productSize{512, 16, 576}, false},
			{"hB", productSize{512, 576, 8}, false},
			{"hB", productSize{512, 576, 16}, false},
			{"dA", productSize{8, 576, 512}, true},
			{"dA", productSize{16, 576, 512}, true},
			{"dA", productSize{8, 1536, 512}, true},
			{"G", productSize{1536, 576, 512}, true},
			{"G", productSize{576, 1536, 512}, true},
			{"QK", productSize{56, 512, 64}, false},
			{"PV", productSize{56, 64, 512}, false},
			{"dK", productSize{512, 64, 56}, true},
			{"square", productSize{512, 576, 576}, false},
		} {
			a := Dense(make([]float32, s.size.m*s.size.k), s.size.m, s.size.k)
			if s.transposed {
				a = Dense(a.Data, s.size.k, s.size.m).T()
			}
			w := Dense(make([]float32, s.size.k*s.size.n), s.size.k, s.size.n)
			c := Dense(make([]float32, s.size.m*s.size.n), s.size.m, s.size.n)
			b.Run(fmt.Sprintf("threads=%d/%s/%dx%dx%d", threads, s.name, s.size.m, s.size.n, s.size.k), func(b *testing.B) {
				run(b, s.size.ops(), top*float64(threads), func() { p.AddMul(c, a, w) })
			})
		}
	}
}

// BenchmarkVectors runs the functions on operands that stay as they are: what
// writes to its input is given numbers that it leaves in their range. The sizes
// are a head, the hidden size, the MLP and the vocabulary of SmolLM2-135M, and a
// row of attention with a tail.
func BenchmarkVectors(b *testing.B) {
	still := AdamW{LR: 1e-9, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Correction1: 0.271, Correction2: 0.0029}
	for _, f := range []struct {
		name string
		run  func(x [][]float32)
	}{
		{"Add", func(x [][]float32) { Add(x[0], x[4]) }},
		{"Scale", func(x [][]float32) { Scale(x[0], 1) }},
		{"Max", func(x [][]float32) { Max(x[0]) }},
		{"Dot", func(x [][]float32) { Dot(x[0], x[1]) }},
		{"ExpSum", func(x [][]float32) { ExpSum(x[0], x[1], 0.25) }},
		{"Softmax", func(x [][]float32) { softmax(x[0]) }},
		{"SiLUMul", func(x [][]float32) { SiLUMul(x[0], x[1], x[2]) }},
		{"SiLUMulBackward", func(x [][]float32) { SiLUMulBackward(x[0], x[1], x[2], x[3], x[5]) }},
		{"GELUMul", func(x [][]float32) { GELUMul(x[0], x[1], x[2]) }},
		{"GELUMulBackward", func(x [][]float32) { GELUMulBackward(x[0], x[1], x[2], x[3], x[5]) }},
		{"SoftCap", func(x [][]float32) { SoftCap(x[0], 1e6) }},
		{"RMSNorm", func(x [][]float32) { RMSNorm(x[0], x[1], x[2], 1e-5) }},
		{"RMSNormBackward", func(x [][]float32) { RMSNormBackward(x[0], x[4], x[2], x[3], 1e-5) }},
		{"Rotate", func(x [][]float32) {
			h := len(x[0]) / 2
			Rotate(x[0][:2*h], x[5][:h], x[4][:h])
		}},
		{"AdamW", func(x [][]float32) { still.Step(x[0], x[1], x[2], x[5]) }},
		{"Convert BF16", func(x [][]float32) { Convert(x[0], bytesOf(x[1])[:2*len(x[0])], BF16) }},
		{"Transpose", func(x [][]float32) {
			rows := len(x[0]) / 64
			Transpose(Dense(x[0], 64, rows), Dense(x[1], rows, 64))
		}},
	} {
		for _, n := range []int{64, 201, 576, 1536, 49152} {
			x, _ := operands(rand.New(rand.NewPCG(1, 1)), 6, n, false)
			clear(x[4]) // what is added again and again
			for i := range x[5] {
				x[5][i] = 1
			}
			b.Run(fmt.Sprintf("%s/n=%d", f.name, n), func(b *testing.B) {
				benchEachImpl(b, func(b *testing.B) {
					for b.Loop() {
						f.run(x)
					}
					b.ReportMetric(float64(n)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "values/ns")
				})
			})
		}
	}
}
