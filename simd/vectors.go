package simd

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/viterin/vek/vek32"
)

// Each function here gives whole groups of 16 values to the kernel of the active
// set, and the tail to the kernel's twin.

// Add adds x to dst, element by element.
func Add(dst, x []float32) {
	same("Add", len(dst), len(x))
	if active.add != nil && len(x) >= 16 {
		n := whole(len(x))
		active.add(n, at(dst), at(x))
		dst, x = dst[n:], x[n:]
	}
	if len(x) > 0 { // vek panics on no values
		vek32.Add_Inplace(dst, x)
	}
}

// MulBy multiplies dst by x, element by element.
func MulBy(dst, x []float32) {
	same("MulBy", len(dst), len(x))
	if active.mulBy != nil && len(x) >= 16 {
		n := whole(len(x))
		active.mulBy(n, at(dst), at(x))
		dst, x = dst[n:], x[n:]
	}
	if len(x) > 0 {
		vek32.Mul_Inplace(dst, x)
	}
}

// Scale multiplies x by s in place.
func Scale(x []float32, s float32) {
	if active.scale != nil && len(x) >= 16 {
		n := whole(len(x))
		active.scale(n, at(x), s)
		x = x[n:]
	}
	if len(x) > 0 {
		vek32.MulNumber_Inplace(x, s)
	}
}

// Max returns the largest element, -Inf for none. NaNs are skipped.
func Max(x []float32) float32 {
	var l lanes
	for i := range l {
		l[i] = float32(math.Inf(-1))
	}
	n := whole(len(x))
	if n > 0 {
		active.max(n, at(x), at(l[:]))
	}
	maxTwin(&l, x[n:])
	return l.max()
}

// Dot returns Σ x[i]·y[i], summed in sixteen lanes (see doc.go).
func Dot(x, y []float32) float32 {
	same("Dot", len(x), len(y))
	var l lanes
	n := whole(len(x))
	if n > 0 {
		active.dot(n, at(x), at(y), at(l[:]))
	}
	dotTwin(&l, x[n:], y[n:])
	return l.sum()
}

// ExpSum sets dst[i] = exp(x[i]-shift) and returns their sum, in sixteen lanes. dst
// may be x.
func ExpSum(dst, x []float32, shift float32) float32 {
	same("ExpSum", len(dst), len(x))
	var l lanes
	n := whole(len(x))
	if n > 0 {
		active.expSum(n, at(x), at(dst), at(l[:]), shift)
	}
	expSumTail(&l, dst[n:], x[n:], shift)
	return l.sum()
}

// MaxExpSum sets x = exp(x-m), m being the largest element of x and top, and returns m and
// the sum of them, as Max and ExpSum do.
func MaxExpSum(x []float32, top float32) (m, sum float32) {
	if n := whole(len(x)); n == 0 || n < len(x) {
		if m = Max(x); !(m > top) {
			m = top
		}
		return m, ExpSum(x, x, m)
	}
	result := [2]float32{top}
	active.maxExpSum(len(x), at(x), at(result[:]))
	return result[0], result[1]
}

// SoftmaxBackward turns dx = ∂L/∂p of probabilities p into the gradient of what they are
// the softmax of, (dx-mean)·p, given mean = Σ p·dx.
func SoftmaxBackward(dx, p []float32, mean float32) {
	same("SoftmaxBackward", len(dx), len(p))
	n := whole(len(dx))
	if n > 0 {
		active.softmaxBackward(n, at(dx), at(p), mean)
	}
	softmaxBackwardTwin(dx[n:], p[n:], mean)
}

// ScaleDot sets y = s·x and returns Dot(y, z).
func ScaleDot(y, x, z []float32, s float32) float32 {
	same("ScaleDot", len(y), len(x), len(z))
	var l lanes
	n := whole(len(x))
	if n > 0 {
		active.scaleDot(n, at(y), at(x), at(z), at(l[:]), s)
	}
	scaleDotTwin(&l, y[n:], x[n:], z[n:], s)
	return l.sum()
}

// SiLUMul sets y = silu(g)·u, where silu(g) = g/(1+exp(-g)). y may be g or u.
func SiLUMul(y, g, u []float32) {
	same("SiLUMul", len(y), len(g), len(u))
	n := whole(len(y))
	if n > 0 {
		active.siluMul(n, at(y), at(g), at(u))
	}
	gateTail(y[n:], g[n:], u[n:], active.siluMul, siluMulTwin)
}

// SiLUMulBackward sets dg and du, given dy = ∂L/∂y of y = silu(g)·u. dg may be
// g, du may be u.
func SiLUMulBackward(dg, du, dy, g, u []float32) {
	same("SiLUMulBackward", len(dg), len(du), len(dy), len(g), len(u))
	n := whole(len(dy))
	if n > 0 {
		active.siluMulBackward(n, at(dg), at(du), at(dy), at(g), at(u))
	}
	gateBackwardTail(dg[n:], du[n:], dy[n:], g[n:], u[n:], active.siluMulBackward, siluMulBackwardTwin)
}

// GELUMul sets y = gelu(g)·u, in GELU's form with tanh. y may be g or u.
func GELUMul(y, g, u []float32) {
	same("GELUMul", len(y), len(g), len(u))
	n := whole(len(y))
	if n > 0 {
		active.geluMul(n, at(y), at(g), at(u))
	}
	gateTail(y[n:], g[n:], u[n:], active.geluMul, geluMulTwin)
}

// GELUMulBackward sets dg and du, given dy = ∂L/∂y of y = gelu(g)·u. dg may be g, du may
// be u.
func GELUMulBackward(dg, du, dy, g, u []float32) {
	same("GELUMulBackward", len(dg), len(du), len(dy), len(g), len(u))
	n := whole(len(dy))
	if n > 0 {
		active.geluMulBackward(n, at(dg), at(du), at(dy), at(g), at(u))
	}
	gateBackwardTail(dg[n:], du[n:], dy[n:], g[n:], u[n:], active.geluMulBackward, geluMulBackwardTwin)
}

// SoftCap sets x = limit·tanh(x/limit).
func SoftCap(x []float32, limit float32) {
	rcp, n := 1/limit, whole(len(x))
	if n > 0 {
		active.softCap(n, at(x), limit, rcp)
	}
	if x = x[n:]; !padTail(len(x)) {
		softCapTwin(x, limit, rcp)
		return
	}
	var group [16]float32
	copy(group[:], x)
	active.softCap(16, at(group[:]), limit, rcp)
	copy(x, group[:])
}

// SoftCapBackward turns dx = ∂L/∂y of y = SoftCap(x) into ∂L/∂x.
func SoftCapBackward(dx, y []float32, limit float32) {
	same("SoftCapBackward", len(dx), len(y))
	rcp, n := 1/limit, whole(len(dx))
	if n > 0 {
		active.softCapBackward(n, at(dx), at(y), rcp)
	}
	softCapBackwardTwin(dx[n:], y[n:], rcp)
}

// The tail of a function with an exp, less than 16 values, goes to the kernel as
// well, in a padded group of 16: the twin's exp is slow. Tails of up to shortTail
// values go to the twin, which takes less time than the copies.
const shortTail = 2

func padTail(n int) bool { return n > shortTail && active != &plainGo }

func expSumTail(l *lanes, dst, x []float32, shift float32) {
	if !padTail(len(x)) {
		expSumTwin(l, dst, x, shift)
		return
	}
	var group [16]float32
	var sums lanes
	copy(group[:], x)
	active.expSum(16, at(group[:]), at(group[:]), at(sums[:]), shift)
	for i := range dst {
		l[i] += group[i]
	}
	l.pad(copy(dst, group[:]))
}

func gateTail(y, g, u []float32, kernel func(n int, y, g, u unsafe.Pointer), twin func(y, g, u []float32)) {
	if !padTail(len(y)) {
		twin(y, g, u)
		return
	}
	var gs, us [16]float32
	copy(gs[:], g)
	copy(us[:], u)
	kernel(16, at(gs[:]), at(gs[:]), at(us[:]))
	copy(y, gs[:])
}

func gateBackwardTail(dg, du, dy, g, u []float32, kernel func(n int, dg, du, dy, g, u unsafe.Pointer), twin func(dg, du, dy, g, u []float32)) {
	if !padTail(len(dy)) {
		twin(dg, du, dy, g, u)
		return
	}
	var dys, gs, us [16]float32
	copy(dys[:], dy)
	copy(gs[:], g)
	copy(us[:], u)
	kernel(16, at(gs[:]), at(us[:]), at(dys[:]), at(gs[:]), at(us[:]))
	copy(dg, gs[:])
	copy(du, us[:])
}

// RMSNorm sets y = w·x/rms(x), rms(x)² = mean(x²)+eps. y may be x.
func RMSNorm(y, x, w []float32, eps float64) {
	same("RMSNorm", len(y), len(x), len(w))
	scaleMul(y, x, w, rmsScale(Dot(x, x), len(x), eps))
}

// AddRMSNorm sets y = x+f, and norm as RMSNorm does of y. y may be x or f.
func AddRMSNorm(norm, y, x, f, w []float32, eps float64) {
	same("AddRMSNorm", len(norm), len(y), len(x), len(f), len(w))
	var l lanes
	n := whole(len(y))
	if n > 0 {
		active.addSquares(n, at(y), at(x), at(f), at(l[:]))
	}
	addSquaresTwin(&l, y[n:], x[n:], f[n:])
	scaleMul(norm, y, w, rmsScale(l.sum(), len(y), eps))
}

// RMSNormBackward adds ∂L/∂x to dx, given dy = ∂L/∂y of y = RMSNorm(x):
// dx += rstd·w·dy - x·rstd³·mean(w·dy·x), rstd = 1/rms(x). The weight is frozen.
func RMSNormBackward(dx, dy, x, w []float32, eps float64) {
	same("RMSNormBackward", len(dx), len(dy), len(x), len(w))
	var l [2]lanes
	n := whole(len(x))
	if n > 0 {
		active.normSums(n, at(dy), at(w), at(x), at(l[:]))
	}
	normSumsTwin(&l, dy[n:], w[n:], x[n:])
	rstd := rmsScale(l[0].sum(), len(x), eps)
	r := float64(rstd)
	k := float32(float64(l[1].sum()) * (r * r * r) / float64(len(x)))
	if n > 0 {
		active.rmsNormBackward(n, at(dx), at(dy), at(x), at(w), rstd, k)
	}
	rmsNormBackwardTwin(dx[n:], dy[n:], x[n:], w[n:], rstd, k)
}

// rmsScale returns 1/rms(x) of n values, given the sum of their squares.
func rmsScale(squares float32, n int, eps float64) float32 {
	return float32(1 / math.Sqrt(float64(squares)/float64(n)+eps))
}

// scaleMul sets y = s·x·w.
func scaleMul(y, x, w []float32, s float32) {
	n := whole(len(x))
	if n > 0 {
		active.scaleMul(n, at(y), at(x), at(w), s)
	}
	scaleMulTwin(y[n:], x[n:], w[n:], s)
}

// Rotate rotates x, one head of 2·len(cos) elements, by the rotary angles:
// element i is paired with element i+len(cos) (rotate-half).
func Rotate(x, cos, sin []float32) {
	same("Rotate", len(x), 2*len(cos), 2*len(sin))
	a, b := x[:len(cos)], x[len(cos):]
	n := whole(len(cos))
	if n > 0 {
		active.rotate(n, at(a), at(b), at(cos), at(sin))
	}
	rotateTwin(a[n:], b[n:], cos[n:], sin[n:])
}

// An AdamW is one step's constants of the optimizer of Loshchilov and Hutter
// (decoupled weight decay). Correction1 and Correction2 are 1-βᵗ.
type AdamW struct {
	LR, Beta1, Beta2, Epsilon, WeightDecay float32
	Correction1, Correction2               float32
}

// constants are the numbers that the kernels and their twin read, in this order.
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
		active.adamW(n, at(p), at(g), at(m), at(v), at(c[:]))
	}
	adamWTwin(p[n:], g[n:], m[n:], v[n:], c)
}

// same panics unless all lengths are the same.
func same(what string, lens ...int) {
	for _, n := range lens[1:] {
		if n != lens[0] {
			panic(fmt.Sprintf("simd: %s: lengths %v differ", what, slices.Clone(lens))) // lens stays on the stack
		}
	}
}
