package model

import (
	"math"
	"slices"
	"testing"
)

func TestInverseFrequencies(t *testing.T) {
	plain := inverseFrequencies(8, Rope{Type: "default", Theta: 10000}, 0)
	for i, want := range []float32{1, 0.1, 0.01, 0.001} {
		if math.Abs(float64(plain[i]-want)) > 1e-7*float64(want) {
			t.Errorf("frequency %d: %g, want %g", i, plain[i], want)
		}
	}
	for i, f := range inverseFrequencies(8, Rope{Type: "linear", Theta: 10000, Factor: 4}, 0) {
		if f != plain[i]/4 {
			t.Errorf("linear frequency %d: %g, want %g", i, f, plain[i]/4)
		}
	}
	// Llama 3.1's numbers: short waves stay, waves over 8192 tokens stretch 8 times.
	l3 := Rope{Type: "llama3", Theta: 500000, Factor: 8, LowFreqFactor: 1, HighFreqFactor: 4, OriginalMaxPositionEmbeddings: 8192}
	plain = inverseFrequencies(128, Rope{Type: "default", Theta: 500000}, 0)
	for i, f := range inverseFrequencies(128, l3, 0) {
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
	a := &angles{freq: []float32{0.7234567}}
	a.grow(5001, 0)
	if want := float32(math.Cos(float64(float32(5000) * float32(0.7234567)))); a.cos[5000] != want {
		t.Errorf("cos %g, want %g", a.cos[5000], want)
	}
}

// longer is a rope whose angles depend on the length of the sequence.
func longer(kind string) *rotary {
	r := Rope{Type: kind, Theta: 100, Factor: 2, OriginalMaxPositionEmbeddings: 5, Long: &LongRope{Short: []float64{1, 1}, Long: []float64{2, 3}}}
	return &rotary{rope: r, d: 4, h: 2, angles: map[int]*angles{}}
}

func TestAnglesOfLongerSequences(t *testing.T) {
	for _, kind := range []string{"longrope", "dynamic"} {
		r := longer(kind)
		at := func(length int) []float32 {
			r.prepare(length)
			row := []float32{1, 2, 3, 4}
			r.rotate(row, position{3, length})
			return row
		}
		short, long := at(5), at(6)
		if slices.Equal(short, long) {
			t.Errorf("%s: the angles of 5 tokens are those of 6", kind)
		}
		if again := at(4); !slices.Equal(short, again) {
			t.Errorf("%s: %v of 4 tokens, %v of 5", kind, again, short)
		}
		if same := slices.Equal(long, at(7)); same != (kind == "longrope") {
			t.Errorf("%s: the angles of 6 and of 7 tokens are equal: %v", kind, same)
		}
		for length := 8; length < 40; length++ {
			r.forget()
			at(length)
		}
		if len(r.angles) > fewVariants+1 {
			t.Errorf("%s: %d variants are kept", kind, len(r.angles))
		}
	}
}
