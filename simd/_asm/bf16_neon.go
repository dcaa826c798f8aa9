package main

// Products in bf16 with ARM's dot product of pairs (FEAT_BF16). The tile is that of
// gemm_neon.go, with a pair where that has a value.

// bfdotElement is BFDOT Vd.4S, Vn.8H, Vm.2H[i]: to each sum its two products with pair i.
func (f *file) bfdotElement(d, n, m, i int) {
	f.p("WORD $0x%08x // BFDOT V%d.4S, V%d.8H, V%d.2H[%d]", 0x4f40f000|i>>1<<11|i&1<<21|m<<16|n<<5|d, d, n, m, i)
}

// bfcvtn is BFCVTN(2) Vd, Vn.4S: four values rounded to bf16, to the lower or upper half.
func (f *file) bfcvtn(d, n int, upper bool) {
	q := map[bool]int{false: 0, true: 1}[upper]
	f.p("WORD $0x%08x // BFCVTN(2) V%d, V%d.4S", 0x0ea16800|q<<30|n<<5|d, d, n)
}

// cmhs sets the values of d to ones where n ≥ m, without signs, else to zeros.
func (f *file) cmhs(d, n, m int) {
	f.p("WORD $0x%08x // CMHS V%d.4S, V%d.4S, V%d.4S", 0x6ea03c00|m<<16|n<<5|d, d, n, m)
}

func bf16ARM64() *file {
	f := newFile("bf16_arm64")
	f.tileNEON("tilePairsNEON", f.bfdotElement)
	f.roundRowsNEON()
	f.packPairsNEON("packPairsBF16NEON", true)
	f.packPairsNEON("packPairsF32NEON", false)
	return f
}

// The constants of rounding: twice the least normal number's bits, and the sign.
const (
	neonNormal = 30
	neonSign   = 31
)

// roundNEON rounds eight values in registers from and from+1 to bf16 in register to, a
// subnormal to a zero of its sign. It uses V29.
func (f *file) roundNEON(from, to int) {
	for half := range 2 {
		r := from + half
		f.p("VSHL $1, V%d.S4, V29.S4", r)
		f.cmhs(29, 29, neonNormal)
		f.p("VORR V%d.B16, V29.B16, V29.B16", neonSign)
		f.p("VAND V29.B16, V%[1]d.B16, V%[1]d.B16", r)
		f.bfcvtn(to, r, half == 1)
	}
}

// roundRowsNEON writes the rounding of a block of A.
func (f *file) roundRowsNEON() {
	f.blockNEON("roundBlockNEON", "rounds rows of n values to bf16, n a multiple of 16.", 16, func() {
		f.dup(1<<24, neonNormal)
		f.dup(1<<31, neonSign)
	}, func() {
		f.p("VLD1.P 64(R7), [V0.S4, V1.S4, V2.S4, V3.S4]")
		f.roundNEON(0, 4)
		f.roundNEON(2, 5)
		f.p("VST1.P [V4.H8, V5.H8], 32(R6)")
	})
}

// packPairsNEON writes the interleaving of rows 2i and 2i+1 of W to row i of the panel:
// the even row's value in the low half of each pair.
func (f *file) packPairsNEON(name string, bf16 bool) {
	f.neonHead(name, "makes pairs of rows of W, n pairs of 8 values each.")
	f.dup(1<<24, neonNormal)
	f.dup(1<<31, neonSign)
	f.label("loop")
	for row := range 2 {
		if bf16 {
			f.p("VLD1 (R1), [V%d.H8]", 4+row)
		} else {
			f.p("VLD1 (R1), [V0.S4, V1.S4]")
			f.roundNEON(0, 4+row)
		}
		f.p("ADD R9, R1, R1")
	}
	f.p("VZIP1 V5.H8, V4.H8, V6.H8")
	f.p("VZIP2 V5.H8, V4.H8, V7.H8")
	f.p("VST1 [V6.H8, V7.H8], (R10)")
	f.p("ADD R11, R10, R10")
	f.p("SUBS $1, R0, R0")
	f.p("BNE loop")
	f.p("RET")
	f.raw("")
}
