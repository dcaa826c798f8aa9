package simd

import "fmt"

// Mul sets C = A·B on the calling goroutine. C is M×N, A is M×K with any
// strides, B is K×N; the columns of B and C are contiguous. C must not overlap
// A or B.
func Mul(c, a, b View) { mulViews(c, a, b, false) }

// AddMul adds A·B to C on the calling goroutine; see Mul.
func AddMul(c, a, b View) { mulViews(c, a, b, true) }

// Mul sets C = A·B; see the function Mul.
func (p *Pool) Mul(c, a, b View) { p.mulViews(c, a, b, false) }

// AddMul adds A·B to C; see the function Mul.
func (p *Pool) AddMul(c, a, b View) { p.mulViews(c, a, b, true) }

// MulNT sets Y = X·[W₀;W₁;…]ᵀ, the forward pass of linear layers that share
// their input: X is T×In, each W is Out×In, and Y is T×ΣOut, the outputs side by
// side. X and Y have contiguous columns.
func (p *Pool) MulNT(y, x View, w ...Matrix) { p.mulNT(y, x, w, false) }

// AddMulNT adds X·[W₀;W₁;…]ᵀ to Y; see MulNT.
func (p *Pool) AddMulNT(y, x View, w ...Matrix) { p.mulNT(y, x, w, true) }

// MulNN sets dX = dY·[W₀;W₁;…], the backward pass of MulNT: dY is T×ΣOut, each W
// is Out×In, dX is T×In. An element sums the rows of W₀ first, then those of W₁.
func (p *Pool) MulNN(dx, dy View, w ...Matrix) { p.mulNN(dx, dy, w, false) }

// AddMulNN adds dY·[W₀;W₁;…] to dX; see MulNN.
func (p *Pool) AddMulNN(dx, dy View, w ...Matrix) { p.mulNN(dx, dy, w, true) }

func checkViews(c, a, b View) {
	if c.Rows != a.Rows || a.Cols != b.Rows || c.Cols != b.Cols || c.ColStride != 1 || b.ColStride != 1 {
		panic(fmt.Sprintf("simd: Mul: C %d×%d (column stride %d), A %d×%d, B %d×%d (column stride %d)",
			c.Rows, c.Cols, c.ColStride, a.Rows, a.Cols, b.Rows, b.Cols, b.ColStride))
	}
	c.check("Mul: C")
	a.check("Mul: A")
	b.check("Mul: B")
}

// checkWeights checks the operands of MulNT (y T×ΣOut, x T×In) or MulNN (the
// same two, swapped) and returns nothing: a mismatch is the caller's mistake.
func checkWeights(what string, out, in View, w []Matrix) {
	rows := 0
	for _, m := range w {
		rows += m.Rows
		if m.Cols != in.Cols || len(m.Data) != m.Rows*m.Cols*m.DType.Size() {
			panic(fmt.Sprintf("simd: %s: weight %d×%d (%d bytes of %v) for %d inputs", what, m.Rows, m.Cols, len(m.Data), m.DType, in.Cols))
		}
	}
	if out.Rows != in.Rows || out.Cols != rows || out.ColStride != 1 || in.ColStride != 1 {
		panic(fmt.Sprintf("simd: %s: %d×%d and %d×%d for weights of %d rows", what, out.Rows, out.Cols, in.Rows, in.Cols, rows))
	}
	out.check(what)
	in.check(what)
}

func mulViews(c, a, b View, add bool) {
	checkViews(c, a, b)
	mulBlocks(c, a, b, add, nil)
}

func (p *Pool) mulViews(c, a, b View, add bool) {
	checkViews(c, a, b)
	g := product{c: c, a: a, b: b, add: add}
	g.splitViews(p.threads)
	p.start(g, nil, p.viewsTask)
}

func (p *Pool) mulNT(y, x View, w []Matrix, add bool) {
	checkWeights("MulNT", y, x, w)
	p.mulWeights(product{c: y, a: x, nt: true, add: add}, w)
}

func (p *Pool) mulNN(dx, dy View, w []Matrix, add bool) {
	checkWeights("MulNN", dy, dx, w)
	p.mulWeights(product{c: dx, a: dy, add: add}, w)
}

func (p *Pool) mulWeights(g product, w []Matrix) {
	if g.a.Cols == 0 && !g.add {
		g.c.Clear()
	}
	if g.a.Cols == 0 || g.c.Rows == 0 || g.c.Cols == 0 {
		return
	}
	g.pairs = p.compute == ComputeBF16
	if g.few = g.isFew(w); g.few {
		g.splitFew(w, p.threads)
	} else {
		g.splitWeights(p.threads)
	}
	p.start(g, w, p.weightsTask)
}
