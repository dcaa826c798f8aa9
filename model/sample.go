package model

import (
	"math"
	"slices"

	"example.com/finetune/internal/random"
)

// A Sampler picks the next token. Temperature 0 is greedy: the first of the
// largest logits. TopK 0 and TopP 1 (or 0) keep all tokens. The n-th draw depends
// on Seed and n alone.
type Sampler struct {
	Temperature, TopP float64
	TopK              int
	Seed              uint64

	draws      uint64
	candidates candidates
}

// Next returns a token drawn from softmax(logits/Temperature), cut to the TopK
// likeliest and then to the fewest whose probability reaches TopP.
func (s *Sampler) Next(logits []float32) int32 {
	if s.Temperature <= 0 {
		return greedy(logits)
	}
	top := slices.Max(logits)
	list, all := s.candidates[:0], 0.0
	for i, v := range logits {
		p := math.Exp(float64(v-top) / s.Temperature)
		list = append(list, candidate{int32(i), p})
		all += p
	}
	s.candidates = list
	list.heapify()
	kept := s.keep(list, all)
	if kept != nil {
		all = total(kept)
	}
	s.draws++
	u := float64(random.Unit(random.At(s.Seed, s.draws)) * all) // rounded, not fused with what is taken off
	for _, c := range kept {
		if u -= c.p; u < 0 {
			return c.id
		}
	}
	if kept != nil {
		return kept[len(kept)-1].id
	}
	for {
		c := list.pop()
		if u -= c.p; u < 0 || len(list) == 0 {
			return c.id
		}
	}
}

// greedy returns the first of the largest logits.
func greedy(logits []float32) int32 {
	best := 0
	for i, v := range logits {
		if v > logits[best] {
			best = i
		}
	}
	return int32(best)
}

// keep returns the likeliest candidates of the heap that TopK and TopP leave, in
// descending order; nil where they leave all. all is the sum over the heap.
func (s *Sampler) keep(list candidates, all float64) []candidate {
	some, share := s.TopK > 0 && s.TopK < len(list), s.TopP > 0 && s.TopP < 1
	var kept []candidate
	switch {
	case some:
		for range s.TopK {
			kept = append(kept, list.pop())
		}
		if share {
			return nucleus(kept, s.TopP*total(kept))
		}
	case share:
		for sum := 0.0; sum < s.TopP*all && len(list) > 0; sum += kept[len(kept)-1].p {
			kept = append(kept, list.pop())
		}
	}
	return kept
}

// nucleus returns the shortest beginning of list that holds the probability want.
func nucleus(list []candidate, want float64) []candidate {
	sum := 0.0
	for i, c := range list {
		if sum += c.p; sum >= want {
			return list[:i+1]
		}
	}
	return list
}

func total(list []candidate) (sum float64) {
	for _, c := range list {
		sum += c.p
	}
	return sum
}

// A candidate is a token with its probability, up to a factor they share.
type candidate struct {
	id int32
	p  float64
}

// candidates are a binary heap, the likeliest on top and of equals the first: a draw
// looks at a few of a vocabulary, and sorting all of it would take longer than some
// models take for a token.
type candidates []candidate

func (h candidates) before(i, j int) bool {
	return h[i].p > h[j].p || h[i].p == h[j].p && h[i].id < h[j].id
}

func (h candidates) heapify() {
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.sift(i)
	}
}

// sift moves candidate i down to where it belongs.
func (h candidates) sift(i int) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h.before(child+1, child) {
			child++
		}
		if !h.before(child, i) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// pop takes the likeliest candidate out.
func (h *candidates) pop() candidate {
	list := *h
	best, last := list[0], len(list)-1
	list[0] = list[last]
	*h = list[:last]
	h.sift(0)
	return best
}
