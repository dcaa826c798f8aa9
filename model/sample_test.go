package model

import (
	"math"
	"testing"
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
