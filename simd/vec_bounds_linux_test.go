package simd

import (
	"fmt"
	"testing"
)

// TestVectorsStayInside runs the functions on operands that end, or begin, at
// pages that fault.
func TestVectorsStayInside(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		for _, f := range vecFuncs {
			for _, n := range []int{1, 3, 7, 15, 16, 17, 31, 64, 83, 200} {
				for _, atEnd := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s n=%d end=%v", f.name, n, atEnd), func(t *testing.T) {
						x := make([][]float32, f.args)
						for k := range x {
							x[k] = fencedFloats(t, n, atEnd)
						}
						f.run(x)
					})
				}
			}
		}
	})
}
