package simd

import (
	"fmt"
	"math"
	"slices"
	"unsafe"
)

// Add adds x to dst, element by element.
func Add(dst, x []float32) {
	same("Add", len(dst), len(x))
	if len(x) > 0 {
		add(dst, x)
	}
}

// Scale multiplies x by s in place.
func Scale(x []float32, s float32) {
	if len(x) > 0 {
		scale(x, s)
	}
}

// AddNumber adds s to every element of x.
func AddNumber(x []float32, s float32) {
	if len(x) > 0 {
		addNumber(x, s)
	}
}

// MulBy multiplies dst by x, element by element.
func MulBy(dst, x []float32) {
	same("MulBy", len(dst), len(x))
	if len(x) > 0 {
		mulBy(dst, x)
	}
}

// whole is the part of n values that the kernels take: blocks of 16. What is left
// goes to the twins, or to the kernels in a padded block; see vec_tail.go.
func whole(n int) int {
	if vectorised() {
		return n &^ 15
	}
	return 0
}

// at points to x[0], or nowhere.
func at[T any](x []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(x)) }

// Max returns the largest element, -Inf for none. NaNs are passed over.
func Max(x []float32) float32 {
	var l lanes
	for i := range l {
		l[i] = float32(math.Inf(-1))
	}
	n := whole(len(x))
	if n > 0 {
		maxLanes(n, at(x), &l)
	}
	maxGeneric(&l, x[n:])
	return l.max()
}

// Dot returns Σ x[i]·y[i], in lanes.
func Dot(x, y []float32) float32 {
	same("Dot", len(x), len(y))
	var l lanes
	n := whole(len(x))
	if n > 0 {
		dotLanes(n, at(x), at(y), &l)
	}
	dotGeneric(&l, x[n:], y[n:])
	return l.sum()
}

func dot3(x, y, z []float32) float32 {
	var l lanes
	n := whole(len(x))
	if n > 0 {
		dot3Lanes(n, at(x), at(y), at(z), &l)
	}
	dot3Generic(&l, x[n:], y[n:], z[n:])
	return l.sum()
}

// ExpSum sets dst[i] = exp(x[i]-shift) and returns their sum, in lanes. dst may
// be x.
func ExpSum(dst, x []float32, shift float32) float32 {
	same("ExpSum", len(dst), len(x))
	var l lanes
	n := whole(len(x))
	if n > 0 {
		expSumLanes(n, at(dst), at(x), shift, &l)
	}
	expSumTail(&l, dst[n:], x[n:], shift)
	return l.sum()
}

// Softmax replaces x by its softmax.
func Softmax(x []float32) {
	Scale(x, 1/ExpSum(x, x, Max(x)))
}

// SiLUMul sets y = silu(g)·u, where silu(g) = g/(1+exp(-g)). y may be g or u.
func SiLUMul(y, g, u []float32) {
	same("SiLUMul", len(y), len(g), len(u))
	n := whole(len(y))
	if n > 0 {
		siluMulVec(n, at(y), at(g), at(u))
	}
	siluMulTail(y[n:], g[n:], u[n:])
}

// SiLUMulBackward sets dg and du, given dy = ∂L/∂y of y = silu(g)·u. dg may be
// g, du may be u.
func SiLUMulBackward(dg, du, dy, g, u []float32) {
	same("SiLUMulBackward", len(dg), len(du), len(dy), len(g), len(u))
	n := whole(len(dy))
	if n > 0 {
		siluMulBackwardVec(n, at(dg), at(du), at(dy), at(g), at(u))
	}
	siluMulBackwardTail(dg[n:], du[n:], dy[n:], g[n:], u[n:])
}

// RMSNormScale returns 1/rms(x), rms(x)² = mean(x²)+eps.
func RMSNormScale(x []float32, eps float64) float32 {
	return float32(1 / math.Sqrt(float64(Dot(x, x))/float64(len(x))+eps))
}

// RMSNorm sets y = w·x/rms(x), with rms as in RMSNormScale. y may be x.
func RMSNorm(y, x, w []float32, eps float64) {
	same("RMSNorm", len(y), len(x), len(w))
	s, n := RMSNormScale(x, eps), whole(len(x))
	if n > 0 {
		scaleMulVec(n, at(y), at(x), at(w), s)
	}
	scaleMulGeneric(y[n:], x[n:], w[n:], s)
}

// RMSNormBackward adds ∂L/∂x to dx, given dy = ∂L/∂y and rstd = RMSNormScale(x):
// dx += rstd·w·dy - x·rstd³·mean(w·dy·x). The weight is frozen.
func RMSNormBackward(dx, dy, x, w []float32, rstd float32) {
	same("RMSNormBackward", len(dx), len(dy), len(x), len(w))
	r := float64(rstd)
	k := float32(float64(dot3(dy, w, x)) * (r * r * r) / float64(len(x)))
	n := whole(len(dx))
	if n > 0 {
		rmsNormBackwardVec(n, at(dx), at(dy), at(x), at(w), rstd, k)
	}
	rmsNormBackwardGeneric(dx[n:], dy[n:], x[n:], w[n:], rstd, k)
}

// Rotate turns x, one head of 2·len(cos) elements, by the rotary angles:
// element i is paired with element i+len(cos) (rotate-half).
func Rotate(x, cos, sin []float32) {
	same("Rotate", len(x), 2*len(cos), 2*len(sin))
	a, b := x[:len(cos)], x[len(cos):]
	n := whole(len(cos))
	if n > 0 {
		rotateVec(n, at(a), at(b), at(cos), at(sin))
	}
	rotateGeneric(a[n:], b[n:], cos[n:], sin[n:])
}

// Transpose sets dst = srcᵀ. Both have contiguous columns.
func Transpose(dst, src View) {
	if dst.Rows != src.Cols || dst.Cols != src.Rows {
		panic(fmt.Sprintf("simd: Transpose: %d×%d from %d×%d", dst.Rows, dst.Cols, src.Rows, src.Cols))
	}
	dst.check("Transpose: dst")
	src.check("Transpose: src")
	const side = transposeSide
	rows, cols := 0, 0 // in whole blocks
	if vectorised() && dst.ColStride == 1 && src.ColStride == 1 {
		rows, cols = src.Rows&^(side-1), src.Cols&^(side-1)
	}
	for i := 0; i < rows && cols > 0; i += side {
		transposeVec(cols/side, at(src.Data[i*src.RowStride:]), 4*src.RowStride, at(dst.Data[i:]), 4*dst.RowStride)
	}
	for i := range src.Rows {
		from := 0
		if i < rows {
			from = cols
		}
		row := src.Row(i)
		for j := from; j < len(row); j++ {
			dst.Data[j*dst.RowStride+i] = row[j]
		}
	}
}

// An AdamW is one step's constants of the optimizer of Loshchilov and Hutter
// (decoupled weight decay). Correction1 and Correction2 are 1-βᵗ.
type AdamW struct {
	LR, Beta1, Beta2, Epsilon, WeightDecay float32
	Correction1, Correction2               float32
}

// constants are what the kernels work with, in their order.
func (a *AdamW) constants() *[9]float32 {
	return &[9]float32{
		a.Beta1, 1 - a.Beta1, a.Beta2, 1 - a.Beta2, a.Correction1, a.Correction2,
		a.Epsilon, -a.LR, 1 - float32(a.LR*a.WeightDecay),
	}
}

// Step updates the parameters p and the moments m, v by the gradient g:
// m = β₁m+(1-β₁)g, v = β₂v+(1-β₂)g², p = (1-lr·wd)p - lr·(m/c₁)/(√(v/c₂)+ε).
func (a *AdamW) Step(p, g, m, v []float32) {
	same("AdamW.Step", len(p), len(g), len(m), len(v))
	c, n := a.constants(), whole(len(p))
	if n > 0 {
		adamWVec(n, at(p), at(g), at(m), at(v), c)
	}
	adamWGeneric(p[n:], g[n:], m[n:], v[n:], c)
}

func same(what string, lens ...int) {
	for _, n := range lens[1:] {
		if n != lens[0] {
			panic(fmt.Sprintf("simd: %s: lengths %v differ", what, slices.Clone(lens))) // lens stays on the stack
		}
	}
}
