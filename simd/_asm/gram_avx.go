package main

// A gramTile describes a micro-kernel of Gram: side rows of X times as many of Y, each
// product summed in eight lanes of float64. A product of two float32 is exact there, so
// that it does not show whether it is fused with the sum.
type gramTile struct {
	reg   string // Z or Y
	lanes int    // of float64 in a register
	side  int
	first int // register of the first accumulator
}

func gramAMD64() *file {
	f := newFile("gram_amd64")
	f.gram("gramAVX512", gramTile{"Z", 8, 4, 16})
	f.gram("gramAVX2", gramTile{"Y", 4, 2, 8})
	return f
}

// gramRow is the address of row i at a base whose stride is in stride and three times it
// in triple.
func gramRow(base, stride, triple string, i int) string {
	return [...]string{"(" + base + ")", "(" + base + ")(" + stride + "*1)", "(" + base + ")(" + stride + "*2)", "(" + base + ")(" + triple + "*1)"}[i]
}

func (f *file) gram(name string, t gramTile) {
	sig := "func " + name + "(n int, x unsafe.Pointer, xs int, y unsafe.Pointer, ys int, lanes unsafe.Pointer)"
	f.declare("\n// %s sets the lanes to the products of %d rows of x with %[2]d of y, x's slower.\n// n is a positive multiple of 8, strides are in bytes.\n//\n//go:noescape\n%[3]s", name, t.side, sig)
	f.raw("// %s", sig)
	f.raw("TEXT ·%s(SB), NOSPLIT, $0-48", name)
	f.p("MOVQ n+0(FP), CX")
	f.p("MOVQ x+8(FP), SI")
	f.p("MOVQ xs+16(FP), R8")
	f.p("MOVQ y+24(FP), DI")
	f.p("MOVQ ys+32(FP), R9")
	f.p("MOVQ lanes+40(FP), BX")
	f.p("LEAQ (R8)(R8*2), R11")
	f.p("LEAQ (R9)(R9*2), R12")
	halves := 8 / t.lanes
	acc := func(i, j, h int) int { return t.first + (i*t.side+j)*halves + h }
	for a := t.first; a < t.first+t.side*t.side*halves; a++ {
		if t.reg == "Z" {
			f.p("VPXORQ Z%[1]d, Z%[1]d, Z%[1]d", a)
		} else {
			f.p("VXORPD Y%[1]d, Y%[1]d, Y%[1]d", a)
		}
	}
	f.p("SHRQ $3, CX")
	f.p("PCALIGN $32")
	f.label("eight")
	for h := range halves {
		for i := range t.side {
			f.p("VCVTPS2PD %d%s, %s%d", 4*t.lanes*h, gramRow("SI", "R8", "R11", i), t.reg, i)
			f.p("VCVTPS2PD %d%s, %s%d", 4*t.lanes*h, gramRow("DI", "R9", "R12", i), t.reg, t.side+i)
		}
		for i := range t.side {
			for j := range t.side {
				f.p("VFMADD231PD %[1]s%[2]d, %[1]s%[3]d, %[1]s%[4]d", t.reg, i, t.side+j, acc(i, j, h))
			}
		}
	}
	f.p("ADDQ $32, SI")
	f.p("ADDQ $32, DI")
	f.p("DECQ CX")
	f.p("JNZ eight")
	for i := range t.side {
		for j := range t.side {
			for h := range halves {
				f.p("VMOVUPD %s%d, %d(BX)", t.reg, acc(i, j, h), 64*(i*t.side+j)+8*t.lanes*h)
			}
		}
	}
	f.p("VZEROUPPER")
	f.p("RET\n")
}
