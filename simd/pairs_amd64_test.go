//go:build !purego

package simd

func init() {
	if avx512.pairs == nil {
		return
	}
	set := avx512
	set.name = "avx512, other pairs"
	if set.pairs = &avx512Dot; avx512.pairs == set.pairs {
		set.pairs = &avx512Fused
	}
	otherPairs = &set
}
