package simd

// Blocks of the products, in elements. None of them shows in a result. Measured
// on Zen 4 (AVX-512; 32 KB L1, 1 MB L2) and Zen 2 (AVX2; 32 KB, 512 KB); results
// move by about 5 % around them.
const (
	blockPanels = 18 // most panels packed at once: A is read, or rounded, for each such part
	blockPad    = 16 // keeps the rows of a copied block out of each other's cache sets
)

// blockK is the most k, or pairs, of a block, a multiple of 32. A panel, of at most
// 48 KB, may pass the L1 cache: it is read in order, and C is read and written less often.
func blockK() int { return 12288 / max(panelCols(), 16) }

// blockRows is the rows that meet a panel in turn, whole tiles.
func blockRows() int { return 112 / tileRows(panelCols()) * tileRows(panelCols()) }

// A product is the operands of the pool's running product, split into tasks of
// colParts × rowParts.
type product struct {
	c, a     View
	b        View     // the factor of a product of views,
	w        []Matrix // or the stacked weights of B = [W₀;W₁;…], or its transpose
	nt       bool     // B is the transpose
	add      bool
	pairs    bool // A and the weights are rounded to pairs of bf16
	few      bool // A has few rows: gemvColumns
	partCols int  // columns of a part of the columns
	colParts int
	rowParts int
}

// start runs the tasks of g, whose weights it copies, so that the caller's list
// stays on its stack, and lets go of the operands.
func (p *Pool) start(g product, w []Matrix, task func(worker, task int)) {
	kept := append(p.product.w[:0], w...)
	*p.product = g
	p.product.w = kept
	p.Run(g.colParts*g.rowParts, task)
	clear(kept)
	*p.product = product{w: kept[:0]}
}

// weights is the task of a product with weights.
func (p *Pool) weights(worker, task int) {
	g := p.product
	r0, r1 := share(g.c.Rows, g.rowParts, task%g.rowParts)
	col := task / g.rowParts * g.partCols
	end := min(g.c.Cols, col+g.partCols)
	if g.few {
		p.gemvColumns(worker, col, end)
	} else {
		g.weightColumns(p.buffer(worker, g.panelSize(end-col)), col, end, r0, r1)
	}
}

// panelSize is the memory that weightColumns needs: panels and, of pairs, a block
// of A.
func (g *product) panelSize(cols int) int {
	width := panelCols()
	rows := ceilDiv(cols, width) * width
	if g.pairs {
		rows += blockRows()
	}
	return rows * (min(blockK(), g.depth()) + blockPad)
}

// depth is the summed dimension in what panels hold: values or pairs.
func (g *product) depth() int {
	if g.pairs {
		return pairCount(g.a.Cols)
	}
	return g.a.Cols
}

// weightColumns computes columns [col,end) of rows [r0,r1): a block of k at a
// time is packed, and multiplied with every row.
func (g *product) weightColumns(buf []float32, col, end, r0, r1 int) {
	width := panelCols()
	if g.nt {
		touchRows(g.w, col, end)
	}
	depth := g.depth()
	step := evenStep(depth, blockK())
	for lo := 0; lo < depth; lo += step {
		hi := min(depth, lo+step)
		g.packBlock(buf, col, end, lo, hi)
		spare := buf[ceilDiv(end-col, width)*width*(hi-lo):]
		for i := r0; i < r1; i += blockRows() {
			ie := min(r1, i+blockRows())
			ai, ci := g.block(spare, i, ie, lo, hi), g.c.Slice(i, ie)
			for j := col; j < end; j += width {
				b := Dense(buf[(j-col)*(hi-lo):], hi-lo, width)
				cij := ci.Columns(j, min(end, j+width))
				if g.pairs {
					mulPairs(cij, ai, b, g.add || lo > 0)
				} else {
					mulPanel(cij, ai, b, g.add || lo > 0)
				}
			}
		}
	}
}

// evenStep is at most the given step, a multiple of 32 as packing likes it, and
// leaves no short last one: 576 are 2·288, not 384 and 192.
func evenStep(n, step int) int { return ceilDiv(ceilDiv(n, ceilDiv(n, step)), 32) * 32 }

// packBlock packs the panels of columns [col,end), rows [lo,hi), one after the
// other.
func (g *product) packBlock(buf []float32, col, end, lo, hi int) {
	width := panelCols()
	for j := col; j < end; j += width {
		dst, cols := buf[(j-col)*(hi-lo):], min(width, end-j)
		switch {
		case g.pairs:
			packPairs(dst, g.w, g.nt, j, cols, lo, hi)
		case g.nt:
			packColumns(dst, g.w, j, cols, lo, hi)
		default:
			packRows(dst, g.w, j, cols, lo, hi)
		}
	}
}

// block returns rows [i,ie) of A, columns [lo,hi); pairs are made in spare.
func (g *product) block(spare []float32, i, ie, lo, hi int) View {
	a := g.a.Slice(i, ie)
	if g.pairs {
		return pairBlock(spare, a, lo, hi)
	}
	return a.Columns(lo, hi)
}

// views is the task of a product of views.
func (p *Pool) views(worker, task int) {
	g := p.product
	width := panelCols()
	p0, p1 := share(ceilDiv(g.c.Cols, width), g.colParts, task/g.rowParts)
	r0, r1 := share(g.c.Rows, g.rowParts, task%g.rowParts)
	j0, j1 := p0*width, min(g.c.Cols, p1*width)
	var buf []float32
	if j1-j0 > 2*width && (spread(g.a) || g.a.RowStride == 1 && g.a.ColStride != 1) {
		buf = p.buffer(worker, (blockRows()+blockPad)*(blockK()+blockPad))
	}
	mulBlocks(g.c.Slice(r0, r1).Columns(j0, j1), g.a.Slice(r0, r1), g.b.Columns(j0, j1), g.add, buf)
}

// mulBlocks sets or adds to C = A·B. Where it is given a buffer, it copies the
// blocks of A.
func mulBlocks(c, a, b View, add bool, buf []float32) {
	if a.Cols == 0 && !add {
		c.Clear()
	}
	for lo := 0; lo < a.Cols; lo += blockK() {
		hi := min(a.Cols, lo+blockK())
		bk := b.Slice(lo, hi)
		for i := 0; i < c.Rows; i += blockRows() {
			ie := min(c.Rows, i+blockRows())
			ci, ai := c.Slice(i, ie), a.Slice(i, ie).Columns(lo, hi)
			if buf != nil {
				ai = copyBlock(buf, ai)
			}
			mulPanels(ci, ai, bk, add || lo > 0)
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
	n := 0
	if blockKernel() {
		if n = whole(a.Cols); n > 0 && a.Rows > 0 {
			copyRowsVec(a.Rows, n, at(dst.Data), 4*dst.RowStride, at(a.Data), 4*a.RowStride)
		}
	}
	copyRows(dst.Columns(n, dst.Cols), a.Columns(n, a.Cols))
	return dst
}
