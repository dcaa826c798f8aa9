package main

import (
	"fmt"
	"math"
	"strings"
)

// A vecKernel is a vector function as all instruction sets declare it: a count n
// that is a positive multiple of 16, pointers, and numbers.
type vecKernel struct{ doc, pointers, floats string }

var vecKernels = map[string]vecKernel{
	"max":             {"raises the lanes to the values of x.", "x, lanes", ""},
	"dot":             {"adds x·y to the lanes.", "x, y, lanes", ""},
	"dot3":            {"adds x·y·z to the lanes.", "x, y, z, lanes", ""},
	"expSum":          {"sets dst = exp(x-shift) and adds it to the lanes.", "x, dst, lanes", "shift"},
	"siluMul":         {"sets y = silu(gate)·u.", "y, gate, u", ""},
	"siluMulBackward": {"sets dg and du; see SiLUMulBackward.", "dg, du, dy, gate, u", ""},
	"scaleMul":        {"sets y = s·x·w.", "y, x, w", "s"},
	"rmsNormBackward": {"adds rstd·w·dy - k·x to dx.", "dx, dy, x, w", "rstd, k"},
	"rotate":          {"rotates the pairs (a, b).", "a, b, cos, sin", ""},
	"adamW":           {"does an optimizer step with the nine numbers of AdamW.constants.", "p, grad, m, v, consts", ""},
	"convertBF16":     {"widens n bfloat16.", "dst, src", ""},
	"convertF16":      {"widens n float16.", "dst, src", ""},
	"add":             {"adds x to dst.", "dst, x", ""},
	"mulBy":           {"multiplies dst by x.", "dst, x", ""},
	"scale":           {"multiplies x by s.", "x", "s"},
	"addNumber":       {"adds s to x.", "x", "s"},
}

// A frameArg is an argument and its offset from FP.
type frameArg struct {
	name   string
	offset int
}

// vecHead declares kernel name for an instruction set and opens it.
func (f *file) vecHead(name, set string) (pointers, floats []frameArg) {
	k, ok := vecKernels[name]
	if !ok {
		panic("no kernel " + name)
	}
	size := 8
	for a := range strings.SplitSeq(k.pointers, ", ") {
		pointers = append(pointers, frameArg{a, size})
		size += 8
	}
	sig := fmt.Sprintf("func %s%s(n int, %s unsafe.Pointer", name, set, k.pointers)
	if k.floats != "" {
		sig += ", " + k.floats + " float32"
		for a := range strings.SplitSeq(k.floats, ", ") {
			floats = append(floats, frameArg{a, size})
			size += 4
		}
	}
	f.declare("\n// %s%s %s\n//\n//go:noescape\n%s)", name, set, k.doc, sig)
	f.raw("TEXT ·%s%s(SB), NOSPLIT, $0-%d", name, set, size)
	return pointers, floats
}

// transposeHead opens the transposition of n square blocks.
func (f *file) transposeHead(set string, side int) {
	f.declare("\n// transpose%s transposes n blocks of %[2]d×%[2]d: block i has its rows at\n// src+%[3]d·i and goes to rows %[2]d·i… of dst. Strides are in bytes.\n//\n//go:noescape\nfunc transpose%[1]s(n int, src unsafe.Pointer, ss int, dst unsafe.Pointer, ds int)", set, side, 4*side)
	f.raw("TEXT ·transpose%s(SB), NOSPLIT, $0-40", set)
}

// The constants of exp, in the order of the table that vecConstants writes.
var vecNames = []string{"log2e", "ln2Hi", "ln2Lo", "low", "high", "inf", "sign", "one", "c0", "c1", "c2", "c3", "c4", "c5"}

var vecValues = []uint32{
	math.Float32bits(1.44269504), math.Float32bits(0.693359375), math.Float32bits(-2.12194440e-4),
	math.Float32bits(-87.3), math.Float32bits(88.72283), math.Float32bits(float32(math.Inf(1))), 1 << 31,
	math.Float32bits(1), math.Float32bits(1.9875691500e-4), math.Float32bits(1.3981999507e-3), math.Float32bits(8.3334519073e-3),
	math.Float32bits(4.1665795894e-2), math.Float32bits(1.6666665459e-1), math.Float32bits(5.0000001201e-1),
}

// expSteps are the constants that the polynomial of exp adds, after c0.
var expSteps = []string{"c1", "c2", "c3", "c4", "c5", "one", "one"}

func constantIndex(name string) int {
	for i, n := range vecNames {
		if n == name {
			return i
		}
	}
	panic("no constant " + name)
}

// vecConstants writes the table, each constant repeated over a register of bytes.
func (f *file) vecConstants(bytes int) {
	for i, v := range vecValues {
		for l := range bytes / 8 {
			f.raw("DATA vecc<>+%d(SB)/8, $0x%08x%08x", bytes*i+8*l, v, v)
		}
	}
	f.raw("GLOBL vecc<>(SB), RODATA|NOPTR, $%d\n", bytes*len(vecValues))
}
