package simd

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Store writes src to dst as values of type d, each rounded once to the nearest, ties to
// even. What is too large becomes infinite, a NaN stays one.
func Store(dst []byte, src []float32, d DType) {
	if len(dst) != len(src)*d.Size() {
		panic(fmt.Sprintf("simd: Store: %d bytes for %d %v", len(dst), len(src), d))
	}
	switch d {
	case F32:
		if littleEndian {
			copy(dst, bytesOf(src))
			return
		}
		for i, v := range src {
			binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(v))
		}
	case F16:
		for i, v := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], half(v))
		}
	case BF16:
		for i, v := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], brain(v))
		}
	}
}

// brain returns the bits of the nearest bfloat16. Subnormals stay, as in PyTorch; in
// products they are zeros, see bfloat16.
func brain(x float32) uint16 {
	b := math.Float32bits(x)
	if x != x {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// half returns the bits of the nearest IEEE half-precision number.
func half(x float32) uint16 {
	b := math.Float32bits(x)
	sign, magnitude := uint16(b>>16)&0x8000, b&0x7fffffff
	switch {
	case magnitude > 0x7f800000: // NaN, made quiet
		return sign | 0x7e00 | uint16(magnitude>>13)&0x1ff
	case magnitude >= 0x47800000: // 2¹⁶ and more; what lies between 65520 and it rounds up to there below
		return sign | 0x7c00
	case magnitude >= 0x38800000: // normal, from 2⁻¹⁴ on: the exponent's bias falls from 127 to 15
		m := magnitude - 112<<23
		return sign | uint16((m+0xfff+m>>13&1)>>13)
	case magnitude < 0x33000000: // below 2⁻²⁵, half of the smallest
		return sign
	}
	// Subnormal: m·2^(e-150) as a multiple of 2⁻²⁴.
	m, shift := magnitude&0x7fffff|0x800000, 126-magnitude>>23
	q, rest, tie := m>>shift, m&(1<<shift-1), uint32(1)<<(shift-1)
	if rest > tie || rest == tie && q&1 == 1 {
		q++
	}
	return sign | uint16(q)
}
