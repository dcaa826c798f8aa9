package simd

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// gflops reports the speed of 2·M·N·K operations.
func gflops(b *testing.B, s productSize) {
	ops := 2 * float64(s.m) * float64(s.n) * float64(s.k)
	b.ReportMetric(ops*float64(b.N)/b.Elapsed().Seconds()*1e-9, "GFLOP/s")
}

// BenchmarkPeak multiplies within the L1 cache: the ceiling of the rest.
func BenchmarkPeak(b *testing.B) {
	benchEachImpl(b, func(b *testing.B) {
		s := productSize{tileRows(panelCols()), panelCols(), 256}
		c, a, w := make([]float32, s.m*s.n), make([]float32, s.m*s.k), make([]float32, s.k*s.n)
		rng := rand.New(rand.NewPCG(1, 1))
		for i := range a {
			a[i] = float32(rng.NormFloat64())
		}
		for i := range w {
			w[i] = float32(rng.NormFloat64())
		}
		for b.Loop() {
			for range 20 {
				mulPanel(Dense(c, s.m, s.n), Dense(a, s.m, s.k), Dense(w, s.k, s.n), true)
			}
		}
		s.m *= 20
		gflops(b, s)
	})
}

// The weights of SmolLM2-135M: o; q,k,v; gate,up; down; lm_head.
var smolWeights = []struct {
	name string
	rows []int
	cols int
}{
	{"o", []int{576}, 576},
	{"qkv", []int{576, 192, 192}, 576},
	{"gateup", []int{1536, 1536}, 576},
	{"down", []int{576}, 1536},
	{"head", []int{49152}, 576},
}

func BenchmarkWeights(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, threads := range []int{1, 2} {
		p := NewPool(threads)
		defer p.Close()
		for _, l := range smolWeights {
			var w []Matrix
			out := 0
			for _, rows := range l.rows {
				w = append(w, randomMatrix(rng, BF16, rows, l.cols))
				out += rows
			}
			for _, tokens := range []int{1, 64, 256, 512} {
				x := Dense(make([]float32, tokens*l.cols), tokens, l.cols)
				y := Dense(make([]float32, tokens*out), tokens, out)
				name := fmt.Sprintf("threads=%d/%s/M=%d", threads, l.name, tokens)
				b.Run(name+"/NT", func(b *testing.B) {
					for b.Loop() {
						p.MulNT(y, x, w...)
					}
					gflops(b, productSize{tokens, out, l.cols})
				})
				b.Run(name+"/NN", func(b *testing.B) {
					for b.Loop() {
						p.MulNN(x, y, w...)
					}
					gflops(b, productSize{tokens, out, l.cols})
				})
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
	for _, d := range dtypes {
		w := randomMatrix(rng, d, n, n)
		b.Run(d.String()+"/NT", func(b *testing.B) {
			for b.Loop() {
				p.MulNT(y, x, w)
			}
			gflops(b, productSize{tokens, n, n})
		})
		b.Run(d.String()+"/NN", func(b *testing.B) {
			for b.Loop() {
				p.MulNN(x, y, w)
			}
			gflops(b, productSize{tokens, n, n})
		})
	}
}

// BenchmarkViews has the products of LoRA, of attention (three query heads of 64
// share a key head) and of the one gradient.
func BenchmarkViews(b *testing.B) {
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
				for b.Loop() {
					p.AddMul(c, a, w)
				}
				gflops(b, s.size)
			})
		}
	}
}
