package main

// Products in int8 with ARM's dot product of signed bytes (FEAT_DotProd). The tile is that
// of gemm_neon.go, 8 rows of two vectors; the layout of A and B is that of int8.go.

// Instructions on bytes and integers that Go's arm64 assembler does not know: the sums of
// 32 bits d += Σ n·m over four signed bytes, with all of m, or its quad i; the conversion
// of integers to float32; the greater of unsigned integers, and the greatest of four.
func (f *file) sdot(d, n, m int) {
	f.p("WORD $0x%08x // SDOT V%d.4S, V%d.16B, V%d.16B", 0x4e809400|m<<16|n<<5|d, d, n, m)
}

func (f *file) sdotElement(d, n, m, i int) {
	f.p("WORD $0x%08x // SDOT V%d.4S, V%d.16B, V%d.4B[%d]", 0x4f80e000|i>>1<<11|i&1<<21|m<<16|n<<5|d, d, n, m, i)
}

func (f *file) scvtf(d, n int) { f.p("WORD $0x%08x // SCVTF V%d.4S, V%d.4S", 0x4e21d800|n<<5|d, d, n) }

func (f *file) umax(d, n, m int) {
	f.p("WORD $0x%08x // UMAX V%d.4S, V%d.4S, V%d.4S", 0x6ea06400|m<<16|n<<5|d, d, n, m)
}

func (f *file) umaxv(d, n int) { f.p("WORD $0x%08x // UMAXV S%d, V%d.4S", 0x6eb0a800|n<<5|d, d, n) }

func (f *file) bic(d, n, m int) {
	f.p("WORD $0x%08x // BIC V%d.16B, V%d.16B, V%d.16B", 0x4e601c00|m<<16|n<<5|d, d, n, m)
}

func int8ARM64() *file {
	f := newFile("int8_arm64")
	f.quadTileNEON()
	f.quantizeRowsNEON()
	for _, bf16 := range []bool{true, false} {
		kind := map[bool]string{true: "BF16", false: "F32"}[bf16]
		f.quadsOfRowsNEON("packQuadsNT"+kind+"NEON", bf16)
		f.quadsOfColumnsNEON("packQuadsNN"+kind+"NEON", bf16)
	}
	return f
}

// dup sets all four values of register r to 32 bits.
func (f *file) dup(bits uint32, r int) {
	f.p("MOVD $0x%08x, R20", bits)
	f.p("VDUP R20, V%d.S4", r)
}

// quadTileNEON writes the products of blocks of A with a panel: for each group the exact
// sums in V0 to V15, which are scaled and added to C. The bytes of A get their signs back,
// so the sums begin with zero.
func (f *file) quadTileNEON() {
	f.tileHead("tileQuadsNEON", 0)
	f.p("MOVD rows+0(FP), R14")
	f.p("MOVD k+16(FP), R0")
	f.p("MOVD a+24(FP), R1")
	f.p("MOVD rsa+32(FP), R9")
	f.p("MOVD b+48(FP), R10")
	f.p("MOVD c+64(FP), R11")
	f.p("MOVD ldc+72(FP), R12")
	f.p("MOVBU add+80(FP), R15")
	for i := 1; i < neonRows; i++ {
		f.p("ADD R9, R%d, R%d", i, i+1)
	}
	f.dup(0x80808080, 31)
	for n := 1; n < neonRows; n++ {
		f.p("CMP $%d, R14", n)
		f.p("BEQ rows%d", n)
	}
	f.p("B rows%d", neonRows)
	for n := 1; n <= neonRows; n++ {
		f.quadRowsNEON(n)
	}
	f.raw("")
}

// quadRowsNEON writes the loop over groups for n rows.
func (f *file) quadRowsNEON(n int) {
	f.label("rows%d", n)
	f.p("ADD $%d, R10, R10", 4*neonCols)
	for i := range 2 * n {
		f.p("VEOR V%[1]d.B16, V%[1]d.B16, V%[1]d.B16", i)
	}
	f.p("MOVD $4, R17")
	f.label("four%d", n)
	for i := range n {
		f.p("VLD1.P 16(R%d), [V%d.B16]", neonFirst+i, neonA+i)
		f.p("VEOR V31.B16, V%[1]d.B16, V%[1]d.B16", neonA+i)
	}
	for k := range 4 {
		b := neonB + 2*(k%3)
		f.p("VLD1.P 32(R10), [V%d.B16, V%d.B16]", b, b+1)
		for row := range n {
			for v := range 2 {
				f.sdotElement(2*row+v, b+v, neonA+row, k)
			}
		}
	}
	f.p("SUBS $1, R17, R17")
	f.p("BNE four%d", n)
	f.p("VLD1.P 32(R10), [V24.S4, V25.S4]")
	f.p("MOVD R11, R16")
	f.p("CBNZ R15, add%d", n)
	f.quadScaleNEON(n, false)
	f.p("MOVD $1, R15")
	f.p("B next%d", n)
	f.label("add%d", n)
	f.quadScaleNEON(n, true)
	f.label("next%d", n)
	f.p("SUBS $1, R0, R0")
	f.p("BNE rows%d", n)
	f.p("RET")
}

// quadScaleNEON sets the rows of C to the scaled sums of a group, or adds them.
func (f *file) quadScaleNEON(n int, add bool) {
	for i := range n {
		f.p("VLD1R.P 4(R%d), [V26.S4]", neonFirst+i)
		if add {
			f.p("VLD1 (R16), [V29.S4, V30.S4]")
		}
		for v := range 2 {
			f.neon("FMUL", 27+v, 24+v, 26)
			f.scvtf(2*i+v, 2*i+v)
			if add {
				f.fma(29+v, 2*i+v, 27+v)
			} else {
				f.neon("FMUL", 29+v, 2*i+v, 27+v)
			}
		}
		f.p("VST1 [V29.S4, V30.S4], (R16)")
		if i < n-1 {
			f.p("ADD R12, R16, R16")
		}
	}
}

// The constants of quantising: 127, 1/127, 2⁻¹⁰⁰ and all bits but the sign.
const (
	neon127   = 8
	neon127th = 9
	neonTiny  = 10
	neonAbs   = 11
)

func (f *file) quantConstantsNEON() {
	f.dup(bits127, neon127)
	f.dup(bits127th, neon127th)
	f.dup(bitsTiny, neonTiny)
	f.dup(bitsAbs, neonAbs)
}

// inverseNEON sets inv and scale for the largest value amax of a group, as inverse does.
func (f *file) inverseNEON(amax, inv, scale, temp int) {
	f.neon("FCMGT", temp, neonTiny, amax)
	f.neon("FDIV", inv, neon127, amax)
	f.bic(inv, inv, temp)
	f.neon("FMUL", scale, amax, neon127th)
	f.bic(scale, scale, temp)
	f.neon("FSUB", temp, amax, amax)
	f.neon("FADD", scale, scale, temp)
}

// load16 loads 16 values at R(ptr) to V0…V3 and steps over them.
func (f *file) load16(ptr int, bf16 bool) {
	if !bf16 {
		f.p("VLD1.P 64(R%d), [V0.S4, V1.S4, V2.S4, V3.S4]", ptr)
		return
	}
	f.p("VLD1.P 32(R%d), [V4.H8, V5.H8]", ptr)
	for i := range 2 {
		f.p("VUSHLL $0, V%d.H4, V%d.S4", 4+i, 2*i)
		f.p("VUSHLL2 $0, V%d.H8, V%d.S4", 4+i, 2*i+1)
	}
	for i := range 4 {
		f.p("VSHL $16, V%[1]d.S4, V%[1]d.S4", i)
	}
}

// groupNEON makes the quads of 64 values at R(ptr), and steps over them, in registers to to
// to+3, signs and all, and their scale in all of register scale. R21 and V0 to V7 are used.
func (f *file) groupNEON(ptr int, bf16 bool, to, scale int) {
	f.p("MOVD R%d, R21", ptr)
	f.p("VEOR V6.B16, V6.B16, V6.B16")
	for range 4 {
		f.load16(21, bf16)
		for i := range 4 {
			f.p("VAND V%d.B16, V%[2]d.B16, V%[2]d.B16", neonAbs, i)
		}
		f.umax(0, 0, 1)
		f.umax(2, 2, 3)
		f.umax(0, 0, 2)
		f.umax(6, 6, 0)
	}
	f.umaxv(6, 6)
	f.p("VDUP V6.S[0], V6.S4")
	f.inverseNEON(6, 7, scale, 5)
	for part := range 4 {
		f.load16(ptr, bf16)
		for i := range 4 {
			f.neon("FMUL", i, i, 7)
			f.neon("FCVTNS", i, i)
		}
		f.p("VUZP1 V1.H8, V0.H8, V0.H8")
		f.p("VUZP1 V3.H8, V2.H8, V2.H8")
		f.p("VUZP1 V2.B16, V0.B16, V%d.B16", to+part)
	}
}

// quantizeRowsNEON writes the making of a block of A: n groups of 64 values of each row.
func (f *file) quantizeRowsNEON() {
	f.blockNEON("quantizeBlockNEON", "makes quads and scales of rows of n groups of 64 values.", 1, func() {
		f.quantConstantsNEON()
		f.dup(0x80808080, 31)
	}, func() {
		f.groupNEON(7, false, 16, 20)
		for i := range 4 {
			f.p("VEOR V31.B16, V%[1]d.B16, V%[1]d.B16", 16+i)
		}
		f.p("VST1.P [V16.B16, V17.B16, V18.B16, V19.B16], 64(R6)")
		f.p("FMOVS.P F20, 4(R6)")
	})
}

// quadsOfRowsNEON writes the packing of 4 rows of W as columns of a panel, n groups of 64
// values of each.
func (f *file) quadsOfRowsNEON(name string, bf16 bool) {
	f.neonHead(name, "makes quads of 4 rows of W, n groups of 64 values, as columns of a panel.")
	for i := 1; i < 4; i++ {
		f.p("ADD R9, R%d, R%d", i, i+1)
	}
	f.quantConstantsNEON()
	f.label("loop")
	for row := range 4 {
		f.groupNEON(1+row, bf16, 16+4*row, 12)
		f.p("VMOV V12.S[0], V13.S[%d]", row)
	}
	f.dup(0x80808080, 14)
	f.p("VEOR V15.B16, V15.B16, V15.B16")
	f.p("ADD R11, R10, R12")
	for part := range 4 {
		r := func(row int) int { return 16 + 4*row + part }
		for i, op := range []string{"VZIP1", "VZIP2"} {
			f.p("%s V%d.S4, V%d.S4, V%d.S4", op, r(1), r(0), i)
			f.p("%s V%d.S4, V%d.S4, V%d.S4", op, r(3), r(2), 2+i)
		}
		for i := range 2 {
			f.p("VZIP1 V%d.D2, V%d.D2, V%d.D2", 2+i, i, 4+2*i)
			f.p("VZIP2 V%d.D2, V%d.D2, V%d.D2", 2+i, i, 5+2*i)
		}
		for i := range 4 {
			f.sdot(15, 4+i, 14)
			f.p("VST1 [V%d.B16], (R12)", 4+i)
			f.p("ADD R11, R12, R12")
		}
	}
	f.p("VST1 [V15.S4], (R10)")
	f.p("VST1 [V13.S4], (R12)")
	f.p("ADD R11, R12, R10")
	f.p("SUBS $1, R0, R0")
	f.p("BNE loop")
	f.p("RET")
	f.raw("")
}

// quadsOfColumnsNEON writes the packing of rows of W as k of a panel: n groups of 64 rows,
// 8 values of each.
func (f *file) quadsOfColumnsNEON(name string, bf16 bool) {
	load := func(to int) { // the 8 values of a row, at R1
		if bf16 {
			f.p("VLD1 (R1), [V%d.H8]", to)
			f.p("VUSHLL2 $0, V%d.H8, V%d.S4", to, to+1)
			f.p("VUSHLL $0, V%d.H4, V%d.S4", to, to)
			f.p("VSHL $16, V%[1]d.S4, V%[1]d.S4", to)
			f.p("VSHL $16, V%[1]d.S4, V%[1]d.S4", to+1)
		} else {
			f.p("VLD1 (R1), [V%d.S4, V%d.S4]", to, to+1)
		}
		f.p("ADD R9, R1, R1")
	}
	f.neonHead(name, "makes quads of n groups of 64 rows of W, 8 values of each.")
	f.quantConstantsNEON()
	f.dup(0x80808080, 14)
	f.label("loop")
	f.p("MOVD R1, R12")
	f.p("VEOR V16.B16, V16.B16, V16.B16")
	f.p("VEOR V17.B16, V17.B16, V17.B16")
	f.p("MOVD $64, R13")
	f.label("most")
	load(0)
	for v := range 2 {
		f.p("VAND V%d.B16, V%[2]d.B16, V%[2]d.B16", neonAbs, v)
		f.umax(16+v, 16+v, v)
	}
	f.p("SUBS $1, R13, R13")
	f.p("BNE most")
	for v := range 2 {
		f.inverseNEON(16+v, 18+v, 20+v, 0)
		f.p("VEOR V%[1]d.B16, V%[1]d.B16, V%[1]d.B16", 22+v)
	}
	f.p("MOVD R12, R1")
	f.p("ADD R11, R10, R12")
	f.p("MOVD $16, R13")
	f.label("quad")
	for row := range 4 {
		load(2 * row)
		for v := range 2 {
			f.neon("FMUL", 2*row+v, 2*row+v, 18+v)
			f.neon("FCVTNS", 2*row+v, 2*row+v)
			if row > 0 {
				f.p("VSLI $%d, V%d.S4, V%d.S4", 8*row, 2*row+v, v)
			}
		}
	}
	f.sdot(22, 0, 14)
	f.sdot(23, 1, 14)
	f.p("VST1 [V0.S4, V1.S4], (R12)")
	f.p("ADD R11, R12, R12")
	f.p("SUBS $1, R13, R13")
	f.p("BNE quad")
	f.p("VST1 [V22.S4, V23.S4], (R10)")
	f.p("VST1 [V20.S4, V21.S4], (R12)")
	f.p("ADD R11, R12, R10")
	f.p("SUBS $1, R0, R0")
	f.p("BNE loop")
	f.p("RET")
	f.raw("")
}
