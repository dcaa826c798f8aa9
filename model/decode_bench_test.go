package model

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"example.com/finetune/simd"
)

// BenchmarkDecoding extends so many texts of 200 tokens by one token each, on SmolLM2 in
// the cache of the checks.
func BenchmarkDecoding(b *testing.B) {
	home, _ := os.UserHomeDir()
	dir := filepath.Join(home, ".cache", "finetune-checks", "SmolLM2-135M-Instruct")
	c, err := ReadConfig(dir)
	if err != nil {
		b.Skip(err)
	}
	m, err := Load(dir, c)
	if err != nil {
		b.Skip(err)
	}
	defer m.Close()
	pool := simd.NewPool(0)
	defer pool.Close()
	for _, compute := range []simd.Compute{simd.ComputeF32, simd.ComputeBF16} {
		if compute.Supported() != nil {
			continue
		}
		e := NewEngine(m, pool)
		e.SetCompute(compute)
		first := new(Text)
		e.Extend([]Portion{{first, make([]int32, 200), true}})
		for _, n := range []int{1, 2, 4, 5, 8, 16, 32} {
			parts := make([]Portion, n)
			for i := range parts {
				parts[i] = Portion{first.Fork(200), []int32{int32(i)}, true}
			}
			b.Run(fmt.Sprintf("%v/texts=%d", compute, n), func(b *testing.B) {
				for b.Loop() {
					if parts[0].Text.Len() > 250 {
						for _, p := range parts {
							p.Text.Truncate(200)
						}
					}
					e.Extend(parts)
				}
				b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "tokens/s")
			})
		}
	}
}
