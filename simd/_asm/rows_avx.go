package main

import (
	"fmt"
	"strings"
)

// rowsAMD64 writes the kernels of rows of float64: products and sums are rounded one by
// one. Columns are a positive multiple of 8, but of those of dots, which have lanes of 4.
func rowsAMD64() *file {
	f := newFile("rows_amd64")
	for _, v := range []vector{{f, "Z", 64, "AVX512"}, {f, "Y", 32, "AVX2"}} {
		v.combineRows()
		v.addOuter()
		v.subOuters()
		v.rotateRows()
	}
	vector{f, "Y", 32, "AVX2"}.dotRows()
	return f
}

// rowsHead opens a kernel with arguments such as n:CX, which is an int for that register,
// or *x:R9, an address.
func (v vector) rowsHead(kernel, args, does string) {
	var types, loads []string
	for i, arg := range strings.Fields(args) {
		name, register, _ := strings.Cut(arg, ":")
		kind := " int"
		if name[0] == '*' {
			name, kind = name[1:], " unsafe.Pointer"
		}
		types = append(types, name+kind)
		loads = append(loads, fmt.Sprintf("MOVQ %s+%d(FP), %s", name, 8*i, register))
	}
	name := kernel + v.name
	sig := "func " + name + "(" + strings.Join(types, ", ") + ")"
	v.declare("\n// %s %s\n//\n//go:noescape\n%s", name, does, sig)
	v.raw("// %s", sig)
	v.raw("TEXT ·%s(SB), NOSPLIT, $0-%d", name, 8*len(types))
	for _, load := range loads {
		v.p("%s", load)
	}
}

// columns writes body for blocks of 4, 2 and 1 vectors, the widest that n, in CX, has left:
// body starts at the first row of a block, and its labels end in the number it is given.
// The pointers move along.
func (v vector) columns(pointers []string, body func(vectors int)) {
	for k := 4; k*v.bytes >= 64; k /= 2 {
		v.label("block%d", k)
		v.p("SUBQ $%d, CX", k*v.bytes/8)
		v.p("JLT less%d", k)
		body(k)
		for _, p := range pointers {
			v.p("ADDQ $%d, %s", k*v.bytes, p)
		}
		v.p("JMP block%d", k)
		v.label("less%d", k)
		v.p("ADDQ $%d, CX", k*v.bytes/8)
	}
	v.end()
}

// rows repeats body for the rows of a block, counted in a register.
func (v vector) rows(count string, k int, body func()) {
	v.p("MOVQ %s, R13", count)
	v.p("PCALIGN $32")
	v.label("row%d", k)
	body()
	v.p("DECQ R13")
	v.p("JNZ row%d", k)
}

func (v vector) combineRows() {
	v.rowsHead("combineRows", "n:CX k:DX *y:DI *f:SI fs:R8 *x:R9 xs:R10",
		"adds the sum of f times row to n columns of y, for k rows of x, in ascending order.")
	v.columns([]string{"DI", "R9"}, func(k int) {
		v.p("MOVQ SI, R11")
		v.p("MOVQ R9, R12")
		for i := range k {
			v.i("VMOVUPD", v.memory(i, "DI"), i)
		}
		v.rows("DX", k, func() {
			v.i("VBROADCASTSD", "(R11)", 8)
			for i := range k {
				v.i("VMULPD", v.memory(i, "R12"), 8, 4+i)
			}
			for i := range k {
				v.i("VADDPD", 4+i, i, i)
			}
			v.p("ADDQ R8, R11")
			v.p("ADDQ R10, R12")
		})
		for i := range k {
			v.i("VMOVUPD", i, v.memory(i, "DI"))
		}
	})
}

func (v vector) addOuter() {
	v.rowsHead("addOuter", "rows:DX n:CX *x:R9 xs:R10 *f:SI *y:DI",
		"adds f times y to n columns of each row of x.")
	v.columns([]string{"DI", "R9"}, func(k int) {
		v.p("MOVQ SI, R11")
		v.p("MOVQ R9, R12")
		for i := range k {
			v.i("VMOVUPD", v.memory(i, "DI"), i)
		}
		v.rows("DX", k, func() {
			v.i("VBROADCASTSD", "(R11)", 8)
			for i := range k {
				v.i("VMULPD", i, 8, 4+i)
				v.i("VADDPD", v.memory(i, "R12"), 4+i, 4+i)
				v.i("VMOVUPD", 4+i, v.memory(i, "R12"))
			}
			v.p("ADDQ $8, R11")
			v.p("ADDQ R10, R12")
		})
	})
}

func (v vector) subOuters() {
	v.rowsHead("subOuters", "rows:DX n:CX *x:R9 xs:R10 *f:SI *y:DI *h:BX *z:R8",
		"takes f times y and h times z away from n columns of each row of x.")
	v.columns([]string{"DI", "R8", "R9"}, func(k int) {
		v.p("MOVQ SI, R11")
		v.p("MOVQ BX, AX")
		v.p("MOVQ R9, R12")
		for i := range k {
			v.i("VMOVUPD", v.memory(i, "DI"), i)
			v.i("VMOVUPD", v.memory(i, "R8"), 4+i)
		}
		v.rows("DX", k, func() {
			v.i("VBROADCASTSD", "(R11)", 8)
			v.i("VBROADCASTSD", "(AX)", 9)
			for i := range k {
				v.i("VMULPD", i, 8, 10)
				v.i("VMULPD", 4+i, 9, 11)
				v.i("VADDPD", 11, 10, 10)
				v.i("VMOVUPD", v.memory(i, "R12"), 11)
				v.i("VSUBPD", 10, 11, 11)
				v.i("VMOVUPD", 11, v.memory(i, "R12"))
			}
			v.p("ADDQ $8, R11")
			v.p("ADDQ $8, AX")
			v.p("ADDQ R10, R12")
		})
	})
}

// rotateRows keeps in registers what a rotation leaves of a row for the next one.
func (v vector) rotateRows() {
	v.rowsHead("rotateRows", "k:DX n:CX *x:R9 xs:R10 *cs:SI",
		"rotates n columns of row x with the one before it, and that with its own, k times: cs holds cosines and sines.")
	v.p("NEGQ R10")
	v.columns([]string{"R9"}, func(k int) {
		v.p("MOVQ SI, R11")
		v.p("MOVQ R9, R12")
		for i := range k {
			v.i("VMOVUPD", v.memory(i, "R12"), i)
		}
		v.rows("DX", k, func() {
			v.i("VBROADCASTSD", "(R11)", 4)  // cosine
			v.i("VBROADCASTSD", "8(R11)", 5) // sine
			v.p("LEAQ (R12)(R10*1), BX")
			for i := range k {
				v.i("VMOVUPD", v.memory(i, "BX"), 6)
				v.i("VMULPD", 5, 6, 7)
				v.i("VMULPD", 4, i, 8)
				v.i("VADDPD", 8, 7, 7)
				v.i("VMOVUPD", 7, v.memory(i, "R12"))
				v.i("VMULPD", 4, 6, 6)
				v.i("VMULPD", 5, i, 8)
				v.i("VSUBPD", 8, 6, i)
			}
			v.p("ADDQ $16, R11")
			v.p("MOVQ BX, R12")
		})
		for i := range k {
			v.i("VMOVUPD", i, v.memory(i, "R12"))
		}
	})
}

// dotRows has lanes of four, so that 256 bits hold those of a row.
func (v vector) dotRows() {
	v.rowsHead("dotRows", "rows:DX n:CX *x:SI xs:R8 *y:DI *lanes:BX",
		"sets four lanes for each row to its products with y; n is a positive multiple of 4.")
	v.p("LEAQ (R8)(R8*2), R9")
	for _, side := range []int{4, 1} {
		v.label("rows%d", side)
		v.p("SUBQ $%d, DX", side)
		v.p("JLT less%d", side)
		for i := range side {
			v.p("VXORPD Y%[1]d, Y%[1]d, Y%[1]d", i)
		}
		v.p("MOVQ SI, R11")
		v.p("XORQ R12, R12")
		v.p("PCALIGN $32")
		v.label("four%d", side)
		v.p("VMOVUPD (DI)(R12*8), Y8")
		for i := range side {
			v.p("VMULPD %s, Y8, Y%d", gramRow("R11", "R8", "R9", i), 4+i)
			v.p("VADDPD Y%[1]d, Y%[2]d, Y%[2]d", 4+i, i)
		}
		v.p("ADDQ $32, R11")
		v.p("ADDQ $4, R12")
		v.p("CMPQ R12, CX")
		v.p("JLT four%d", side)
		for i := range side {
			v.p("VMOVUPD Y%d, %d(BX)", i, 32*i)
		}
		v.p("ADDQ $%d, BX", 32*side)
		v.p("LEAQ (SI)(R8*%d), SI", side)
		v.p("JMP rows%d", side)
		v.label("less%d", side)
		v.p("ADDQ $%d, DX", side)
	}
	v.end()
}
