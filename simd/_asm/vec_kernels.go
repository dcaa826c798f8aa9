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
	"normSums":        {"adds x·x to the lanes and dy·w·x to the sixteen behind them.", "dy, w, x, lanes", ""},
	"addSquares":      {"sets y = x+f and adds y·y to the lanes.", "y, x, f, lanes", ""},
	"expSum":          {"sets dst = exp(x-shift) and adds it to the lanes.", "x, dst, lanes", "shift"},
	"maxExpSum":       {"raises result[0] to the values of x, sets x = exp(x-result[0]) and result[1] to the sum.", "x, result", ""},
	"softmaxBackward": {"sets dx = (dx-mean)·p.", "dx, p", "mean"},
	"scaleDot":        {"sets y = s·x and adds y·z to the lanes.", "y, x, z, lanes", "s"},
	"siluMul":         {"sets y = silu(gate)·u.", "y, gate, u", ""},
	"siluMulBackward": {"sets dg and du; see SiLUMulBackward.", "dg, du, dy, gate, u", ""},
	"geluMul":         {"sets y = gelu(gate)·u.", "y, gate, u", ""},
	"geluMulBackward": {"sets dg and du; see GELUMulBackward.", "dg, du, dy, gate, u", ""},
	"softCap":         {"sets x = limit·tanh(x·rcp).", "x", "limit, rcp"},
	"softCapBackward": {"multiplies dx by 1 - (y·rcp)².", "dx, y", "rcp"},
	"scaleMul":        {"sets y = s·x·w.", "y, x, w", "s"},
	"rmsNormBackward": {"adds rstd·w·dy - k·x to dx.", "dx, dy, x, w", "rstd, k"},
	"rotate":          {"rotates the pairs (a, b).", "a, b, cos, sin", ""},
	"adamW":           {"does an optimizer step with the nine numbers of AdamW.constants.", "p, grad, m, v, consts", ""},
	"convertBF16":     {"widens n bfloat16.", "dst, src", ""},
	"convertF16":      {"widens n float16.", "dst, src", ""},
	"add":             {"adds x to dst.", "dst, x", ""},
	"mulBy":           {"multiplies dst by x.", "dst, x", ""},
	"scale":           {"multiplies x by s.", "x", "s"},
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

// The constants of exp and, from gelu on, of GELU, in the order of the table that
// vecConstants writes.
var vecNames = []string{"log2e", "ln2Hi", "ln2Lo", "low", "high", "inf", "sign", "one", "c0", "c1", "c2", "c3", "c4", "c5", "gelu", "gelu3", "gelu9"}

var vecValues = []uint32{
	math.Float32bits(1.44269504), math.Float32bits(0.693359375), math.Float32bits(-2.12194440e-4),
	math.Float32bits(-87.3), math.Float32bits(88.72283), math.Float32bits(float32(math.Inf(1))), 1 << 31,
	math.Float32bits(1), math.Float32bits(1.9875691500e-4), math.Float32bits(1.3981999507e-3), math.Float32bits(8.3334519073e-3),
	math.Float32bits(4.1665795894e-2), math.Float32bits(1.6666665459e-1), math.Float32bits(5.0000001201e-1),
	math.Float32bits(-1.5957691216), math.Float32bits(-0.0713548162726), math.Float32bits(-0.214064448818),
}

// The constants of tanh, in the order of its table: its bounds, the coefficients of the
// odd polynomial above the line and of the even one below it, and 1.
var tanhValues = []float32{
	7.90531110763549805, -7.90531110763549805,
	-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08,
	1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03,
	1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03,
	1,
}

// Where in tanhValues they are: polynomials from the highest power down.
const (
	tanhHigh, tanhLow   = 0, 1
	tanhOdd, tanhOddEnd = 2, 9
	tanhEven, tanhOne   = 9, 13
)

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

// vecConstants writes the tables, each constant repeated over a register of bytes.
func (f *file) vecConstants(bytes int) {
	f.table("vecc", vecValues, bytes)
	var tanh []uint32
	for _, v := range tanhValues {
		tanh = append(tanh, math.Float32bits(v))
	}
	f.table("vect", tanh, bytes)
}

func (f *file) table(name string, values []uint32, bytes int) {
	for i, v := range values {
		for l := range bytes / 8 {
			f.raw("DATA %s<>+%d(SB)/8, $0x%08x%08x", name, bytes*i+8*l, v, v)
		}
	}
	f.raw("GLOBL %s<>(SB), RODATA|NOPTR, $%d\n", name, bytes*len(values))
}
