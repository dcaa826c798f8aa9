package model

import "testing"

var smol = &Config{
	HiddenSize: 576, IntermediateSize: 1536, NumHiddenLayers: 30, VocabSize: 49152,
	NumAttentionHeads: 9, NumKeyValueHeads: 3, HeadDim: 64,
}

// The bytes of SmolLM2-135M, by hand: a block keeps 576 values a token of its input
// and 5,202 more, and 16 lie behind each row of 768, 1,536, 3,072 and 49,152.
func TestTrainingBytes(t *testing.T) {
	const inner, scratch, head, workers = 5202 + 16, 6336 + 2*16 + 576 + 2304 + 9, 576 + 49152 + 16, 2*192*16 + 2*(2*96*272+96*66)
	for _, c := range []struct {
		l    Layout
		want int64
	}{
		{Layout{MicroBatch: 512, Logits: 256}, 512*(31*576+30*inner+scratch) + 256*head + workers},
		{Layout{MicroBatch: 512, Logits: 256, Recompute: 10}, 512*(31*576+20*inner+scratch) + 256*head + workers},
		{Layout{MicroBatch: 256, Logits: 64, Recompute: 29}, 512*(31*576+inner+scratch) + 64*head + workers},
	} {
		if got := smol.TrainingBytes(c.l, 512, 0, 2); got != 4*c.want {
			t.Errorf("%+v: got %d, want %d", c.l, got, 4*c.want)
		}
	}
	// Of 400 shared tokens every block has keys, values and their gradients, and the keys of
	// four micro-batches are packed, with six parts of their gradients.
	l := smol.DefaultLayout()
	if got, want := smol.TrainingBytes(l, 512, 400, 2)-smol.TrainingBytes(l, 512, 0, 2), int64(4*(400*30*4*192+3*512*15*192)); got != want {
		t.Errorf("400 shared tokens take %d bytes, want %d", got, want)
	}
	qwen := *smol
	qwen.QKNorm = true
	if got, want := qwen.TrainingBytes(l, 512, 0, 2)-smol.TrainingBytes(l, 512, 0, 2), int64(4*512*30*(768+16)); got != want {
		t.Errorf("q and k norms keep %d bytes, want %d", got, want)
	}
	around := *smol
	around.NormPlaces, around.AttentionCap = NormsAround, 50
	if got, want := around.TrainingBytes(l, 512, 0, 2)-smol.TrainingBytes(l, 512, 0, 2), int64(4*(512*30*2*576+2*96*272)); got != want {
		t.Errorf("norms behind the halves and a cap take %d bytes, want %d", got, want)
	}
}

func TestFitLayout(t *testing.T) {
	bytes := func(l Layout) int64 { return smol.TrainingBytes(l, 100, 0, 2) }
	fits := func(budget int64, want Layout, wantOK bool) {
		t.Helper()
		if got, ok := smol.FitLayout(budget, 100, 0, 2); ok != wantOK || got != want {
			t.Errorf("%d bytes: got %+v %v, want %+v %v", budget, got, ok, want, wantOK)
		}
	}
	fits(1<<40, smol.DefaultLayout(), true)
	most := smol.NumHiddenLayers - 1
	for i, l := range layouts {
		l = smol.bounded(l)
		for l.Recompute = range most + 1 {
			if i == 0 || l.Recompute == most { // the others are larger than the last of the layout before
				fits(bytes(l), l, true)
			}
			if i == 0 && l.Recompute > 0 {
				fits(bytes(l)+1, l, true)
				fits(bytes(l)-1+bytes(Layout{512, 256, 0})-bytes(Layout{512, 256, 1}), l, true)
			}
		}
	}
	smallest := layouts[len(layouts)-1]
	smallest.Recompute = most
	fits(bytes(smallest)-1, smallest, false)
	large := *smol
	large.VocabSize = 1 << 18
	if got := large.DefaultLayout().Logits; got != 64 {
		t.Errorf("a vocabulary of 262,144: %d targets at a time, want 64", got)
	}
}
