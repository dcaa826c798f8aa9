package main

import "fmt"

// Products in int8: A holds quads, four k of which make 32 bits, and after the 16 quads
// of a group their scale; B holds for each group what its sums begin with, the 16 quads
// and the scales, a row each. See simd/int8.go.

// int8AMD64 writes the products of quads and the making of quads.
func int8AMD64() *file {
	f := newFile("int8_amd64")
	f.orders()
	f.eachTile("tileQuadsAVX512", []avxTile{
		{"Z", 64, 1, 14, 32, true, quads},
		{"Z", 64, 2, 14, 32, true, quads},
	}, f.quadTile)
	f.eachTile("tileQuadsAVX2", []avxTile{{"Y", 32, 2, 6, 16, false, quads}}, f.quadTile)
	f.quantizeRows()
	f.quantizeRowsAVX2()
	f.quadsOfRowsAVX2("packQuadsNTBF16AVX2", true)
	f.quadsOfRowsAVX2("packQuadsNTF32AVX2", false)
	f.quadsOfColumnsAVX2("packQuadsNNBF16AVX2", true)
	f.quadsOfColumnsAVX2("packQuadsNNF32AVX2", false)
	f.quadsOfRows("packQuadsNTBF16AVX512", true)
	f.quadsOfRows("packQuadsNTF32AVX512", false)
	f.quadsOfColumns("packQuadsNNBF16AVX512", true)
	f.quadsOfColumns("packQuadsNNF32AVX512", false)
	return f
}

// quadTile writes the kernel of n rows: for each group the exact sums of its products in
// integers, which are scaled and added to C.
func (f *file) quadTile(t avxTile, n int) {
	id := fmt.Sprintf("%dx%d", n, t.cols())
	panel := 2 * t.bytes // of a row
	load, move := "VMOVDQU", "VMOVDQA"
	if t.masked {
		load, move = "VMOVDQU32", "VMOVDQA32"
	}
	f.label("tile%s", id)
	f.p("MOVQ ldc+72(FP), R10")
	f.rowMultiples(n)
	for i := range n {
		for at := 0; at < t.nv*t.bytes; at += 64 {
			f.p("PREFETCHT0 %d(BX)", at)
		}
		if i < n-1 {
			f.p("ADDQ R10, BX")
		}
	}
	f.label("group%s", id)
	for v := range t.nv {
		f.p("%s %d(DI), %s%d", load, t.bytes*v, t.reg, v)
	}
	f.p("ADDQ $%d, DI", panel)
	for i := range n {
		for v := range t.nv {
			f.p("%[1]s %[2]s%[3]d, %[2]s%[4]d", move, t.reg, v, t.acc(n, i, v))
		}
	}
	f.p("MOVL $4, CX")
	f.p("PCALIGN $64")
	f.label("four%s", id)
	for s := range 4 {
		for v := range t.nv {
			f.p("%s %d(DI), %s%d", load, panel*s+t.bytes*v, t.reg, v)
		}
		temps := min(2, t.first-n*t.nv-t.nv)
		for i := range n {
			x := t.nv + i%temps
			f.p("VPBROADCASTD %d%s, %s%d", 4*s, rowAddress("(SI)", i), t.reg, x)
			for v := range t.nv {
				f.addQuads(t.reg, v, x, t.acc(n, i, v))
			}
		}
	}
	f.p("ADDQ $16, SI")
	f.p("ADDQ $%d, DI", 4*panel)
	f.p("DECL CX")
	f.p("JNZ four%s", id)
	f.p("MOVQ c+64(FP), BX")
	for v := range t.nv {
		f.p("VMOVUPS %d(DI), %s%d", t.bytes*v, t.reg, v)
	}
	f.p("CMPB add+80(FP), $0")
	f.p("JEQ first%s", id)
	f.quadScale(t, n, true)
	f.p("JMP next%s", id)
	f.label("first%s", id)
	f.p("MOVB $1, add+80(FP)")
	f.quadScale(t, n, false)
	f.label("next%s", id)
	f.p("ADDQ $4, SI")
	f.p("ADDQ $%d, DI", panel)
	f.p("DECQ k+16(FP)")
	f.p("JNZ group%s", id)
	f.p("VZEROUPPER")
	f.p("RET")
}

// addQuads adds to each sum of 32 bits the products of four bytes of b, which have a
// sign, with those of a, which have none. Go's assembler does not know VPDPBUSD of
// AVX-VNNI, as a CPU without AVX-512 has it.
func (f *file) addQuads(reg string, b, a, acc int) {
	if reg == "Z" {
		f.p("VPDPBUSD Z%d, Z%d, Z%d", b, a, acc)
		return
	}
	not := func(r int) int { return ^r & 15 }
	b1, b2 := not(acc)>>3<<7|1<<6|not(b)>>3<<5|2, not(a)<<3|1<<2|1
	f.p("LONG $0x50%02x%02xc4; BYTE $0x%02x // VPDPBUSD Y%d, Y%d, Y%d", b2, b1, 0xc0|acc&7<<3|b&7, b, a, acc)
}

// quadScale scales the sums of a group and sets C to them, or adds.
func (f *file) quadScale(t avxTile, n int, add bool) {
	for i := range n {
		f.p("VBROADCASTSS %s, %s%d", rowAddress("(SI)", i), t.reg, t.nv)
		for v := range t.nv {
			acc, scale := t.acc(n, i, v), t.nv+1
			f.p("VMULPS %[1]s%[2]d, %[1]s%[3]d, %[1]s%[4]d", t.reg, v, t.nv, scale)
			f.p("VCVTDQ2PS %[1]s%[2]d, %[1]s%[2]d", t.reg, acc)
			switch {
			case !add:
				f.p("VMULPS %[1]s%[2]d, %[1]s%[3]d, %[1]s%[3]d", t.reg, scale, acc)
			case t.masked:
				f.p("VFMADD213PS %d(BX), Z%d, K%d, Z%d", t.bytes*v, scale, v+1, acc)
			default:
				f.p("VFMADD213PS %d(BX), Y%d, Y%d", t.bytes*v, scale, acc)
			}
			f.store(t, v, acc, "BX")
		}
		if i < n-1 {
			f.p("ADDQ R10, BX")
		}
	}
}

// constant sets all of Z register r to 32 bits.
func (f *file) constant(bits uint32, r int) {
	f.p("MOVL $0x%08x, AX", bits)
	f.p("VPBROADCASTD AX, Z%d", r)
}

// The registers and bits of the constants of scales, see quadScales.
const (
	bits127     = 0x42fe0000
	bits127th   = 0x3c010204 // 1/127
	bitsTiny    = 0x0d800000 // 2⁻¹⁰⁰
	bitsAbs     = 0x7fffffff
	bitsAbsPair = 0x7fff7fff
)

// inverse sets inv to what a group whose largest value is amax is multiplied with, and
// scale to what it is then worth: 127/amax and amax/127, or zeros for a tiny amax; scale
// is a NaN where amax is not finite. Registers 127, 1/127 and tiny are constants.
func (f *file) inverse(reg string, amax, inv, scale, c127, c127th, tiny int) {
	f.p("VCMPPS $5, %[1]s%[2]d, %[1]s%[3]d, K3", reg, tiny, amax) // not less than
	f.p("VDIVPS.Z %[1]s%[2]d, %[1]s%[3]d, K3, %[1]s%[4]d", reg, amax, c127, inv)
	f.p("VMULPS.Z %[1]s%[2]d, %[1]s%[3]d, K3, %[1]s%[4]d", reg, c127th, amax, scale)
	f.p("VSUBPS %[1]s%[2]d, %[1]s%[2]d, %[1]s%[2]d", reg, amax)
	f.p("VADDPS %[1]s%[2]d, %[1]s%[3]d, %[1]s%[3]d", reg, amax, scale)
}

// quantizeRows writes the making of a block of A: n groups of 64 values of each row.
func (f *file) quantizeRows() {
	sig := "func quantizeBlockAVX512(rows, n int, dst unsafe.Pointer, ds int, src unsafe.Pointer, ss int)"
	f.declare("\n// quantizeBlockAVX512 makes quads and scales of rows of n groups of 64 values.\n// The strides ds and ss are in bytes.\n//\n//go:noescape\n%s", sig)
	f.raw("// %s", sig)
	f.raw("TEXT ·quantizeBlockAVX512(SB), NOSPLIT, $0-48")
	f.p("MOVQ rows+0(FP), BX")
	f.p("MOVQ dst+16(FP), DI")
	f.p("MOVQ ds+24(FP), R10")
	f.p("MOVQ src+32(FP), SI")
	f.p("MOVQ ss+40(FP), R8")
	f.p("IMUL3Q $%d, R8, R13", aheadRows)
	f.constant(bitsAbs, 16)
	f.constant(bits127, 17)
	f.constant(bits127th, 18)
	f.constant(bitsTiny, 19)
	f.constant(0x80808080, 20)
	f.p("VMOVDQU32 quadOrder<>(SB), Z21")
	f.label("row")
	f.p("MOVQ n+8(FP), CX")
	f.p("MOVQ SI, R11")
	f.p("MOVQ DI, R12")
	f.p("PCALIGN $32")
	f.label("loop")
	for i := range 4 {
		f.p("PREFETCHT0 %d(R11)(R13*1)", 64*i)
		f.p("VMOVUPS %d(R11), Z%d", 64*i, i)
		f.p("VPANDD Z%d, Z16, Z%d", i, 4+i)
	}
	f.p("VPMAXUD Z5, Z4, Z4")
	f.p("VPMAXUD Z7, Z6, Z6")
	f.p("VPMAXUD Z6, Z4, Z4")
	f.p("VEXTRACTI64X4 $1, Z4, Y5")
	f.p("VPMAXUD Y5, Y4, Y4")
	f.p("VEXTRACTI128 $1, Y4, X5")
	f.p("VPMAXUD X5, X4, X4")
	f.p("VPSHUFD $0x4e, X4, X5")
	f.p("VPMAXUD X5, X4, X4")
	f.p("VPSHUFD $0xb1, X4, X5")
	f.p("VPMAXUD X5, X4, X4")
	f.inverse("X", 4, 5, 6, 17, 18, 19)
	f.p("VMOVSS X6, 64(R12)")
	f.p("VBROADCASTSS X5, Z5")
	for i := range 4 {
		f.p("VMULPS Z5, Z%[1]d, Z%[1]d", i)
		f.p("VCVTPS2DQ Z%[1]d, Z%[1]d", i)
	}
	f.bytes(0, 1, 2, 3)
	f.p("VPERMD Z0, Z21, Z0")
	f.p("VPXORD Z20, Z0, Z0")
	f.p("VMOVDQU32 Z0, (R12)")
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

// bytes packs four registers of integers to bytes in a: in each 128-bit lane four of a,
// four of b, of c, and of d.
func (f *file) bytes(a, b, c, d int) {
	f.p("VPACKSSDW Z%d, Z%[2]d, Z%[2]d", b, a)
	f.p("VPACKSSDW Z%d, Z%[2]d, Z%[2]d", d, c)
	f.p("VPACKSSWB Z%d, Z%[2]d, Z%[2]d", c, a)
}

// orders writes the tables of permutations: quadOrder puts in order what bytes leaves,
// and quadBytes brings together the bytes of a quad that lie four apart.
func (f *file) orders() {
	for i := range 8 {
		lo, hi := 2*i, 2*i+1
		f.raw("DATA quadOrder<>+%d(SB)/8, $0x%08x%08x", 8*i, hi%4*4+hi/4, lo%4*4+lo/4)
	}
	f.raw("GLOBL quadOrder<>(SB), RODATA|NOPTR, $64\n")
	for i := range 4 {
		f.raw("DATA quadOrder8<>+%d(SB)/8, $0x%08x%08x", 8*i, 4+i, i)
	}
	f.raw("GLOBL quadOrder8<>(SB), RODATA|NOPTR, $32\n")
	for lane := range 4 {
		f.raw("DATA quadBytes<>+%d(SB)/8, $0x0d0905010c080400", 16*lane)
		f.raw("DATA quadBytes<>+%d(SB)/8, $0x0f0b07030e0a0602", 16*lane+8)
	}
	f.raw("GLOBL quadBytes<>(SB), RODATA|NOPTR, $64\n")
}

// widen loads 16 values of W to Z register r.
func (f *file) widen(bf16 bool, i int, at string, r int) {
	if bf16 {
		f.p("VPMOVZXWD %d%s, Z%d", 32*i, at, r)
		f.p("VPSLLD $16, Z%[1]d, Z%[1]d", r)
	} else {
		f.p("VMOVUPS %d%s, Z%d", 64*i, at, r)
	}
}

// quadHead opens a packing function with room for n bytes on the stack, and loads its
// operands.
func (f *file) quadHead(name, doc string, n int) {
	sig := "func " + name + "(n int, w unsafe.Pointer, ws int, dst unsafe.Pointer, ds int)"
	f.declare("\n// %s %s\n// The strides ws and ds are in bytes.\n//\n//go:noescape\n%s", name, doc, sig)
	f.raw("// %s", sig)
	f.raw("TEXT ·%s(SB), NOSPLIT, $%d-40", name, n)
	f.p("MOVQ n+0(FP), CX")
	f.p("MOVQ w+8(FP), SI")
	f.p("MOVQ ws+16(FP), R8")
	f.p("MOVQ dst+24(FP), DI")
	f.p("MOVQ ds+32(FP), R10")
}

// quadsOfRows writes the packing of 16 rows of W as columns of a panel, n groups of 64
// values of each.
func (f *file) quadsOfRows(name string, bf16 bool) {
	size := 4
	if bf16 {
		size = 2
	}
	f.quadHead(name, "makes quads of 16 rows of W, n groups of 64 values, as columns of a panel.", 64)
	f.p("LEAQ (R8)(R8*2), R11")
	f.p("LEAQ (R8)(R8*4), R12")
	f.p("LEAQ (R11)(R8*4), R13")
	f.p("LEAQ (SI)(R8*8), DX")
	at := func(row int) string { return rowAddress([]string{"(SI)", "(DX)"}[row/8], row%8) }
	f.p("PCALIGN $32")
	f.label("loop")
	if bf16 {
		f.constant(bitsAbsPair, 31)
	} else {
		f.constant(bitsAbs, 31)
	}
	for j := range 16 {
		f.p("VPANDD %s, Z31, Z%d", at(j), j)
		for i := 1; i < size; i++ {
			f.p("VPANDD %d%s, Z31, Z%d", 64*i, at(j), 15+i)
		}
		max := map[bool]string{true: "VPMAXUW", false: "VPMAXUD"}[bf16]
		if !bf16 {
			f.p("%s Z17, Z18, Z18", max)
		}
		f.p("%s Z16, Z%[2]d, Z%[2]d", max, j)
		if !bf16 {
			f.p("%s Z18, Z%[2]d, Z%[2]d", max, j)
		}
	}
	f.greatest(bf16)
	f.constant(bits127, 17)
	f.constant(bits127th, 18)
	f.constant(bitsTiny, 19)
	f.inverse("Z", 0, 1, 2, 17, 18, 19)
	f.p("VMOVUPS Z1, 0(SP)")
	f.p("IMUL3Q $17, R10, AX")
	f.p("VMOVUPS Z2, (DI)(AX*1)")
	for j := range 16 {
		for i := range 4 {
			r := i
			if i == 0 {
				r = 16 + j
			}
			f.widen(bf16, i, at(j), r)
			f.p("VMULPS.BCST %d(SP), Z%[2]d, Z%[2]d", 4*j, r)
			f.p("VCVTPS2DQ Z%[1]d, Z%[1]d", r)
		}
		f.bytes(16+j, 1, 2, 3)
	}
	f.transpose16()
	f.constant(0x80808080, 0)
	f.p("VPXORD Z1, Z1, Z1")
	f.p("VPXORD Z2, Z2, Z2")
	f.p("LEAQ (DI)(R10*1), AX")
	for s := range 16 { // step s is what bytes left at 4·(s mod 4) + s/4
		r := 16 + s%4*4 + s/4
		f.p("VMOVDQU32 Z%d, (AX)", r)
		f.p("ADDQ R10, AX")
		f.p("VPDPBUSD Z%d, Z0, Z%d", r, 1+s%2)
	}
	f.p("VPADDD Z1, Z2, Z1")
	f.p("VPXORD Z2, Z2, Z2")
	f.p("VPSUBD Z1, Z2, Z1")
	f.p("VMOVDQU32 Z1, (DI)")
	f.p("LEAQ (AX)(R10*1), DI")
	f.p("ADDQ $%d, SI", 64*size)
	f.p("ADDQ $%d, DX", 64*size)
	f.p("DECQ CX")
	f.p("JNZ loop")
	f.p("VZEROUPPER")
	f.p("RET")
	f.raw("")
}

// greatest sets value j of Z0 to the greatest of register j, as unsigned integers. With
// words these are of 16 bits, the upper halves of the result.
func (f *file) greatest(words bool) {
	max := map[bool]string{true: "VPMAXUW", false: "VPMAXUD"}[words]
	half := func(lo, hi string, n int, from []int) {
		for i := 0; i < n; i += 2 {
			a, b := from[i], from[i+1]
			f.p("%s Z%d, Z%d, Z16", lo, b, a)
			f.p("%s Z%d, Z%d, Z17", hi, b, a)
			f.p("%s Z16, Z17, Z%d", max, from[i/2])
		}
	}
	all := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	half("VPUNPCKLDQ", "VPUNPCKHDQ", 16, all)
	half("VPUNPCKLQDQ", "VPUNPCKHQDQ", 8, all)
	half("VSHUFI32X4 $0x44,", "VSHUFI32X4 $0xee,", 4, all)
	half("VSHUFI32X4 $0x88,", "VSHUFI32X4 $0xdd,", 2, all)
	if words {
		f.p("VPSLLD $16, Z0, Z16")
		f.p("VPMAXUW Z16, Z0, Z0")
		f.p("VPSRLD $16, Z0, Z0")
		f.p("VPSLLD $16, Z0, Z0")
	}
}

// transpose16 transposes 16×16 values of 32 bits, rows in registers 16 to 31, in place.
func (f *file) transpose16() {
	stage := func(lo, hi string, from, to int, pair func(i int) (a, b, l, h int)) {
		for i := range 8 {
			a, b, l, h := pair(i)
			f.p("%s Z%d, Z%d, Z%d", lo, from+b, from+a, to+l)
			f.p("%s Z%d, Z%d, Z%d", hi, from+b, from+a, to+h)
		}
	}
	// Of four rows 4q…: columns 0, 1 (of each lane) of rows 0, 1 and so on.
	stage("VPUNPCKLDQ", "VPUNPCKHDQ", 16, 0, func(i int) (a, b, l, h int) { return 2 * i, 2*i + 1, 2 * i, 2*i + 1 })
	// Register 4q+c holds column c of each lane, of rows 4q to 4q+3.
	stage("VPUNPCKLQDQ", "VPUNPCKHQDQ", 0, 16, func(i int) (a, b, l, h int) {
		q, c := i/2*4, i%2
		return q + c, q + c + 2, q + 2*c, q + 2*c + 1
	})
	// Rows of two q: lanes 0 and 1 in register 8p+c, 2 and 3 in 8p+4+c.
	stage("VSHUFI32X4 $0x44,", "VSHUFI32X4 $0xee,", 16, 0, func(i int) (a, b, l, h int) {
		p, c := i/4*8, i%4
		return p + c, p + 4 + c, p + c, p + 4 + c
	})
	// All rows: column 4·lane+c.
	stage("VSHUFI32X4 $0x88,", "VSHUFI32X4 $0xdd,", 0, 16, func(i int) (a, b, l, h int) {
		u, c := i/4, i%4
		return 4*u + c, 8 + 4*u + c, 8*u + c, 8*u + 4 + c
	})
}

// quadsOfColumns writes the packing of rows of W as k of a panel: n groups of 64 rows, 32
// values of each.
func (f *file) quadsOfColumns(name string, bf16 bool) {
	f.quadHead(name, "makes quads of n groups of 64 rows of W, 32 values of each.", 0)
	f.constant(bits127, 17)
	f.constant(bits127th, 18)
	f.constant(bitsTiny, 19)
	f.constant(0x80808080, 20)
	f.p("VMOVDQU32 quadBytes<>(SB), Z21")
	if bf16 {
		f.constant(bitsAbsPair, 31)
	} else {
		f.constant(bitsAbs, 31)
	}
	f.p("LEAQ (R8)(R8*2), R11")
	f.p("MOVQ R8, R12")
	f.p("SHLQ $%d, R12", prefetchRows)
	f.p("PCALIGN $32")
	f.label("loop")
	for r := range 4 {
		f.p("VPXORD Z%[1]d, Z%[1]d, Z%[1]d", r)
	}
	f.p("MOVQ SI, DX")
	f.p("MOVL $16, BX")
	f.label("most")
	f.p("LEAQ (DX)(R12*1), R13")
	rows := []string{"(DX)", "(DX)(R8*1)", "(DX)(R8*2)", "(DX)(R11*1)"}
	for _, at := range []string{"(R13)", "(R13)(R8*1)", "(R13)(R8*2)", "(R13)(R11*1)"} {
		f.p("PREFETCHT0 %s", at)
	}
	for i, at := range rows {
		if bf16 {
			f.p("VPANDD %s, Z31, Z%d", at, 4+i)
			f.p("VPMAXUW Z%d, Z%[2]d, Z%[2]d", 4+i, i)
			continue
		}
		for v := range 2 {
			f.p("VPANDD %d%s, Z31, Z%d", 64*v, at, 4+2*i+v)
			f.p("VPMAXUD Z%d, Z%[2]d, Z%[2]d", 4+2*i+v, v)
		}
	}
	f.p("LEAQ (DX)(R8*4), DX")
	f.p("DECL BX")
	f.p("JNZ most")
	if bf16 {
		f.p("VPMAXUW Z1, Z0, Z0")
		f.p("VPMAXUW Z3, Z2, Z2")
		f.p("VPMAXUW Z2, Z0, Z1")
		f.p("VPMOVZXWD Y1, Z0")
		f.p("VEXTRACTI64X4 $1, Z1, Y1")
		f.p("VPMOVZXWD Y1, Z1")
		f.p("VPSLLD $16, Z0, Z0")
		f.p("VPSLLD $16, Z1, Z1")
	}
	for v := range 2 {
		f.inverse("Z", v, 22+v, 24+v, 17, 18, 19)
		f.p("VPXORD Z%[1]d, Z%[1]d, Z%[1]d", 26+v)
	}
	f.p("LEAQ (DI)(R10*1), AX")
	f.p("MOVL $16, BX")
	f.label("quad")
	rows = []string{"(SI)", "(SI)(R8*1)", "(SI)(R8*2)", "(SI)(R11*1)"}
	for v := range 2 {
		for i, at := range rows {
			r := 4*v + i
			f.widen(bf16, v, at, r)
			f.p("VMULPS Z%d, Z%[2]d, Z%[2]d", 22+v, r)
			f.p("VCVTPS2DQ Z%[1]d, Z%[1]d", r)
		}
		f.bytes(4*v, 4*v+1, 4*v+2, 4*v+3)
		f.p("VPSHUFB Z21, Z%[1]d, Z%[1]d", 4*v)
		f.p("VPDPBUSD Z%d, Z20, Z%d", 4*v, 26+v)
		f.p("VMOVDQU32 Z%d, %d(AX)", 4*v, 64*v)
	}
	f.p("LEAQ (SI)(R8*4), SI")
	f.p("ADDQ R10, AX")
	f.p("DECL BX")
	f.p("JNZ quad")
	for v := range 2 {
		f.p("VPXORD Z0, Z0, Z0")
		f.p("VPSUBD Z%d, Z0, Z0", 26+v)
		f.p("VMOVDQU32 Z0, %d(DI)", 64*v)
		f.p("VMOVUPS Z%d, %d(AX)", 24+v, 64*v)
	}
	f.p("LEAQ (AX)(R10*1), DI")
	f.p("DECQ CX")
	f.p("JNZ loop")
	f.p("VZEROUPPER")
	f.p("RET")
	f.raw("")
}
