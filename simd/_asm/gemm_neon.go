package main

import "fmt"

// Instructions Go's arm64 assembler does not know, by their encoding.

// fmlaElement is FMLA Vd.4S, Vn.4S, Vm.S[i]: d += n·m[i].
func (f *file) fmlaElement(d, n, m, i int) {
	f.p("WORD $0x%08x // FMLA V%d.4S, V%d.4S, V%d.S[%d]", 0x4f801000|i>>1<<11|i&1<<21|m>>4<<20|m&15<<16|n<<5|d, d, n, m, i)
}

// fcvtl is FCVTL(2) Vd.4S, Vn.4H: four f16, of the lower or upper half, to f32.
func (f *file) fcvtl(d, n int, upper bool) {
	q := map[bool]int{false: 0, true: 1}[upper]
	f.p("WORD $0x%08x // FCVTL(2) V%d.4S, V%d", 0x0e217800|q<<30|n<<5|d, d, n)
}

// The NEON tile is 8 rows of two vectors: 16 accumulators V0-V15, A in V16-V23
// and B in V24-V31.
const (
	neonRows  = 8
	neonCols  = 8
	neonA     = 16
	neonB     = 24
	neonFirst = 1 // R1…R8 point into the rows of A
)

func gemmARM64() *file {
	f := newFile("gemm_arm64")
	f.tileNEON("tileNEON", f.fmlaElement)
	f.packNEON()
	return f
}

// tileNEON writes the tile kernel whose step is add: d += n·m[i] for the 32 bits i of m.
func (f *file) tileNEON(name string, add func(d, n, m, i int)) {
	f.tileHead(name, 0)
	f.p("MOVD rows+0(FP), R14")
	f.p("MOVD k+16(FP), R0")
	f.p("MOVD a+24(FP), R1")
	f.p("MOVD rsa+32(FP), R9")
	f.p("MOVD b+48(FP), R10")
	f.p("MOVD rsb+56(FP), R13")
	f.p("MOVD c+64(FP), R11")
	f.p("MOVD ldc+72(FP), R12")
	f.p("MOVBU add+80(FP), R15")
	for i := 1; i < neonRows; i++ { // all, though fewer may be used: no branch
		f.p("ADD R9, R%d, R%d", i, i+1)
	}
	f.p("MOVD csa+40(FP), R9")
	for n := 1; n < neonRows; n++ {
		f.p("CMP $%d, R14", n)
		f.p("BEQ rows%d", n)
	}
	f.p("B rows%d", neonRows)
	for n := 1; n <= neonRows; n++ {
		f.neonTile(n, add)
	}
	f.raw("")
}

// neonTile writes the kernel of n rows. Where a row of A is contiguous four k
// are loaded at once.
func (f *file) neonTile(n int, add func(d, n, m, i int)) {
	f.label("rows%d", n)
	f.p("MOVD R11, R16")
	f.p("CBZ R15, zero%d", n)
	for i := range n {
		f.p("VLD1 (R16), [V%d.S4, V%d.S4]", 2*i, 2*i+1)
		f.p("ADD R12, R16, R16")
	}
	f.p("B start%d", n)
	f.label("zero%d", n)
	for i := range 2 * n {
		f.p("VEOR V%[1]d.B16, V%[1]d.B16, V%[1]d.B16", i)
	}
	f.label("start%d", n)
	f.p("CMP $4, R9")
	f.p("BNE tail%d", n)
	f.label("four%d", n)
	f.p("CMP $4, R0")
	f.p("BLT tail%d", n)
	for i := range n {
		f.p("VLD1.P 16(R%d), [V%d.S4]", neonFirst+i, neonA+i)
	}
	for k := range 4 {
		f.neonB(k)
	}
	for k := range 4 {
		neonStep(n, k, k, add)
	}
	f.p("SUB $4, R0, R0")
	f.p("B four%d", n)
	f.label("tail%d", n)
	f.p("CBZ R0, done%d", n)
	for i := range n {
		f.p("VLD1 (R%d), V%d.S[0]", neonFirst+i, neonA+i)
		f.p("ADD R9, R%[1]d, R%[1]d", neonFirst+i)
	}
	f.neonB(0)
	neonStep(n, 0, 0, add)
	f.p("SUB $1, R0, R0")
	f.p("B tail%d", n)
	f.label("done%d", n)
	for i := range n {
		f.p("VST1 [V%d.S4, V%d.S4], (R11)", 2*i, 2*i+1)
		if i < n-1 {
			f.p("ADD R12, R11, R11")
		}
	}
	f.p("RET")
}

// neonB loads the next row of B into its k-th pair of registers.
func (f *file) neonB(k int) {
	f.p("VLD1 (R10), [V%d.S4, V%d.S4]", neonB+2*k, neonB+2*k+1)
	f.p("ADD R13, R10, R10")
}

// neonStep adds element i of A's registers times the k-th row of B.
func neonStep(n, k, i int, add func(d, n, m, i int)) {
	for row := range n {
		for v := range 2 {
			add(2*row+v, neonB+2*k+v, neonA+row, i)
		}
	}
}

// packNEON writes the packing of stored weights into panels of 8 columns; see
// packAVX.
func (f *file) packNEON() {
	f.neonTransposed("packNTBF16NEON", true)
	f.neonTransposed("packNTF32NEON", false)
	for _, half := range []bool{false, true} {
		f.neonPackRows(map[bool]string{false: "packNNBF16NEON", true: "packNNF16NEON"}[half], half)
	}
}

func (f *file) neonHead(name, doc string) {
	f.packSignature(name, doc)
	f.p("MOVD n+0(FP), R0")
	f.p("MOVD w+8(FP), R1")
	f.p("MOVD ws+16(FP), R9")
	f.p("MOVD dst+24(FP), R10")
	f.p("MOVD ds+32(FP), R11")
}

// blockNEON writes a kernel of rows of a block of A: body makes step of the n of a row,
// from R7 on, and writes them at R6, and steps over both.
func (f *file) blockNEON(name, doc string, step int, constants, body func()) {
	sig := fmt.Sprintf("func %s(rows, n int, dst unsafe.Pointer, ds int, src unsafe.Pointer, ss int)", name)
	f.declare("\n// %s %s\n// The strides ds and ss are in bytes.\n//\n//go:noescape\n%s", name, doc, sig)
	f.raw("// %s", sig)
	f.raw("TEXT ·%s(SB), NOSPLIT, $0-48", name)
	f.p("MOVD rows+0(FP), R0")
	f.p("MOVD dst+16(FP), R2")
	f.p("MOVD ds+24(FP), R3")
	f.p("MOVD src+32(FP), R4")
	f.p("MOVD ss+40(FP), R5")
	constants()
	f.label("row")
	f.p("MOVD n+8(FP), R1")
	f.p("MOVD R2, R6")
	f.p("MOVD R4, R7")
	f.label("loop")
	body()
	f.p("SUBS $%d, R1, R1", step)
	f.p("BNE loop")
	f.p("ADD R3, R2, R2")
	f.p("ADD R5, R4, R4")
	f.p("SUBS $1, R0, R0")
	f.p("BNE row")
	f.p("RET")
	f.raw("")
}

// neonTransposed writes 16 bytes of four rows of W as columns of the panel.
func (f *file) neonTransposed(name string, bf16 bool) {
	values := map[bool]int{false: 4, true: 8}[bf16]
	f.neonHead(name, fmt.Sprintf("transposes 4 rows of W, n blocks of %d values each.", values))
	for i := 1; i < 4; i++ {
		f.p("ADD R9, R%d, R%d", i, i+1)
	}
	f.p("MOVD $0xffff0000, R12")
	f.p("VDUP R12, V31.S4")
	f.label("loop")
	for i := range 4 {
		f.p("VLD1.P 16(R%d), [V%d.S4]", 1+i, i)
	}
	for i, op := range []string{"VZIP1", "VZIP2"} { // (0,1), (2,3) interleaved
		f.p("%s V1.S4, V0.S4, V%d.S4", op, 4+i)
		f.p("%s V3.S4, V2.S4, V%d.S4", op, 6+i)
	}
	for i := range 2 {
		f.p("VZIP1 V%d.D2, V%d.D2, V%d.D2", 6+i, 4+i, 8+2*i)
		f.p("VZIP2 V%d.D2, V%d.D2, V%d.D2", 6+i, 4+i, 9+2*i)
	}
	for i := range 4 {
		if !bf16 {
			f.p("VST1 [V%d.S4], (R10)", 8+i)
			f.p("ADD R11, R10, R10")
			continue
		}
		f.p("VSHL $16, V%d.S4, V12.S4", 8+i)
		f.p("VAND V31.B16, V%d.B16, V13.B16", 8+i)
		for v := range 2 {
			f.p("VST1 [V%d.S4], (R10)", 12+v)
			f.p("ADD R11, R10, R10")
		}
	}
	f.p("SUBS $1, R0, R0")
	f.p("BNE loop")
	f.p("RET")
	f.raw("")
}

// neonPackRows converts n rows of W, eight values wide, to rows of the panel.
func (f *file) neonPackRows(name string, half bool) {
	f.neonHead(name, "converts n rows of W, 8 values each.")
	f.label("loop")
	f.p("VLD1 (R1), [V0.H8]")
	f.p("ADD R9, R1, R1")
	if half {
		f.fcvtl(1, 0, false)
		f.fcvtl(2, 0, true)
	} else {
		f.p("VUSHLL $0, V0.H4, V1.S4")
		f.p("VUSHLL2 $0, V0.H8, V2.S4")
		f.p("VSHL $16, V1.S4, V1.S4")
		f.p("VSHL $16, V2.S4, V2.S4")
	}
	f.p("VST1 [V1.S4, V2.S4], (R10)")
	f.p("ADD R11, R10, R10")
	f.p("SUBS $1, R0, R0")
	f.p("BNE loop")
	f.p("RET")
	f.raw("")
}
