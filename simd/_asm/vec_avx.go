package main

import "fmt"

// A vector describes the registers of one width. Every kernel below is written
// once for both; counts are multiples of 16 values.
type vector struct {
	*file
	reg   string // Z or Y
	bytes int
	name  string // suffix of the kernels
}

func vecAMD64() *file {
	f := newFile("vec_amd64")
	f.vecConstants(64)
	for _, v := range []vector{{f, "Z", 64, "AVX512"}, {f, "Y", 32, "AVX2"}} {
		v.reductions()
		v.expSum()
		v.maxExpSum()
		v.silu()
		v.gelu()
		v.softCap()
		v.norms()
		v.rotate()
		v.adamW()
		v.converts()
	}
	f.transposeAVX2()
	return f
}

// c is a constant as an operand: AVX-512 keeps those of exp in Z16-Z29, where a load for
// each use would take longer than the arithmetic.
func (v vector) c(name string) any {
	if i := constantIndex(name); v.reg == "Z" && i < constantIndex("gelu") {
		return 16 + i
	}
	return fmt.Sprintf("vecc<>+%d(SB)", 64*constantIndex(name))
}

func (v vector) loadConstants() {
	if v.reg == "Z" {
		for i := range constantIndex("gelu") {
			v.p("VMOVUPS vecc<>+%d(SB), Z%d", 64*i, 16+i)
		}
	}
}

// t is a constant of tanh as an operand.
func (v vector) t(i int) string { return fmt.Sprintf("vect<>+%d(SB)", 64*i) }

// r names register i.
func (v vector) r(i int) string { return fmt.Sprintf("%s%d", v.reg, i) }

// i writes an instruction; int operands are registers.
func (v vector) i(op string, operands ...any) {
	s := op
	for k, o := range operands {
		if k > 0 {
			s += ","
		}
		if n, ok := o.(int); ok {
			o = v.r(n)
		}
		s += fmt.Sprintf(" %v", o)
	}
	v.p("%s", s)
}

// pointers are where arguments after the count n (in CX) are loaded to.
var pointers = []string{"SI", "DI", "DX", "R8", "R9", "R10"}

// begin opens a kernel: its pointers land in the registers above, its floats in
// the vector registers from first on.
func (v vector) begin(name string, first int) {
	args, floats := v.vecHead(name, v.name)
	v.p("MOVQ n+0(FP), CX")
	for k, a := range args {
		v.p("MOVQ %s+%d(FP), %s", a.name, a.offset, pointers[k])
	}
	for k, a := range floats {
		v.p("VBROADCASTSS %s+%d(FP), %s", a.name, a.offset, v.r(first+k))
	}
}

// loop writes body once for each vector, moving the pointers used along.
func (v vector) loop(used int, body func()) {
	v.p("SHRQ $%d, CX", map[int]int{64: 4, 32: 3}[v.bytes])
	v.p("PCALIGN $32")
	v.label("loop")
	body()
	for _, p := range pointers[:used] {
		v.p("ADDQ $%d, %s", v.bytes, p)
	}
	v.p("DECQ CX")
	v.p("JNZ loop")
	v.end()
}

// blocks loops over most vectors at a time, and over blocks of 16 values for the
// rest: body writes k vectors, the i-th at offset i·v.bytes.
func (v vector) blocks(used, most int, body func(k int)) {
	one := 64 / v.bytes
	round := func(label string, k int) {
		v.label("%s", label)
		body(k)
		for _, p := range pointers[:used] {
			v.p("ADDQ $%d, %s", k*v.bytes, p)
		}
	}
	if most > one {
		values := most * v.bytes / 4
		v.p("SUBQ $%d, CX", values)
		v.p("JLT few")
		v.p("PCALIGN $32")
		round("many", most)
		v.p("SUBQ $%d, CX", values)
		v.p("JGE many")
		v.label("few")
		v.p("ADDQ $%d, CX", values)
		v.p("JZ done")
	}
	v.p("PCALIGN $32")
	round("loop", one)
	v.p("SUBQ $16, CX")
	v.p("JNZ loop")
	if most > one {
		v.label("done")
	}
}

// ahead fetches as many bytes as are read at each pointer from 1 KB further on. It is for
// operands that lie in a far cache or in memory.
func (v vector) ahead(bytes int, pointers ...string) {
	for i := 0; i < bytes; i += 64 {
		for _, p := range pointers {
			v.p("PREFETCHT0 %d(%s)", 1024+i, p)
		}
	}
}

// memory is the operand of vector i at a pointer.
func (v vector) memory(i int, pointer string) string {
	return fmt.Sprintf("%d(%s)", i*v.bytes, pointer)
}

func (v vector) end() {
	v.p("VZEROUPPER")
	v.p("RET")
	v.raw("")
}

// lanes loops over blocks of 16 lanes: body gets the register of the accumulator
// and the offset of its vector in the block. The accumulators live at the last
// pointer, those of a second sum behind them.
func (v vector) lanes(used, sums int, body func(acc, offset int)) {
	at := pointers[used]
	vectors := 64 / v.bytes
	for k := range sums * vectors {
		v.p("VMOVUPS %d(%s), %s", k*v.bytes, at, v.r(k))
	}
	v.p("SHRQ $4, CX")
	v.p("PCALIGN $32")
	v.label("loop")
	for k := range vectors {
		body(k, k*v.bytes)
	}
	for _, p := range pointers[:used] {
		v.p("ADDQ $64, %s", p)
	}
	v.p("DECQ CX")
	v.p("JNZ loop")
	for k := range sums * vectors {
		v.p("VMOVUPS %s, %d(%s)", v.r(k), k*v.bytes, at)
	}
	v.end()
}

func (v vector) reductions() {
	// A lane keeps what it has unless the value is greater: NaN never is.
	v.begin("max", 0)
	v.lanes(1, 1, func(acc, o int) {
		v.i("VMOVUPS", fmt.Sprintf("%d(SI)", o), 4+acc)
		v.i("VMAXPS", acc, 4+acc, acc)
	})
	v.begin("dot", 0)
	v.lanes(2, 1, func(acc, o int) {
		v.i("VMOVUPS", fmt.Sprintf("%d(SI)", o), 4+acc)
		v.i("VFMADD231PS", fmt.Sprintf("%d(DI)", o), 4+acc, acc)
	})
	v.begin("normSums", 0)
	v.lanes(3, 2, func(acc, o int) {
		if o == 0 {
			v.ahead(64, "SI", "DX")
		}
		v.i("VMOVUPS", fmt.Sprintf("%d(DX)", o), 4+acc)
		v.i("VMOVUPS", fmt.Sprintf("%d(SI)", o), 6+acc)
		v.i("VMULPS", fmt.Sprintf("%d(DI)", o), 6+acc, 6+acc)
		v.i("VFMADD231PS", 4+acc, 4+acc, acc)
		v.i("VFMADD231PS", 4+acc, 6+acc, 64/v.bytes+acc)
	})
	v.begin("addSquares", 0)
	v.lanes(3, 1, func(acc, o int) {
		if o == 0 {
			v.ahead(64, "SI", "DI", "DX")
		}
		v.i("VMOVUPS", fmt.Sprintf("%d(DI)", o), 4+acc)
		v.i("VADDPS", fmt.Sprintf("%d(DX)", o), 4+acc, 4+acc)
		v.i("VMOVUPS", 4+acc, fmt.Sprintf("%d(SI)", o))
		v.i("VFMADD231PS", 4+acc, 4+acc, acc)
	})
	v.begin("scaleDot", 15)
	v.lanes(3, 1, func(acc, o int) {
		v.i("VMULPS", fmt.Sprintf("%d(DI)", o), 15, 4+acc)
		v.i("VMOVUPS", 4+acc, fmt.Sprintf("%d(SI)", o))
		v.i("VFMADD231PS", fmt.Sprintf("%d(DX)", o), 4+acc, acc)
	})
}

// norms writes the kernels of RMSNorm, and of the softmax backwards.
func (v vector) norms() {
	v.begin("softmaxBackward", 1)
	v.loop(2, func() {
		v.i("VMOVUPS", "(SI)", 0)
		v.i("VSUBPS", 1, 0, 0)
		v.i("VMULPS", "(DI)", 0, 0)
		v.i("VMOVUPS", 0, "(SI)")
	})
	v.begin("scaleMul", 1)
	v.loop(3, func() {
		v.i("VMULPS", "(DI)", 1, 0)
		v.i("VMULPS", "(DX)", 0, 0)
		v.i("VMOVUPS", 0, "(SI)")
	})
	v.begin("rmsNormBackward", 1)
	v.loop(4, func() {
		v.i("VMOVUPS", "(DI)", 0)
		v.i("VMULPS", "(R8)", 0, 0)
		v.i("VMULPS", 1, 0, 0)
		v.i("VFNMADD231PS", "(DX)", 2, 0)
		v.i("VADDPS", "(SI)", 0, 0)
		v.i("VMOVUPS", 0, "(SI)")
	})
}

func (v vector) rotate() {
	v.begin("rotate", 0)
	v.loop(4, func() {
		v.i("VMOVUPS", "(SI)", 0)
		v.i("VMOVUPS", "(DI)", 1)
		v.i("VMOVUPS", "(DX)", 2)
		v.i("VMOVUPS", "(R8)", 3)
		v.i("VMULPS", 2, 0, 4)
		v.i("VMULPS", 3, 1, 5)
		v.i("VSUBPS", 5, 4, 4)
		v.i("VMULPS", 2, 1, 1)
		v.i("VMULPS", 3, 0, 0)
		v.i("VADDPS", 0, 1, 1)
		v.i("VMOVUPS", 4, "(SI)")
		v.i("VMOVUPS", 1, "(DI)")
	})
}

// adamW takes the nine numbers of AdamW.constants, in their order.
func (v vector) adamW() {
	v.begin("adamW", 0)
	for k := range 9 {
		v.p("VBROADCASTSS %d(R9), %s", 4*k, v.r(7+k))
	}
	v.loop(4, func() {
		v.i("VMOVUPS", "(DI)", 0)
		v.i("VMULPS", 8, 0, 1)
		v.i("VMOVUPS", "(DX)", 2)
		v.i("VFMADD213PS", 1, 7, 2) // m = β₁·m + (1-β₁)g
		v.i("VMOVUPS", 2, "(DX)")
		v.i("VMULPS", 10, 0, 1)
		v.i("VMULPS", 0, 1, 1)
		v.i("VMOVUPS", "(R8)", 3)
		v.i("VFMADD213PS", 1, 9, 3) // v = β₂·v + (1-β₂)g·g
		v.i("VMOVUPS", 3, "(R8)")
		v.i("VDIVPS", 11, 2, 2)
		v.i("VDIVPS", 12, 3, 3)
		v.i("VSQRTPS", 3, 3)
		v.i("VADDPS", 13, 3, 3)
		v.i("VDIVPS", 3, 2, 2)
		v.i("VMOVUPS", "(SI)", 0)
		v.i("VMULPS", 15, 0, 0)
		v.i("VFMADD231PS", 14, 2, 0) // p = decay·p + (-lr)·d
		v.i("VMOVUPS", 0, "(SI)")
	})
}

func (v vector) converts() {
	v.begin("convertBF16", 0)
	v.halves(func() {
		v.i("VPMOVZXWD", "(DI)", 0)
		v.i("VPSLLD", "$16", 0, 0)
	})
	v.begin("convertF16", 0)
	v.halves(func() { v.i("VCVTPH2PS", "(DI)", 0) })
}

// halves loops over 16-bit values at DI and float32 at SI.
func (v vector) halves(load func()) {
	v.p("SHRQ $%d, CX", map[int]int{64: 4, 32: 3}[v.bytes])
	v.p("PCALIGN $32")
	v.label("loop")
	load()
	v.i("VMOVUPS", 0, "(SI)")
	v.p("ADDQ $%d, DI", v.bytes/2)
	v.p("ADDQ $%d, SI", v.bytes)
	v.p("DECQ CX")
	v.p("JNZ loop")
	v.end()
}

func (f *file) transposeAVX2() {
	f.transposeHead("AVX2", 8)
	f.p("MOVQ n+0(FP), CX")
	f.p("MOVQ src+8(FP), SI")
	f.p("MOVQ ss+16(FP), R8")
	f.p("MOVQ dst+24(FP), DI")
	f.p("MOVQ ds+32(FP), R9")
	f.p("LEAQ (R8)(R8*2), R10")
	f.p("LEAQ (R9)(R9*2), R11")
	f.p("PCALIGN $32")
	f.label("loop")
	f.p("LEAQ (SI)(R8*4), BX")
	for k, a := range []string{"(SI)", "(SI)(R8*1)", "(SI)(R8*2)", "(SI)(R10*1)"} {
		f.p("VMOVUPS %s, X%d", a, k)
		f.p("VMOVUPS 16%s, X%d", a, 4+k)
	}
	for k, a := range []string{"(BX)", "(BX)(R8*1)", "(BX)(R8*2)", "(BX)(R10*1)"} {
		f.p("VINSERTF128 $1, %s, Y%d, Y%d", a, k, k)
		f.p("VINSERTF128 $1, 16%s, Y%d, Y%d", a, 4+k, 4+k)
	}
	for h := 0; h < 8; h += 4 { // four columns of eight rows
		f.p("VUNPCKLPS Y%d, Y%d, Y8", h+1, h)
		f.p("VUNPCKHPS Y%d, Y%d, Y9", h+1, h)
		f.p("VUNPCKLPS Y%d, Y%d, Y10", h+3, h+2)
		f.p("VUNPCKHPS Y%d, Y%d, Y11", h+3, h+2)
		f.p("VUNPCKLPD Y10, Y8, Y12")
		f.p("VUNPCKHPD Y10, Y8, Y13")
		f.p("VUNPCKLPD Y11, Y9, Y14")
		f.p("VUNPCKHPD Y11, Y9, Y15")
		for k, a := range []string{"(DI)", "(DI)(R9*1)", "(DI)(R9*2)", "(DI)(R11*1)"} {
			f.p("VMOVUPS Y%d, %s", 12+k, a)
		}
		f.p("LEAQ (DI)(R9*4), DI")
	}
	f.p("ADDQ $32, SI")
	f.p("DECQ CX")
	f.p("JNZ loop")
	f.p("VZEROUPPER")
	f.p("RET")
	f.raw("")
}
