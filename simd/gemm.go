package simd

// A product of many rows runs in three steps down to the registers:
//
//   - Blocks: at most blockRows() rows of A and blockK() of k, which stay in the L2
//     cache. The first block of k sets C, or adds to it, the others add.
//   - Panels: panelCols() columns of B for a block of k. Weights are packed into
//     panels (pack.go); views have contiguous columns and are read where they lie.
//   - Tiles: the rows of a panel's product, as many at a time as the registers hold;
//     the kernel of the active set computes one.

// Blocks of the products, in elements. None of them shows in a result. Measured
// on Zen 4 (AVX-512; 32 KB L1, 1 MB L2) and Zen 2 (AVX2; 32 KB, 512 KB); results
// move by about 5 % around them. packedRows is Sapphire Rapids', where 64 to 192 are alike.
const (
	blockPanels = 18  // most panels packed by a task at once: it reads all its rows of A for them
	packedRows  = 128 // rows of W that are packed for every panel before the next ones
	blockPad    = 16  // keeps the rows of a copied block out of each other's cache sets
)

// blockK is the most k, or pairs, of a block, a multiple of 32. A panel, of at most
// 48 KB, may be larger than the L1 cache: it is read in order, and longer panels read
// and write C less often.
func blockK() int { return 12288 / max(panelCols(), 16) }

// blockRows is the rows of a block of A, whole tiles.
func blockRows() int { return 112 / tileRows(panelCols()) * tileRows(panelCols()) }

// panelSize is the values that weightColumns needs for its panels of cols columns
// and, with pairs, for a rounded block of A.
func (g *product) panelSize(cols int) int {
	width := panelCols()
	rows := ceilDiv(cols, width) * width
	if g.pairs {
		rows += pairValues() * blockRows()
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

// weightColumns computes columns [col,end) of rows [r0,r1): for each block of k it
// packs the panels of these columns into buf and multiplies every row with them.
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

// evenStep cuts n into the fewest steps of at most step and makes them even: 576 are
// 2·288, not 384 and 192. Steps are multiples of 32, the most that a packing kernel
// takes of a row at once.
func evenStep(n, step int) int { return ceilDiv(ceilDiv(n, ceilDiv(n, step)), 32) * 32 }

// packBlock packs the panels of columns [col,end), rows [lo,hi), one after the
// other. Where B's rows are those of W, it takes packedRows of them for every panel
// before it goes on, so that W is read about as it is stored.
func (g *product) packBlock(buf []float32, col, end, lo, hi int) {
	width, step := panelCols(), hi-lo
	if !g.nt {
		step = packedRows
	}
	for k := lo; k < hi; k += step {
		ke := min(hi, k+step)
		for j := col; j < end; j += width {
			dst, cols := buf[(j-col)*(hi-lo)+(k-lo)*width:], min(width, end-j)
			switch {
			case g.pairs:
				packPairs(dst, g.w, g.nt, j, cols, k, ke)
			case g.nt:
				packColumns(dst, g.w, j, cols, k, ke)
			default:
				packRows(dst, g.w, j, cols, k, ke)
			}
		}
	}
}

// block returns rows [i,ie) of A, columns [lo,hi), or rounds them to pairs in spare.
func (g *product) block(spare []float32, i, ie, lo, hi int) View {
	a := g.a.Slice(i, ie)
	if g.pairs {
		return pairBlock(spare, a, lo, hi)
	}
	return a.Columns(lo, hi)
}

// mulBlocks sets or adds to C = A·B. Blocks of A are copied to buf if there is one.
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

// copyBlock copies a block of A, whose rows or columns are contiguous, to buf, where
// they are contiguous as well.
func copyBlock(buf []float32, a View) View {
	if a.ColStride != 1 {
		return copyBlock(buf, a.T()).T()
	}
	dst := View{buf, a.Rows, a.Cols, a.Cols + blockPad, 1}
	n := 0
	if active.copyBlock != nil && a.Rows > 0 {
		if n = whole(a.Cols); n > 0 {
			active.copyBlock(a.Rows, n, at(dst.Data), 4*dst.RowStride, at(a.Data), 4*a.RowStride)
		}
	}
	copyRows(dst.Columns(n, dst.Cols), a.Columns(n, a.Cols))
	return dst
}

// mulPanels sets or adds to C = A·B for any number of columns. No dimension is 0.
func mulPanels(c, a, b View, add bool) {
	width, whole := panelCols(), 0
	if active.tile != nil {
		whole = c.Cols / width * width
	}
	if whole > 0 {
		mulTiles(active.tile, c.Columns(0, whole), a, b, add)
	}
	for j := whole; j < c.Cols; j += width {
		je := min(c.Cols, j+width)
		mulPanel(c.Columns(j, je), a, b.Columns(j, je), add)
	}
}

// mulPanel sets or adds to C = A·B for at most panelCols() columns. B may have
// more columns than C: they may be read, to no effect.
func mulPanel(c, a, b View, add bool) {
	switch {
	case c.Rows == 0 || c.Cols == 0:
	case a.Cols == 0:
		if !add {
			c.Clear()
		}
	case active.tile == nil:
		mulTwin(c, a, b.Columns(0, c.Cols), add)
	case c.Cols < tileCols(c.Cols):
		mulEdge(active.tile, c, a, b, add)
	default:
		mulTiles(active.tile, c, a, b, add)
	}
}

// mulTiles sets or adds to C = A·B by a kernel, for columns that the kernel writes or
// for whole panels of a B that is not packed. The rows are split evenly: 64 rows are
// five tiles of 12 and 13, not four of 14 and one of 8.
func mulTiles(tile tileKernel, c, a, b View, add bool) {
	width := min(c.Cols, panelCols())
	most := tileRows(width)
	tiles := (c.Rows + most - 1) / most
	size, longer := c.Rows/tiles, c.Rows%tiles
	for j := 0; j < c.Cols; j += width {
		for i, t := 0, 0; i < c.Rows; t++ {
			rows := size
			if t < longer {
				rows++
			}
			tile(rows, width, a.Cols, at(a.Data[i*a.RowStride:]), 4*a.RowStride, 4*a.ColStride,
				at(b.Data[j:]), 4*b.RowStride, at(c.Data[i*c.RowStride+j:]), 4*c.RowStride, add)
			i += rows
		}
	}
}

// edgeDepth is the k of one pass of mulEdge, whose B is a copy on the stack.
const edgeDepth = 64

// mulEdge sets or adds to C = A·B for fewer columns than the kernel writes, on copies
// of C and, where it has too few columns as well, of B.
func mulEdge(tile tileKernel, c, a, b View, add bool) {
	var cs [maxTile]float32
	var bs [edgeDepth * maxTileCols]float32
	width := tileCols(c.Cols)
	rows := min(tileRows(width), c.Rows)
	step := a.Cols
	if b.Cols < width {
		step = edgeDepth
	}
	for lo := 0; lo < a.Cols; lo += step {
		hi := min(a.Cols, lo+step)
		bk := b.Slice(lo, hi)
		if b.Cols < width {
			for k := range hi - lo {
				copy(bs[k*width:(k+1)*width], bk.Row(k))
			}
			bk = Dense(bs[:], hi-lo, width)
		}
		for i := 0; i < c.Rows; i += rows {
			n := min(rows, c.Rows-i)
			ci, tmp := c.Slice(i, i+n), Dense(cs[:], n, width)
			copyRows(tmp, ci)
			mulTiles(tile, tmp, a.Slice(i, i+n).Columns(lo, hi), bk, add || lo > 0)
			copyRows(ci, tmp)
		}
	}
}

// copyRows copies the columns that the two have in common.
func copyRows(dst, src View) {
	for i := range dst.Rows {
		copy(dst.Row(i), src.Row(i))
	}
}
