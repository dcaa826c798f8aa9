package model

import (
	"math"

	"example.com/finetune/simd"
)

// A rotary holds the angles of rotary position embedding (rotate-half): row t of
// cos and sin belongs to position t, D/2 values each.
type rotary struct {
	freq         []float32 // D/2 inverse frequencies
	cos, sin     []float32 // positions×D/2
	negSin       []float32 // -sin, for the way back
	positions, h int       // h = D/2
}

// newRotaries returns the rotary of each layer. Layers with the same Rope share one;
// it is nil where nothing is rotated.
func newRotaries(c *Config) []*rotary {
	made := map[Rope]*rotary{{}: nil}
	list := make([]*rotary, len(c.Layers))
	for i, l := range c.Layers {
		if _, ok := made[l.Rope]; !ok {
			made[l.Rope] = &rotary{freq: inverseFrequencies(c.HeadDim, l.Rope), h: c.HeadDim / 2}
		}
		list[i] = made[l.Rope]
	}
	return list
}

// inverseFrequencies follows transformers' modeling_rope_utils.py, in float32 as
// there: θ^(-2i/D), stretched by the rope type.
func inverseFrequencies(headDim int, r Rope) []float32 {
	freq := make([]float32, headDim/2)
	for i := range freq {
		e := float32(2*i) / float32(headDim)
		f := 1 / float32(math.Pow(r.Theta, float64(e)))
		switch r.Type {
		case "linear":
			f /= float32(r.Factor)
		case "llama3":
			f = llama3Frequency(f, r)
		}
		freq[i] = f
	}
	return freq
}

// llama3Frequency leaves short waves alone, divides long ones by the factor and
// blends in between (_compute_llama3_parameters).
func llama3Frequency(f float32, r Rope) float32 {
	old := float32(r.OriginalMaxPositionEmbeddings)
	low, high, factor := float32(r.LowFreqFactor), float32(r.HighFreqFactor), float32(r.Factor)
	wave := float32(2*math.Pi) / f
	switch {
	case wave < old/high:
		return f
	case wave > old/low:
		return f / factor
	}
	smooth := (old/wave - low) / (high - low)
	return float32(float32(1-smooth)*f)/factor + float32(smooth*f)
}

// grow makes the table cover n positions. The angle is position·frequency
// rounded to float32, as transformers computes it; its cosine is exact to float32.
func (r *rotary) grow(n int) {
	for t := r.positions; t < n; t++ {
		for _, f := range r.freq {
			sin, cos := math.Sincos(float64(float32(t) * f))
			r.cos = append(r.cos, float32(cos))
			r.sin = append(r.sin, float32(sin))
			r.negSin = append(r.negSin, float32(-sin))
		}
	}
	r.positions = max(r.positions, n)
}

// rotate rotates the heads of row, which stands at position t. A nil rotary leaves
// them alone.
func (r *rotary) rotate(row []float32, t int) {
	if r != nil {
		r.by(row, t, r.sin)
	}
}

// rotateBackward is the transpose of rotate, for gradients.
func (r *rotary) rotateBackward(row []float32, t int) {
	if r != nil {
		r.by(row, t, r.negSin)
	}
}

func (r *rotary) by(row []float32, t int, sin []float32) {
	cos, sin := r.cos[t*r.h:(t+1)*r.h], sin[t*r.h:(t+1)*r.h]
	for ; len(row) > 0; row = row[2*r.h:] {
		simd.Rotate(row[:2*r.h], cos, sin)
	}
}
