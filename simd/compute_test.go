package simd

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestWith: a pool and its views compute as they say, in one memory.
func TestWith(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 42))
	p := NewPool(2)
	defer p.Close()
	b := p.With(ComputeBF16)
	const m, n, k = 9, 40, 30
	w := randomMatrix(rng, F32, n, k)
	x := guardedView(m, k, 0, false, normal(rng))
	f32, want := make([]float32, m*n), make([]float32, m*n)
	mulOracle(Dense(want, m, n), x.View, transposed(stackedFloat32([]Matrix{w})), false)
	b.Mul(Dense(f32, m, n), x.View, transposed(stackedFloat32([]Matrix{w})))
	sameBits(t, "views in bf16", f32, want)
	b.With(ComputeF32).MulNT(Dense(f32, m, n), x.View, w)
	sameBits(t, "and back", f32, want)
	p.MulNT(Dense(f32, m, n), x.View, w)
	sameBits(t, "the pool itself", f32, want)
	bf16 := make([]float32, m*n)
	b.MulNT(Dense(bf16, m, n), x.View, w)
	differ, far := 0, 0
	for i := range bf16 {
		if bf16[i] != f32[i] {
			differ++
		}
		if math.Abs(float64(bf16[i]-f32[i])) > 0.1 {
			far++
		}
	}
	if differ < len(bf16)/2 || far > 0 {
		t.Errorf("of %d values %d differ from those in float32, %d by more than 0.1", len(bf16), differ, far)
	}
}

func TestComputeSupported(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		if err := ComputeF32.Supported(); err != nil {
			t.Errorf("f32: %v", err)
		}
		err := ComputeBF16.Supported()
		if (active.pairs != nil) != (err == nil) {
			t.Fatalf("bf16: %v, with kernels: %v", err, active.pairs != nil)
		}
		if err != nil && !strings.Contains(err.Error(), "avx512_bf16 or ARM's bf16 is missing") {
			t.Errorf("bf16: %v", err)
		}
		err = ComputeInt8.Supported()
		if (active.quads != nil) != (err == nil) {
			t.Fatalf("int8: %v, with kernels: %v", err, active.quads != nil)
		}
		if err != nil && !strings.Contains(err.Error(), "avx512_vnni, avx_vnni or ARM's asimddp is missing") {
			t.Errorf("int8: %v", err)
		}
	})
	if f, b, i := ComputeF32.String(), ComputeBF16.String(), ComputeInt8.String(); f != "f32" || b != "bf16" || i != "int8" {
		t.Errorf("called %s, %s and %s", f, b, i)
	}
}

// TestRelativeTime: float32 takes as long as itself, but for what else the machine does.
func TestRelativeTime(t *testing.T) {
	p := NewPool(1)
	defer p.Close()
	if r := p.RelativeTime(); r < 0.2 || r > 5 {
		t.Errorf("f32 takes %.2f times as long as f32", r)
	}
}
