package model

import (
	"math/rand/v2"
	"slices"
	"testing"

	"example.com/finetune/simd"
)

// The backward pass computes again only the inputs of adapted projections. A
// projection that alone has an adapter gets the same gradient as beside all others.
func TestGradientOfALoneAdapter(t *testing.T) {
	m, _ := toy(t)
	p := simd.NewPool(2)
	defer p.Close()
	rng := rand.New(rand.NewPCG(5, 6))
	seqs := []Sequence{whole(ids(7, m.Config.VocabSize, rng)), whole(ids(12, m.Config.VocabSize, rng))}
	gradients := func(adapted func(i int) bool, recompute int) []watcher {
		e := NewEngine(m, p)
		e.Layout.Recompute = recompute
		watchers, adapters := make([]watcher, len(m.Linears())), make([]Adapter, len(m.Linears()))
		for i, l := range m.Linears() {
			watchers[i] = newWatcher(l.Projection)
			if adapted(i) {
				adapters[i] = watchers[i]
			}
		}
		e.SetAdapters(adapters)
		e.LossBackward(seqs, nil)
		return watchers
	}
	all := gradients(func(int) bool { return true }, 0)
	for i, l := range m.Linears() {
		for recompute := range m.Config.NumHiddenLayers {
			alone := gradients(func(j int) bool { return j == i }, recompute)
			if !slices.Equal(alone[i].g.Data, all[i].g.Data) {
				t.Errorf("%s, %d blocks computed again: the gradient differs from that beside the other adapters", l.Name, recompute)
			}
		}
	}
}
