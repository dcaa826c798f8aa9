package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"example.com/finetune/simd"
)

// decoding returns an engine on the toy model, whose layers look back by windows and
// without.
func decoding(t *testing.T, m *Model, threads int) *Engine {
	t.Helper()
	p := simd.NewPool(threads)
	t.Cleanup(p.Close)
	return NewEngine(m, p)
}

// extend adds tokens to one text and returns the logits behind them.
func extend(e *Engine, text *Text, ids []int32) []float32 {
	return slices.Clone(e.Extend([]Portion{{text, ids, true}}).Row(0))
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

// A text that was cut or forked and went on otherwise is the text that began so, whatever
// was there before, NaN included; so is one that came in other portions.
func TestTruncatedTextIsAFreshOne(t *testing.T) {
	m, _ := toy(t)
	e := decoding(t, m, 2)
	rng := rand.New(rand.NewPCG(8, 9))
	long := ids(600, m.Config.VocabSize, rng)
	for _, n := range []int{0, 1, 7, keyBlock - 1, keyBlock, keyBlock + 1, 2 * keyBlock, 599} {
		other := slices.Concat(long[:n], ids(9, m.Config.VocabSize, rng))
		want := extend(e, new(Text), other)

		text := new(Text)
		extend(e, text, long)
		fork := text.Fork(n)
		kept := text.Fork(text.Len())
		text.Truncate(n)
		poison(text, n)
		equalBits(t, "cut", extend(e, text, other[n:]), want)
		equalBits(t, "forked", extend(e, fork, other[n:]), want)
		if !slices.Equal(fork.IDs(), other) {
			t.Errorf("forked at %d: other tokens", n)
		}
		more := ids(3, m.Config.VocabSize, rng)
		equalBits(t, "forked before", extend(e, kept, more), extend(e, new(Text), slices.Concat(long, more)))

		text.Truncate(n)
		for _, id := range other[n : len(other)-1] {
			extend(e, text, []int32{id})
		}
		equalBits(t, "token by token", extend(e, text, other[len(other)-1:]), want)
	}
}

// poison makes what a text's own pages hold behind its first n tokens NaN.
func poison(text *Text, n int) {
	nan := float32(math.NaN())
	for at, p := range text.pages {
		if p.shared {
			continue
		}
		from := max(0, n-at*keyBlock)
		for l := range p.keys {
			for i := range p.keys[l] {
				if i%pageStride >= from {
					p.keys[l][i] = nan
				}
			}
			width := len(p.values[l]) / keyBlock
			for i := from * width; i < len(p.values[l]); i++ {
				p.values[l][i] = nan
			}
		}
	}
}

// Texts that are extended together, by portions of any length, asking or not, with some
// that leave and some that join by forking, are what each is alone, on any number of threads.
func TestTextsTogetherAreTextsAlone(t *testing.T) {
	m, _ := toy(t)
	for threads := 1; threads <= 3; threads++ {
		e, alone := decoding(t, m, threads), decoding(t, m, 1)
		rng := rand.New(rand.NewPCG(uint64(threads), 5))
		texts := []*Text{new(Text)}
		for round := range 25 {
			var parts []Portion
			var want [][]float32
			for _, i := range rng.Perm(len(texts)) {
				if rng.IntN(4) == 0 && len(parts) > 0 {
					continue
				}
				n := 1
				if rng.IntN(3) == 0 {
					n += rng.IntN(140)
				}
				p := Portion{texts[i], ids(n, m.Config.VocabSize, rng), rng.IntN(3) > 0}
				if parts = append(parts, p); p.Ask {
					want = append(want, extend(alone, new(Text), slices.Concat(p.Text.IDs(), p.IDs)))
				}
			}
			logits := e.Extend(parts)
			if logits.Rows != len(want) {
				t.Fatalf("%d rows of logits, want %d", logits.Rows, len(want))
			}
			for i := range want {
				equalBits(t, fmt.Sprintf("round %d, %d texts, %d threads", round, len(parts), threads), logits.Row(i), want[i])
			}
			from := texts[rng.IntN(len(texts))]
			if texts = append(texts, from.Fork(rng.IntN(from.Len()+1))); len(texts) > 9 {
				texts = slices.Delete(texts, 0, 3)
			}
		}
	}
}

func TestTruncateKnowsItsBounds(t *testing.T) {
	m, _ := toy(t)
	e, text := decoding(t, m, 1), new(Text)
	extend(e, text, []int32{1, 2})
	for _, n := range []int{-1, 3} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Truncate(%d) of 2 tokens did not panic", n)
				}
			}()
			text.Truncate(n)
		}()
	}
}
