//go:build purego || !(amd64 || arm64)

package simd

import "unsafe"

// available lists what this CPU can run, worst first.
func available() []isa { return []isa{generic} }

// Without assembly a panel is as wide as a cache line, and the functions below,
// which see kernels_amd64.go, are never called.
const (
	maxTileCols = 16
	maxTile     = 16
)

func panelCols() int { return 16 }

func tileCols(n int) int { return n }

func tileRows(int) int { return 1 }

func tile(int, int, int, unsafe.Pointer, int, int, unsafe.Pointer, int, unsafe.Pointer, int, bool) {
	panic("simd: no micro-kernel in this build")
}

func packGroup() (rows, bytes int) { return 1, 1 }

func packNT(DType, int, unsafe.Pointer, int, unsafe.Pointer, int) {
	panic("simd: no packing kernel in this build")
}

func packNN(DType, int, unsafe.Pointer, int, unsafe.Pointer, int) {
	panic("simd: no packing kernel in this build")
}
