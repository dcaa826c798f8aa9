// Package simd holds the float32 kernels: matrix products against weights as
// they are stored (bf16, f16, f32), and the elementwise and row operations of a
// LLaMA-style decoder. It knows slices, views and threads; it does not know what
// a model is.
//
// # The same bits everywhere
//
// A result depends on its operands alone: not on the number of threads, the
// blocking, the rows beside it, or the instruction set (AVX-512, AVX2+FMA, NEON,
// pure Go). Three rules make it so, and every kernel keeps them:
//
//   - Products: each output element starts from what C holds (or +0) and takes
//     its k terms in ascending order, one fused multiply-add each, in one
//     accumulator. Blocks of k continue from C, so no block border shows. The
//     kernels of few rows (gemv.go) keep to it: they transpose W in registers.
//   - Reductions: sixteen lanes, element i in lane i mod 16, the tail padded with
//     +0 (-Inf for Max); then lanes l and l+8, l+4, l+2, l+1 are combined.
//   - Elementwise: the same operations in the same order, each rounded once, as
//     the functions of generic.go spell out. exp below -87.3 is exactly 0.
//
// generic.go and product_generic.go are the twins of the kernels and the oracles
// of the tests. In Go code x*y+z may be fused by the compiler on some
// architectures: it is written float32(x*y)+z, or fma(x, y, z) where one rounding
// is meant.
//
// # Products
//
// Weights stay as stored: blocks of them are converted while they are packed into
// panels as wide as a register tile (pack.go), which meet the rows of the other
// factor where these lie (gemm.go). One micro-kernel signature serves them and the
// products of views: A by two strides, B by one (product_tile.go). Rows of A that
// are a multiple of 1 KB apart are slow to read; where a stride is free, take Pitch.
// Up to four rows of A, as in decoding, meet W where it lies, at the speed of
// memory (gemv.go).
//
// # bf16
//
// A pool made by With(ComputeBF16) rounds both factors of a product with stored
// weights to bf16, to nearest even, and adds up in float32, with twice the
// arithmetic in an instruction (VDPBF16PS of AVX512_BF16). Everything else stays in
// float32. Its results, too, depend on the operands alone, and the twin in pairs.go
// has their bits: k is taken in pairs, of each the odd first, every product is added
// with one rounding, and subnormals are zeros, before and after each addition. So
// the manuals say it, and so Zen 4 does it. A stack of weights equals its parts in
// MulNN where all but the last have an even number of rows.
//
// # Workers
//
// A product of a few µs does not wait for a worker that sleeps, and a worker looks
// for the next product for about 30 µs before it does (parallel.go). On a busy
// machine that is all it can take from others.
//
// Shape letters: M rows, N columns, K the summed dimension.
//
// The tag purego builds the twins alone. GODEBUG=cpu.avx512f=off and
// GODEBUG=cpu.avx2=off select the lower paths.
package simd
