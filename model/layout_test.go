package model

import "testing"

var smol = &Config{
	HiddenSize: 576, IntermediateSize: 1536, NumHiddenLayers: 30, VocabSize: 49152,
	NumAttentionHeads: 9, NumKeyValueHeads: 3, HeadDim: 64,
}

// The bytes of SmolLM2-135M, by hand: a block keeps 576 values a token of its input
// and 5,202 more, and 16 lie behind each row of 768, 1,536, 3,072 and 49,152.
func TestTrainingBytes(t *testing.T) {
	const inner, scratch, head, workers = 5202 + 16, 6336 + 2*16 + 768 + 2304, 1728 + 49152 + 16, 2*192*16 + 2*(2*96*272+96*66)
	for _, c := range []struct {
		l    Layout
		want int64
	}{
		{Layout{MicroBatch: 512, Logits: 256}, 512*(31*576+30*inner+scratch) + 256*head + workers},
		{Layout{MicroBatch: 256, Logits: 64, Recompute: true}, 512*(31*576+inner+scratch) + 64*head + workers},
	} {
		if got := smol.TrainingBytes(c.l, 512, 2); got != 4*c.want {
			t.Errorf("%+v: got %d, want %d", c.l, got, 4*c.want)
		}
	}
	qwen := *smol
	qwen.QKNorm = true
	l := smol.DefaultLayout()
	if got, want := qwen.TrainingBytes(l, 512, 2)-smol.TrainingBytes(l, 512, 2), int64(4*512*30*(768+16)); got != want {
		t.Errorf("q and k norms keep %d bytes, want %d", got, want)
	}
}

func TestFitLayout(t *testing.T) {
	last := int64(1 << 40)
	for _, l := range layouts {
		bytes := smol.TrainingBytes(l, 100, 2)
		if bytes >= last {
			t.Errorf("%+v takes %d bytes, the faster one before it %d", l, bytes, last)
		}
		last = bytes
		if got, ok := smol.FitLayout(bytes, 100, 2); !ok || got != l {
			t.Errorf("%d bytes: got %+v %v, want %+v", bytes, got, ok, l)
		}
	}
	if got, ok := smol.FitLayout(last-1, 100, 2); ok || got != layouts[len(layouts)-1] {
		t.Errorf("below the smallest: got %+v %v", got, ok)
	}
	large := *smol
	large.VocabSize = 1 << 18
	if got := large.DefaultLayout().Logits; got != 64 {
		t.Errorf("a vocabulary of 262,144: %d targets at a time, want 64", got)
	}
}
