package model

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"example.com/finetune/simd"
)

// decoder returns an empty text of the toy model, whose layers look back by windows and
// without.
func decoder(t *testing.T, m *Model, capacity int) *Decoder {
	t.Helper()
	p := simd.NewPool(2)
	t.Cleanup(p.Close)
	return NewDecoder(NewEngine(m, p), capacity)
}

// equalBits fails unless logits are the same, bit by bit.
func equalBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: logit %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// A text that was cut and went on otherwise is the text that began so, whatever was
// there before, NaN included; so is one that came in other portions or has grown.
func TestTruncatedTextIsAFreshOne(t *testing.T) {
	m, _ := toy(t)
	rng := rand.New(rand.NewPCG(8, 9))
	long := ids(24, m.Config.VocabSize, rng)
	for n := range 12 {
		other := slices.Concat(long[:n], ids(9, m.Config.VocabSize, rng))
		want := slices.Clone(decoder(t, m, 40).Append(other))

		d := decoder(t, m, 40)
		d.Append(long)
		d.Truncate(n)
		poison(d, n)
		equalBits(t, "cut", d.Append(other[n:]), want)

		d.Truncate(n)
		for _, id := range other[n : len(other)-1] {
			d.Append([]int32{id})
		}
		equalBits(t, "token by token", d.Append(other[len(other)-1:]), want)

		d = decoder(t, m, 24)
		d.Append(long)
		d.Truncate(n)
		d.Grow(300)
		if d.Capacity() != 300 || d.Len() != n {
			t.Fatalf("%d of %d tokens, want %d of 300", d.Len(), d.Capacity(), n)
		}
		equalBits(t, "grown", d.Append(other[n:]), want)
	}
}

// poison makes what a decoder holds behind its first n tokens NaN.
func poison(d *Decoder, n int) {
	nan, stride := float32(math.NaN()), paddedTokens(d.capacity)
	for l := range d.keys {
		for i := range d.keys[l] {
			if i%stride >= n {
				d.keys[l][i] = nan
			}
		}
		for i := n * d.e.kvWidth; i < len(d.values[l]); i++ {
			d.values[l][i] = nan
		}
	}
}

func TestTruncateKnowsItsBounds(t *testing.T) {
	m, _ := toy(t)
	d := decoder(t, m, 8)
	d.Append([]int32{1, 2})
	for _, n := range []int{-1, 3} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Truncate(%d) of 2 tokens did not panic", n)
				}
			}()
			d.Truncate(n)
		}()
	}
}
