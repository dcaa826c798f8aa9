//go:build !purego

package simd

import "slices"

// Tests run both ways to multiply pairs, whichever this CPU prefers.
func init() {
	if avx512.pairs == nil {
		return
	}
	other := avx512
	other.name = "avx512, other pairs"
	if other.pairs = &avx512Dot; avx512.pairs == other.pairs {
		other.pairs = &avx512Fused
	}
	kernelSets = slices.Insert(kernelSets, len(kernelSets)-1, &other)
}
