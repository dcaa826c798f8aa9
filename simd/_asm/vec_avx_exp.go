package main

// An expChain is the registers of one exp.
type expChain struct{ x, y, n, t int }

// chains returns k of them from register first on. AVX2 is short of registers: t
// takes the place of x, which is loaded again.
func (v vector) chains(k, first int) []expChain {
	size := map[string]int{"Z": 4, "Y": 3}[v.reg]
	list := make([]expChain, k)
	for i := range list {
		r := first + size*i
		list[i] = expChain{x: r, y: r + 1, n: r + 2, t: r}
		if v.reg == "Z" {
			list[i].t = r + 3
		}
	}
	return list
}

// exp sets y = exp(x) as expTwin does, step by step for several vectors: one
// alone waits for itself most of the time. load writes the i-th x to a register.
func (v vector) exp(list []expChain, load func(i, x int)) {
	each := func(step func(c expChain)) {
		for _, c := range list {
			step(c)
		}
	}
	round := map[string]string{"Z": "VRNDSCALEPS", "Y": "VROUNDPS"}[v.reg]
	for i, c := range list {
		load(i, c.x)
	}
	each(func(c expChain) { v.i("VMULPS", v.c("log2e"), c.x, c.n) })
	each(func(c expChain) { v.i(round, "$8", c.n, c.n) })
	if v.reg == "Z" {
		each(func(c expChain) { v.i("VMOVAPS", c.x, c.t) })
	}
	each(func(c expChain) { v.i("VFNMADD231PS", v.c("ln2Hi"), c.n, c.t) })
	each(func(c expChain) { v.i("VFNMADD231PS", v.c("ln2Lo"), c.n, c.t) })
	each(func(c expChain) { v.i("VMOVUPS", v.c("c0"), c.y) })
	for _, name := range expSteps {
		each(func(c expChain) { v.i("VFMADD213PS", v.c(name), c.t, c.y) })
	}
	if v.reg == "Z" {
		each(func(c expChain) { v.i("VSCALEFPS", c.n, c.y, c.y) })
		each(func(c expChain) {
			v.i("VCMPPS", "$5", v.c("low"), c.x, "K1") // not x < low
			v.i("VMOVAPS.Z", c.y, "K1", c.y)
			v.i("VCMPPS", "$14", v.c("high"), c.x, "K2") // x > high
			v.i("VMOVAPS", v.c("inf"), "K2", c.y)
		})
		return
	}
	// n of NaN has 0 in its lower bits: y stays NaN.
	each(func(c expChain) { v.i("VCVTPS2DQ", c.n, c.n) })
	each(func(c expChain) { v.i("VPSLLD", "$23", c.n, c.n) })
	each(func(c expChain) { v.i("VPADDD", c.n, c.y, c.y) })
	for i, c := range list {
		load(i, c.x)
		v.i("VCMPPS", "$1", v.c("low"), c.x, c.n)
		v.i("VANDNPS", c.y, c.n, c.y)
		v.i("VCMPPS", "$14", v.c("high"), c.x, c.n)
		v.i("VBLENDVPS", c.n, v.c("inf"), c.y, c.y)
	}
}

// most is the vectors whose exps are interleaved: as many as there are registers for.
func (v vector) most() int { return map[string]int{"Z": 3, "Y": 4}[v.reg] }

func (v vector) expSum() {
	v.begin("expSum", 15)
	v.loadConstants()
	one := 64 / v.bytes
	for k := range one {
		v.i("VMOVUPS", v.memory(k, "DX"), k)
	}
	v.addExps(2, "DI")
	for k := range one {
		v.i("VMOVUPS", k, v.memory(k, "DX"))
	}
	v.end()
}

// addExps writes exp of the values at SI, less register 15, to dst, and adds them to the
// lanes in the first registers.
func (v vector) addExps(used int, dst string) {
	one := 64 / v.bytes
	v.blocks(used, v.most(), func(k int) {
		list := v.chains(k, 2)
		v.exp(list, func(i, x int) {
			v.i("VMOVUPS", v.memory(i, "SI"), x)
			v.i("VSUBPS", 15, x, x)
		})
		for i, c := range list {
			v.i("VMOVUPS", c.y, v.memory(i, dst))
			v.i("VADDPS", c.y, i%one, i%one)
		}
	})
}

// maxExpSum is max and expSum over a row that stays in the first cache, to the last sum.
func (v vector) maxExpSum() {
	v.begin("maxExpSum", 0)
	one := 64 / v.bytes
	for k := range one {
		v.i("VBROADCASTSS", "(DI)", k)
	}
	v.p("MOVQ CX, R9")
	v.p("MOVQ SI, R8")
	v.p("PCALIGN $32")
	v.label("max")
	for k := range one {
		v.i("VMOVUPS", v.memory(k, "SI"), 4+k)
		v.i("VMAXPS", k, 4+k, k)
	}
	v.p("ADDQ $64, SI")
	v.p("SUBQ $16, CX")
	v.p("JNZ max")
	v.fold("VMAXPS")
	v.p("VMOVSS X0, (DI)")
	v.i("VBROADCASTSS", "X0", 15)
	v.p("MOVQ R9, CX")
	v.p("MOVQ R8, SI")
	v.loadConstants()
	for k := range one {
		v.p("VXORPS X%[1]d, X%[1]d, X%[1]d", k)
	}
	v.addExps(1, "SI")
	v.fold("VADDPS")
	v.p("VMOVSS X0, 4(DI)")
	v.end()
}

// fold combines the sixteen lanes in the first registers to one in X0, in the order of
// lanes.sum and lanes.max: op keeps the lower half where the two are alike.
func (v vector) fold(op string) {
	if v.reg == "Z" {
		v.p("VEXTRACTF64X4 $1, Z0, Y1")
	}
	v.p("%s Y0, Y1, Y0", op)
	v.p("VEXTRACTF128 $1, Y0, X1")
	v.p("%s X0, X1, X0", op)
	v.p("VPERMILPD $1, X0, X1")
	v.p("%s X0, X1, X0", op)
	v.p("VPERMILPS $1, X0, X1")
	v.p("%s X0, X1, X0", op)
}

func (v vector) silu() {
	v.begin("siluMul", 0)
	v.loadConstants()
	v.blocks(3, v.most(), func(k int) {
		v.ahead(k*v.bytes, "SI", "DI", "DX")
		list := v.chains(k, 0)
		v.exp(list, func(i, x int) { v.negated(v.memory(i, "DI"), x) })
		for i, c := range list {
			v.i("VADDPS", v.c("one"), c.y, c.y)
			v.i("VMOVUPS", v.memory(i, "DI"), c.x)
			v.i("VMULPS", v.memory(i, "DX"), c.x, c.x)
			v.i("VDIVPS", c.y, c.x, c.x)
			v.i("VMOVUPS", c.x, v.memory(i, "SI"))
		}
	})
	v.end()
	v.begin("siluMulBackward", 0)
	v.loadConstants()
	v.blocks(5, v.most(), func(k int) {
		v.ahead(k*v.bytes, "DX", "R8", "R9")
		list := v.chains(k, 0)
		v.exp(list, func(i, x int) { v.negated(v.memory(i, "R8"), x) })
		for i, c := range list {
			v.siluSlope(i, c)
		}
	})
	v.end()
}

// siluSlope ends siluMulBackward, from y = exp(-g).
func (v vector) siluSlope(i int, c expChain) {
	v.i("VADDPS", v.c("one"), c.y, c.y)
	v.i("VMOVUPS", v.c("one"), c.n)
	v.i("VDIVPS", c.y, c.n, c.y) // s
	v.i("VMOVUPS", v.memory(i, "R8"), c.x)
	v.i("VMULPS", c.y, c.x, c.n) // g·s
	v.i("VSUBPS", c.n, c.x, c.x)
	v.i("VADDPS", v.c("one"), c.x, c.x)
	v.i("VMULPS", c.y, c.x, c.x) // s·(1+(g-g·s))
	v.i("VMOVUPS", v.memory(i, "DX"), c.y)
	v.i("VMULPS", c.y, c.n, c.n)
	v.i("VMULPS", v.memory(i, "R9"), c.y, c.y)
	v.i("VMULPS", c.y, c.x, c.x)
	v.i("VMOVUPS", c.n, v.memory(i, "DI"))
	v.i("VMOVUPS", c.x, v.memory(i, "SI"))
}

func (v vector) gelu() {
	v.begin("geluMul", 0)
	v.loadConstants()
	v.blocks(3, v.most(), func(k int) {
		v.ahead(k*v.bytes, "SI", "DI", "DX")
		list := v.chains(k, 0)
		v.exp(list, func(i, x int) { v.geluExponent(v.memory(i, "DI"), x, 13) })
		for i, c := range list {
			v.i("VADDPS", v.c("one"), c.y, c.y)
			v.i("VMOVUPS", v.memory(i, "DI"), c.x)
			v.i("VMULPS", v.memory(i, "DX"), c.x, c.x)
			v.i("VDIVPS", c.y, c.x, c.x)
			v.i("VMOVUPS", c.x, v.memory(i, "SI"))
		}
	})
	v.end()
	v.begin("geluMulBackward", 0)
	v.loadConstants()
	v.i("VMOVUPS", v.c("gelu9"), 15)
	v.blocks(5, v.most(), func(k int) {
		v.ahead(k*v.bytes, "DX", "R8", "R9")
		list := v.chains(k, 0)
		v.exp(list, func(i, x int) { v.geluExponent(v.memory(i, "R8"), x, 13) })
		for i, c := range list {
			v.geluSlope(i, c)
		}
	})
	v.end()
}

// geluExponent sets x = g·(gelu + gelu3·g²), whose exp is that of GELU; s is scratch.
func (v vector) geluExponent(g string, x, s int) {
	v.i("VMOVUPS", g, x)
	v.i("VMULPS", x, x, x)
	v.i("VMOVUPS", v.c("gelu3"), s)
	v.i("VFMADD213PS", v.c("gelu"), s, x)
	v.i("VMULPS", g, x, x)
}

// geluSlope ends geluMulBackward, from y = exp(geluExponent(g)).
func (v vector) geluSlope(i int, c expChain) {
	v.i("VADDPS", v.c("one"), c.y, c.y)
	v.i("VMOVUPS", v.c("one"), c.n)
	v.i("VDIVPS", c.y, c.n, c.y) // s
	v.i("VMOVUPS", v.memory(i, "R8"), c.x)
	v.i("VMULPS", c.y, c.x, c.n)             // g·s
	v.i("VMULPS", c.x, c.x, c.x)             // g²
	v.i("VFMADD213PS", v.c("gelu"), 15, c.x) // -t' = gelu + gelu9·g²
	v.i("VMOVUPS", v.memory(i, "R8"), 14)
	v.i("VSUBPS", c.n, 14, 14)               // g - g·s
	v.i("VFNMADD213PS", v.c("one"), 14, c.x) // 1 + (g - g·s)·t'
	v.i("VMULPS", c.y, c.x, c.x)
	v.i("VMOVUPS", v.memory(i, "DX"), c.y)
	v.i("VMULPS", c.y, c.n, c.n)
	v.i("VMULPS", v.memory(i, "R9"), c.y, c.y)
	v.i("VMULPS", c.y, c.x, c.x)
	v.i("VMOVUPS", c.n, v.memory(i, "DI"))
	v.i("VMOVUPS", c.x, v.memory(i, "SI"))
}

// softCap is a rational tanh between bounds: an odd polynomial over an even one.
func (v vector) softCap() {
	v.begin("softCap", 14)
	v.i("VMOVUPS", v.t(tanhHigh), 13)
	v.i("VMOVUPS", v.t(tanhLow), 12)
	v.loop(1, func() {
		v.i("VMULPS", "(SI)", 15, 0)
		v.i("VMINPS", 0, 13, 0) // a NaN stays
		v.i("VMAXPS", 0, 12, 0)
		v.i("VMULPS", 0, 0, 1)
		v.i("VMOVUPS", v.t(tanhOdd), 2)
		for i := tanhOdd + 1; i < tanhOddEnd; i++ {
			v.i("VFMADD213PS", v.t(i), 1, 2)
		}
		v.i("VMULPS", 0, 2, 2)
		v.i("VMOVUPS", v.t(tanhEven), 3)
		for i := tanhEven + 1; i < tanhOne; i++ {
			v.i("VFMADD213PS", v.t(i), 1, 3)
		}
		v.i("VDIVPS", 3, 2, 2)
		v.i("VMULPS", 14, 2, 2)
		v.i("VMOVUPS", 2, "(SI)")
	})
	v.begin("softCapBackward", 15)
	v.loop(2, func() {
		v.i("VMULPS", "(DI)", 15, 0)
		v.i("VMOVUPS", v.t(tanhOne), 1)
		v.i("VFNMADD231PS", 0, 0, 1)
		v.i("VMULPS", "(SI)", 1, 1)
		v.i("VMOVUPS", 1, "(SI)")
	})
}

// negated sets y = -x.
func (v vector) negated(x string, y int) {
	v.i("VMOVUPS", x, y)
	if v.reg == "Z" {
		v.i("VPXORD", v.c("sign"), y, y)
	} else {
		v.i("VXORPS", v.c("sign"), y, y)
	}
}
