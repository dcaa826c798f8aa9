//go:build purego || !(amd64 || arm64)

package simd

import "unsafe"

// Without assembly none of the functions below is called; they see vec_amd64.go.

func vectorised() bool { return false }

const noKernel = "simd: no vector kernel in this build"

func maxLanes(int, unsafe.Pointer, *lanes)                                  { panic(noKernel) }
func dotLanes(int, unsafe.Pointer, unsafe.Pointer, *lanes)                  { panic(noKernel) }
func dot3Lanes(int, unsafe.Pointer, unsafe.Pointer, unsafe.Pointer, *lanes) { panic(noKernel) }
func expSumLanes(int, unsafe.Pointer, unsafe.Pointer, float32, *lanes)      { panic(noKernel) }
func siluMulVec(int, unsafe.Pointer, unsafe.Pointer, unsafe.Pointer)        { panic(noKernel) }
func siluMulBackwardVec(int, unsafe.Pointer, unsafe.Pointer, unsafe.Pointer, unsafe.Pointer, unsafe.Pointer) {
	panic(noKernel)
}
func scaleMulVec(int, unsafe.Pointer, unsafe.Pointer, unsafe.Pointer, float32) { panic(noKernel) }
func rmsNormBackwardVec(int, unsafe.Pointer, unsafe.Pointer, unsafe.Pointer, unsafe.Pointer, float32, float32) {
	panic(noKernel)
}

func rotateVec(int, unsafe.Pointer, unsafe.Pointer, unsafe.Pointer, unsafe.Pointer) { panic(noKernel) }

func adamWVec(int, unsafe.Pointer, unsafe.Pointer, unsafe.Pointer, unsafe.Pointer, *[9]float32) {
	panic(noKernel)
}
func convertVec(int, unsafe.Pointer, unsafe.Pointer, DType) { panic(noKernel) }

const transposeSide = 8

func transposeVec(int, unsafe.Pointer, int, unsafe.Pointer, int) { panic(noKernel) }
