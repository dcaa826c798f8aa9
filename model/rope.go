package model

import (
	"math"

	"example.com/finetune/simd"
)

// A rotary holds the angles of rotary position embedding (rotate-half) of one Rope. Most
// have the same angles in all sequences; with others they depend on the length of the
// sequence.
type rotary struct {
	rope   Rope
	d, h   int             // of the d values of a head the first 2h are rotated, in pairs
	angles map[int]*angles // by variant
}

// Angles are those of one variant: row t belongs to position t, h values each.
type angles struct {
	freq      []float32 // inverse frequencies
	cos, sin  []float32 // positions×h
	negSin    []float32 // -sin, for the way back
	positions int
}

// newRotaries returns the rotary of each layer. Layers with the same Rope share one;
// it is nil where nothing is rotated.
func newRotaries(c *Config) []*rotary {
	made := map[Rope]*rotary{{}: nil}
	list := make([]*rotary, len(c.Layers))
	for i, l := range c.Layers {
		if _, ok := made[l.Rope]; !ok {
			made[l.Rope] = &rotary{rope: l.Rope, d: c.HeadDim, h: l.Rope.dim(c.HeadDim) / 2, angles: map[int]*angles{}}
		}
		list[i] = made[l.Rope]
	}
	return list
}

// variant returns which angles a sequence of some tokens has: 0 for the usual ones.
func (r *rotary) variant(length int) int {
	switch {
	case length <= r.rope.OriginalMaxPositionEmbeddings:
	case r.rope.Type == "longrope":
		return 1
	case r.rope.Type == "dynamic":
		return length
	}
	return 0
}

// usualLength returns the longest sequence whose angles are the usual ones in all layers.
func (c *Config) usualLength() int {
	n := math.MaxInt
	for _, l := range c.Layers {
		if t := l.Rope.Type; t == "longrope" || t == "dynamic" {
			n = min(n, l.Rope.OriginalMaxPositionEmbeddings)
		}
	}
	return n
}

// fewVariants is how many are kept: a model of type dynamic has one for each length that
// it was not made for.
const fewVariants = 8

// prepare makes the angles of a sequence of some tokens.
func (r *rotary) prepare(length int) {
	v := r.variant(length)
	a := r.angles[v]
	if a == nil {
		a = &angles{freq: inverseFrequencies(2*r.h, r.rope, v)}
		r.angles[v] = a
	}
	a.grow(length, r.rope.AttentionFactor)
}

// forget drops angles where there are many.
func (r *rotary) forget() {
	if len(r.angles) > fewVariants {
		clear(r.angles)
	}
}

// inverseFrequencies follows transformers' modeling_rope_utils.py, in float32 as
// there: θ^(-2i/dim), stretched by the rope type.
func inverseFrequencies(dim int, r Rope, variant int) []float32 {
	freq := make([]float32, dim/2)
	theta := r.Theta
	if r.Type == "dynamic" && variant > 0 { // _compute_dynamic_ntk_parameters
		longer := float64(r.Factor*float64(variant)/float64(r.OriginalMaxPositionEmbeddings)) - (r.Factor - 1)
		theta *= math.Pow(longer, float64(dim)/float64(dim-2))
	}
	low, high := r.yarnBounds(dim)
	for i := range freq {
		e := float32(2*i) / float32(dim)
		power := float32(math.Pow(theta, float64(e)))
		f := 1 / power
		switch r.Type {
		case "linear":
			f /= float32(r.Factor)
		case "llama3":
			f = llama3Frequency(f, r)
		case "yarn":
			ramp := min(max((float32(i)-float32(low))/float32(high-low), 0), 1)
			kept := 1 - ramp
			f = float32(1/float32(float32(r.Factor)*power)*(1-kept)) + float32(f*kept)
		case "longrope":
			f = 1 / float32(float32([2][]float64{r.Long.Short, r.Long.Long}[variant][i])*power)
		}
		freq[i] = f
	}
	return freq
}

// yarnBounds returns between which frequencies the stretching sets in: those that turn
// BetaFast and BetaSlow times in the original positions (_compute_yarn_parameters).
func (r *Rope) yarnBounds(dim int) (low, high float64) {
	if r.Type != "yarn" {
		return 0, 0
	}
	at := func(rotations float64) float64 {
		return float64(dim) * math.Log(float64(r.OriginalMaxPositionEmbeddings)/(rotations*2*math.Pi)) / (2 * math.Log(r.Theta))
	}
	low, high = at(r.BetaFast), at(r.BetaSlow)
	if r.Whole {
		low, high = math.Floor(low), math.Ceil(high)
	}
	if low, high = max(low, 0), min(high, float64(dim-1)); low == high {
		high += 0.001
	}
	return low, high
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
// rounded to float32, as transformers computes it; its cosine is exact to float32, and
// then multiplied by the attention factor where there is one.
func (a *angles) grow(n int, factor float64) {
	for t := a.positions; t < n; t++ {
		for _, f := range a.freq {
			s, c := math.Sincos(float64(float32(t) * f))
			sin, cos := float32(s), float32(c)
			if factor != 0 {
				sin, cos = sin*float32(factor), cos*float32(factor)
			}
			a.cos = append(a.cos, cos)
			a.sin = append(a.sin, sin)
			a.negSin = append(a.negSin, -sin)
		}
	}
	a.positions = max(a.positions, n)
}

// rotate rotates the heads of row, at position p. A nil rotary leaves them alone.
func (r *rotary) rotate(row []float32, p position) {
	if r != nil {
		a := r.angles[r.variant(p.length)]
		r.by(row, a.cos, a.sin, p.t)
	}
}

// rotateBackward is the transpose of rotate, for gradients.
func (r *rotary) rotateBackward(row []float32, p position) {
	if r != nil {
		a := r.angles[r.variant(p.length)]
		r.by(row, a.cos, a.negSin, p.t)
	}
}

func (r *rotary) by(row, cos, sin []float32, t int) {
	cos, sin = cos[t*r.h:(t+1)*r.h], sin[t*r.h:(t+1)*r.h]
	for ; len(row) > 0; row = row[r.d:] {
		simd.Rotate(row[:2*r.h], cos, sin)
	}
}
