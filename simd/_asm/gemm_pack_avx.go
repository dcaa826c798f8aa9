package main

import "fmt"

// A packer names one instruction set's way to convert while packing.
type packer struct {
	suffix string // of the function names
	reg    string // Z or Y
	bytes  int    // of one vector
}

func (k packer) rows() int { return k.bytes / 4 }

// prefetchRows is the log₂ of how far ahead packRows reads.
const prefetchRows = 4

// packAVX writes the packing of stored weights into float32 panels.
func (f *file) packAVX() {
	for _, k := range []packer{{"AVX512", "Z", 64}, {"AVX2", "Y", 32}} {
		f.packTransposed(k, "packNTBF16", true)
		f.packTransposed(k, "packNTF32", false)
		f.packRows(k, "packNNBF16", "VPMOVZXWD", true)
		f.packRows(k, "packNNF16", "VCVTPH2PS", false)
	}
}

// packSignature declares and opens a packing function, the same for every
// instruction set.
func (f *file) packSignature(name, doc string) {
	sig := "func " + name + "(n int, w unsafe.Pointer, ws int, dst unsafe.Pointer, ds int)"
	f.declare("\n// %s %s\n// The strides ws and ds are in bytes.\n//\n//go:noescape\n%s", name, doc, sig)
	f.raw("// %s", sig)
	f.raw("TEXT ·%s(SB), NOSPLIT, $0-40", name)
}

// packHead opens a packing function and loads its operands.
func (f *file) packHead(name, doc string) {
	f.packSignature(name, doc)
	f.p("MOVQ n+0(FP), CX")
	f.p("MOVQ w+8(FP), SI")
	f.p("MOVQ ws+16(FP), R8")
	f.p("MOVQ dst+24(FP), DI")
	f.p("MOVQ ds+32(FP), R10")
}

// packTransposed writes rows of W as columns of the panel. bf16 is transposed in
// pairs of k, which then part into the even (shifted) and the odd (masked).
func (f *file) packTransposed(k packer, name string, bf16 bool) {
	values := k.bytes / 4
	if bf16 {
		values = k.bytes / 2
	}
	f.packHead(name+k.suffix, fmt.Sprintf("transposes %d rows of W, n blocks of %d values each.", k.rows(), values))
	f.p("LEAQ (R8)(R8*2), R11")
	f.p("LEAQ (R8)(R8*4), R12")
	f.p("LEAQ (R11)(R8*4), R13")
	f.p("LEAQ (SI)(R8*8), DX")
	if bf16 {
		f.p("VPCMPEQD Y15, Y15, Y15")
		f.p("VPSLLD $16, Y15, Y15")
		if k.reg == "Z" {
			f.p("VPBROADCASTD X15, Z15")
		}
	}
	f.p("PCALIGN $32")
	f.label("loop")
	for g := range k.bytes / 16 {
		f.transpose4(k, 16*g, []string{"SI", "DX"})
		for i := range 4 {
			f.packStore(k, 8+i, bf16)
		}
	}
	f.p("ADDQ $%d, SI", k.bytes)
	f.p("ADDQ $%d, DX", k.bytes)
	f.p("DECQ CX")
	f.p("JNZ loop")
	f.p("VZEROUPPER")
	f.p("RET")
	f.raw("")
}

// transpose4 reads 16 bytes at offset off of each row, four 32-bit columns, and
// leaves column i in register 8+i. Register j is loaded with rows j, 4+j, …, one
// in each 128-bit lane, so that unpacking inside the lanes puts rows in order.
// The bases are every eighth row.
func (f *file) transpose4(k packer, off int, bases []string) {
	at := func(row int) string { return rowAddress(fmt.Sprintf("%d(%s)", off, bases[row/8]), row%8) }
	for j := range 4 {
		f.p("VMOVDQU %s, X%d", at(j), j)
		for lane := 1; lane < k.bytes/16; lane++ {
			if k.reg == "Z" {
				f.p("VINSERTI32X4 $%d, %s, Z%d, Z%d", lane, at(4*lane+j), j, j)
			} else {
				f.p("VINSERTI128 $%d, %s, Y%d, Y%d", lane, at(4*lane+j), j, j)
			}
		}
	}
	for i, op := range []string{"VPUNPCKLDQ", "VPUNPCKHDQ"} {
		f.p("%s %[2]s1, %[2]s0, %[2]s%[3]d", op, k.reg, 4+i)
		f.p("%s %[2]s3, %[2]s2, %[2]s%[3]d", op, k.reg, 6+i)
	}
	for i, op := range []string{"VPUNPCKLQDQ", "VPUNPCKHQDQ"} {
		f.p("%s %[2]s6, %[2]s4, %[2]s%[3]d", op, k.reg, 8+i)
		f.p("%s %[2]s7, %[2]s5, %[2]s%[3]d", op, k.reg, 10+i)
	}
}

// packStore stores the column of register r: one row of the panel, or two where
// it holds pairs of bf16.
func (f *file) packStore(k packer, r int, bf16 bool) {
	if !bf16 {
		f.p("VMOVUPS %s%d, (DI)", k.reg, r)
		f.p("ADDQ R10, DI")
		return
	}
	and := map[string]string{"Z": "VPANDD", "Y": "VPAND"}[k.reg]
	f.p("VPSLLD $16, %[1]s%[2]d, %[1]s12", k.reg, r)
	f.p("%[1]s %[2]s15, %[2]s%[3]d, %[2]s13", and, k.reg, r)
	f.p("VMOVUPS %s12, (DI)", k.reg)
	f.p("VMOVUPS %s13, (DI)(R10*1)", k.reg)
	f.p("LEAQ (DI)(R10*2), DI")
}

// packRows converts n rows of W, two vectors wide, to rows of the panel.
func (f *file) packRows(k packer, name, convert string, shift bool) {
	f.packHead(name+k.suffix, fmt.Sprintf("converts n rows of W, %d values each.", 2*k.rows()))
	f.p("MOVQ R8, R11")
	f.p("SHLQ $%d, R11", prefetchRows)
	f.p("PCALIGN $32")
	f.label("loop")
	f.p("%s (SI), %s0", convert, k.reg)
	f.p("%s %d(SI), %s1", convert, k.bytes/2, k.reg)
	f.p("PREFETCHT0 (SI)(R11*1)") // W may come from memory, and rows are far apart
	for v := range 2 {
		if shift {
			f.p("VPSLLD $16, %[1]s%[2]d, %[1]s%[2]d", k.reg, v)
		}
		f.p("VMOVUPS %s%d, %d(DI)", k.reg, v, k.bytes*v)
	}
	f.p("ADDQ R8, SI")
	f.p("ADDQ R10, DI")
	f.p("DECQ CX")
	f.p("JNZ loop")
	f.p("VZEROUPPER")
	f.p("RET")
	f.raw("")
}
