package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestGramMatchesTheTwin: every kernel gives the bits of the twin for all edges of tiles
// and tails, reads nothing between rows, and is near the sums in float64.
func TestGramMatchesTheTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for r := 1; r <= 11; r++ {
		for _, n := range []int{0, 1, 7, 8, 9, 16, 31, 100} {
			x := View{Data: make([]float32, r*(n+3)), Rows: r, Cols: n, RowStride: n + 3, ColStride: 1}
			for i := range x.Data {
				x.Data[i] = nan
			}
			for i := range r {
				for j := range x.Row(i) {
					x.Row(i)[j] = float32(rng.NormFloat64() * math.Pow(10, float64(i)))
				}
			}
			want := make([]float64, r*r)
			for i := range r {
				for j := range r {
					var l lanes64
					l.add(x.Row(min(i, j)), x.Row(max(i, j)))
					want[i*r+j] = l.sum()
					var plain, size float64
					for k, v := range x.Row(i) {
						p := float64(v) * float64(x.Row(j)[k])
						plain, size = plain+p, size+math.Abs(p)
					}
					if math.Abs(want[i*r+j]-plain) > 1e-14*size {
						t.Fatalf("%d rows of %d: entry %d,%d is %g, want %g", r, n, i, j, want[i*r+j], plain)
					}
				}
			}
			forEachImpl(t, func(t *testing.T) {
				got := make([]float64, r*r)
				Gram(got, x)
				for i, v := range got {
					if math.Float64bits(v) != math.Float64bits(want[i]) {
						t.Fatalf("%d rows of %d: entry %d is %g, want %g", r, n, i, v, want[i])
					}
				}
			})
		}
	}
}

// What is not finite shows in the Gram matrix, and nothing finite overflows.
func TestGramOfExtremes(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		for _, v := range []float32{nan, float32(math.Inf(1)), math.MaxFloat32, 0x1p-149} {
			x := Dense(make([]float32, 4*8), 4, 8)
			for i := range x.Data {
				x.Data[i] = v
			}
			k := make([]float64, 16)
			Gram(k, x)
			want := 8 * float64(v) * float64(v)
			for _, got := range k {
				if got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
					t.Errorf("of %g: %g, want %g", v, got, want)
				}
			}
		}
	})
}

func BenchmarkGram(b *testing.B) {
	for _, r := range []int{8, 64} {
		x := Dense(make([]float32, r*576), r, 576)
		k := make([]float64, r*r)
		b.Run(fmt.Sprint(r), func(b *testing.B) {
			benchEachImpl(b, func(b *testing.B) {
				for b.Loop() {
					Gram(k, x)
				}
			})
		})
	}
}
