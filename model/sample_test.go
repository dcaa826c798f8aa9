package model

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"example.com/finetune/internal/random"
)

func TestSampler(t *testing.T) {
	logits := []float32{0, 3, 1, 3, -50}
	for _, c := range []struct {
		name string
		s    Sampler
		seen [5]bool
	}{
		{"greedy takes the first of equals", Sampler{}, [5]bool{1: true}},
		{"top-k", Sampler{Temperature: 1, TopK: 2}, [5]bool{1: true, 3: true}},
		{"top-p", Sampler{Temperature: 1, TopP: 0.9}, [5]bool{1: true, 3: true}},
		{"all", Sampler{Temperature: 1, TopP: 1}, [5]bool{true, true, true, true, false}},
		{"cold", Sampler{Temperature: 0.01}, [5]bool{1: true, 3: true}},
	} {
		var seen [5]bool
		for range 2000 {
			seen[c.s.Next(logits)] = true
		}
		if seen != c.seen {
			t.Errorf("%s: drew %v, want %v", c.name, seen, c.seen)
		}
	}
}

func TestSamplerDrawsBySoftmax(t *testing.T) {
	s := Sampler{Temperature: 2, Seed: 9}
	logits := []float32{0, 1, 2}
	const n = 20000
	var count [3]float64
	for range n {
		count[s.Next(logits)]++
	}
	z := 1 + math.Exp(.5) + math.E
	for i, want := range []float64{1 / z, math.Exp(.5) / z, math.E / z} {
		if got := count[i] / n; math.Abs(got-want) > 4*math.Sqrt(want/n) {
			t.Errorf("token %d: drawn %.4f of the time, want %.4f", i, got, want)
		}
	}
}

// sorted draws as the definition says: from all tokens, sorted.
func sorted(s *Sampler, logits []float32) int32 {
	list, all, top := make([]candidate, len(logits)), 0.0, slices.Max(logits)
	for i, v := range logits {
		list[i] = candidate{int32(i), math.Exp(float64(v-top) / s.Temperature)}
		all += list[i].p
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(b.p, a.p) })
	if s.TopK > 0 && s.TopK < len(list) {
		list = list[:s.TopK]
		all = total(list)
	}
	if s.TopP > 0 && s.TopP < 1 {
		list = nucleus(list, s.TopP*all)
		all = total(list)
	}
	s.draws++
	u := float64(random.Unit(random.At(s.Seed, s.draws)) * all)
	for _, c := range list {
		if u -= c.p; u < 0 {
			return c.id
		}
	}
	return list[len(list)-1].id
}

// What is drawn is what sorting the whole vocabulary would give, equal logits included.
func TestSamplerDrawsAsIfAllWereSorted(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, s := range []Sampler{
		{Temperature: 1},
		{Temperature: 0.1},
		{Temperature: 50},
		{Temperature: 1, TopK: 1},
		{Temperature: 1, TopK: 20},
		{Temperature: 1, TopK: 5000},
		{Temperature: 1, TopP: 0.9},
		{Temperature: 3, TopP: 0.5},
		{Temperature: 1, TopP: 1e-9},
		{Temperature: 2, TopK: 50, TopP: 0.8},
		{Temperature: 1, TopK: 3, TopP: 1},
	} {
		s.Seed = 7
		same := s
		for range 200 {
			logits := make([]float32, 1+rng.IntN(700))
			for i := range logits {
				logits[i] = float32(rng.IntN(40)) / 4 // many are equal
				if rng.IntN(2) == 0 {
					logits[i] = float32(3 * rng.NormFloat64())
				}
			}
			if got, want := s.Next(logits), sorted(&same, logits); got != want {
				t.Fatalf("%+v: drew %d, want %d", same, got, want)
			}
		}
	}
}

func BenchmarkSampler(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	logits := make([]float32, 49152)
	for i := range logits {
		logits[i] = float32(3 * rng.NormFloat64())
	}
	s := Sampler{Temperature: 0.8, TopP: 0.95}
	b.Run("heap", func(b *testing.B) {
		for b.Loop() {
			s.Next(logits)
		}
	})
	b.Run("sorted", func(b *testing.B) {
		for b.Loop() {
			sorted(&s, logits)
		}
	})
}
