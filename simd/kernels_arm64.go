//go:build !purego

package simd

import "golang.org/x/sys/cpu"

// Every arm64 CPU has NEON.
func init() {
	if hasBF16() {
		neon.pairs = &neonBF16
	}
	if cpu.ARM64.HasASIMDDP {
		neon.quads = &neonDotProd
	}
	offer(&neon)
}

var neon = kernelSet{
	name: "neon",

	max:             maxNEON,
	dot:             dotNEON,
	addSquares:      addSquaresNEON,
	normSums:        normSumsNEON,
	expSum:          expSumNEON,
	maxExpSum:       maxExpSumNEON,
	softmaxBackward: softmaxBackwardNEON,
	scaleDot:        scaleDotNEON,
	siluMul:         siluMulNEON,
	siluMulBackward: siluMulBackwardNEON,
	geluMul:         geluMulNEON,
	geluMulBackward: geluMulBackwardNEON,
	softCap:         softCapNEON,
	softCapBackward: softCapBackwardNEON,
	scaleMul:        scaleMulNEON,
	rmsNormBackward: rmsNormBackwardNEON,
	rotate:          rotateNEON,
	adamW:           adamWNEON,
	convert:         [dtypeCount]convertKernel{F16: convertF16NEON, BF16: convertBF16NEON},
	transpose:       transposeNEON,
	transposeSide:   4,

	// vek has no NEON.
	add:   addNEON,
	mulBy: mulByNEON,
	scale: scaleNEON,

	tile:      tileNEON,
	narrow:    tileSize{8, 8},
	wide:      tileSize{8, 8},
	packNT:    [dtypeCount]packKernel{F32: packNTF32NEON, BF16: packNTBF16NEON},
	packRows:  4,
	packBytes: 16,
	packNN:    [dtypeCount]packKernel{F16: packNNF16NEON, BF16: packNNBF16NEON},
}

var neonBF16 = pairKernels{
	tile:  tilePairsNEON,
	round: roundBlockNEON,
	pack:  [dtypeCount]packKernel{F32: packPairsF32NEON, BF16: packPairsBF16NEON},
}

var neonDotProd = quadKernels{
	tile:     tileQuadsNEON,
	quantize: quantizeBlockNEON,
	packNT:   [dtypeCount]packKernel{F32: packQuadsNTF32NEON, BF16: packQuadsNTBF16NEON},
	packNN:   [dtypeCount]packKernel{F32: packQuadsNNF32NEON, BF16: packQuadsNNBF16NEON},
	rows:     4,
}
