package loraone

import (
	"encoding/binary"
	"hash/fnv"
)

// A stream is random numbers that depend on what they are for and on nothing
// drawn before: splitmix64 over a counter, keyed by a seed and names.
type stream struct{ key, n uint64 }

func newStream(seed uint64, names ...string) *stream {
	h := fnv.New64a()
	h.Write(binary.LittleEndian.AppendUint64(nil, seed))
	for _, s := range names {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	return &stream{key: h.Sum64()}
}

func (s *stream) uint64() uint64 {
	s.n++
	z := s.key + s.n*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// uniform returns a value in [0,1).
func (s *stream) uniform() float64 { return float64(s.uint64()>>11) * 0x1p-53 }

// signs fills x with ±1: a Rademacher sketch needs no transcendental functions,
// whose last bits differ between architectures.
func (s *stream) signs(x []float32) {
	var bits uint64
	for i := range x {
		if i%64 == 0 {
			bits = s.uint64()
		}
		x[i] = 1 - 2*float32(bits&1)
		bits >>= 1
	}
}
