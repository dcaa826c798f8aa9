package model

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"example.com/finetune/simd"
)

// BenchmarkAttention reports the speed of the useful work of one layer of
// SmolLM2-135M: two products of forward and four of backward with the keys that
// are seen.
func BenchmarkAttention(b *testing.B) {
	cfg := &Config{NumAttentionHeads: 9, NumKeyValueHeads: 3, HeadDim: 64}
	for _, threads := range []int{1, 2} {
		p := simd.NewPool(threads)
		defer p.Close()
		for _, starts := range [][]int{{0, 217, 434}, {0, 512}, {0, 2048}, {0, 8192}} {
			T := starts[len(starts)-1]
			rng := rand.New(rand.NewPCG(1, 2))
			a := newAttention(cfg, threads)
			width := (a.heads + 2*a.kvHeads) * a.d
			qkv, dqkv := randomView(rng, T, width), randomView(rng, T, width)
			out, dout := randomView(rng, T, a.heads*a.d), randomView(rng, T, a.heads*a.d)
			whole := textsAt(starts...)
			stats := make([]softmax, T*a.heads)
			speed := func(b *testing.B, products int) {
				ops := 2 * float64(products) * float64(a.multiplications(whole.queries))
				b.ReportMetric(ops*float64(b.N)/b.Elapsed().Seconds()*1e-9, "GFLOP/s")
			}
			name := fmt.Sprintf("threads=%d/tokens=%d", threads, starts[1])
			b.Run(name+"/forward", func(b *testing.B) {
				for b.Loop() {
					a.forward(p, out, stats, qkv, simd.View{}, whole)
				}
				speed(b, 2)
			})
			b.Run(name+"/backward", func(b *testing.B) {
				for b.Loop() {
					a.backward(p, dqkv, dout, out, stats, qkv, simd.View{}, simd.View{}, whole)
				}
				speed(b, 4)
			})
		}
	}
}
