package simd

import (
	"fmt"
	"math"

	"github.com/viterin/vek/vek32"
)

// Add adds x to dst, element by element.
func Add(dst, x []float32) {
	same("Add", len(dst), len(x))
	if len(x) > 0 {
		vek32.Add_Inplace(dst, x)
	}
}

// Scale multiplies x by s in place.
func Scale(x []float32, s float32) {
	if len(x) > 0 {
		vek32.MulNumber_Inplace(x, s)
	}
}

// AddNumber adds s to every element of x.
func AddNumber(x []float32, s float32) {
	if len(x) > 0 {
		vek32.AddNumber_Inplace(x, s)
	}
}

// MulBy multiplies dst by x, element by element.
func MulBy(dst, x []float32) {
	same("MulBy", len(dst), len(x))
	if len(x) > 0 {
		vek32.Mul_Inplace(dst, x)
	}
}

// Max returns the largest element, -Inf for none. NaNs are passed over.
func Max(x []float32) float32 { return maxGeneric(x) }

// Dot returns Σ x[i]·y[i], in lanes.
func Dot(x, y []float32) float32 {
	same("Dot", len(x), len(y))
	return dotGeneric(x, y)
}

// ExpSum sets dst[i] = exp(x[i]-shift) and returns their sum, in lanes. dst may
// be x.
func ExpSum(dst, x []float32, shift float32) float32 {
	same("ExpSum", len(dst), len(x))
	return expSumGeneric(dst, x, shift)
}

// Softmax replaces x by its softmax.
func Softmax(x []float32) {
	Scale(x, 1/ExpSum(x, x, Max(x)))
}

// SiLUMul sets y = silu(g)·u, where silu(g) = g/(1+exp(-g)). y may be g or u.
func SiLUMul(y, g, u []float32) {
	same("SiLUMul", len(y), len(g), len(u))
	siluMulGeneric(y, g, u)
}

// SiLUMulBackward sets dg and du, given dy = ∂L/∂y of y = silu(g)·u. dg may be
// g, du may be u.
func SiLUMulBackward(dg, du, dy, g, u []float32) {
	same("SiLUMulBackward", len(dg), len(du), len(dy), len(g), len(u))
	siluMulBackwardGeneric(dg, du, dy, g, u)
}

// RMSNormScale returns 1/rms(x), rms(x)² = mean(x²)+eps.
func RMSNormScale(x []float32, eps float64) float32 {
	return float32(1 / math.Sqrt(float64(Dot(x, x))/float64(len(x))+eps))
}

// RMSNorm sets y = w·x/rms(x), with rms as in RMSNormScale. y may be x.
func RMSNorm(y, x, w []float32, eps float64) {
	same("RMSNorm", len(y), len(x), len(w))
	scaleMulGeneric(y, x, w, RMSNormScale(x, eps))
}

// RMSNormBackward adds ∂L/∂x to dx, given dy = ∂L/∂y and rstd = RMSNormScale(x):
// dx += rstd·w·dy - x·rstd³·mean(w·dy·x). The weight is frozen.
func RMSNormBackward(dx, dy, x, w []float32, rstd float32) {
	same("RMSNormBackward", len(dx), len(dy), len(x), len(w))
	r := float64(rstd)
	k := float32(float64(dot3Generic(dy, w, x)) * (r * r * r) / float64(len(x)))
	rmsNormBackwardGeneric(dx, dy, x, w, rstd, k)
}

// Rotate turns x, one head of 2·len(cos) elements, by the rotary angles:
// element i is paired with element i+len(cos) (rotate-half).
func Rotate(x, cos, sin []float32) {
	same("Rotate", len(x), 2*len(cos), 2*len(sin))
	rotateGeneric(x, cos, sin)
}

// Transpose sets dst = srcᵀ. Both have contiguous columns.
func Transpose(dst, src View) {
	if dst.Rows != src.Cols || dst.Cols != src.Rows {
		panic(fmt.Sprintf("simd: Transpose: %d×%d from %d×%d", dst.Rows, dst.Cols, src.Rows, src.Cols))
	}
	for i := range src.Rows {
		for j, v := range src.Row(i) {
			dst.Data[j*dst.RowStride+i] = v
		}
	}
}

// An AdamW is one step's constants of the optimizer of Loshchilov and Hutter
// (decoupled weight decay). Correction1 and Correction2 are 1-βᵗ.
type AdamW struct {
	LR, Beta1, Beta2, Epsilon, WeightDecay float32
	Correction1, Correction2               float32
}

func (a *AdamW) decay() float32 { return 1 - float32(a.LR*a.WeightDecay) }

// Step updates the parameters p and the moments m, v by the gradient g:
// m = β₁m+(1-β₁)g, v = β₂v+(1-β₂)g², p = (1-lr·wd)p - lr·(m/c₁)/(√(v/c₂)+ε).
func (a *AdamW) Step(p, g, m, v []float32) {
	same("AdamW.Step", len(p), len(g), len(m), len(v))
	adamWGeneric(p, g, m, v, a)
}

func same(what string, lens ...int) {
	for _, n := range lens[1:] {
		if n != lens[0] {
			panic(fmt.Sprintf("simd: %s: lengths %v differ", what, lens))
		}
	}
}
