package model

import (
	"math"
	"testing"
)

func TestInverseFrequencies(t *testing.T) {
	plain := inverseFrequencies(8, Rope{Type: "default", Theta: 10000})
	for i, want := range []float32{1, 0.1, 0.01, 0.001} {
		if math.Abs(float64(plain[i]-want)) > 1e-7*float64(want) {
			t.Errorf("frequency %d: %g, want %g", i, plain[i], want)
		}
	}
	for i, f := range inverseFrequencies(8, Rope{Type: "linear", Theta: 10000, Factor: 4}) {
		if f != plain[i]/4 {
			t.Errorf("linear frequency %d: %g, want %g", i, f, plain[i]/4)
		}
	}
	// Llama 3.1's numbers: short waves stay, waves over 8192 tokens stretch 8 times.
	l3 := Rope{Type: "llama3", Theta: 500000, Factor: 8, LowFreqFactor: 1, HighFreqFactor: 4, OriginalMaxPositionEmbeddings: 8192}
	plain = inverseFrequencies(128, Rope{Type: "default", Theta: 500000})
	for i, f := range inverseFrequencies(128, l3) {
		wave := 2 * math.Pi / float64(plain[i])
		switch {
		case wave < 2048 && f != plain[i], wave > 8192 && f != plain[i]/8:
			t.Errorf("llama3 frequency %d (wave %.0f): %g from %g", i, wave, f, plain[i])
		case f > plain[i] || f < plain[i]/8:
			t.Errorf("llama3 frequency %d: %g is not between %g and %g", i, f, plain[i]/8, plain[i])
		}
	}
}

// From a few thousand positions on, position·frequency rounded to float32 differs
// from the exact product; transformers uses the former.
func TestAngleIsRoundedToFloat32(t *testing.T) {
	r := &rotary{freq: []float32{0.7234567}, h: 1}
	r.grow(5001)
	if want := float32(math.Cos(float64(float32(5000) * float32(0.7234567)))); r.cos[5000] != want {
		t.Errorf("cos %g, want %g", r.cos[5000], want)
	}
}
