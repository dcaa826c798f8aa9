//go:build purego || !arm64

package simd

import "github.com/viterin/vek/vek32"

// The elementwise operations that vek does well. It wants at least one value, and
// dst and x as long as each other.

func add(dst, x []float32)             { vek32.Add_Inplace(dst, x) }
func mulBy(dst, x []float32)           { vek32.Mul_Inplace(dst, x) }
func scale(x []float32, s float32)     { vek32.MulNumber_Inplace(x, s) }
func addNumber(x []float32, s float32) { vek32.AddNumber_Inplace(x, s) }
