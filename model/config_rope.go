package model

import (
	"slices"

	"example.com/finetune/internal/jsontree"
)

// ropeKeys are what a rope object may hold.
var ropeKeys = []string{
	"rope_type", "type", "rope_theta", "factor", "low_freq_factor", "high_freq_factor",
	"original_max_position_embeddings", "partial_rotary_factor",
}

// readRope reads rope_parameters (transformers 5), or rope_theta and rope_scaling
// (transformers 4). A file may hold both if they agree.
func readRope(f *jsontree.Fields) Rope {
	theta := f.Positive("rope_theta", 0)
	old, now := f.Nested("rope_scaling"), f.Nested("rope_parameters")
	r := Rope{Type: "default", Theta: theta}
	if now != nil {
		r = ropeFrom(now, theta, "default")
	}
	if old != nil && len(old.Keys()) > 0 { // transformers takes {} for none
		scaled := ropeFrom(old, theta, "")
		if now != nil && scaled.Theta == 0 {
			scaled.Theta = r.Theta
		}
		if now != nil && scaled != r {
			f.Mistake("rope_scaling and rope_parameters contradict each other: %+v and %+v", scaled, r)
		}
		r = scaled
	}
	if r.Theta == 0 {
		r.Theta = 10000 // of all families so far
	}
	return r
}

// ropeFrom reads one rope object; implied is its type where it does not say, ""
// where it must.
func ropeFrom(f *jsontree.Fields, theta float64, implied string) Rope {
	for _, k := range f.Keys() {
		if !slices.Contains(ropeKeys, k) {
			f.Wrong(k, "no such key")
		}
	}
	r := Rope{Type: f.Text("rope_type", f.Text("type", implied)), Theta: f.Positive("rope_theta", theta)}
	if t := f.Text("type", r.Type); t != r.Type {
		f.Wrong("type", "the same as rope_type")
	}
	if theta != 0 && r.Theta != theta {
		f.Mistake("rope_theta is %v, and another one is %v: want one", theta, r.Theta)
	}
	if f.Float("partial_rotary_factor", 1) != 1 {
		f.Wrong("partial_rotary_factor", "1: all of a head is rotated")
	}
	switch r.Type {
	case "default":
	case "linear":
		f.Need("factor")
		r.Factor = f.Positive("factor", 1)
	case "llama3":
		f.Need("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
		r.Factor = f.Positive("factor", 1)
		r.LowFreqFactor = f.Positive("low_freq_factor", 1)
		r.HighFreqFactor = f.Positive("high_freq_factor", 2)
		r.OriginalMaxPositionEmbeddings = f.Int("original_max_position_embeddings", 1, 1, maxPosition)
		if !(r.LowFreqFactor < r.HighFreqFactor) {
			f.Wrong("high_freq_factor", "more than low_freq_factor")
		}
	default:
		f.Mistake("the rope type is %q, want one of default, linear, llama3", r.Type)
	}
	return r
}
