package random

import (
	"encoding/binary"
	"hash/fnv"
)

// A Stream is a sequence of random numbers.
type Stream struct {
	key, n uint64 // n is how many were drawn
}

// ForStep returns the stream of a purpose at a step.
func ForStep(seed uint64, purpose string, step int) *Stream {
	h := fnv.New64a()
	h.Write(binary.LittleEndian.AppendUint64(nil, seed))
	h.Write([]byte(purpose))
	h.Write(binary.LittleEndian.AppendUint64(nil, uint64(step)))
	return &Stream{key: h.Sum64()}
}

// ForNames returns the stream of a purpose that a list of names tells.
func ForNames(seed uint64, names ...string) *Stream {
	h := fnv.New64a()
	h.Write(binary.LittleEndian.AppendUint64(nil, seed))
	for _, s := range names {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	return &Stream{key: h.Sum64()}
}

// At returns number n, from 1, of the stream with this key.
func At(key, n uint64) uint64 {
	z := key + n*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Unit maps 64 random bits to one of the 2⁵³ evenly spaced values of [0,1).
func Unit(bits uint64) float64 { return float64(bits>>11) * 0x1p-53 }

// Uint64 returns 64 random bits.
func (s *Stream) Uint64() uint64 {
	s.n++
	return At(s.key, s.n)
}

// Float64 returns a value in [0,1).
func (s *Stream) Float64() float64 { return Unit(s.Uint64()) }

// Below returns a value in [0,n), each equally likely: values that would favour the
// first ones are drawn again.
func (s *Stream) Below(n int) int {
	m := uint64(n)
	for {
		if v := s.Uint64(); v-v%m <= -m {
			return int(v % m)
		}
	}
}

// Permutation returns a random order of [0,n) (Fisher and Yates).
func (s *Stream) Permutation(n int) []int {
	p := make([]int, n)
	for i := range p {
		j := s.Below(i + 1)
		p[i] = p[j]
		p[j] = i
	}
	return p
}

// Signs fills x with ±1, one bit each: a Rademacher sketch needs no transcendental
// functions, whose last bits differ between architectures.
func (s *Stream) Signs(x []float32) {
	var bits uint64
	for i := range x {
		if i%64 == 0 {
			bits = s.Uint64()
		}
		x[i] = 1 - 2*float32(bits&1)
		bits >>= 1
	}
}
