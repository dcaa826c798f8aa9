package simd

// Blocks of the products, in elements. None of them shows in a result. Measured
// on Zen 4 (32 KB L1, 1 MB L2); results move by about 5 % around them.
const (
	blockK    = 256 // a panel of 32 columns is as large as the L1 cache
	blockRows = 112 // eight tiles of 14 rows that meet a panel in turn
	blockCols = 256 // columns packed at once: with blockK a quarter of the L2 cache

	blockPad  = 16            // keeps the rows of a copied block out of each other's cache sets
	maxPanels = blockCols / 8 // of the narrowest panel, NEON's
)

// A product is the operands of the pool's running product, split into tasks of
// colParts × rowParts.
type product struct {
	c, a     View
	b        View     // the factor of a product of views,
	w        []Matrix // or the stacked weights of B = [W₀;W₁;…], or its transpose
	nt       bool     // B is the transpose
	add      bool
	partCols int // columns of a part of the columns
	colParts int
	rowParts int
}

// start runs the tasks of g, whose weights it copies, so that the caller's list
// stays on its stack, and lets go of the operands.
func (p *Pool) start(g product, w []Matrix, task func(worker, task int)) {
	kept := append(p.product.w[:0], w...)
	p.product = g
	p.product.w = kept
	p.Run(g.colParts*g.rowParts, task)
	clear(kept)
	p.product = product{w: kept[:0]}
}

// weights is the task of a product with weights.
func (p *Pool) weights(worker, task int) {
	g := &p.product
	r0, r1 := share(g.c.Rows, g.rowParts, task%g.rowParts)
	col := task / g.rowParts * g.partCols
	end := min(g.c.Cols, col+g.partCols)
	depth := min(blockK, g.a.Cols)
	buf := p.buffer(worker, (ceilDiv(end-col, panelCols())*panelCols()+blockRows)*(depth+blockPad))
	g.weightColumns(buf, col, end, r0, r1)
}

// weightColumns computes columns [col,end) of rows [r0,r1): a block of k at a
// time is packed, and multiplied with every row. What a panel holds is known here,
// in pack.go and in mulPanel; kernels of another element type would join these.
func (g *product) weightColumns(buf []float32, col, end, r0, r1 int) {
	var panels [maxPanels]View
	width := panelCols()
	if g.nt {
		touchRows(g.w, col, end)
	}
	for lo := 0; lo < g.a.Cols; lo += blockK {
		hi := min(g.a.Cols, lo+blockK)
		n := 0
		for j := col; j < end; j += width {
			dst := buf[n*width*(hi-lo):]
			if g.nt {
				panels[n] = packColumns(dst, g.w, j, min(width, end-j), lo, hi)
			} else {
				panels[n] = packRows(dst, g.w, j, min(width, end-j), lo, hi)
			}
			n++
		}
		a := g.a.Columns(lo, hi)
		for i := r0; i < r1; i += blockRows {
			ie := min(r1, i+blockRows)
			ai, ci := a.Slice(i, ie), g.c.Slice(i, ie)
			if spread(a) {
				ai = copyBlock(buf[len(buf)-blockRows*(hi-lo+blockPad):], ai)
			}
			for t, b := range panels[:n] {
				j := col + t*width
				mulPanel(ci.Columns(j, min(end, j+width)), ai, b, g.add || lo > 0)
			}
		}
	}
}

// views is the task of a product of views.
func (p *Pool) views(worker, task int) {
	g := &p.product
	width := panelCols()
	p0, p1 := share(ceilDiv(g.c.Cols, width), g.colParts, task/g.rowParts)
	r0, r1 := share(g.c.Rows, g.rowParts, task%g.rowParts)
	j0, j1 := p0*width, min(g.c.Cols, p1*width)
	var buf []float32
	if j1-j0 > 2*width && (spread(g.a) || g.a.RowStride == 1 && g.a.ColStride != 1) {
		buf = p.buffer(worker, (blockRows+blockPad)*(blockK+blockPad))
	}
	mulBlocks(g.c.Slice(r0, r1).Columns(j0, j1), g.a.Slice(r0, r1), g.b.Columns(j0, j1), g.add, buf)
}

// mulBlocks sets or adds to C = A·B. Where it is given a buffer, it copies the
// blocks of A.
func mulBlocks(c, a, b View, add bool, buf []float32) {
	if a.Cols == 0 && !add {
		c.Clear()
	}
	width := panelCols()
	for lo := 0; lo < a.Cols; lo += blockK {
		hi := min(a.Cols, lo+blockK)
		bk := b.Slice(lo, hi)
		for i := 0; i < c.Rows; i += blockRows {
			ie := min(c.Rows, i+blockRows)
			ci, ai := c.Slice(i, ie), a.Slice(i, ie).Columns(lo, hi)
			if buf != nil {
				ai = copyBlock(buf, ai)
			}
			for j := 0; j < c.Cols; j += width {
				je := min(c.Cols, j+width)
				mulPanel(ci.Columns(j, je), ai, bk.Columns(j, je), add || lo > 0)
			}
		}
	}
}

// copyBlock copies a block of A, the rows or columns of which are contiguous and
// stay so.
func copyBlock(buf []float32, a View) View {
	if a.ColStride != 1 {
		return copyBlock(buf, a.T()).T()
	}
	dst := View{buf, a.Rows, a.Cols, a.Cols + blockPad, 1}
	copyRows(dst, a)
	return dst
}
