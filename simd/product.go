package simd

import (
	"fmt"
	"math"
)

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

// checkWeights panics unless out (T×ΣOut) and in (T×In) fit the weights, each
// Out×In: Y and X of MulNT, or dY and dX of MulNN.
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
	g.pairs, g.quads = p.compute == ComputeBF16, p.compute == ComputeInt8
	if g.few = g.isFew(w); g.few {
		g.splitFew(w, p.threads)
	} else {
		g.splitWeights(p.threads)
	}
	if g.quads {
		p.quantizeA(&g)
	}
	p.start(g, w, p.weightsTask)
}

// A product is C = A·B, or C += A·B, split into tasks: parts of the columns of C
// times parts of its rows. The split decides who computes what and when, never what
// comes out.
type product struct {
	c, a     View
	b        View     // of a product of views; else
	w        []Matrix // stacked weights: B = [W₀;W₁;…], or with nt its transpose
	nt       bool
	add      bool
	pairs    bool      // A and the weights are rounded to pairs of bf16
	quads    bool      // A and the weights are rounded to quads of int8
	ints     []float32 // A in quads, see quantizeA
	few      bool      // A has few rows: gemvColumns computes it
	partCols int       // columns of a part, of a product with weights
	colParts int
	rowParts int
}

// start runs the tasks of g, and lets go of the operands when they are done. It
// copies the list of weights, so that the caller's stays on the stack.
func (p *Pool) start(g product, w []Matrix, task func(worker, task int)) {
	kept, ints := append(p.product.w[:0], w...), p.product.ints
	*p.product = g
	p.product.w, p.product.ints = kept, ints
	p.Run(g.colParts*g.rowParts, task)
	clear(kept)
	*p.product = product{w: kept[:0], ints: p.product.ints}
}

// weights is the task of a product with weights.
func (p *Pool) weights(worker, task int) {
	g := p.product
	r0, r1 := share(g.c.Rows, g.rowParts, task%g.rowParts)
	col := task / g.rowParts * g.partCols
	end := min(g.c.Cols, col+g.partCols)
	switch {
	case g.few:
		p.gemvColumns(worker, col, end)
	case g.quads:
		g.quadColumns(p.buffer(worker, g.quadSize(end-col)), col, end, r0, r1)
	default:
		g.weightColumns(p.buffer(worker, g.panelSize(end-col)), col, end, r0, r1)
	}
}

// views is the task of a product of views. Blocks of A are copied to a buffer where
// that pays: where rows of A lie a slow stride apart, or A is a transpose.
func (p *Pool) views(worker, task int) {
	g := p.product
	width := panelCols()
	p0, p1 := share(ceilDiv(g.c.Cols, width), g.colParts, task/g.rowParts)
	r0, r1 := share(g.c.Rows, g.rowParts, task%g.rowParts)
	j0, j1 := p0*width, min(g.c.Cols, p1*width)
	slow := g.a.ColStride == 1 && g.a.RowStride%slowStride == 0 || g.a.ColStride != 1 && g.a.RowStride == 1
	var buf []float32
	if slow && j1-j0 > 2*width { // at most two panels read A only twice
		buf = p.buffer(worker, (blockRows()+blockPad)*(blockK()+blockPad))
	}
	mulBlocks(g.c.Slice(r0, r1).Columns(j0, j1), g.a.Slice(r0, r1), g.b.Columns(j0, j1), g.add, buf)
}

// The costs of a task of m rows and n panels, in units of a row times a panel: m·n
// to multiply, packCost for each panel, and for each row readCost, farCost where A is
// larger than a cache of a core, as the gradients of logits are, or roundCost in bf16.
// Measured as products of SmolLM2's shapes, each with other weights than the one before,
// as in a step: 150 GFLOP/s, and of weights that come from memory 2 to 4 packed per ns.
// From a cache it would be 9, and packCost 6.
const (
	packCost  = 20
	readCost  = 0.05
	farCost   = 0.2
	roundCost = 0.3

	nearValues = 1 << 19 // 2 MB
)

// splitWeights sets the parts of a product with weights to those that should end
// first. Each part of the rows packs the panels again; narrow parts of the columns
// read the rows again, for little; and when parts are few and large, the threads
// wait for the last one.
func (g *product) splitWeights(threads int) {
	panels := ceilDiv(g.c.Cols, panelCols())
	read := readCost
	if g.pairs {
		read = roundCost
	} else if g.a.Rows*g.a.Cols > nearValues {
		read = farCost
	}
	mostParts := max(1, min(4*threads, g.c.Rows/(blockRows()/2)))
	least := math.Inf(1)
	for n := 1; n <= blockPanels; n++ {
		for parts := 1; parts <= mostParts; parts++ {
			columns := ceilDiv(panels, n)
			rows := float64(g.c.Rows) / float64(parts)
			rounds := float64(ceilDiv(columns*parts, threads)) + 0.25
			if cost := rounds * (rows + packCost) * (float64(n) + read); cost < least {
				least = cost
				g.partCols, g.colParts, g.rowParts = n*panelCols(), columns, parts
			}
		}
	}
}

// taskWork is the multiply-adds that are worth a task, about 5 µs.
const taskWork = 1 << 18

// splitViews sets the parts of a product of views, rows first: each part of the
// columns reads all of A.
func (g *product) splitViews(threads int) {
	g.colParts, g.rowParts = 1, 1
	if threads == 1 {
		return
	}
	want := min(8*threads, g.c.Rows*g.c.Cols*g.a.Cols/taskWork)
	g.rowParts = max(1, min(want, g.c.Rows/tileRows(g.c.Cols)))
	if g.rowParts < want {
		g.colParts = max(1, min(want/g.rowParts, g.c.Cols/panelCols()))
	}
}

// share returns the i-th of parts consecutive, nearly equal ranges of [0,n).
func share(n, parts, i int) (lo, hi int) { return n * i / parts, n * (i + 1) / parts }

func ceilDiv(n, d int) int { return (n + d - 1) / d }
