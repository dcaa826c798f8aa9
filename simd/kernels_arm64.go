//go:build !purego

package simd

import "unsafe"

// available lists what this CPU can run, worst first.
func available() []isa { return []isa{generic, neon} }

// The one tile; see kernels_amd64.go for the functions.
const (
	maxTileCols = 8
	maxTile     = 8 * 8
)

func panelCols() int { return 8 }

func tileCols(int) int { return 8 }

func tileRows(int) int { return 8 }

func tile(rows, cols, k int, a unsafe.Pointer, rsa, csa int, b unsafe.Pointer, rsb int, c unsafe.Pointer, ldc int, add bool) {
	tileNEON(rows, cols, k, a, rsa, csa, b, rsb, c, ldc, add)
}

func packGroup() (rows, bytes int) { return 4, 16 }

func packNT(d DType, n int, w unsafe.Pointer, ws int, dst unsafe.Pointer, ds int) {
	if d == BF16 {
		packNTBF16NEON(n, w, ws, dst, ds)
	} else {
		packNTF32NEON(n, w, ws, dst, ds)
	}
}

func packNN(d DType, n int, w unsafe.Pointer, ws int, dst unsafe.Pointer, ds int) {
	if d == BF16 {
		packNNBF16NEON(n, w, ws, dst, ds)
	} else {
		packNNF16NEON(n, w, ws, dst, ds)
	}
}
