package main

import "fmt"

// A gemv multiplies a few rows of A with the transpose of some rows of W,
// without a panel: 16 bytes of each row of W are transposed in registers, as
// packing does, and each column meets the broadcast elements of A at once. Sums
// start from C (or +0) and take k in ascending order, as those of the tiles do.
type gemv struct {
	packer
	name  string
	input string // f32, bf16, f16, or pairs of bf16 (for both factors)
}

// most is the rows of A that it takes: their sums have to be in registers.
func (g gemv) most() int {
	if g.reg == "Z" {
		return 8
	}
	return 4
}

// groups is how many times packer.rows() rows of W one call takes (groupsAVX512 and
// groupsAVX2 of simd/kernels_amd64.go have the rows): so many
// that their sums hide the latency of each other, and no more, as each row is a
// line of the L1 cache.
func (g gemv) groups(m int) int {
	if g.reg == "Z" {
		return 2
	}
	return [...]int{0, 2, 2, 1, 1}[m]
}

// The vector registers: transpose4 leaves columns in 8 to 11, the sums follow.
const (
	gemvColumn = 8
	gemvSum    = 12
	gemvMask   = 31 // Z only
)

// gemvBases are every eighth row of W. R8 is from row to row, R9 that of A, AX
// what is prefetched, DI the elements of A, R14 those from its fifth row on.
var gemvBases = []string{"SI", "DX", "R15", "BX"}

func gemvAMD64() *file {
	f := newFile("gemv_amd64")
	for _, k := range []packer{{"AVX512", "Z", 64}, {"AVX2", "Y", 32}} {
		f.gemv(gemv{k, "gemvF32", "f32"})
		f.gemv(gemv{k, "gemvBF16", "bf16"})
	}
	f.gemv(gemv{packer{"AVX512", "Z", 64}, "gemvDot", "pairs"})
	f.gemv(gemv{packer{"AVX2", "Y", 32}, "gemvF16", "f16"})
	return f
}

// gemv writes one function, which branches on the number of rows of A.
func (f *file) gemv(g gemv) {
	name := g.name + g.suffix
	sig := "func " + name + "(rows, k int, w unsafe.Pointer, ws int, a unsafe.Pointer, rsa int, c unsafe.Pointer, ldc int, add bool)"
	f.declare("\n// %s sets C = A·Wᵀ or adds to it, for 1 to %d rows of A, a group\n// of rows of W and k blocks of 16 bytes of each. Strides are in bytes.\n//\n//go:noescape\n%s", name, g.most(), sig)
	f.raw("// %s", sig)
	f.raw("TEXT ·%s(SB), NOSPLIT, $0-65", name)
	f.p("MOVQ w+16(FP), SI")
	f.p("MOVQ ws+24(FP), R8")
	f.p("MOVQ a+32(FP), DI")
	f.p("MOVQ rsa+40(FP), R9")
	f.p("LEAQ (R9)(R9*2), R10")
	f.rowMultiples(8)
	for i, base := range gemvBases[1:] {
		f.p("LEAQ (%s)(R8*8), %s", gemvBases[i], base)
	}
	if g.input == "bf16" && g.reg == "Z" {
		f.p("MOVL $0xffff0000, AX")
		f.p("VPBROADCASTD AX, Z%d", gemvMask)
	}
	f.p("MOVQ rows+0(FP), AX")
	f.dispatch(1, g.most(), func(m int) string { return fmt.Sprintf("rows%d", m) })
	for m := 1; m <= g.most(); m++ {
		f.gemvRows(g, m)
	}
	f.raw("")
}

// gemvRows writes the loop for m rows of A.
func (f *file) gemvRows(g gemv, m int) {
	groups := g.groups(m)
	f.label("rows%d", m)
	f.p("CMPB add+64(FP), $0")
	f.p("JEQ zero%d", m)
	f.gemvSums(g, m, "VMOVUPS %[1]d(AX), %[2]s%[3]d")
	f.p("JMP start%d", m)
	f.label("zero%d", m)
	for s := range groups * m {
		f.p("%s %[2]s%[3]d, %[2]s%[3]d, %[2]s%[3]d", map[string]string{"Z": "VPXORD", "Y": "VXORPS"}[g.reg], g.reg, gemvSum+s)
	}
	f.label("start%d", m)
	f.p("MOVQ k+8(FP), CX")
	f.p("IMUL3Q $%d, R8, AX", groups*g.rows())
	f.p("ADDQ SI, AX")
	if m > 4 {
		f.p("LEAQ (DI)(R9*4), R14")
	}
	f.p("PCALIGN $32")
	f.label("loop%d", m)
	bases := gemvBases
	for n := range groups {
		f.transpose4(g.packer, 0, bases)
		bases = bases[g.rows()/8:]
		for i := range 4 {
			f.gemvColumn(g, m, i, gemvSum+n*m)
		}
	}
	lines := groups * g.rows() * 16 / 64
	for i := range lines {
		// The next rows of W, which no prefetcher would foresee, to the L2 cache: the
		// L1 may not hold as many.
		f.p("PREFETCHT1 %d(AX)", 64*i)
	}
	f.p("ADDQ $%d, AX", 64*lines)
	step := map[string]int{"f32": 16, "bf16": 32, "f16": 32, "pairs": 16}[g.input]
	f.p("ADDQ $%d, DI", step)
	if m > 4 {
		f.p("ADDQ $%d, R14", step)
	}
	for _, base := range gemvBases[:groups*g.rows()/8] {
		f.p("ADDQ $16, %s", base)
	}
	f.p("DECQ CX")
	f.p("JNZ loop%d", m)
	f.gemvSums(g, m, "VMOVUPS %[2]s%[3]d, %[1]d(AX)")
	f.p("VZEROUPPER")
	f.p("RET")
}

// gemvSums loads or stores the sums.
func (f *file) gemvSums(g gemv, m int, move string) {
	f.p("MOVQ c+48(FP), AX")
	f.p("MOVQ ldc+56(FP), CX")
	for row := range m {
		for n := range g.groups(m) {
			f.p(move, n*g.bytes, g.reg, gemvSum+n*m+row)
		}
		if row < m-1 {
			f.p("ADDQ CX, AX")
		}
	}
}

// gemvColumn adds the products of column i of the block, one or two k, to the
// sums of each row of A.
func (f *file) gemvColumn(g gemv, m, i, sum int) {
	v := gemvColumn + i
	switch g.input {
	case "pairs":
		for row := range m {
			f.p("VBROADCASTSS %d%s, Z0", 4*i, gemvElement(row))
			f.dot(v, 0, sum+row)
		}
		return
	case "f32":
		f.gemvTerm(g, m, v, 4*i, sum)
		return
	}
	switch {
	case g.input == "f16": // the lower halves and the upper ones, each together
		f.p("VPXOR Y1, Y1, Y1")
		f.p("VPBLENDW $0xaa, Y1, Y%d, Y0", v)
		f.p("VPSRLD $16, Y%[1]d, Y%[1]d", v)
		f.p("VPACKUSDW Y%d, Y0, Y0", v)
		f.p("VPERMQ $0xd8, Y0, Y0")
		f.p("VEXTRACTI128 $1, Y0, X1")
		f.p("VCVTPH2PS X0, Y0")
		f.p("VCVTPH2PS X1, Y%d", v)
	case g.reg == "Z":
		f.p("VPSLLD $16, Z%d, Z0", v)
		f.p("VPANDD Z%d, Z%[2]d, Z%[2]d", gemvMask, v)
	default:
		f.p("VPSLLD $16, Y%d, Y0", v)
		f.p("VPXOR Y1, Y1, Y1")
		f.p("VPBLENDW $0xaa, Y%[1]d, Y1, Y%[1]d", v)
	}
	f.gemvTerm(g, m, 0, 8*i, sum)
	f.gemvTerm(g, m, v, 8*i+4, sum)
}

// gemvTerm adds vector v times the element of A at an offset.
func (f *file) gemvTerm(g gemv, m, v, offset, sum int) {
	for row := range m {
		if g.reg == "Z" {
			f.p("VFMADD231PS.BCST %d%s, Z%d, Z%d", offset, gemvElement(row), v, sum+row)
		} else {
			f.p("VBROADCASTSS %d%s, Y2", offset, gemvElement(row))
			f.p("VFMADD231PS Y2, Y%d, Y%d", v, sum+row)
		}
	}
}

func gemvElement(row int) string {
	return [...]string{"(DI)", "(DI)(R9*1)", "(DI)(R9*2)", "(DI)(R10*1)", "(R14)", "(R14)(R9*1)", "(R14)(R9*2)", "(R14)(R10*1)"}[row]
}
