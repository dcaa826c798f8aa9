package simd

import (
	"math"
	"testing"
)

// TestStoreRoundsToNearest: every stored value comes back as it is, and so do the numbers
// around it and around the middles between it and the next.
func TestStoreRoundsToNearest(t *testing.T) {
	for _, d := range []DType{F16, BF16} {
		value := func(bits uint16) float32 {
			var v [1]float32
			Convert(v[:], []byte{byte(bits), byte(bits >> 8)}, d)
			return v[0]
		}
		bits := func(v float32) uint16 {
			var b [2]byte
			Store(b[:], []float32{v}, d)
			return uint16(b[0]) | uint16(b[1])<<8
		}
		infinite := map[DType]uint16{F16: 0x7c00, BF16: 0x7f80}[d]
		for b := range infinite {
			low, high := float64(value(b)), float64(value(b+1))
			if b+1 == infinite { // the next that a larger exponent would have
				high = 2*low - float64(value(b-1))
			}
			middle := float32((low + high) / 2) // exact: a float32 has more digits
			even := b + b&1
			for _, test := range []struct {
				v    float32
				want uint16
			}{
				{value(b), b},
				{middle, even},
				{math.Nextafter32(middle, 0), b},
				{math.Nextafter32(middle, float32(math.Inf(1))), b + 1},
			} {
				if got := bits(test.v); got != test.want {
					t.Fatalf("%v: %v stored as %#04x, want %#04x", d, test.v, got, test.want)
				}
				if got := bits(-test.v); got != test.want|0x8000 {
					t.Fatalf("%v: %v stored as %#04x, want %#04x", d, -test.v, got, test.want|0x8000)
				}
			}
		}
		for _, v := range []float32{float32(math.Inf(1)), math.MaxFloat32} {
			if got := bits(v); got != infinite {
				t.Errorf("%v: %v stored as %#04x, want %#04x", d, v, got, infinite)
			}
		}
		for _, nan := range []uint32{0x7fc00000, 0xff800001, 0x7f802000, 0xffffffff} {
			if v := value(bits(math.Float32frombits(nan))); v == v {
				t.Errorf("%v: a NaN (%#x) stored as %v", d, nan, v)
			}
		}
	}
}

func TestStoreFloat32(t *testing.T) {
	src := []float32{1, -0.5, float32(math.Inf(-1)), 0x1p-149}
	b, back := make([]byte, 16), make([]float32, 4)
	Store(b, src, F32)
	Convert(back, b, F32)
	for i := range src {
		if back[i] != src[i] {
			t.Errorf("%v came back as %v", src[i], back[i])
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a buffer of another length is no panic")
		}
	}()
	Store(b, src, BF16)
}
