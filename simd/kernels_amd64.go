//go:build !purego

package simd

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// available lists what this CPU can run, worst first.
func available() []isa {
	list := []isa{generic}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasF16C {
		list = append(list, avx2)
		if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ {
			list = append(list, avx512)
		}
	}
	return list
}

// The largest tile that needs a copy of C: only AVX2 does, AVX-512 masks.
const (
	maxTileCols = 16
	maxTile     = 12 * 16
)

// panelCols is the width of a packed panel: the widest tile.
func panelCols() int {
	if active == avx512 {
		return 32
	}
	return 16
}

// tileCols is the narrowest tile for n columns that needs no copies.
func tileCols(n int) int {
	switch {
	case active == avx512:
		return n
	case n <= 8:
		return 8
	}
	return 16
}

// tileRows is the most rows of a tile of n columns.
func tileRows(n int) int {
	switch {
	case active == avx512:
		return 14
	case n <= 8:
		return 12
	}
	return 6
}

func tile(rows, cols, k int, a unsafe.Pointer, rsa, csa int, b unsafe.Pointer, rsb int, c unsafe.Pointer, ldc int, add bool) {
	if active == avx512 {
		tileAVX512(rows, cols, k, a, rsa, csa, b, rsb, c, ldc, add)
	} else {
		tileAVX2(rows, cols, k, a, rsa, csa, b, rsb, c, ldc, add)
	}
}

// dotKernels reports whether there are kernels for pairs of bf16: tileDot,
// roundBlock and packPairsNN.
func dotKernels() bool { return active == avx512 && cpu.X86.HasAVX512BF16 }

func tileDot(rows, cols, k int, a unsafe.Pointer, rsa, csa int, b unsafe.Pointer, rsb int, c unsafe.Pointer, ldc int, add bool) {
	tileDotAVX512(rows, cols, k, a, rsa, csa, b, rsb, c, ldc, add)
}

// roundBlock rounds rows of n values, a positive multiple of 16, to bf16.
func roundBlock(rows, n int, dst unsafe.Pointer, ds int, src unsafe.Pointer, ss int) {
	roundBlockAVX512(rows, n, dst, ds, src, ss)
}

// packPairsNN makes n rows of pairs, panelCols() each, of 2·n rows of W (BF16 or
// F32).
func packPairsNN(d DType, n int, w unsafe.Pointer, ws int, dst unsafe.Pointer, ds int) {
	if d == BF16 {
		packPairsBF16AVX512(n, w, ws, dst, ds)
	} else {
		packPairsF32AVX512(n, w, ws, dst, ds)
	}
}

// gemvGroup is how many rows of W a call of gemv takes, with 1 to 4 rows of A; 0
// where there is no kernel.
func gemvGroup(d DType, rows int) int {
	if active == avx512 && d != F16 {
		return 32
	}
	return [...]int{0, 16, 16, 8, 8}[rows]
}

// gemv sets C = A·Wᵀ, or adds to it, for gemvGroup(d, rows) rows of W and k blocks
// of each. With pairs A holds those, and W is BF16.
func gemv(d DType, pairs bool, rows, k int, w unsafe.Pointer, ws int, a unsafe.Pointer, rsa int, c unsafe.Pointer, ldc int, add bool) {
	switch {
	case pairs:
		gemvDotAVX512(rows, k, w, ws, a, rsa, c, ldc, add)
	case d == F16: // enough for the speed of memory
		gemvF16AVX2(rows, k, w, ws, a, rsa, c, ldc, add)
	case active == avx512 && d == BF16:
		gemvBF16AVX512(rows, k, w, ws, a, rsa, c, ldc, add)
	case active == avx512:
		gemvF32AVX512(rows, k, w, ws, a, rsa, c, ldc, add)
	case d == BF16:
		gemvBF16AVX2(rows, k, w, ws, a, rsa, c, ldc, add)
	default:
		gemvF32AVX2(rows, k, w, ws, a, rsa, c, ldc, add)
	}
}

// blockKernel reports whether there is a kernel for the copying of blocks.
func blockKernel() bool { return active != generic }

// copyRowsVec copies rows of n values, a positive multiple of 16.
func copyRowsVec(rows, n int, dst unsafe.Pointer, ds int, src unsafe.Pointer, ss int) {
	copyBlockAVX2(rows, n, dst, ds, src, ss)
}

// packGroup is how many rows of W packNT transposes at once, and packBytes how
// many bytes of each.
func packGroup() (rows, bytes int) {
	if active == avx512 {
		return 16, 64
	}
	return 8, 32
}

// packNT transposes n blocks of W (BF16 or F32), see packGroup.
func packNT(d DType, n int, w unsafe.Pointer, ws int, dst unsafe.Pointer, ds int) {
	switch {
	case active == avx512 && d == BF16:
		packNTBF16AVX512(n, w, ws, dst, ds)
	case active == avx512:
		packNTF32AVX512(n, w, ws, dst, ds)
	case d == BF16:
		packNTBF16AVX2(n, w, ws, dst, ds)
	default:
		packNTF32AVX2(n, w, ws, dst, ds)
	}
}

// packNN converts n rows of W (BF16 or F16), panelCols() values each.
func packNN(d DType, n int, w unsafe.Pointer, ws int, dst unsafe.Pointer, ds int) {
	switch {
	case active == avx512 && d == BF16:
		packNNBF16AVX512(n, w, ws, dst, ds)
	case active == avx512:
		packNNF16AVX512(n, w, ws, dst, ds)
	case d == BF16:
		packNNBF16AVX2(n, w, ws, dst, ds)
	default:
		packNNF16AVX2(n, w, ws, dst, ds)
	}
}
