package loraone

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"example.com/finetune/internal/golden"
	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// usualLength is that of rows whose angles are the usual ones, see load.
const usualLength = 50

// A forest makes rows that begin alike: each branches off from one before, anywhere.
func forest(rng *rand.Rand, n, vocabulary int) []model.Sequence {
	tokens := func(n int) []int32 {
		ids := make([]int32, n)
		for i := range ids {
			ids[i] = rng.Int32N(int32(vocabulary))
		}
		return ids
	}
	var seqs []model.Sequence
	for i := range n {
		var s model.Sequence
		if i > 0 && rng.IntN(6) > 0 {
			from := seqs[rng.IntN(i)]
			cut := rng.IntN(len(from.IDs) + 1)
			s.IDs, s.Mask = slices.Clone(from.IDs[:cut]), slices.Clone(from.Mask[:cut])
		}
		if own := rng.IntN(40); own > 0 || len(s.IDs) < 2 {
			s.IDs = append(s.IDs, tokens(own+2)...)
		}
		for s.Mask = s.Mask[:min(len(s.Mask), rng.IntN(60))]; len(s.Mask) < len(s.IDs); {
			s.Mask = append(s.Mask, len(s.Mask) > len(s.IDs)/2 && rng.IntN(4) > 0)
		}
		s.Mask[len(s.Mask)-1] = true
		seqs = append(seqs, s)
	}
	return seqs
}

// passed returns losses and gradients of all modules after a pass over seqs, all at once or
// one after the other, which then share nothing.
func passed(t *testing.T, c *golden.Case, threads int, layout model.Layout, seqs []model.Sequence, weights []float32, alone bool, targets ...string) ([]model.Loss, map[string][]float32) {
	t.Helper()
	p := simd.NewPool(threads)
	defer p.Close()
	e := model.NewEngine(load(t, c), p)
	e.Layout = layout
	a, err := New(e.Model().Config, config(c, LoRA, targets...), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range layers(a) {
		rng := rand.New(rand.NewPCG(uint64(i), 5))
		for _, x := range [][]float32{l.A, l.Bt} {
			for k := range x {
				x[k] = float32(0.05 * rng.NormFloat64())
			}
		}
	}
	a.Sync()
	a.Attach(e)
	var losses []model.Loss
	if alone {
		for i := range seqs {
			losses = append(losses, e.LossBackward(seqs[i:i+1], weights[i:i+1])...)
		}
	} else {
		losses = e.LossBackward(seqs, weights)
	}
	grads := map[string][]float32{}
	for _, l := range layers(a) {
		grads[l.Name+".A"], grads[l.Name+".B"] = l.DA, l.DBt
	}
	if !alone {
		if got := e.Loss(seqs); !near(got, losses) {
			t.Error("the losses of a pass without gradients differ")
		}
	}
	return losses, grads
}

// load returns the model of a case. Where its angles depend on the lengths of rows, they are the
// usual ones for those of up to half of these rows, which alone may share.
func load(t *testing.T, c *golden.Case) *model.Model {
	m := c.Load(t)
	for i := range m.Config.Layers {
		if r := &m.Config.Layers[i].Rope; r.Type == "longrope" || r.Type == "dynamic" {
			r.OriginalMaxPositionEmbeddings = usualLength
		}
	}
	return m
}

// near reports whether losses are the same up to the order of their sums.
func near(a, b []model.Loss) bool {
	for i := range a {
		if math.Abs(a[i].Sum-b[i].Sum) > 1e-12*math.Abs(b[i].Sum) || a[i].Targets != b[i].Targets {
			return false
		}
	}
	return true
}

// apart returns ‖a-b‖/‖b‖.
func apart(a, b []float32) float64 {
	var sum, all float64
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum, all = sum+d*d, all+float64(b[i])*float64(b[i])
	}
	return math.Sqrt(sum / max(all, 1e-30))
}

// Rows that share beginnings, nested and equal ones among them, have the losses and the
// gradients that they have alone, and the same bits whatever is held and laid together.
func TestSharedRowsAreThoseOfEachAlone(t *testing.T) {
	seeds := 6
	if testing.Short() {
		seeds = 3 // a forest for each target
	}
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		sharing := 0
		for seed := range uint64(seeds) {
			rng := rand.New(rand.NewPCG(seed, 11))
			seqs := forest(rng, 8+rng.IntN(10), load(t, c).Config.VocabSize)
			weights := make([]float32, len(seqs))
			for i := range weights {
				weights[i] = rng.Float32() + 0.1
			}
			if _, longest := load(t, c).Config.SharedTokens(seqs); longest > 0 {
				sharing++
			}
			target := []string{"all-linear", "v_proj", "down_proj"}[seed%3]
			what := fmt.Sprintf("seed %d, %s", seed, target)
			wantLoss, want := passed(t, c, 1, model.Layout{MicroBatch: 512, Logits: 64}, seqs, weights, true, target)
			loss, all := passed(t, c, 2, model.Layout{MicroBatch: 4096, Logits: 64}, seqs, weights, false, target)
			if !near(loss, wantLoss) {
				t.Errorf("%s: losses %v, want %v", what, loss, wantLoss)
			}
			for name := range want {
				if d := apart(all[name], want[name]); d > 2e-6 {
					t.Errorf("%s: %s is %g apart", what, name, d)
				}
			}
			for _, v := range []struct {
				threads int
				layout  model.Layout
			}{
				{3, model.Layout{MicroBatch: 1, Logits: 7}},
				{1, model.Layout{MicroBatch: 20, Logits: 64}},
				{2, model.Layout{MicroBatch: 70, Logits: 1, Recompute: 1}},
				{2, model.Layout{MicroBatch: 150, Logits: 64, Recompute: 2}},
			} {
				l, got := passed(t, c, v.threads, v.layout, seqs, weights, false, target)
				if !slices.Equal(l, loss) {
					t.Errorf("%s: losses differ with %d threads and %+v", what, v.threads, v.layout)
				}
				for name := range all {
					if !slices.Equal(got[name], all[name]) {
						t.Errorf("%s: %s differs with %d threads and %+v", what, name, v.threads, v.layout)
					}
				}
			}
		}
		if sharing < seeds/2 {
			t.Errorf("rows share in %d of %d forests", sharing, seeds)
		}
	})
}
