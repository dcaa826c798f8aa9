//go:build purego || !amd64

package simd

import "unsafe"

// blockKernel is false: blocks are copied row by row.
func blockKernel() bool { return false }

func copyRowsVec(int, int, unsafe.Pointer, int, unsafe.Pointer, int) {
	panic("simd: no copying kernel in this build")
}

// gemvGroup is 0: products of few rows are left to the tiles.
func gemvGroup(DType, int) int { return 0 }

func gemv(DType, bool, int, int, unsafe.Pointer, int, unsafe.Pointer, int, unsafe.Pointer, int, bool) {
	panic("simd: no gemv kernel in this build")
}

// dotKernels is false: products of pairs are left to their twin.
func dotKernels() bool { return false }

func tileDot(int, int, int, unsafe.Pointer, int, int, unsafe.Pointer, int, unsafe.Pointer, int, bool) {
	panic("simd: no dot-product kernel in this build")
}

func roundBlock(int, int, unsafe.Pointer, int, unsafe.Pointer, int) {
	panic("simd: no rounding kernel in this build")
}

func packPairsNN(DType, int, unsafe.Pointer, int, unsafe.Pointer, int) {
	panic("simd: no packing kernel for pairs in this build")
}
