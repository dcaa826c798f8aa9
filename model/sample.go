package model

import (
	"cmp"
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

	draws uint64
}

type candidate struct {
	id int32
	p  float64
}

// Next returns a token drawn from softmax(logits/Temperature), cut to the TopK
// likeliest and then to the fewest whose probability reaches TopP.
func (s *Sampler) Next(logits []float32) int32 {
	if s.Temperature <= 0 {
		best := 0
		for i, v := range logits {
			if v > logits[best] {
				best = i
			}
		}
		return int32(best)
	}
	list := make([]candidate, len(logits))
	top := slices.Max(logits)
	for i, v := range logits {
		list[i] = candidate{int32(i), math.Exp(float64(v-top) / s.Temperature)}
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(b.p, a.p) })
	if s.TopK > 0 && s.TopK < len(list) {
		list = list[:s.TopK]
	}
	list = nucleus(list, s.TopP)
	s.draws++
	u := random.Unit(random.At(s.Seed, s.draws)) * total(list)
	for _, c := range list {
		if u -= c.p; u < 0 {
			return c.id
		}
	}
	return list[len(list)-1].id
}

// nucleus keeps the shortest head of list that holds the share topP.
func nucleus(list []candidate, topP float64) []candidate {
	if topP <= 0 || topP >= 1 {
		return list
	}
	want, sum := topP*total(list), 0.0
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
