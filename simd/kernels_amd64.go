//go:build !purego

package simd

import "golang.org/x/sys/cpu"

func init() {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA || !cpu.X86.HasF16C {
		return
	}
	if cpu.X86.HasAVXVNNI {
		avx2.quads = &avxVNNI
	}
	offer(&avx2)
	if !cpu.X86.HasAVX512F || !cpu.X86.HasAVX512BW || !cpu.X86.HasAVX512VL || !cpu.X86.HasAVX512DQ {
		return
	}
	if cpu.X86.HasAVX512BF16 {
		avx512.pairs = fasterPairs(&avx512Dot, &avx512Fused)
	}
	if cpu.X86.HasAVX512VNNI {
		avx512.quads = &avx512VNNI
	}
	offer(&avx512)
}

var avx2 = kernelSet{
	name: "avx2",

	max:             maxAVX2,
	dot:             dotAVX2,
	addSquares:      addSquaresAVX2,
	normSums:        normSumsAVX2,
	expSum:          expSumAVX2,
	maxExpSum:       maxExpSumAVX2,
	softmaxBackward: softmaxBackwardAVX2,
	scaleDot:        scaleDotAVX2,
	siluMul:         siluMulAVX2,
	siluMulBackward: siluMulBackwardAVX2,
	geluMul:         geluMulAVX2,
	geluMulBackward: geluMulBackwardAVX2,
	softCap:         softCapAVX2,
	softCapBackward: softCapBackwardAVX2,
	scaleMul:        scaleMulAVX2,
	rmsNormBackward: rmsNormBackwardAVX2,
	rotate:          rotateAVX2,
	adamW:           adamWAVX2,
	convert:         [dtypeCount]convertKernel{F16: convertF16AVX2, BF16: convertBF16AVX2},
	transpose:       transposeAVX2,
	transposeSide:   8,

	tile:      tileAVX2,
	narrow:    tileSize{8, 12},
	wide:      tileSize{16, 6},
	copyBlock: copyBlockAVX2,
	gram:      gramAVX2,
	gramSide:  2,
	rows:      &rowsAVX2,
	packNT:    [dtypeCount]packKernel{F32: packNTF32AVX2, BF16: packNTBF16AVX2},
	packRows:  8,
	packBytes: 32,
	packNN:    [dtypeCount]packKernel{F16: packNNF16AVX2, BF16: packNNBF16AVX2},
	gemv: [dtypeCount]gemv{
		F32:  {gemvF32AVX2, groupsAVX2},
		F16:  {gemvF16AVX2, groupsAVX2},
		BF16: {gemvBF16AVX2, groupsAVX2},
	},
}

// avx512 takes kernels of AVX2 where these reach the speed of memory.
var avx512 = kernelSet{
	name: "avx512",

	max:             maxAVX512,
	dot:             dotAVX512,
	addSquares:      addSquaresAVX512,
	normSums:        normSumsAVX512,
	expSum:          expSumAVX512,
	maxExpSum:       maxExpSumAVX512,
	softmaxBackward: softmaxBackwardAVX512,
	scaleDot:        scaleDotAVX512,
	siluMul:         siluMulAVX512,
	siluMulBackward: siluMulBackwardAVX512,
	geluMul:         geluMulAVX512,
	geluMulBackward: geluMulBackwardAVX512,
	softCap:         softCapAVX512,
	softCapBackward: softCapBackwardAVX512,
	scaleMul:        scaleMulAVX512,
	rmsNormBackward: rmsNormBackwardAVX512,
	rotate:          rotateAVX512,
	adamW:           adamWAVX512,
	convert:         [dtypeCount]convertKernel{F16: convertF16AVX512, BF16: convertBF16AVX512},
	transpose:       transposeAVX2,
	transposeSide:   8,

	tile:      tileAVX512,
	narrow:    tileSize{32, 14},
	wide:      tileSize{32, 14},
	masks:     true,
	copyBlock: copyBlockAVX2,
	gram:      gramAVX512,
	gramSide:  4,
	rows:      &rowsAVX512,
	packNT:    [dtypeCount]packKernel{F32: packNTF32AVX512, BF16: packNTBF16AVX512},
	packRows:  16,
	packBytes: 64,
	packNN:    [dtypeCount]packKernel{F16: packNNF16AVX512, BF16: packNNBF16AVX512},
	gemv: [dtypeCount]gemv{
		F32:  {gemvF32AVX512, groupsAVX512},
		F16:  {gemvF16AVX2, groupsAVX2},
		BF16: {gemvBF16AVX512, groupsAVX512},
	},
}

// avx512Dot multiplies pairs by VDPBF16PS, avx512Fused by two fused multiply-adds.
var (
	avx512Dot = pairKernels{
		tile:  tileDotAVX512,
		round: roundBlockAVX512,
		pack:  packPairsAVX512,
		gemv:  gemv{gemvDotAVX512, groupsAVX512},
	}
	avx512Fused = pairKernels{
		tile:  tileFusedAVX512,
		round: roundBlockAVX512,
		apart: roundApartAVX512,
		pack:  packPairsAVX512,
		gemv:  gemv{gemvDotAVX512, groupsAVX512},
	}
	packPairsAVX512 = [dtypeCount]packKernel{F32: packPairsF32AVX512, BF16: packPairsBF16AVX512}
)

var avxVNNI = quadKernels{
	tile:     tileQuadsAVX2,
	quantize: quantizeBlockAVX2,
	packNT:   [dtypeCount]packKernel{F32: packQuadsNTF32AVX2, BF16: packQuadsNTBF16AVX2},
	packNN:   [dtypeCount]packKernel{F32: packQuadsNNF32AVX2, BF16: packQuadsNNBF16AVX2},
	rows:     8,
}

var avx512VNNI = quadKernels{
	tile:     tileQuadsAVX512,
	quantize: quantizeBlockAVX512,
	packNT:   [dtypeCount]packKernel{F32: packQuadsNTF32AVX512, BF16: packQuadsNTBF16AVX512},
	packNN:   [dtypeCount]packKernel{F32: packQuadsNNF32AVX512, BF16: packQuadsNNBF16AVX512},
	rows:     16,
}

var rowsAVX2 = rowKernels{
	combine:   combineRowsAVX2,
	addOuter:  addOuterAVX2,
	subOuters: subOutersAVX2,
	rotate:    rotateRowsAVX2,
	dots:      dotRowsAVX2,
}

var rowsAVX512 = rowKernels{
	combine:   combineRowsAVX512,
	addOuter:  addOuterAVX512,
	subOuters: subOutersAVX512,
	rotate:    rotateRowsAVX512,
	dots:      dotRowsAVX2, // its lanes are four
}

// The rows of W in a group, for 1 row of A, 2, …, as simd/_asm/gemv_avx.go has them.
var (
	groupsAVX2   = []int{16, 16, 8, 8}
	groupsAVX512 = []int{32, 32, 32, 32, 32, 32, 32, 32}
)
