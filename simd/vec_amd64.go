//go:build !purego

package simd

import "unsafe"

// The functions below pick a kernel. They take pointers to n values, n a positive
// multiple of 16, and are called where vectorised() is true.

func vectorised() bool { return active != generic }

func maxLanes(n int, x unsafe.Pointer, l *lanes) {
	if active == avx512 {
		maxAVX512(n, x, unsafe.Pointer(l))
	} else {
		maxAVX2(n, x, unsafe.Pointer(l))
	}
}

func dotLanes(n int, x, y unsafe.Pointer, l *lanes) {
	if active == avx512 {
		dotAVX512(n, x, y, unsafe.Pointer(l))
	} else {
		dotAVX2(n, x, y, unsafe.Pointer(l))
	}
}

func dot3Lanes(n int, x, y, z unsafe.Pointer, l *lanes) {
	if active == avx512 {
		dot3AVX512(n, x, y, z, unsafe.Pointer(l))
	} else {
		dot3AVX2(n, x, y, z, unsafe.Pointer(l))
	}
}

func expSumLanes(n int, dst, x unsafe.Pointer, shift float32, l *lanes) {
	if active == avx512 {
		expSumAVX512(n, x, dst, unsafe.Pointer(l), shift)
	} else {
		expSumAVX2(n, x, dst, unsafe.Pointer(l), shift)
	}
}

func siluMulVec(n int, y, g, u unsafe.Pointer) {
	if active == avx512 {
		siluMulAVX512(n, y, g, u)
	} else {
		siluMulAVX2(n, y, g, u)
	}
}

func siluMulBackwardVec(n int, dg, du, dy, g, u unsafe.Pointer) {
	if active == avx512 {
		siluMulBackwardAVX512(n, dg, du, dy, g, u)
	} else {
		siluMulBackwardAVX2(n, dg, du, dy, g, u)
	}
}

func scaleMulVec(n int, y, x, w unsafe.Pointer, s float32) {
	if active == avx512 {
		scaleMulAVX512(n, y, x, w, s)
	} else {
		scaleMulAVX2(n, y, x, w, s)
	}
}

func rmsNormBackwardVec(n int, dx, dy, x, w unsafe.Pointer, rstd, k float32) {
	if active == avx512 {
		rmsNormBackwardAVX512(n, dx, dy, x, w, rstd, k)
	} else {
		rmsNormBackwardAVX2(n, dx, dy, x, w, rstd, k)
	}
}

func rotateVec(n int, a, b, cos, sin unsafe.Pointer) {
	if active == avx512 {
		rotateAVX512(n, a, b, cos, sin)
	} else {
		rotateAVX2(n, a, b, cos, sin)
	}
}

func adamWVec(n int, p, g, m, v unsafe.Pointer, c *[9]float32) {
	if active == avx512 {
		adamWAVX512(n, p, g, m, v, unsafe.Pointer(c))
	} else {
		adamWAVX2(n, p, g, m, v, unsafe.Pointer(c))
	}
}

func convertVec(n int, dst, src unsafe.Pointer, d DType) {
	switch {
	case active == avx512 && d == BF16:
		convertBF16AVX512(n, dst, src)
	case active == avx512:
		convertF16AVX512(n, dst, src)
	case d == BF16:
		convertBF16AVX2(n, dst, src)
	default:
		convertF16AVX2(n, dst, src)
	}
}

// transposeSide is the side of the blocks that transposeVec transposes: n of them
// side by side, to lie below each other. Strides are in bytes.
const transposeSide = 8

func transposeVec(n int, src unsafe.Pointer, ss int, dst unsafe.Pointer, ds int) {
	transposeAVX2(n, src, ss, dst, ds)
}
