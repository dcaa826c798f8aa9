package main

import "fmt"

// The instructions of AVX512_BF16, which Go's assembler does not know: an opcode
// of the map 0F38 with W0 and prefix F3, on 512-bit registers.
const (
	vdpbf16ps     = 0x52
	vcvtneps2bf16 = 0x72
)

// evex encodes a register form: dst, the second operand of three (0 where there
// is none) and the last, in the manuals' order.
func evex(opcode, dst, second, last int) string {
	not := func(bit int) int { return ^bit & 1 }
	p0 := not(dst>>3)<<7 | not(last>>4)<<6 | not(last>>3)<<5 | not(dst>>4)<<4 | 2
	p1 := (^second&15)<<3 | 1<<2 | 2
	p2 := 2<<5 | not(second>>4)<<3
	return fmt.Sprintf("LONG $0x%02x%02x%02x62; WORD $0x%02x%02x", p2, p1, p0, 0xc0|(dst&7)<<3|last&7, opcode)
}

// dot writes the addition of two products to each of 16 sums.
func (f *file) dot(b, a, acc int) {
	f.p("%s // VDPBF16PS Z%d, Z%d, Z%d", evex(vdpbf16ps, acc, a, b), b, a, acc)
}

// narrow writes the rounding of 16 values to bf16.
func (f *file) narrow(src, dst int) {
	f.p("%s // VCVTNEPS2BF16 Z%d, Y%d", evex(vcvtneps2bf16, dst, 0, src), src, dst)
}

// bf16AMD64 writes the products of pairs and the making of pairs.
func bf16AMD64() *file {
	f := newFile("bf16_amd64")
	f.avxTiles("tileDotAVX512", []avxTile{
		{"Z", 64, 1, 14, 32, true, pairs},
		{"Z", 64, 2, 14, 32, true, pairs},
	})
	f.flushConstants()
	f.avxTiles("tileFusedAVX512", []avxTile{
		{"Z", 64, 1, 14, 32, true, fusedPairs},
		{"Z", 64, 2, 14, 32, true, fusedPairs},
	})
	f.roundRows()
	f.roundRowsApart()
	f.packPairs("packPairsBF16AVX512", 2)
	f.packPairs("packPairsF32AVX512", 4)
	return f
}

// oddMask is the register that keeps the odd of the pairs of a tile with fusedPairs.
const oddMask = 3

// flushConstants writes what flushBegin loads.
func (f *file) flushConstants() {
	const start, flushToZero, denormalsAreZeros = 0x1f80, 1 << 15, 1 << 6
	f.raw("DATA flush<>(SB)/4, $0x%08x", start|flushToZero|denormalsAreZeros)
	f.raw("DATA flush<>+4(SB)/4, $0xffff0000")
	f.raw("GLOBL flush<>(SB), RODATA|NOPTR, $8\n")
}

// flushBegin makes subnormals zeros, as VDPBF16PS has them, until flushEnd, and loads
// oddMask.
func (f *file) flushBegin() {
	f.p("STMXCSR saved-8(SP)")
	f.p("LDMXCSR flush<>(SB)")
	f.p("VPBROADCASTD flush<>+4(SB), Z%d", oddMask)
}

func (f *file) flushEnd() { f.p("LDMXCSR saved-8(SP)") }

// roundRowsApart writes the rounding of a block of A to bf16 in float32, the two of each
// pair exchanged.
func (f *file) roundRowsApart() {
	f.eachRow("roundApartAVX512", "rounds to bf16 in float32, and exchanges the two of each pair,", func() {
		f.p("VMOVUPS (SI)(AX*4), Z0")
		f.narrow(0, 0)
		f.p("VPMOVZXWD Y0, Z0")
		f.p("VPSLLD $16, Z0, Z0")
		f.p("VPERMILPS $0xb1, Z0, Z0")
		f.p("VMOVUPS Z0, (DI)(AX*4)")
	})
}

// packPairs interleaves rows 2i and 2i+1 of W to row i of the panel: the even
// row's value in the low half of each pair.
func (f *file) packPairs(name string, size int) {
	f.packHead(name, "makes pairs of rows of W, n pairs of 32 values each.")
	f.p("MOVQ R8, R11")
	f.p("SHLQ $%d, R11", prefetchRows)
	f.p("LEAQ (R11)(R8*1), R12")
	f.p("PCALIGN $32")
	f.label("loop")
	for v := range 2 {
		for row, at := range []string{"(SI)", "(SI)(R8*1)"} {
			r := 2*v + row
			if size == 2 {
				f.p("VPMOVZXWD %d%s, Z%d", 32*v, at, r)
			} else {
				f.p("VMOVUPS %d%s, Z%d", 64*v, at, r)
				f.narrow(r, r)
				f.p("VPMOVZXWD Y%[1]d, Z%[1]d", r)
			}
		}
	}
	f.p("PREFETCHT0 (SI)(R11*1)")
	f.p("PREFETCHT0 (SI)(R12*1)")
	for v := range 2 {
		f.p("VPSLLD $16, Z%[1]d, Z%[1]d", 2*v+1)
		f.p("VPORD Z%d, Z%[2]d, Z%[2]d", 2*v+1, 2*v)
		f.p("VMOVUPS Z%d, %d(DI)", 2*v, 64*v)
	}
	f.p("LEAQ (SI)(R8*2), SI")
	f.p("ADDQ R10, DI")
	f.p("DECQ CX")
	f.p("JNZ loop")
	f.p("VZEROUPPER")
	f.p("RET")
	f.raw("")
}
