package simd

import (
	"errors"
	"fmt"
	"time"
)

// A Compute is the precision in which a Pool multiplies with stored weights.
type Compute uint8

const (
	// ComputeF32 multiplies in float32. It is what NewPool starts with.
	ComputeF32 Compute = iota
	// ComputeBF16 rounds both factors to bf16 and adds up in float32; see doc.go.
	ComputeBF16
	// ComputeInt8 rounds both factors to integers of 8 bits, with a scale for 64 along the
	// summed dimension; see doc.go.
	ComputeInt8
)

func (c Compute) String() string { return [...]string{"f32", "bf16", "int8"}[c] }

// ParseCompute reads f32, bf16 or int8. What this CPU has no kernels for is an error.
func ParseCompute(s string) (Compute, error) {
	for _, c := range []Compute{ComputeF32, ComputeBF16, ComputeInt8} {
		if s == c.String() {
			return c, c.Supported()
		}
	}
	return ComputeF32, fmt.Errorf("%q, want f32, bf16 or int8", s)
}

// Supported returns nil where this CPU has kernels for c, or what is missing.
func (c Compute) Supported() error {
	missing := ""
	switch {
	case c == ComputeBF16 && active.pairs == nil:
		missing = "avx512_bf16 or ARM's bf16 is missing"
	case c == ComputeInt8 && active.quads == nil:
		missing = "avx512_vnni, avx_vnni or ARM's asimddp is missing"
	}
	if missing != "" {
		return errors.New(missing + " (the kernels of this CPU: " + Kernels() + ")")
	}
	return nil
}

// With returns the pool with its products of stored weights (MulNT, AddMulNT
// and MulNN) in precision c. The two share their workers and memory: one of
// them is used at a time, and closing one closes both. Where c is not supported
// it is computed, slowly, by the twins.
func (p *Pool) With(c Compute) *Pool {
	q := *p
	q.compute = c
	return &q
}

// RelativeTime is how long products with stored weights take in the pool's precision, where
// they take 1 in float32: measured, in some hundredths of a second.
func (p *Pool) RelativeTime() float64 {
	const tokens, n = 256, 512
	w := Matrix{make([]byte, n*n*BF16.Size()), BF16, n, n}
	x, y := make([]float32, tokens*n), make([]float32, tokens*n)
	least := func(q *Pool) time.Duration {
		best := time.Hour
		for range 8 {
			start := time.Now()
			q.MulNT(Dense(y, tokens, n), Dense(x, tokens, n), w)
			best = min(best, time.Since(start))
		}
		return best
	}
	f32 := least(p.With(ComputeF32))
	return float64(least(p)) / float64(max(f32, 1))
}
