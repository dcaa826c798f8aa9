package model

import "testing"

// The estimate for SmolLM2-135M, by hand: 30 blocks keep 5,760 values a token.
func TestTrainingBytes(t *testing.T) {
	c := &Config{
		HiddenSize: 576, IntermediateSize: 1536, NumHiddenLayers: 30, VocabSize: 49152,
		NumAttentionHeads: 9, NumKeyValueHeads: 3, HeadDim: 64,
	}
	want := int64(512*(30*5760+576+10560)+256*(1728+49152)+2*(128*528+112*512)) * 4
	if got := c.TrainingBytes(512, 2); got != want {
		t.Errorf("got %d, want %d", got, want)
	}
	c.QKNorm = true
	if got := c.TrainingBytes(512, 2); got != want+4*512*30*768 {
		t.Errorf("with q and k norms: got %d", got)
	}
}
