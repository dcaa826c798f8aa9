package simd

import (
	"encoding/binary"
	"math"
	"testing"
)

// TestConvertExhaustive converts all 65536 patterns of both half types.
func TestConvertExhaustive(t *testing.T) {
	src := make([]byte, 2<<16)
	for i := range 1 << 16 {
		binary.LittleEndian.PutUint16(src[2*i:], uint16(i))
	}
	forEachImpl(t, func(t *testing.T) {
		got := make([]float32, 1<<16)
		for _, d := range []DType{F16, BF16} {
			Convert(got, src, d)
			for i, g := range got {
				want := math.Float32frombits(uint32(i) << 16)
				if d == F16 {
					want = halfValue(i)
				}
				if math.Float32bits(g) != math.Float32bits(want) && (g == g || want == want) {
					t.Fatalf("%v %#04x: got %v, want %v", d, i, g, want)
				}
			}
		}
	})
}

// halfValue is the definition of IEEE binary16.
func halfValue(h int) float32 {
	sign := 1 - 2*float64(h>>15)
	exp, frac := h>>10&31, float64(h&1023)
	switch {
	case exp == 31 && frac != 0:
		return nan
	case exp == 31:
		return float32(math.Inf(int(sign)))
	case exp == 0:
		return float32(math.Copysign(math.Ldexp(frac, -24), sign))
	}
	return float32(sign * math.Ldexp(1024+frac, exp-25))
}

func TestConvertFloat32(t *testing.T) {
	values := []float32{0, 1, -2.5, math.MaxFloat32, math.SmallestNonzeroFloat32, nan, float32(math.Inf(-1))}
	src := make([]byte, 4*len(values))
	for i, v := range values {
		binary.LittleEndian.PutUint32(src[4*i:], math.Float32bits(v))
	}
	got := make([]float32, len(values))
	Convert(got, src, F32)
	sameBits(t, "F32", got, values)
	row := make([]float32, 3)
	Float32Matrix(values[:6], 2, 3).Row(row, 1)
	sameBits(t, "row", row, values[3:6])
}

func TestMatrixPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"Convert":       func() { Convert(make([]float32, 2), make([]byte, 2), BF16) },
		"Float32Matrix": func() { Float32Matrix(make([]float32, 5), 2, 3) },
		"Row":           func() { Float32Matrix(make([]float32, 6), 2, 3).Row(make([]float32, 2), 0) },
		"Dense":         func() { Dense(make([]float32, 5), 2, 3) },
		"View.Row":      func() { Dense(make([]float32, 6), 2, 3).T().Row(0) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

func TestViews(t *testing.T) {
	v := Dense([]float32{0, 1, 2, 3, 4, 5, 6}, 2, 3)
	at := func(v View, i, j int) float32 { return v.Data[i*v.RowStride+j*v.ColStride] }
	if got := at(v.T(), 2, 1); got != 5 {
		t.Errorf("T: %v, want 5", got)
	}
	if got := at(v.Columns(1, 3), 1, 1); got != 5 {
		t.Errorf("Columns: %v, want 5", got)
	}
	if got := at(v.Slice(1, 2), 0, 2); got != 5 {
		t.Errorf("Slice: %v, want 5", got)
	}
	v.Columns(0, 2).Clear()
	sameBits(t, "Clear", v.Data, []float32{0, 0, 2, 0, 0, 5, 6})
}

func TestDType(t *testing.T) {
	for d, want := range map[DType]string{F32: "F32", F16: "F16", BF16: "BF16"} {
		if d.String() != want || d.Size() != map[DType]int{F32: 4, F16: 2, BF16: 2}[d] {
			t.Errorf("%v: size %d", d, d.Size())
		}
	}
}
