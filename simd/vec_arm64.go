//go:build !purego

package simd

import "unsafe"

// See vec_amd64.go for the functions.

func vectorised() bool { return active != generic }

func maxLanes(n int, x unsafe.Pointer, l *lanes) { maxNEON(n, x, unsafe.Pointer(l)) }

func dotLanes(n int, x, y unsafe.Pointer, l *lanes) { dotNEON(n, x, y, unsafe.Pointer(l)) }

func dot3Lanes(n int, x, y, z unsafe.Pointer, l *lanes) { dot3NEON(n, x, y, z, unsafe.Pointer(l)) }

func expSumLanes(n int, dst, x unsafe.Pointer, shift float32, l *lanes) {
	expSumNEON(n, x, dst, unsafe.Pointer(l), shift)
}

func siluMulVec(n int, y, g, u unsafe.Pointer) { siluMulNEON(n, y, g, u) }

func siluMulBackwardVec(n int, dg, du, dy, g, u unsafe.Pointer) {
	siluMulBackwardNEON(n, dg, du, dy, g, u)
}

func scaleMulVec(n int, y, x, w unsafe.Pointer, s float32) { scaleMulNEON(n, y, x, w, s) }

func rmsNormBackwardVec(n int, dx, dy, x, w unsafe.Pointer, rstd, k float32) {
	rmsNormBackwardNEON(n, dx, dy, x, w, rstd, k)
}

func rotateVec(n int, a, b, cos, sin unsafe.Pointer) { rotateNEON(n, a, b, cos, sin) }

func adamWVec(n int, p, g, m, v unsafe.Pointer, c *[9]float32) {
	adamWNEON(n, p, g, m, v, unsafe.Pointer(c))
}

func convertVec(n int, dst, src unsafe.Pointer, d DType) {
	if d == BF16 {
		convertBF16NEON(n, dst, src)
	} else {
		convertF16NEON(n, dst, src)
	}
}

const transposeSide = 4

func transposeVec(n int, src unsafe.Pointer, ss int, dst unsafe.Pointer, ds int) {
	transposeNEON(n, src, ss, dst, ds)
}
