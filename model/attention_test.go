package model

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"example.com/finetune/simd"
)

func randomView(rng *rand.Rand, rows, cols int) simd.View {
	v := simd.Dense(make([]float32, rows*cols), rows, cols)
	for i := range v.Data {
		v.Data[i] = float32(rng.NormFloat64())
	}
	return v
}

// naiveAttention is the textbook formula for one query of one head, in float64.
func naiveAttention(a *attention, qkv simd.View, h, t int) []float64 {
	q, k, v := a.column(qkv, h), a.column(qkv, a.heads+a.kvOf(h)), a.column(qkv, a.heads+a.kvHeads+a.kvOf(h))
	first := 0
	if a.window > 0 {
		first = max(0, t-a.window+1)
	}
	var sum float64
	out := make([]float64, a.d)
	for j := first; j <= t; j++ {
		var s float64
		for i := range a.d {
			s += float64(q.Row(t)[i]) * float64(k.Row(j)[i])
		}
		p := math.Exp(s / math.Sqrt(float64(a.d)))
		sum += p
		for i := range a.d {
			out[i] += p * float64(v.Row(j)[i])
		}
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

// textsAt returns texts that share nothing: text i is rows [starts[i],starts[i+1]).
func textsAt(starts ...int) texts {
	var m microBatch
	for i, lo := range starts[:len(starts)-1] {
		m.lay(make([]int32, starts[i+1]-lo), piece{parent: -1})
	}
	return m.texts
}

func attentionCases(t *testing.T, f func(t *testing.T, a *attention, starts []int)) {
	for _, c := range []struct {
		name   string
		window int
		starts []int
	}{
		{"short", 0, []int{0, 1, 3, 10}},
		{"blocks", 0, []int{0, 150, 207}}, // past the 96 queries of a block
		{"blocks of keys", 0, []int{0, 520, 580}},
		{"window", 40, []int{0, 150, 207, 507}},
		{"window of blocks", 300, []int{0, 620}},
		{"window of one", 1, []int{0, 60}},
	} {
		cfg := &Config{NumAttentionHeads: 6, NumKeyValueHeads: 2, HeadDim: 10}
		t.Run(c.name, func(t *testing.T) { f(t, newAttention(cfg, 2).of(LayerConfig{Window: c.window}), c.starts) })
	}
}

func TestAttentionMatchesTheFormula(t *testing.T) {
	attentionCases(t, func(t *testing.T, a *attention, starts []int) {
		p := simd.NewPool(2)
		defer p.Close()
		T := starts[len(starts)-1]
		qkv := randomView(rand.New(rand.NewPCG(1, 2)), T, (a.heads+2*a.kvHeads)*a.d)
		out := simd.Dense(make([]float32, T*a.heads*a.d), T, a.heads*a.d)
		a.forward(p, out, make([]softmax, T*a.heads), qkv, simd.View{}, textsAt(starts...))
		for s := range len(starts) - 1 {
			seq := qkv.Slice(starts[s], starts[s+1])
			for at := range seq.Rows {
				for h := range a.heads {
					got := a.column(out.Slice(starts[s], starts[s+1]), h).Row(at)
					for i, want := range naiveAttention(a, seq, h, at) {
						if math.Abs(float64(got[i])-want) > 2e-6 { // values are of size 1
							t.Fatalf("sequence %d, position %d, head %d: got %g, want %g", s, at, h, got[i], want)
						}
					}
				}
			}
		}
	})
}

// The slope of Σ out·w along a random direction, from the float64 formula, is the
// gradient's projection on it.
func TestAttentionBackwardIsTheSlope(t *testing.T) {
	attentionCases(t, func(t *testing.T, a *attention, starts []int) {
		p := simd.NewPool(2)
		defer p.Close()
		rng := rand.New(rand.NewPCG(3, 4))
		T, width := starts[len(starts)-1], (a.heads+2*a.kvHeads)*a.d
		qkv, w := randomView(rng, T, width), randomView(rng, T, a.heads*a.d)
		dqkv := simd.Dense(make([]float32, len(qkv.Data)), T, width)
		out, stats := simd.Dense(make([]float32, T*a.heads*a.d), T, a.heads*a.d), make([]softmax, T*a.heads)
		a.forward(p, out, stats, qkv, simd.View{}, textsAt(starts...))
		a.backward(p, dqkv, simd.Dense(slices.Clone(w.Data), w.Rows, w.Cols), out, stats, qkv, simd.View{}, simd.View{}, textsAt(starts...))
		q, k := a.heads*a.d, (a.heads+a.kvHeads)*a.d
		for name, cols := range map[string][2]int{"q": {0, q}, "k": {q, k}, "v": {k, width}} {
			const eps = 1e-2
			u := simd.Dense(make([]float32, len(qkv.Data)), T, width)
			var norm, got float64
			for t := range T {
				for i := cols[0]; i < cols[1]; i++ {
					u.Row(t)[i] = float32(rng.NormFloat64())
					norm += float64(u.Row(t)[i]) * float64(u.Row(t)[i])
				}
			}
			for i, d := range dqkv.Data {
				got += float64(d) * float64(u.Data[i])
			}
			got /= math.Sqrt(norm)
			along := func(step float64) (sum float64) {
				x := simd.Dense(slices.Clone(qkv.Data), T, width)
				for i := range x.Data {
					x.Data[i] += float32(step / math.Sqrt(norm) * float64(u.Data[i]))
				}
				for s := range len(starts) - 1 {
					seq, ws := x.Slice(starts[s], starts[s+1]), w.Slice(starts[s], starts[s+1])
					for at := range seq.Rows {
						for h := range a.heads {
							for i, v := range naiveAttention(a, seq, h, at) {
								sum += v * float64(a.column(ws, h).Row(at)[i])
							}
						}
					}
				}
				return sum
			}
			want := (along(eps) - along(-eps)) / (2 * eps)
			if math.Abs(got-want) > 1e-3*math.Max(1, math.Abs(want)) {
				t.Errorf("%s: gradient along the direction %g, slope %g", name, got, want)
			}
		}
	})
}

func TestAttentionIsTheSameForAnyNeighbours(t *testing.T) {
	attentionCases(t, func(t *testing.T, a *attention, starts []int) {
		p1, p4 := simd.NewPool(1), simd.NewPool(4)
		defer p1.Close()
		defer p4.Close()
		a.workers = make([]attentionScratch, 4)
		T, width := starts[len(starts)-1], (a.heads+2*a.kvHeads)*a.d
		rng := rand.New(rand.NewPCG(5, 6))
		qkv, dout := randomView(rng, T, width), randomView(rng, T, a.heads*a.d)
		run := func(p *simd.Pool, lo, hi int, starts []int) (out, dqkv []float32) {
			o, d := make([]float32, (hi-lo)*a.heads*a.d), make([]float32, (hi-lo)*width)
			ov, dv := simd.Dense(o, hi-lo, a.heads*a.d), simd.Dense(d, hi-lo, width)
			stats := make([]softmax, (hi-lo)*a.heads)
			a.forward(p, ov, stats, qkv.Slice(lo, hi), simd.View{}, textsAt(starts...))
			mine := dout.Slice(lo, hi)
			a.backward(p, dv, simd.Dense(slices.Clone(mine.Data[:mine.Rows*mine.Cols]), mine.Rows, mine.Cols), ov, stats, qkv.Slice(lo, hi), simd.View{}, simd.View{}, textsAt(starts...))
			return o, d
		}
		out, dqkv := run(p4, 0, T, starts)
		for s := range len(starts) - 1 {
			lo, hi := starts[s], starts[s+1]
			o, d := run(p1, lo, hi, []int{0, hi - lo})
			if !slices.Equal(o, out[lo*a.heads*a.d:hi*a.heads*a.d]) || !slices.Equal(d, dqkv[lo*width:hi*width]) {
				t.Errorf("sequence %d alone on one thread differs from all together on four", s)
			}
		}
	})
}
