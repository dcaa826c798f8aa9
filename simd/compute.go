package simd

import (
	"errors"
	"fmt"
)

// A Compute is the precision in which a Pool multiplies with stored weights.
type Compute uint8

const (
	// ComputeF32 multiplies in float32. It is what NewPool starts with.
	ComputeF32 Compute = iota
	// ComputeBF16 rounds both factors to bf16 and adds up in float32; see doc.go.
	ComputeBF16
)

func (c Compute) String() string { return [...]string{"f32", "bf16"}[c] }

// ParseCompute reads f32 or bf16. What this CPU has no kernels for is an error.
func ParseCompute(s string) (Compute, error) {
	for _, c := range []Compute{ComputeF32, ComputeBF16} {
		if s == c.String() {
			return c, c.Supported()
		}
	}
	return ComputeF32, fmt.Errorf("%q, want f32 or bf16", s)
}

// Supported returns nil where this CPU has kernels for c, or what is missing.
func (c Compute) Supported() error {
	if c == ComputeBF16 && !dotKernels() {
		return errors.New("avx512_bf16 is missing (the kernels of this CPU: " + Kernels() + ")")
	}
	return nil
}

// With returns the pool with its products of stored weights (MulNT, MulNN and
// those that add) in precision c. The two share their workers and memory: one of
// them is used at a time, and closing one closes both. Where c is not supported
// it is computed, slowly, by the twins.
func (p *Pool) With(c Compute) *Pool {
	q := *p
	q.compute = c
	return &q
}
