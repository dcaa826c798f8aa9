package train

import (
	"encoding/binary"
	"hash/fnv"
)

// A stream is random numbers that depend on what they are for and on nothing
// drawn before: splitmix64 over a counter, keyed by seed, purpose and step.
type stream struct{ key, n uint64 }

func newStream(seed uint64, purpose string, step int) *stream {
	h := fnv.New64a()
	h.Write(binary.LittleEndian.AppendUint64(nil, seed))
	h.Write([]byte(purpose))
	h.Write(binary.LittleEndian.AppendUint64(nil, uint64(step)))
	return &stream{key: h.Sum64()}
}

func (s *stream) next() uint64 {
	s.n++
	z := s.key + s.n*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a value in [0,n), each equally likely: values that would favour
// the first ones are drawn again.
func (s *stream) below(n int) int {
	m := uint64(n)
	for {
		if v := s.next(); v-v%m <= -m {
			return int(v % m)
		}
	}
}

// permutation returns a random order of [0,n) (Fisher and Yates).
func (s *stream) permutation(n int) []int {
	p := make([]int, n)
	for i := range p {
		j := s.below(i + 1)
		p[i] = p[j]
		p[j] = i
	}
	return p
}

// epochOrder is the order of n sequences in an epoch, from 1.
func epochOrder(seed uint64, epoch, n int) []int {
	return newStream(seed, "order", epoch).permutation(n)
}
