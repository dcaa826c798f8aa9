// Package simd holds the float32 kernels of training and decoding: matrix products
// with weights as they are stored (bf16, f16, f32), and the elementwise and row
// operations of a LLaMA-style decoder. It knows slices, views, stored weights and
// threads. It does not know what a model is.
//
// # Where things are
//
//	vectors.go   functions of slices: Add, Dot, ExpSum, RMSNorm, AdamW, …
//	matrix.go    Matrix (a stored weight), View (strided float32), Transpose
//	product.go   products on a Pool, and how they are split into tasks
//	gemm.go      a product of many rows: blocks, panels, tiles
//	gram.go      products of rows with each other, in float64
//	rows.go      rows of float64, for what is as small as a rank
//	pack.go      stored weights become panels
//	gemv.go      a product of few rows, as in decoding
//	compute.go   the precision of products with stored weights
//	bf16.go      products in bf16
//	int8.go      products in int8
//	parallel.go  Pool: the goroutines that compute
//	kernels.go   the table of kernels: who computes Dot on this CPU
//	twins.go     every kernel in plain Go
//
// The assembly is written by the generator in _asm.
//
// # Who computes what
//
// There is one table of kernels, a kernelSet, for each instruction set: avx512, avx2,
// neon, and plainGo, which has none. The best that the CPU can run is chosen when the
// program starts. Each kernel has a twin, the same function in plain Go with the same
// bits, which computes tails and what a set has no kernel for, and is the oracle of the
// tests. Add, MulBy and Scale are left to vek, which has no kernels for NEON. The build tag purego leaves the assembly out. GODEBUG=cpu.avx512f=off selects
// AVX2 on a CPU with more, GODEBUG=cpu.avx2=off the twins.
//
// # The same bits everywhere
//
// A result depends on its operands alone: not on the number of threads, the size of
// blocks, the other rows of a product, or the instruction set. Three rules make it so:
//
//   - Products: each output element starts from what C holds (or +0) and takes
//     its k terms in ascending order, one fused multiply-add each, in one
//     accumulator. Blocks of k continue from C, so no border of a block shows.
//   - Reductions: sixteen lanes, element i in lane i mod 16, the tail padded with
//     +0 (-Inf for Max); then lanes l and l+8, l+4, l+2, l+1 are combined. Gram has
//     eight lanes of float64, Dot64 four.
//   - Elementwise: the same operations in the same order, each rounded once, as the
//     twins spell them out. exp below -87.3 is exactly 0.
//
// In Go code x*y+z may be fused by the compiler on some architectures: it is written
// float32(x*y)+z, or fma(x, y, z) where one rounding is meant.
//
// # Products
//
// Shape letters: M rows, N columns, K the summed dimension; C is M×N, A is M×K, B is
// K×N.
//
// Weights stay as stored. B is cut into panels, as many columns of it as a tile, the
// part of C in registers, is wide. Weights are converted to float32 while they are
// packed into panels, a block of k at a time, and every row of A meets a panel while it
// is in the cache. A is read where it lies, through two strides, so a transpose of A
// costs nothing; but rows of A that are a multiple of 1 KB apart are slow to read, and
// Pitch gives a stride that is not. A few rows of A, as in decoding, meet W where it
// lies, at the speed of memory.
//
// # bf16
//
// A pool made by With(ComputeBF16) rounds both factors of a product with stored
// weights to bf16, to nearest even, and adds up in float32, with twice the arithmetic in
// an instruction (VDPBF16PS of AVX512_BF16, BFDOT of ARM's FEAT_BF16). Everything else
// stays in float32. Its results, too, depend on the operands alone, but the two
// architectures have different ones. k is taken in pairs: VDPBF16PS adds the odd product
// of each, then the even one, with one rounding each; BFDOT adds the two to each other,
// then to the sum, both times rounded to odd. Subnormals are zeros, before and after each
// addition. So the manuals define the instructions, and so Zen 4 and Sapphire Rapids
// compute the first. Sapphire Rapids takes more than twice as long for it as for a fused
// multiply-add: there two of these do the same, with the processor set to take subnormals
// for zeros, on a block of A that is rounded but not in pairs. Weights multiplied as a stack equal the same multiplied one by one in
// MulNN only if all but the last have an even number of rows, because a pair may be of two
// matrices.
//
// # int8
//
// A pool made by With(ComputeInt8) rounds both factors of a product with stored weights
// to integers of at most 127, with a scale for each 64 of k: a row of A, or a column of B,
// and group has the scale amax/127. VPDPBUSD, of AVX512_VNNI or AVX-VNNI, or ARM's SDOT
// adds up the products of a group in 32 bits, which is exact, so that every path has the
// same bits; the sums are scaled and added to C in float32, group after group. A group of
// values below 2⁻¹⁰⁰ is zeros, one that is not finite gives NaNs. Weights are rounded while they
// are packed, in each direction by groups of its own, A once for a product. Weights
// multiplied as a stack equal the same multiplied one by one in MulNN only if all but the
// last have a multiple of 64 rows.
//
// # Workers
//
// Waking a goroutine takes longer than a product of a few µs. So the caller does not
// wait for a worker that sleeps, and a worker that has run out of tasks looks for more
// for about 120 µs before it sleeps: that is all the processor time that a Pool takes from
// other programs while it has nothing to do.
package simd
