package main

import "fmt"

// An avxTile describes the micro-kernels of one width: up to rows rows of nv
// vectors, all of them accumulators that start from C (or +0) and take k terms in
// ascending order.
type avxTile struct {
	reg    string // Z or Y
	bytes  int    // of one vector
	nv     int    // vectors in a row of the tile
	rows   int    // most rows; there is one kernel for each number up to it
	first  int    // register of the last accumulator's successor: 32 or 16
	masked bool   // columns past the width are masked off (AVX-512)
	terms  terms
}

// terms are what a k of a tile is.
type terms int

const (
	values     terms = iota // float32
	pairs                   // A and B hold pairs of bf16, which an instruction multiplies
	fusedPairs              // B holds pairs of bf16, and A both of a pair in float32, the odd one first
	quads                   // integers of 8 bits, by kernels of their own
)

func (t avxTile) cols() int { return t.nv * t.bytes / 4 }

// acc is the register of row i, vector v.
func (t avxTile) acc(rows, i, v int) int { return t.first - rows*t.nv + i*t.nv + v }

func gemmAMD64() *file {
	f := newFile("gemm_amd64")
	// Of 14×32, 12×32, 8×48 and 6×64, all within 1 % of each other, 14×32 has the
	// fewest loads. The narrow ones are for LoRA ranks: half-empty vectors cost as
	// much as full ones.
	f.avxTiles("tileAVX512", []avxTile{
		{"Y", 32, 1, 14, 32, true, values},
		{"Z", 64, 1, 14, 32, true, values},
		{"Z", 64, 2, 14, 32, true, values},
	})
	f.avxTiles("tileAVX2", []avxTile{
		{"Y", 32, 1, 12, 16, false, values},
		{"Y", 32, 2, 6, 16, false, values},
	})
	f.packAVX()
	f.copyRows()
	return f
}

// avxTiles writes one function for tiles of several widths, narrowest first: it
// loads the operands, then branches on the number of columns and rows.
func (f *file) avxTiles(name string, tiles []avxTile) { f.eachTile(name, tiles, f.avxTile) }

// eachTile is avxTiles for kernels that are written by kernel.
func (f *file) eachTile(name string, tiles []avxTile, kernel func(t avxTile, rows int)) {
	frame := 0
	if tiles[0].terms == fusedPairs {
		frame = 8
	}
	f.tileHead(name, frame)
	if tiles[0].terms == fusedPairs {
		f.flushBegin()
	}
	if tiles[0].masked {
		f.p("MOVQ cols+8(FP), CX")
		f.p("MOVQ $1, AX")
		f.p("SHLQ CX, AX")
		f.p("DECQ AX")
		f.p("KMOVW AX, K1")
		f.p("SHRQ $16, AX")
		f.p("KMOVW AX, K2")
	}
	f.p("MOVQ a+24(FP), SI")
	f.p("MOVQ rsa+32(FP), R8")
	f.p("MOVQ csa+40(FP), R9")
	f.p("MOVQ b+48(FP), DI")
	f.p("MOVQ rsb+56(FP), R10")
	f.p("MOVQ c+64(FP), BX")
	f.p("MOVQ rows+0(FP), AX")
	f.p("MOVQ cols+8(FP), DX")
	for i, t := range tiles {
		if i < len(tiles)-1 {
			f.p("CMPQ DX, $%d", t.cols())
			f.p("JGT wider%d", t.cols())
		}
		f.dispatch(1, t.rows, func(n int) string { return fmt.Sprintf("tile%dx%d", n, t.cols()) })
		if i < len(tiles)-1 {
			f.label("wider%d", t.cols())
		}
	}
	for _, t := range tiles {
		for n := 1; n <= t.rows; n++ {
			kernel(t, n)
		}
	}
	f.raw("")
}

// tileHead opens a micro-kernel function, the same for every instruction set, with frame
// bytes on the stack.
func (f *file) tileHead(name string, frame int) {
	sig := "func " + name + "(rows, cols, k int, a unsafe.Pointer, rsa, csa int, b unsafe.Pointer, rsb int, c unsafe.Pointer, ldc int, add bool)"
	f.declare("\n// %s sets C = A·B (rows×cols) or adds to it. A is addressed by byte\n// strides of rows and of k, B and C by byte strides of rows.\n//\n//go:noescape\n%s", name, sig)
	f.raw("// %s", sig)
	f.raw("TEXT ·%s(SB), NOSPLIT, $%d-81", name, frame)
}

// dispatch jumps to target(AX) for AX in [lo,hi], by bisection.
func (f *file) dispatch(lo, hi int, target func(int) string) {
	if lo == hi {
		f.p("JMP %s", target(lo))
		return
	}
	mid := (lo + hi) / 2
	upper := fmt.Sprintf("above%d_%s", mid, target(hi))
	f.p("CMPQ AX, $%d", mid)
	f.p("JGT %s", upper)
	f.dispatch(lo, mid, target)
	f.label("%s", upper)
	f.dispatch(mid+1, hi, target)
}

// rowAddress is i·R8 behind base, such as (SI), with the odd multiples 3, 5, 7, 9, 11, 13 in R11,
// R12, R13, R15, AX, DX.
func rowAddress(base string, i int) string {
	index := [...]string{"", "R8*1", "R8*2", "R11*1", "R8*4", "R12*1", "R11*2", "R13*1", "R8*8", "R15*1", "R12*2", "AX*1", "R11*4", "DX*1"}[i]
	if index == "" {
		return base
	}
	return base + "(" + index + ")"
}

// rowMultiples sets the registers rowAddress needs for n rows.
func (f *file) rowMultiples(n int) {
	for _, m := range []struct {
		from  int
		instr string
	}{
		{3, "LEAQ (R8)(R8*2), R11"},
		{5, "LEAQ (R8)(R8*4), R12"},
		{7, "LEAQ (R11)(R8*4), R13"},
		{9, "LEAQ (R12)(R8*4), R15"},
		{11, "LEAQ (R13)(R8*4), AX"},
		{13, "LEAQ (R15)(R8*4), DX"},
	} {
		if n > m.from {
			f.p("%s", m.instr)
		}
	}
}

// load and store move vector v of a row, masked where the tile is.
func (f *file) load(t avxTile, v int, base string, dst int) {
	if t.masked {
		f.p("VMOVUPS.Z %d(%s), K%d, %s%d", t.bytes*v, base, v+1, t.reg, dst)
	} else {
		f.p("VMOVUPS %d(%s), %s%d", t.bytes*v, base, t.reg, dst)
	}
}

func (f *file) store(t avxTile, v, src int, base string) {
	if t.masked {
		f.p("VMOVUPS %s%d, K%d, %d(%s)", t.reg, src, v+1, t.bytes*v, base)
	} else {
		f.p("VMOVUPS %s%d, %d(%s)", t.reg, src, t.bytes*v, base)
	}
}

// avxTile writes the kernel of n rows.
func (f *file) avxTile(t avxTile, n int) {
	id := fmt.Sprintf("%dx%d", n, t.cols())
	f.label("tile%s", id)
	f.p("MOVQ ldc+72(FP), R11")
	f.p("CMPB add+80(FP), $0")
	f.p("JEQ zero%s", id)
	eachRow := func(base string, do func(i int)) {
		for i := range n {
			do(i)
			if i < n-1 {
				f.p("ADDQ R11, %s", base)
			}
		}
	}
	eachRow("BX", func(i int) {
		for v := range t.nv {
			f.load(t, v, "BX", t.acc(n, i, v))
		}
	})
	for range n { // the tile below, which comes next and must not wait for its C
		f.p("ADDQ R11, BX")
		f.p("PREFETCHT0 (BX)")
		if t.bytes*t.nv == 128 {
			f.p("PREFETCHT0 64(BX)")
		}
	}
	f.p("JMP start%s", id)
	f.label("zero%s", id)
	eachRow("BX", func(i int) {
		f.p("PREFETCHT0 (BX)")
		for v := range t.nv {
			a := t.acc(n, i, v)
			if v > 0 && t.bytes == 64 {
				f.p("PREFETCHT0 %d(BX)", t.bytes*v)
			}
			f.p("%s %[2]s%[3]d, %[2]s%[3]d, %[2]s%[3]d", map[bool]string{true: "VPXORD", false: "VXORPS"}[t.masked], t.reg, a)
		}
	})
	f.label("start%s", id)
	f.p("MOVQ k+16(FP), CX")
	f.rowMultiples(n)
	f.p("MOVQ CX, BX")
	f.p("SHRQ $2, BX")
	f.p("JZ tail%s", id)
	f.p("PCALIGN $64")
	f.label("four%s", id)
	for range 4 {
		f.avxStep(t, n)
	}
	f.p("DECQ BX")
	f.p("JNZ four%s", id)
	f.label("tail%s", id)
	f.p("ANDQ $3, CX")
	f.p("JZ done%s", id)
	f.label("one%s", id)
	f.avxStep(t, n)
	f.p("DECQ CX")
	f.p("JNZ one%s", id)
	f.label("done%s", id)
	f.p("MOVQ c+64(FP), BX")
	f.p("MOVQ ldc+72(FP), R11")
	eachRow("BX", func(i int) {
		for v := range t.nv {
			f.store(t, v, t.acc(n, i, v), "BX")
		}
	})
	if t.terms == fusedPairs {
		f.flushEnd()
	}
	f.p("VZEROUPPER")
	f.p("RET")
}

// avxStep adds one k: a row of B times each broadcast element of A's column.
func (f *file) avxStep(t avxTile, n int) {
	if t.terms == fusedPairs {
		for v := range t.nv {
			f.p("VPANDD.Z %d(DI), Z%d, K%d, Z%d", t.bytes*v, oddMask, v+1, v)
		}
		f.avxRows(t, n, "(SI)")
		for v := range t.nv {
			f.p("VPSLLD.Z $16, %d(DI), K%d, Z%d", t.bytes*v, v+1, v)
		}
		f.avxRows(t, n, "4(SI)")
	} else {
		for v := range t.nv {
			f.load(t, v, "DI", v)
		}
		f.avxRows(t, n, "(SI)")
	}
	f.p("ADDQ R9, SI")
	f.p("ADDQ R10, DI")
}

// avxRows adds the products of the row of B in the first registers with the n elements of
// A from base on.
func (f *file) avxRows(t avxTile, n int, base string) {
	temps := min(2, t.first-n*t.nv-t.nv)
	if t.terms == fusedPairs {
		temps = 1 // and oddMask
	}
	for i := range n {
		x := t.nv + i%temps
		f.p("VBROADCASTSS %s, %s%d", rowAddress(base, i), t.reg, x)
		for v := range t.nv {
			if acc := t.acc(n, i, v); t.terms == pairs {
				f.dot(v, x, acc)
			} else {
				f.p("VFMADD231PS %[1]s%[2]d, %[1]s%[3]d, %[1]s%[4]d", t.reg, v, x, acc)
			}
		}
	}
}
