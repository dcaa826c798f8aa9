package main

// constantY sets all of Y register r to 32 bits.
func (f *file) constantY(bits uint32, r int) {
	f.p("MOVL $0x%08x, AX", bits)
	f.p("VMOVD AX, X%d", r)
	f.p("VPBROADCASTD X%[1]d, Y%[1]d", r)
}

// inverseY is inverse without masks; temp is overwritten.
func (f *file) inverseY(reg string, amax, inv, scale, temp, c127, c127th, tiny int) {
	f.p("VCMPPS $5, %[1]s%[2]d, %[1]s%[3]d, %[1]s%[4]d", reg, tiny, amax, temp) // not less than
	f.p("VDIVPS %[1]s%[2]d, %[1]s%[3]d, %[1]s%[4]d", reg, amax, c127, inv)
	f.p("VMULPS %[1]s%[2]d, %[1]s%[3]d, %[1]s%[4]d", reg, c127th, amax, scale)
	f.p("VSUBPS %[1]s%[2]d, %[1]s%[2]d, %[1]s%[2]d", reg, amax)
	f.p("VADDPS %[1]s%[2]d, %[1]s%[3]d, %[1]s%[3]d", reg, amax, scale)
	f.p("VANDPS %[1]s%[2]d, %[1]s%[3]d, %[1]s%[3]d", reg, temp, inv)
	f.p("VANDPS %[1]s%[2]d, %[1]s%[3]d, %[1]s%[3]d", reg, temp, scale)
}

// bytesY is bytes for Y registers.
func (f *file) bytesY(a, b, c, d int) {
	f.p("VPACKSSDW Y%d, Y%[2]d, Y%[2]d", b, a)
	f.p("VPACKSSDW Y%d, Y%[2]d, Y%[2]d", d, c)
	f.p("VPACKSSWB Y%d, Y%[2]d, Y%[2]d", c, a)
}

// widenY loads 8 values of W to Y register r.
func (f *file) widenY(bf16 bool, i int, at string, r int) {
	if bf16 {
		f.p("VPMOVZXWD %d%s, Y%d", 16*i, at, r)
		f.p("VPSLLD $16, Y%[1]d, Y%[1]d", r)
	} else {
		f.p("VMOVUPS %d%s, Y%d", 32*i, at, r)
	}
}

// quantizeRowsAVX2 writes what quantizeRows does.
func (f *file) quantizeRowsAVX2() {
	sig := "func quantizeBlockAVX2(rows, n int, dst unsafe.Pointer, ds int, src unsafe.Pointer, ss int)"
	f.declare("\n// quantizeBlockAVX2 makes quads and scales of rows of n groups of 64 values.\n// The strides ds and ss are in bytes.\n//\n//go:noescape\n%s", sig)
	f.raw("// %s", sig)
	f.raw("TEXT ·quantizeBlockAVX2(SB), NOSPLIT, $0-48")
	f.p("MOVQ rows+0(FP), BX")
	f.p("MOVQ dst+16(FP), DI")
	f.p("MOVQ ds+24(FP), R10")
	f.p("MOVQ src+32(FP), SI")
	f.p("MOVQ ss+40(FP), R8")
	f.p("IMUL3Q $%d, R8, R13", aheadRows)
	f.constantY(bitsAbs, 10)
	f.constantY(bits127, 11)
	f.constantY(bits127th, 12)
	f.constantY(bitsTiny, 13)
	f.constantY(0x80808080, 14)
	f.p("VMOVDQU quadOrder8<>(SB), Y15")
	f.label("row")
	f.p("MOVQ n+8(FP), CX")
	f.p("MOVQ SI, R11")
	f.p("MOVQ DI, R12")
	f.p("PCALIGN $32")
	f.label("loop")
	for i := range 8 {
		if i%2 == 0 {
			f.p("PREFETCHT0 %d(R11)(R13*1)", 32*i)
		}
		f.p("VPAND %d(R11), Y10, Y%d", 32*i, i)
	}
	for n := 4; n > 0; n /= 2 {
		for i := range n {
			f.p("VPMAXUD Y%d, Y%[2]d, Y%[2]d", i+n, i)
		}
	}
	f.p("VEXTRACTI128 $1, Y0, X1")
	for _, shuffle := range []string{"VPSHUFD $0x4e", "VPSHUFD $0xb1"} {
		f.p("VPMAXUD X1, X0, X0")
		f.p("%s, X0, X1", shuffle)
	}
	f.p("VPMAXUD X1, X0, X0")
	f.inverseY("X", 0, 8, 1, 2, 11, 12, 13)
	f.p("VMOVSS X1, 64(R12)")
	f.p("VBROADCASTSS X8, Y8")
	for half := range 2 {
		for i := range 4 {
			f.p("VMULPS %d(R11), Y8, Y%d", 128*half+32*i, i)
			f.p("VCVTPS2DQ Y%[1]d, Y%[1]d", i)
		}
		f.bytesY(0, 1, 2, 3)
		f.p("VPERMD Y0, Y15, Y0")
		f.p("VPXOR Y14, Y0, Y0")
		f.p("VMOVDQU Y0, %d(R12)", 32*half)
	}
	f.p("ADDQ $256, R11")
	f.p("ADDQ $68, R12")
	f.p("DECQ CX")
	f.p("JNZ loop")
	f.p("ADDQ R8, SI")
	f.p("ADDQ R10, DI")
	f.p("DECQ BX")
	f.p("JNZ row")
	f.p("VZEROUPPER")
	f.p("RET")
	f.raw("")
}

// quadsOfRowsAVX2 writes the packing of 8 rows of W as columns of a panel, n groups of 64
// values of each.
func (f *file) quadsOfRowsAVX2(name string, bf16 bool) {
	size, max, pair := 4, "VPMAXUD", uint32(bitsAbs)
	if bf16 {
		size, max, pair = 2, "VPMAXUW", bitsAbsPair
	}
	f.quadHead(name, "makes quads of 8 rows of W, n groups of 64 values, as columns of a panel.", 32)
	f.p("LEAQ (R8)(R8*2), R11")
	f.p("LEAQ (R8)(R8*4), R12")
	f.p("LEAQ (R11)(R8*4), R13")
	at := func(row int) string { return rowAddress("(SI)", row) }
	f.p("PCALIGN $32")
	f.label("loop")
	f.constantY(pair, 15)
	for j := range 8 {
		f.p("VPAND %s, Y15, Y%d", at(j), j)
		for i := 1; i < 2*size; i++ {
			f.p("VPAND %d%s, Y15, Y8", 32*i, at(j))
			f.p("%s Y8, Y%[2]d, Y%[2]d", max, j)
		}
	}
	f.greatest8(bf16)
	f.constantY(bits127, 11)
	f.constantY(bits127th, 12)
	f.constantY(bitsTiny, 13)
	f.inverseY("Y", 0, 1, 2, 3, 11, 12, 13)
	f.p("VMOVUPS Y1, 0(SP)")
	f.p("IMUL3Q $17, R10, AX")
	f.p("VMOVUPS Y2, (DI)(AX*1)")
	f.constantY(0x80808080, 14)
	f.p("VPXOR Y15, Y15, Y15")
	f.p("LEAQ (DI)(R10*1), AX")
	for half := range 2 {
		for j := range 8 {
			f.p("VBROADCASTSS %d(SP), Y11", 4*j)
			for i := range 4 {
				r := 7 + i
				if i == 0 {
					r = j
				}
				f.widenY(bf16, 4*half+i, at(j), r)
				f.p("VMULPS Y11, Y%[1]d, Y%[1]d", r)
				f.p("VCVTPS2DQ Y%[1]d, Y%[1]d", r)
			}
			f.bytesY(j, 8, 9, 10)
		}
		columns := f.transpose8()
		for s := range 8 { // step s is what bytes left at 4·(s mod 2) + s/2
			c := columns[s%2*4+s/2]
			f.p("VMOVDQU Y%d, (AX)", c)
			f.p("ADDQ R10, AX")
			f.addQuads("Y", c, 14, 15)
		}
	}
	f.p("VPXOR Y0, Y0, Y0")
	f.p("VPSUBD Y15, Y0, Y0")
	f.p("VMOVDQU Y0, (DI)")
	f.p("LEAQ (AX)(R10*1), DI")
	f.p("ADDQ $%d, SI", 64*size)
	f.p("DECQ CX")
	f.p("JNZ loop")
	f.p("VZEROUPPER")
	f.p("RET")
	f.raw("")
}

// greatest8 is greatest for 8 registers.
func (f *file) greatest8(words bool) {
	max := map[bool]string{true: "VPMAXUW", false: "VPMAXUD"}[words]
	n := 8
	for _, ops := range [][2]string{{"VPUNPCKLDQ", "VPUNPCKHDQ"}, {"VPUNPCKLQDQ", "VPUNPCKHQDQ"}, {"VPERM2I128 $0x20,", "VPERM2I128 $0x31,"}} {
		for i := 0; i < n; i += 2 {
			f.p("%s Y%d, Y%d, Y8", ops[0], i+1, i)
			f.p("%s Y%d, Y%d, Y9", ops[1], i+1, i)
			f.p("%s Y8, Y9, Y%d", max, i/2)
		}
		n /= 2
	}
	if words {
		f.p("VPSLLD $16, Y0, Y8")
		f.p("VPMAXUW Y8, Y0, Y0")
		f.p("VPSRLD $16, Y0, Y0")
		f.p("VPSLLD $16, Y0, Y0")
	}
}

// transpose8 transposes 8×8 values of 32 bits, rows in registers 0 to 7, and returns the
// registers of the columns. Register 8 is overwritten.
func (f *file) transpose8() (columns [8]int) {
	r, free := [8]int{0, 1, 2, 3, 4, 5, 6, 7}, 8
	// stage replaces registers a and b, as r has them, by what the two instructions make.
	stage := func(lo, hi string, a, b int) {
		f.p("%s Y%d, Y%d, Y%d", lo, r[b], r[a], free)
		f.p("%s Y%d, Y%d, Y%d", hi, r[b], r[a], r[b])
		r[a], free = free, r[a]
	}
	for i := range 4 { // r[2i]: columns 0 and 1 of each lane, of rows 2i and 2i+1; r[2i+1]: 2 and 3
		stage("VPUNPCKLDQ", "VPUNPCKHDQ", 2*i, 2*i+1)
	}
	for i := range 4 { // r[4q+c], r[4q+c+2]: columns 2c and 2c+1 of rows 4q to 4q+3
		stage("VPUNPCKLQDQ", "VPUNPCKHQDQ", i/2*4+i%2, i/2*4+i%2+2)
	}
	for i := range 4 { // of all rows: of the lower lane, and of the upper
		stage("VPERM2I128 $0x20,", "VPERM2I128 $0x31,", i, i+4)
	}
	for lane := range 2 {
		for c := range 2 {
			columns[4*lane+2*c], columns[4*lane+2*c+1] = r[4*lane+c], r[4*lane+c+2]
		}
	}
	return columns
}

// quadsOfColumnsAVX2 writes the packing of rows of W as k of a panel: n groups of 64
// rows, 16 values of each.
func (f *file) quadsOfColumnsAVX2(name string, bf16 bool) {
	f.quadHead(name, "makes quads of n groups of 64 rows of W, 16 values of each.", 0)
	f.p("VMOVDQU quadBytes<>(SB), Y10")
	f.constantY(0x80808080, 11)
	f.p("LEAQ (R8)(R8*2), R11")
	f.p("MOVQ R8, R12")
	f.p("SHLQ $%d, R12", prefetchRows)
	f.p("PCALIGN $32")
	f.label("loop")
	if bf16 {
		f.constantY(bitsAbsPair, 15)
	} else {
		f.constantY(bitsAbs, 15)
	}
	f.p("VPXOR Y0, Y0, Y0")
	f.p("VPXOR Y1, Y1, Y1")
	f.p("MOVQ SI, DX")
	f.p("MOVL $16, BX")
	f.label("most")
	f.p("LEAQ (DX)(R12*1), R13")
	for i, index := range []string{"", "(R8*1)", "(R8*2)", "(R11*1)"} {
		f.p("PREFETCHT0 (R13)%s", index)
		if bf16 {
			f.p("VPAND (DX)%s, Y15, Y2", index)
			f.p("VPMAXUW Y2, Y%[1]d, Y%[1]d", i%2)
			continue
		}
		for v := range 2 {
			f.p("VPAND %d(DX)%s, Y15, Y%d", 32*v, index, 2+v)
			f.p("VPMAXUD Y%d, Y%[2]d, Y%[2]d", 2+v, v)
		}
	}
	f.p("LEAQ (DX)(R8*4), DX")
	f.p("DECL BX")
	f.p("JNZ most")
	if bf16 {
		f.p("VPMAXUW Y1, Y0, Y1")
		f.p("VPMOVZXWD X1, Y0")
		f.p("VEXTRACTI128 $1, Y1, X1")
		f.p("VPMOVZXWD X1, Y1")
		f.p("VPSLLD $16, Y0, Y0")
		f.p("VPSLLD $16, Y1, Y1")
	}
	f.constantY(bits127, 12)
	f.constantY(bits127th, 13)
	f.constantY(bitsTiny, 14)
	for v := range 2 {
		f.inverseY("Y", v, 4+v, 6+v, 2, 12, 13, 14)
		f.p("VPXOR Y%[1]d, Y%[1]d, Y%[1]d", 8+v)
	}
	f.p("LEAQ (DI)(R10*1), AX")
	f.p("MOVL $16, BX")
	f.label("quad")
	for v := range 2 {
		for i, at := range []string{"(SI)", "(SI)(R8*1)", "(SI)(R8*2)", "(SI)(R11*1)"} {
			f.widenY(bf16, v, at, i)
			f.p("VMULPS Y%d, Y%[2]d, Y%[2]d", 4+v, i)
			f.p("VCVTPS2DQ Y%[1]d, Y%[1]d", i)
		}
		f.bytesY(0, 1, 2, 3)
		f.p("VPSHUFB Y10, Y0, Y0")
		f.addQuads("Y", 0, 11, 8+v)
		f.p("VMOVDQU Y0, %d(AX)", 32*v)
	}
	f.p("LEAQ (SI)(R8*4), SI")
	f.p("ADDQ R10, AX")
	f.p("DECL BX")
	f.p("JNZ quad")
	for v := range 2 {
		f.p("VPXOR Y0, Y0, Y0")
		f.p("VPSUBD Y%d, Y0, Y0", 8+v)
		f.p("VMOVDQU Y0, %d(DI)", 32*v)
		f.p("VMOVUPS Y%d, %d(AX)", 6+v, 32*v)
	}
	f.p("LEAQ (AX)(R10*1), DI")
	f.p("DECQ CX")
	f.p("JNZ loop")
	f.p("VZEROUPPER")
	f.p("RET")
	f.raw("")
}
