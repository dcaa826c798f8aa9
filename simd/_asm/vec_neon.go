package main

import "fmt"

// Vector instructions on four float32 that Go's arm64 assembler does not know.
var neonOps = map[string]int{
	"FADD": 0x4e20d400, "FSUB": 0x4ea0d400, "FMUL": 0x6e20dc00, "FDIV": 0x6e20fc00, "FCMGT": 0x6ea0e400,
	"FNEG": 0x6ea0f800, "FSQRT": 0x6ea1f800, "FRINTN": 0x4e218800, "FCVTNS": 0x4e21a800,
}

// neon writes d = n op m, or d = op n.
func (f *file) neon(op string, d, n int, m ...int) {
	code, ok := neonOps[op]
	if !ok {
		panic("no instruction " + op)
	}
	text := fmt.Sprintf("%s V%d.4S, V%d.4S", op, d, n)
	if len(m) > 0 {
		code |= m[0] << 16
		text += fmt.Sprintf(", V%d.4S", m[0])
	}
	f.p("WORD $0x%08x // %s", code|n<<5|d, text)
}

// fma adds n·m to d, fms takes it away, each with one rounding.
func (f *file) fma(d, n, m int) { f.p("VFMLA V%d.S4, V%d.S4, V%d.S4", m, n, d) }
func (f *file) fms(d, n, m int) { f.p("VFMLS V%d.S4, V%d.S4, V%d.S4", m, n, d) }

// take puts src into the elements of d that the mask has.
func (f *file) take(d, src, mask int) { f.p("VBIT V%d.B16, V%d.B16, V%d.B16", mask, src, d) }

func (f *file) vmov(d, src int) { f.p("VMOV V%d.B16, V%d.B16", src, d) }

// ld and st move four values at a pointer and step over them; peek stays.
func (f *file) ld(d, ptr int)   { f.p("VLD1.P 16(R%d), [V%d.S4]", ptr, d) }
func (f *file) peek(d, ptr int) { f.p("VLD1 (R%d), [V%d.S4]", ptr, d) }
func (f *file) st(src, ptr int) { f.p("VST1.P [V%d.S4], 16(R%d)", src, ptr) }

// The constants of exp and GELU stay in the registers from neonConst on and, for want of
// more, in V14; all the others are free.
const neonConst = 16

func neonC(name string) int {
	if name == "gelu9" {
		return 14
	}
	return neonConst + constantIndex(name)
}

func vecARM64() *file {
	f := newFile("vec_arm64")
	f.vecConstants(16)
	f.neonReductions()
	f.neonMaxExpSum()
	f.neonSiLU()
	f.neonGELU()
	f.neonSoftCap()
	f.neonNorms()
	f.neonRotate()
	f.neonAdamW()
	f.neonConverts()
	f.neonPlain()
	f.transposeNEON()
	return f
}

// neonBegin opens a kernel: the count lands in R0, the pointers in R1 and on,
// the floats in the vector registers from first on.
func (f *file) neonBegin(name string, first int) {
	args, floats := f.vecHead(name, "NEON")
	f.p("MOVD n+0(FP), R0")
	for k, a := range args {
		f.p("MOVD %s+%d(FP), R%d", a.name, a.offset, 1+k)
	}
	for k, a := range floats {
		f.p("FMOVS %s+%d(FP), F%d", a.name, a.offset, first+k)
		f.p("VDUP V%[1]d.S[0], V%[1]d.S4", first+k)
	}
}

// neonLoop repeats body, which handles values elements.
func (f *file) neonLoop(values int, body func()) {
	f.p("PCALIGN $16")
	f.label("loop")
	body()
	f.p("SUBS $%d, R0, R0", values)
	f.p("BNE loop")
}

func (f *file) neonEnd() {
	f.p("RET")
	f.raw("")
}

// neonLanes loops over blocks of 16 lanes, whose accumulators V0-V3 live at R(ptr), and V4-V7
// of a second sum behind them: body gets one of the first four, and may use the registers
// four, eight and twelve further that are not accumulators.
func (f *file) neonLanes(ptr, sums int, body func(acc int)) {
	each := func(op string) {
		for s := range sums {
			f.p("ADD $%d, R%d, R9", 64*s, ptr)
			f.p(op, 4*s, 4*s+1, 4*s+2, 4*s+3)
		}
	}
	each("VLD1 (R9), [V%d.S4, V%d.S4, V%d.S4, V%d.S4]")
	f.neonLoop(16, func() {
		for acc := range 4 {
			body(acc)
		}
	})
	each("VST1 [V%d.S4, V%d.S4, V%d.S4, V%d.S4], (R9)")
	f.neonEnd()
}

func (f *file) neonReductions() {
	f.neonBegin("max", 0)
	f.neonLanes(2, 1, func(acc int) { // a lane keeps what it has unless the value is greater: NaN never is
		f.ld(4+acc, 1)
		f.neon("FCMGT", 8+acc, 4+acc, acc)
		f.take(acc, 4+acc, 8+acc)
	})
	f.neonBegin("dot", 0)
	f.neonLanes(3, 1, func(acc int) {
		f.ld(4+acc, 1)
		f.ld(8+acc, 2)
		f.fma(acc, 4+acc, 8+acc)
	})
	f.neonBegin("normSums", 0)
	f.neonLanes(4, 2, func(acc int) {
		f.ld(8+acc, 1)
		f.ld(12+acc, 2)
		f.neon("FMUL", 8+acc, 8+acc, 12+acc)
		f.ld(12+acc, 3)
		f.fma(acc, 12+acc, 12+acc)
		f.fma(4+acc, 8+acc, 12+acc)
	})
	f.neonBegin("addSquares", 0)
	f.neonLanes(4, 1, func(acc int) {
		f.ld(4+acc, 2)
		f.ld(8+acc, 3)
		f.neon("FADD", 4+acc, 4+acc, 8+acc)
		f.st(4+acc, 1)
		f.fma(acc, 4+acc, 4+acc)
	})
	f.neonBegin("scaleDot", 15)
	f.neonLanes(4, 1, func(acc int) {
		f.ld(4+acc, 2)
		f.neon("FMUL", 4+acc, 4+acc, 15)
		f.st(4+acc, 1)
		f.ld(8+acc, 3)
		f.fma(acc, 4+acc, 8+acc)
	})
	f.neonBegin("expSum", 15)
	f.neonExpConstants()
	f.neonLanes(3, 1, func(acc int) {
		f.ld(4, 1)
		f.neon("FSUB", 4, 4, 15)
		f.neonExp(5, 4, 6, 7, 8)
		f.st(5, 2)
		f.neon("FADD", acc, acc, 5)
	})
}

// neonMaxExpSum is maxExpSum.
func (f *file) neonMaxExpSum() {
	f.neonBegin("maxExpSum", 0)
	f.p("VLD1R (R2), [V0.S4]")
	for i := 1; i < 4; i++ {
		f.vmov(i, 0)
	}
	f.p("MOVD R0, R10")
	f.p("MOVD R1, R11")
	greater := func(d, x int) {
		f.neon("FCMGT", 8, x, d)
		f.take(d, x, 8)
	}
	f.label("max")
	for acc := range 4 {
		f.ld(4+acc, 1)
		greater(acc, 4+acc)
	}
	f.p("SUBS $16, R0, R0")
	f.p("BNE max")
	f.neonFold(greater)
	f.p("FMOVS F0, (R2)")
	f.p("VDUP V0.S[0], V15.S4")
	f.p("MOVD R10, R0")
	f.p("MOVD R11, R1")
	f.neonExpConstants()
	for i := range 4 {
		f.p("VEOR V%[1]d.B16, V%[1]d.B16, V%[1]d.B16", i)
	}
	f.neonLoop(16, func() {
		for acc := range 4 {
			f.peek(4, 1)
			f.neon("FSUB", 4, 4, 15)
			f.neonExp(5, 4, 6, 7, 8)
			f.st(5, 1)
			f.neon("FADD", acc, acc, 5)
		}
	})
	f.neonFold(func(d, x int) { f.neon("FADD", d, d, x) })
	f.p("FMOVS F0, 4(R2)")
	f.neonEnd()
}

// neonFold combines the sixteen lanes in V0-V3 to one in V0, in the order of lanes.sum and
// lanes.max, by an operation on two registers.
func (f *file) neonFold(op func(d, x int)) {
	op(0, 2)
	op(1, 3)
	op(0, 1)
	for _, bytes := range []int{8, 4} {
		f.p("VEXT $%d, V0.B16, V0.B16, V1.B16", bytes)
		op(0, 1)
	}
}

func (f *file) neonExpConstants() {
	f.p("MOVD $vecc<>(SB), R9")
	for _, name := range vecNames {
		f.ld(neonC(name), 9)
	}
}

// neonExp sets y = exp(x) as expTwin does; n, t and s are scratch.
func (f *file) neonExp(y, x, n, t, s int) {
	f.neon("FMUL", n, x, neonC("log2e"))
	f.neon("FRINTN", n, n)
	f.vmov(t, x)
	f.fms(t, n, neonC("ln2Hi"))
	f.fms(t, n, neonC("ln2Lo"))
	from, to := neonC("c0"), y
	for i, c := range expSteps { // each adds to a copy of its constant, in turn in y and s
		f.vmov(to, neonC(c))
		f.fma(to, from, t)
		from, to = to, [2]int{s, y}[i%2]
	}
	f.neon("FCVTNS", n, n)
	f.p("VSHL $23, V%[1]d.S4, V%[1]d.S4", n)
	f.p("VADD V%d.S4, V%[2]d.S4, V%[2]d.S4", n, y)
	f.neon("FCMGT", t, neonC("low"), x)
	f.p("WORD $0x%08x // BIC V%d.16B, V%d.16B, V%d.16B", 0x4e601c00|t<<16|y<<5|y, y, y, t)
	f.neon("FCMGT", t, x, neonC("high"))
	f.take(y, neonC("inf"), t)
}

func (f *file) neonSiLU() {
	f.neonBegin("siluMul", 0)
	f.neonExpConstants()
	f.neonLoop(4, func() {
		f.ld(7, 2)
		f.ld(5, 3)
		f.neon("FNEG", 0, 7)
		f.neonExp(1, 0, 2, 3, 4)
		f.neon("FADD", 1, 1, neonC("one"))
		f.neon("FMUL", 7, 7, 5)
		f.neon("FDIV", 7, 7, 1)
		f.st(7, 1)
	})
	f.neonEnd()
	f.neonBegin("siluMulBackward", 0)
	f.neonExpConstants()
	f.neonLoop(4, func() {
		f.ld(7, 4)
		f.neon("FNEG", 0, 7)
		f.neonExp(1, 0, 2, 3, 4)
		f.neon("FADD", 1, 1, neonC("one"))
		f.neon("FDIV", 1, neonC("one"), 1) // s
		f.neon("FMUL", 2, 7, 1)            // g·s
		f.ld(3, 3)
		f.ld(5, 5)
		f.neon("FMUL", 6, 3, 2)
		f.neon("FSUB", 7, 7, 2)
		f.neon("FADD", 7, 7, neonC("one"))
		f.neon("FMUL", 7, 7, 1) // s·(1+(g-g·s))
		f.neon("FMUL", 3, 3, 5)
		f.neon("FMUL", 7, 7, 3)
		f.st(6, 2)
		f.st(7, 1)
	})
	f.neonEnd()
}

func (f *file) neonGELU() {
	f.neonBegin("geluMul", 0)
	f.neonExpConstants()
	f.neonLoop(4, func() {
		f.ld(7, 2)
		f.ld(5, 3)
		f.neonGELUExponent(0, 7, 1)
		f.neonExp(1, 0, 2, 3, 4)
		f.neon("FADD", 1, 1, neonC("one"))
		f.neon("FMUL", 7, 7, 5)
		f.neon("FDIV", 7, 7, 1)
		f.st(7, 1)
	})
	f.neonEnd()
	f.neonBegin("geluMulBackward", 0)
	f.neonExpConstants()
	f.neonLoop(4, func() {
		f.ld(7, 4)
		f.neonGELUExponent(0, 7, 1)
		f.neonExp(1, 0, 2, 3, 4)
		f.neon("FADD", 1, 1, neonC("one"))
		f.neon("FDIV", 1, neonC("one"), 1) // s
		f.neon("FMUL", 2, 7, 1)            // g·s
		f.neon("FMUL", 0, 7, 7)
		f.vmov(4, neonC("gelu"))
		f.fma(4, neonC("gelu9"), 0) // -t'
		f.neon("FSUB", 7, 7, 2)
		f.vmov(0, neonC("one"))
		f.fms(0, 7, 4) // 1 + (g - g·s)·t'
		f.neon("FMUL", 0, 0, 1)
		f.ld(3, 3)
		f.ld(5, 5)
		f.neon("FMUL", 6, 3, 2)
		f.neon("FMUL", 3, 3, 5)
		f.neon("FMUL", 0, 0, 3)
		f.st(6, 2)
		f.st(0, 1)
	})
	f.neonEnd()
}

// neonGELUExponent sets x = g·(gelu + gelu3·g²); s is scratch.
func (f *file) neonGELUExponent(x, g, s int) {
	f.neon("FMUL", s, g, g)
	f.vmov(x, neonC("gelu"))
	f.fma(x, neonC("gelu3"), s)
	f.neon("FMUL", x, x, g)
}

// neonSoftCap has the constants of tanh in the registers from neonConst on.
func (f *file) neonSoftCap() {
	constants := func() {
		f.p("MOVD $vect<>(SB), R9")
		for i := range tanhValues {
			f.ld(neonConst+i, 9)
		}
	}
	f.neonBegin("softCap", 8)
	constants()
	f.neonLoop(4, func() {
		f.peek(0, 1)
		f.neon("FMUL", 0, 0, 9)
		f.neon("FCMGT", 1, 0, neonConst+tanhHigh)
		f.take(0, neonConst+tanhHigh, 1)
		f.neon("FCMGT", 1, neonConst+tanhLow, 0)
		f.take(0, neonConst+tanhLow, 1)
		f.neon("FMUL", 1, 0, 0)
		odd := f.neonPolynomial(tanhOdd, tanhOddEnd, 2)
		f.neon("FMUL", odd, odd, 0)
		even := f.neonPolynomial(tanhEven, tanhOne, 4)
		f.neon("FDIV", odd, odd, even)
		f.neon("FMUL", odd, odd, 8)
		f.st(odd, 1)
	})
	f.neonEnd()
	f.neonBegin("softCapBackward", 8)
	constants()
	f.neonLoop(4, func() {
		f.ld(0, 2)
		f.neon("FMUL", 0, 0, 8)
		f.vmov(1, neonConst+tanhOne)
		f.fms(1, 0, 0)
		f.peek(0, 1)
		f.neon("FMUL", 0, 0, 1)
		f.st(0, 1)
	})
	f.neonEnd()
}

// neonPolynomial evaluates that of constants [from,to) in V1, in register r or the one
// after it, and says which.
func (f *file) neonPolynomial(from, to, r int) int {
	at := neonConst + from
	for i := from + 1; i < to; i++ {
		next := r + (i-from)%2
		f.vmov(next, neonConst+i)
		f.fma(next, at, 1)
		at = next
	}
	return at
}

// neonNorms writes the kernels of RMSNorm, and of the softmax backwards.
func (f *file) neonNorms() {
	f.neonBegin("softmaxBackward", 8)
	f.neonLoop(4, func() {
		f.peek(0, 1)
		f.ld(1, 2)
		f.neon("FSUB", 0, 0, 8)
		f.neon("FMUL", 0, 0, 1)
		f.st(0, 1)
	})
	f.neonEnd()
	f.neonBegin("scaleMul", 8)
	f.neonLoop(4, func() {
		f.ld(0, 2)
		f.ld(1, 3)
		f.neon("FMUL", 0, 0, 8)
		f.neon("FMUL", 0, 0, 1)
		f.st(0, 1)
	})
	f.neonEnd()
	f.neonBegin("rmsNormBackward", 8)
	f.neonLoop(4, func() {
		f.ld(0, 2)
		f.ld(1, 4)
		f.neon("FMUL", 0, 0, 1)
		f.neon("FMUL", 0, 0, 8)
		f.ld(1, 3)
		f.fms(0, 9, 1)
		f.peek(1, 1)
		f.neon("FADD", 0, 1, 0)
		f.st(0, 1)
	})
	f.neonEnd()
}

func (f *file) neonRotate() {
	f.neonBegin("rotate", 0)
	f.neonLoop(4, func() {
		f.peek(0, 1)
		f.peek(1, 2)
		f.ld(2, 3)
		f.ld(3, 4)
		f.neon("FMUL", 4, 0, 2)
		f.neon("FMUL", 5, 1, 3)
		f.neon("FSUB", 4, 4, 5)
		f.neon("FMUL", 1, 1, 2)
		f.neon("FMUL", 0, 0, 3)
		f.neon("FADD", 1, 1, 0)
		f.st(4, 1)
		f.st(1, 2)
	})
	f.neonEnd()
}

// neonAdamW has the nine numbers of AdamW.constants in V16-V24; see adamW.
func (f *file) neonAdamW() {
	f.neonBegin("adamW", 0)
	for k := range 9 {
		f.p("VLD1R.P 4(R5), [V%d.S4]", 16+k)
	}
	f.neonLoop(4, func() {
		f.ld(0, 2)
		f.neon("FMUL", 1, 0, 17)
		f.peek(2, 3)
		f.fma(1, 16, 2) // m = β₁·m + (1-β₁)g
		f.st(1, 3)
		f.neon("FMUL", 3, 0, 19)
		f.neon("FMUL", 3, 3, 0)
		f.peek(2, 4)
		f.fma(3, 18, 2) // v = β₂·v + (1-β₂)g·g
		f.st(3, 4)
		f.neon("FDIV", 1, 1, 20)
		f.neon("FDIV", 3, 3, 21)
		f.neon("FSQRT", 3, 3)
		f.neon("FADD", 3, 3, 22)
		f.neon("FDIV", 1, 1, 3)
		f.peek(0, 1)
		f.neon("FMUL", 0, 0, 24)
		f.fma(0, 23, 1) // p = decay·p + (-lr)·d
		f.st(0, 1)
	})
	f.neonEnd()
}

func (f *file) neonConverts() {
	f.neonBegin("convertBF16", 0)
	f.neonLoop(8, func() {
		f.p("VLD1.P 16(R2), [V0.H8]")
		f.p("VUSHLL $0, V0.H4, V1.S4")
		f.p("VUSHLL2 $0, V0.H8, V2.S4")
		f.p("VSHL $16, V1.S4, V1.S4")
		f.p("VSHL $16, V2.S4, V2.S4")
		f.p("VST1.P [V1.S4, V2.S4], 32(R1)")
	})
	f.neonEnd()
	f.neonBegin("convertF16", 0)
	f.neonLoop(8, func() {
		f.p("VLD1.P 16(R2), [V0.H8]")
		f.fcvtl(1, 0, false)
		f.fcvtl(2, 0, true)
		f.p("VST1.P [V1.S4, V2.S4], 32(R1)")
	})
	f.neonEnd()
}

// neonPlain writes what vek does on amd64.
func (f *file) neonPlain() {
	for _, k := range []struct {
		name, op string
		number   bool
	}{{"add", "FADD", false}, {"mulBy", "FMUL", false}, {"scale", "FMUL", true}} {
		f.neonBegin(k.name, 8)
		f.neonLoop(8, func() {
			f.p("VLD1 (R1), [V0.S4, V1.S4]")
			x := 8
			if !k.number {
				f.p("VLD1.P 32(R2), [V2.S4, V3.S4]")
			}
			for i := range 2 {
				if !k.number {
					x = 2 + i
				}
				f.neon(k.op, i, i, x)
			}
			f.p("VST1.P [V0.S4, V1.S4], 32(R1)")
		})
		f.neonEnd()
	}
}

func (f *file) transposeNEON() {
	f.transposeHead("NEON", 4)
	f.p("MOVD n+0(FP), R0")
	f.p("MOVD src+8(FP), R1")
	f.p("MOVD ss+16(FP), R9")
	f.p("MOVD dst+24(FP), R10")
	f.p("MOVD ds+32(FP), R11")
	for i := 1; i < 4; i++ {
		f.p("ADD R9, R%d, R%d", i, i+1)
	}
	f.neonLoop(1, func() {
		for i := range 4 {
			f.ld(i, 1+i)
		}
		f.neonTranspose4()
		for i := range 4 {
			f.p("VST1 [V%d.S4], (R10)", 8+i)
			f.p("ADD R11, R10, R10")
		}
	})
	f.neonEnd()
}

// neonTranspose4 transposes V0-V3 to V8-V11, by way of V4-V7.
func (f *file) neonTranspose4() {
	for i, op := range []string{"VZIP1", "VZIP2"} { // (0,1), (2,3) interleaved
		f.p("%s V1.S4, V0.S4, V%d.S4", op, 4+i)
		f.p("%s V3.S4, V2.S4, V%d.S4", op, 6+i)
	}
	for i := range 2 {
		f.p("VZIP1 V%d.D2, V%d.D2, V%d.D2", 6+i, 4+i, 8+2*i)
		f.p("VZIP2 V%d.D2, V%d.D2, V%d.D2", 6+i, 4+i, 9+2*i)
	}
}
