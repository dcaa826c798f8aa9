//go:build !linux && !darwin && !purego

package simd

// hasBF16 is false: of other systems no way to ask is known.
func hasBF16() bool { return false }
