package gguf

import (
	"math"
	"slices"

	"example.com/finetune/model"
)

// ropeKeys returns the keys of how positions become angles.
func (a architecture) ropeKeys(s layers, headDim int) ([]KeyValue, error) {
	r, dim := s.rope, headDim
	if r.Partial != 0 {
		dim = int(float64(headDim) * r.Partial)
	}
	keys := []KeyValue{{"rope.dimension_count", uint32(dim)}, {"rope.freq_base", float32(r.Theta)}}
	if a.nearTheta && s.near.Type != "" {
		keys = append(keys, KeyValue{"rope.freq_base_swa", float32(s.near.Theta)})
	}
	if !slices.Contains(a.ropes, r.Type) {
		return nil, refused("the rope type %q is not written as GGUF for %s", r.Type, a.name)
	}
	original := KeyValue{"rope.scaling.original_context_length", uint32(r.OriginalMaxPositionEmbeddings)}
	switch r.Type {
	case "linear":
		keys = append(keys, KeyValue{"rope.scaling.type", "linear"}, KeyValue{"rope.scaling.factor", float32(r.Factor)})
	case "yarn":
		if r.BetaFast != 32 || r.BetaSlow != 1 || !r.Whole {
			return nil, refused("a yarn rope with beta_fast %v, beta_slow %v, truncate %v: in llama.cpp it has 32, 1, true for %s", r.BetaFast, r.BetaSlow, r.Whole, a.name)
		}
		keys = append(keys, KeyValue{"rope.scaling.type", "yarn"}, KeyValue{"rope.scaling.factor", float32(r.Factor)}, original)
		usual := float64(0.1*math.Log(max(r.Factor, 1))) + 1 // what llama.cpp multiplies by of itself
		if r.AttentionFactor != usual {
			keys = append(keys, KeyValue{"rope.scaling.attn_factor", float32(r.AttentionFactor / usual)})
		}
	case "longrope":
		keys = append(keys, KeyValue{"rope.scaling.type", "longrope"}, original, KeyValue{"rope.scaling.attn_factor", float32(r.AttentionFactor)})
	}
	return keys, nil
}

// ropeTensors returns what frequencies are divided by, where each has its own number.
func ropeTensors(c *model.Config) []Tensor {
	vector := func(name string, x []float32) Tensor {
		return Tensor{name, []int{len(x)}, F32, func(dst []float32, _, _ int) { copy(dst, x) }}
	}
	switch r := c.Layers[0].Rope; r.Type {
	case "llama3":
		return []Tensor{vector("rope_freqs.weight", llama3Factors(r, c.HeadDim))}
	case "longrope":
		return []Tensor{vector("rope_factors_long.weight", narrow(r.Long.Long)), vector("rope_factors_short.weight", narrow(r.Long.Short))}
	}
	return nil
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

// llama3Factors returns what the frequencies are divided by, in float32 as transformers
// and the official script have them (_compute_llama3_parameters).
func llama3Factors(r model.Rope, headDim int) []float32 {
	factors := make([]float32, headDim/2)
	low := float64(r.OriginalMaxPositionEmbeddings) / r.LowFreqFactor
	high := float64(r.OriginalMaxPositionEmbeddings) / r.HighFreqFactor
	for i := range factors {
		frequency := 1 / float32(math.Pow(r.Theta, float64(float32(2*i)/float32(headDim))))
		length := float64(float32(2*math.Pi) / frequency)
		switch {
		case length < high:
			factors[i] = 1
		case length > low:
			factors[i] = float32(r.Factor)
		default:
			smooth := (float32(float64(r.OriginalMaxPositionEmbeddings)/length) - float32(r.LowFreqFactor)) / float32(r.HighFreqFactor-r.LowFreqFactor)
			factors[i] = 1 / (float32((1-smooth)/float32(r.Factor)) + smooth)
		}
	}
	return factors
}
