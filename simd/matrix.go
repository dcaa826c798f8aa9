package simd

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"
)

// A DType is how a weight is stored.
type DType uint8

// The stored types, all little-endian.
const (
	F32 DType = iota
	F16
	BF16
)

const dtypeCount = BF16 + 1

// Size returns the bytes of one element.
func (d DType) Size() int {
	if d == F32 {
		return 4
	}
	return 2
}

// String returns the safetensors name of the type.
func (d DType) String() string { return [...]string{"F32", "F16", "BF16"}[d] }

// A Matrix is a frozen Rows×Cols weight, row-major, in the bytes it is stored
// in. Data is aligned to the element size and never written.
type Matrix struct {
	Data       []byte
	DType      DType
	Rows, Cols int
}

// Float32Matrix returns rows×cols values as a Matrix that shares their memory.
func Float32Matrix(values []float32, rows, cols int) Matrix {
	if len(values) != rows*cols {
		panic(fmt.Sprintf("simd: Float32Matrix: %d values for %d×%d", len(values), rows, cols))
	}
	return Matrix{Data: bytesOf(values), DType: F32, Rows: rows, Cols: cols}
}

// Row sets dst to row i in float32, exactly.
func (m Matrix) Row(dst []float32, i int) {
	if len(dst) != m.Cols {
		panic(fmt.Sprintf("simd: Matrix.Row: len(dst)=%d, Cols=%d", len(dst), m.Cols))
	}
	size := m.DType.Size()
	Convert(dst, m.Data[i*m.Cols*size:(i+1)*m.Cols*size], m.DType)
}

// Convert writes the stored values of src to dst as float32, exactly.
func Convert(dst []float32, src []byte, d DType) {
	if len(src) != len(dst)*d.Size() {
		panic(fmt.Sprintf("simd: Convert: %d bytes for %d %v", len(src), len(dst), d))
	}
	if n := whole(len(dst)); n > 0 && d != F32 {
		active.convert[d](n, at(dst), at(src))
		dst, src = dst[n:], src[2*n:]
	}
	switch d {
	case F32:
		if littleEndian {
			copy(bytesOf(dst), src)
			return
		}
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		}
	case F16:
		for i := range dst {
			dst[i] = float16(binary.LittleEndian.Uint16(src[2*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
		}
	}
}

// float16 returns the value of IEEE half-precision bits.
func float16(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&1023
	switch exp {
	case 0: // zero or subnormal: frac·2⁻²⁴ is exact
		return math.Float32frombits(math.Float32bits(float32(frac)*0x1p-24) | sign)
	case 31: // Inf, or NaN made quiet, as VCVTPH2PS and FCVTL do
		if frac != 0 {
			frac |= 512
		}
		return math.Float32frombits(sign | 255<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// littleEndian reports whether this machine has the byte order of stored weights.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// bytesOf returns the memory of s.
func bytesOf(s []float32) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), 4*len(s))
}

// A View is a strided float32 matrix: element (i,j) is Data[i*RowStride+j*ColStride].
type View struct {
	Data                 []float32
	Rows, Cols           int
	RowStride, ColStride int
}

// Pitch returns a row stride for rows of n values, at which products read them
// fast: n, or a little more where n values are a multiple of 1 KB.
func Pitch(n int) int {
	if n%slowStride == 0 {
		return n + 16
	}
	return n
}

// Dense returns the row-major rows×cols view of data, which may be longer.
func Dense(data []float32, rows, cols int) View {
	if len(data) < rows*cols {
		panic(fmt.Sprintf("simd: Dense: %d values for %d×%d", len(data), rows, cols))
	}
	return View{data, rows, cols, cols, 1}
}

// T returns the transpose, sharing memory.
func (v View) T() View {
	return View{v.Data, v.Cols, v.Rows, v.ColStride, v.RowStride}
}

// Columns returns the view of columns [lo,hi).
func (v View) Columns(lo, hi int) View {
	return View{v.Data[min(lo*v.ColStride, len(v.Data)):], v.Rows, hi - lo, v.RowStride, v.ColStride}
}

// Slice returns the view of rows [lo,hi).
func (v View) Slice(lo, hi int) View {
	return View{v.Data[min(lo*v.RowStride, len(v.Data)):], hi - lo, v.Cols, v.RowStride, v.ColStride}
}

// Row returns row i of a view whose columns are contiguous.
func (v View) Row(i int) []float32 {
	if v.ColStride != 1 {
		v.scattered()
	}
	return v.Data[i*v.RowStride:][:v.Cols:v.Cols]
}

// scattered is apart from Row, which is small enough to be inlined without it.
//
//go:noinline
func (v View) scattered() {
	panic(fmt.Sprintf("simd: View.Row: column stride %d, want 1", v.ColStride))
}

// Clear sets every element of a view whose columns are contiguous to +0.
func (v View) Clear() {
	for i := range v.Rows {
		clear(v.Row(i))
	}
}

// slowStride is 1 KB, in values. Rows of A a multiple of it apart are slow to read:
// those of a tile share few sets of the L1 cache, and those of a block need more
// pages than the TLB has.
const slowStride = 256

// check panics unless the view's last element lies inside its data.
func (v View) check(what string) {
	if v.Rows == 0 || v.Cols == 0 {
		return
	}
	if last := (v.Rows-1)*v.RowStride + (v.Cols-1)*v.ColStride; last >= len(v.Data) {
		panic(fmt.Sprintf("simd: %s: %d×%d with strides %d,%d needs %d values, has %d",
			what, v.Rows, v.Cols, v.RowStride, v.ColStride, last+1, len(v.Data)))
	}
}

// Transpose sets dst = srcᵀ. Both have contiguous columns.
func Transpose(dst, src View) {
	if dst.Rows != src.Cols || dst.Cols != src.Rows {
		panic(fmt.Sprintf("simd: Transpose: %d×%d from %d×%d", dst.Rows, dst.Cols, src.Rows, src.Cols))
	}
	dst.check("Transpose: dst")
	src.check("Transpose: src")
	rows, cols := 0, 0 // of the part that the kernel takes, in whole squares
	side := active.transposeSide
	if active.transpose != nil && dst.ColStride == 1 && src.ColStride == 1 {
		rows, cols = src.Rows&^(side-1), src.Cols&^(side-1)
	}
	if cols > 0 {
		squares := cols / side
		for i := 0; i < rows; i += side {
			active.transpose(squares, at(src.Data[i*src.RowStride:]), 4*src.RowStride, at(dst.Data[i:]), 4*dst.RowStride)
		}
	}
	for i := range src.Rows {
		from := 0
		if i < rows {
			from = cols
		}
		row := src.Row(i)
		for j := from; j < len(row); j++ {
			dst.Data[j*dst.RowStride+i] = row[j]
		}
	}
}
