package main

// aheadRows is how many rows ahead a block of A is fetched: rows lie pages apart,
// and no prefetcher sees the next one come.
const aheadRows = 4

// copyRows writes the copying of a block of A, 16 values at a time.
func (f *file) copyRows() {
	f.eachRow("copyBlockAVX2", "copies", func() {
		f.p("VMOVUPS (SI)(AX*4), Y0")
		f.p("VMOVUPS 32(SI)(AX*4), Y1")
		f.p("VMOVUPS Y0, (DI)(AX*4)")
		f.p("VMOVUPS Y1, 32(DI)(AX*4)")
	})
}

// roundRows writes the rounding of a block of A to bf16.
func (f *file) roundRows() {
	f.eachRow("roundBlockAVX512", "rounds to bf16", func() {
		f.p("VMOVUPS (SI)(AX*4), Z0")
		f.narrow(0, 0)
		f.p("VMOVUPS Y0, (DI)(AX*2)")
	})
}

// eachRow writes a function that does body for each 16 values, from AX on, of each
// row, from SI to DI.
func (f *file) eachRow(name, verb string, body func()) {
	sig := "func " + name + "(rows, n int, dst unsafe.Pointer, ds int, src unsafe.Pointer, ss int)"
	f.declare("\n// %s %s rows of n values, both positive and n a multiple of 16.\n// The strides ds and ss are in bytes.\n//\n//go:noescape\n%s", name, verb, sig)
	f.raw("// %s", sig)
	f.raw("TEXT ·%s(SB), NOSPLIT, $0-48", name)
	f.p("MOVQ rows+0(FP), BX")
	f.p("MOVQ n+8(FP), CX")
	f.p("MOVQ dst+16(FP), DI")
	f.p("MOVQ ds+24(FP), R10")
	f.p("MOVQ src+32(FP), SI")
	f.p("MOVQ ss+40(FP), R8")
	f.p("IMUL3Q $%d, R8, R11", aheadRows)
	f.p("ADDQ SI, R11")
	f.label("row")
	f.p("XORQ AX, AX")
	f.p("PCALIGN $32")
	f.label("loop")
	f.p("PREFETCHT0 (R11)(AX*4)")
	body()
	f.p("ADDQ $16, AX")
	f.p("CMPQ AX, CX")
	f.p("JLT loop")
	f.p("ADDQ R8, SI")
	f.p("ADDQ R8, R11")
	f.p("ADDQ R10, DI")
	f.p("DECQ BX")
	f.p("JNZ row")
	f.p("VZEROUPPER")
	f.p("RET")
	f.raw("")
}
