package simd

import "unsafe"

// A kernelSet is what one instruction set computes, by operation. The set in use is
// active: the dot of active computes Dot on this CPU. Where a set has no kernel (a
// nil field) and for tails, the operation's twin in twins.go computes; plainGo has
// twins alone. A new operation is a field here, a line in each set that has a
// kernel for it, and a twin.
//
// Kernels take operands by address and strides in bytes, and keep no address. Their
// sizes are positive.
type kernelSet struct {
	name string

	// Vectors (vectors.go): n is a positive multiple of 16, lanes points to the
	// sixteen partial results that a reduction continues.
	max             func(n int, x, lanes unsafe.Pointer)
	dot             func(n int, x, y, lanes unsafe.Pointer)
	addSquares      func(n int, y, x, f, lanes unsafe.Pointer)
	normSums        func(n int, dy, w, x, lanes unsafe.Pointer) // two reductions
	expSum          func(n int, x, dst, lanes unsafe.Pointer, shift float32)
	maxExpSum       func(n int, x, result unsafe.Pointer)
	softmaxBackward func(n int, dx, p unsafe.Pointer, mean float32)
	scaleDot        func(n int, y, x, z, lanes unsafe.Pointer, s float32)
	siluMul         func(n int, y, g, u unsafe.Pointer)
	siluMulBackward func(n int, dg, du, dy, g, u unsafe.Pointer)
	geluMul         func(n int, y, g, u unsafe.Pointer)
	geluMulBackward func(n int, dg, du, dy, g, u unsafe.Pointer)
	softCap         func(n int, x unsafe.Pointer, limit, rcp float32)
	softCapBackward func(n int, dx, y unsafe.Pointer, rcp float32)
	scaleMul        func(n int, y, x, w unsafe.Pointer, s float32)
	rmsNormBackward func(n int, dx, dy, x, w unsafe.Pointer, rstd, k float32)
	rotate          func(n int, a, b, cos, sin unsafe.Pointer)
	adamW           func(n int, p, g, m, v, constants unsafe.Pointer)
	convert         [dtypeCount]convertKernel // F16 and BF16 to float32

	// Vectors that vek computes where these are nil.
	add   func(n int, dst, x unsafe.Pointer)
	mulBy func(n int, dst, x unsafe.Pointer)
	scale func(n int, x unsafe.Pointer, s float32)

	// transpose transposes n squares of transposeSide² values that lie side by side;
	// in dst they lie below each other.
	transpose     func(n int, src unsafe.Pointer, ss int, dst unsafe.Pointer, ds int)
	transposeSide int

	// Products (gemm.go). A tile is the part of C that stays in registers while k
	// runs: at most wide, or narrow where C has no more columns than that. Kernels
	// with masks write any number of columns, the others those of a whole tile.
	tile         tileKernel
	narrow, wide tileSize
	masks        bool
	copyBlock    blockKernel // copies a block of A

	// gram sets gramSide² times eight lanes of float64 to products of rows (gram.go).
	gram     func(n int, x unsafe.Pointer, xs int, y unsafe.Pointer, ys int, lanes unsafe.Pointer)
	gramSide int

	// Rows of float64 (rows.go), nil where the twins beside them compute.
	rows *rowKernels

	// Packing (pack.go). packNT transposes packRows rows of W, n times packBytes bytes
	// of each, from F32 or BF16. packNN converts n rows of W, as many values of each as
	// a wide tile has columns, from F16 or BF16.
	packNT              [dtypeCount]packKernel
	packRows, packBytes int
	packNN              [dtypeCount]packKernel

	// Products of few rows of A (gemv.go); a set that has them has copyBlock.
	gemv [dtypeCount]gemv

	// Products in bf16 (bf16.go), nil where the CPU has no instruction for them.
	pairs *pairKernels

	// Products in int8 (int8.go), nil likewise.
	quads *quadKernels
}

// A pairKernels is the part of a kernelSet for pairs of bf16.
type pairKernels struct {
	tile  tileKernel             // of A and B that hold pairs, or of A rounded apart
	round blockKernel            // rounds a block of A to pairs
	apart blockKernel            // rounds it to bf16 in float32, the odd one of a pair first; nil where tile takes pairs
	pack  [dtypeCount]packKernel // makes n rows of pairs of 2·n rows of W, F32 or BF16
	gemv  gemv                   // of A in pairs and W in BF16
}

// A rowKernels is the part of a kernelSet for rows of float64. n is a positive multiple of
// 8, in dots of 4, and there is a row at least.
type rowKernels struct {
	combine   func(n, k int, y, f unsafe.Pointer, fs int, x unsafe.Pointer, xs int)
	addOuter  func(rows, n int, x unsafe.Pointer, xs int, f, y unsafe.Pointer)
	subOuters func(rows, n int, x unsafe.Pointer, xs int, f, y, h, z unsafe.Pointer)
	rotate    func(k, n int, x unsafe.Pointer, xs int, cs unsafe.Pointer)
	dots      func(rows, n int, x unsafe.Pointer, xs int, y, lanes unsafe.Pointer)
}

// A tileSize is the columns of a tile and its most rows.
type tileSize struct{ cols, rows int }

type (
	// A convertKernel widens n stored values to float32.
	convertKernel func(n int, dst, src unsafe.Pointer)

	// A tileKernel sets C = A·B, or adds to it, for rows×cols values of C. A is
	// addressed by strides of rows and of k, B and C by strides of rows.
	tileKernel func(rows, cols, k int, a unsafe.Pointer, rsa, csa int, b unsafe.Pointer, rsb int, c unsafe.Pointer, ldc int, add bool)

	// A blockKernel moves rows of n values, n a multiple of 16.
	blockKernel func(rows, n int, dst unsafe.Pointer, ds int, src unsafe.Pointer, ss int)

	// A packKernel moves n rows, or n blocks, of W to a panel.
	packKernel func(n int, w unsafe.Pointer, ws int, dst unsafe.Pointer, ds int)

	// A gemvKernel sets C = A·Wᵀ, or adds to it, for some rows of A, a group of rows
	// of W, and k blocks of gemvBlock bytes of each.
	gemvKernel func(rows, k int, w unsafe.Pointer, ws int, a unsafe.Pointer, rsa int, c unsafe.Pointer, ldc int, add bool)
)

// A gemv is a kernel and the rows of W in its group, by the rows of A, of which it takes
// as many as are listed.
type gemv struct {
	run   gemvKernel
	group []int // of 1 row, of 2, …
}

// plainGo has no kernels: its panels are as wide as a cache line.
var plainGo = kernelSet{name: "go", narrow: tileSize{16, 1}, wide: tileSize{16, 1}, masks: true}

// kernelSets lists what this CPU can run, worst first, and active is what runs: the
// last of them, except in tests. Both are completed by the init functions of
// kernels_amd64.go and kernels_arm64.go.
var (
	kernelSets = []*kernelSet{&plainGo}
	active     = &plainGo
)

// offer adds a set that is better than those before it.
func offer(k *kernelSet) {
	kernelSets = append(kernelSets, k)
	active = k
}

// Kernels names the instruction set in use: avx512, avx2, neon or go.
func Kernels() string { return active.name }

// panelCols is the width of a packed panel: that of the widest tile.
func panelCols() int { return active.wide.cols }

// tileRows is the most rows of a tile of n columns.
func tileRows(n int) int {
	if n <= active.narrow.cols {
		return active.narrow.rows
	}
	return active.wide.rows
}

// tileCols is the columns that the tile kernel writes for n ≤ panelCols() of them.
func tileCols(n int) int {
	switch {
	case active.masks:
		return n
	case n <= active.narrow.cols:
		return active.narrow.cols
	}
	return active.wide.cols
}

// The largest tile of a set without masks.
const (
	maxTileCols = 16
	maxTile     = 6 * 16
)

// whole is how many of n values the vector kernels take: a multiple of 16. The
// twins compute the rest.
func whole(n int) int {
	if active == &plainGo {
		return 0
	}
	return n &^ 15
}

// at returns the address of x[0], for a kernel's argument list and nothing else.
//
// It hides x from escape analysis, which does not see that kernels, called through
// a table, keep no address, and would move every operand to the heap, the sixteen
// lanes of a sum among them. While it is a number, nothing may move the stack under it:
// so there is no prologue here, and no check of pointers (-race), which is a call.
//
//go:nosplit
//go:nocheckptr
func at[T any](x []T) unsafe.Pointer {
	p := uintptr(unsafe.Pointer(unsafe.SliceData(x)))
	return *(*unsafe.Pointer)(unsafe.Pointer(&p))
}
