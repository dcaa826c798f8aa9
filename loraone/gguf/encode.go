package gguf

import (
	"encoding/binary"
	"fmt"
	"math"

	"example.com/finetune/internal/hint"
	"example.com/finetune/simd"
)

// A Type is how a tensor's values are stored; the numbers are ggml's.
type Type uint32

// The types that are written. Others are made from F16 by llama.cpp's llama-quantize.
const (
	F32  Type = 0
	F16  Type = 1
	Q8_0 Type = 8 // blocks of 32 bytes and a scale in F16
	BF16 Type = 30
)

// ParseType returns the type with a name such as q8_0.
func ParseType(name string) (Type, error) {
	for _, t := range []Type{F32, F16, BF16, Q8_0} {
		if name == t.String() {
			return t, nil
		}
	}
	return 0, fmt.Errorf("the type is %q, want f32, f16, bf16 or q8_0", name)
}

// String returns a type's name, "" for one that is not written.
func (t Type) String() string {
	switch t {
	case F32:
		return "f32"
	case F16:
		return "f16"
	case BF16:
		return "bf16"
	case Q8_0:
		return "q8_0"
	}
	return ""
}

// fileType returns general.file_type of a model whose matrices are of type t.
func (t Type) fileType() uint32 {
	return map[Type]uint32{F32: 0, F16: 1, Q8_0: 7, BF16: 32}[t]
}

// quant is how many values share a scale in Q8_0.
const quant = 32

// block returns of what number a row's length is a multiple.
func (t Type) block() int {
	if t == Q8_0 {
		return quant
	}
	return 1
}

// bytes returns the size of n values, whole blocks.
func (t Type) bytes(n int) int {
	if t == Q8_0 {
		return n / quant * (2 + quant)
	}
	return n * t.stored().Size()
}

// stored returns the type of plain values.
func (t Type) stored() simd.DType {
	return map[Type]simd.DType{F32: simd.F32, F16: simd.F16, BF16: simd.BF16}[t]
}

// encode writes whole rows. A value that the type does not hold is an error.
func (t Type) encode(dst []byte, x []float32) error {
	if t == Q8_0 {
		for i := range len(x) / quant {
			if err := encodeBlock(dst[i*(2+quant):], x[i*quant:(i+1)*quant]); err != nil {
				return err
			}
		}
		return nil
	}
	most := map[Type]float32{F32: math.MaxFloat32, F16: 65519, BF16: 0x1.fep127}[t]
	for _, v := range x {
		if !(v >= -most && v <= most) {
			return t.tooLarge(v)
		}
	}
	simd.Store(dst, x, t.stored())
	return nil
}

// encodeBlock writes 32 values as multiples of a 127th of the largest, each rounded away
// from zero where it lies between two, as ggml's quantize_row_q8_0_ref.
func encodeBlock(dst []byte, x []float32) error {
	top := float32(0)
	for _, v := range x {
		if v != v {
			return Q8_0.tooLarge(v)
		}
		top = max(top, v, -v)
	}
	d := top / 127
	if d > 65504 {
		return Q8_0.tooLarge(top)
	}
	inverse := float32(0)
	if d != 0 {
		inverse = 1 / d
	}
	var scale [2]byte
	simd.Store(scale[:], []float32{d}, simd.F16)
	binary.LittleEndian.PutUint16(dst, binary.LittleEndian.Uint16(scale[:]))
	for i, v := range x {
		dst[2+i] = byte(int8(math.Round(float64(float32(v * inverse)))))
	}
	return nil
}

func (t Type) tooLarge(v float32) error {
	err := fmt.Errorf("holds %v, which %v does not", v, t)
	if t == F16 {
		return hint.New(err, "--type bf16 and --type f32 hold it")
	}
	return err
}
