package simd

import "unsafe"

// edgeDepth is the k of one pass of mulEdge, whose B is a copy on the stack.
const edgeDepth = 64

// mulPanels sets or adds to C = A·B for any number of columns. No dimension is 0.
func mulPanels(c, a, b View, add bool) {
	width, whole := panelCols(), 0
	if active != generic {
		whole = c.Cols / width * width
	}
	if whole > 0 {
		mulTiles(c.Columns(0, whole), a, b, add, false)
	}
	for j := whole; j < c.Cols; j += width {
		je := min(c.Cols, j+width)
		mulPanel(c.Columns(j, je), a, b.Columns(j, je), add)
	}
}

// mulPanel sets or adds to C = A·B for at most panelCols() columns. B may have
// more columns than C: those may be read, and do not show.
func mulPanel(c, a, b View, add bool) {
	switch {
	case c.Rows == 0 || c.Cols == 0:
	case a.Cols == 0:
		if !add {
			c.Clear()
		}
	case active == generic:
		mulGeneric(c, a, b.Columns(0, c.Cols), add)
	case c.Cols < tileCols(c.Cols):
		mulEdge(c, a, b, add)
	default:
		mulTiles(c, a, b, add, false)
	}
}

// mulTiles is mulPanel for a width the micro-kernels write, or for whole panels of
// a B that is not packed. The rows are split evenly: 64 rows are five tiles of 12
// and 13, not four of 14 and one of 8. With pairs A and B hold those.
func mulTiles(c, a, b View, add, pairs bool) {
	width := min(c.Cols, panelCols())
	most := tileRows(width)
	tiles := (c.Rows + most - 1) / most
	size, longer := c.Rows/tiles, c.Rows%tiles
	for j := 0; j < c.Cols; j += width {
		bj := unsafe.Pointer(&b.Data[j])
		for i, t := 0, 0; i < c.Rows; t++ {
			rows := size
			if t < longer {
				rows++
			}
			ai, cij := unsafe.Pointer(&a.Data[i*a.RowStride]), unsafe.Pointer(&c.Data[i*c.RowStride+j])
			if pairs {
				tileDot(rows, width, a.Cols, ai, 4*a.RowStride, 4*a.ColStride, bj, 4*b.RowStride, cij, 4*c.RowStride, add)
			} else {
				tile(rows, width, a.Cols, ai, 4*a.RowStride, 4*a.ColStride, bj, 4*b.RowStride, cij, 4*c.RowStride, add)
			}
			i += rows
		}
	}
}

// mulEdge is mulPanel for a width between those of the micro-kernels: they work
// on copies of C and, where it is too narrow, of B.
func mulEdge(c, a, b View, add bool) {
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
			mulTiles(tmp, a.Slice(i, i+n).Columns(lo, hi), bk, add || lo > 0, false)
			copyRows(ci, tmp)
		}
	}
}

// copyRows copies the columns the two have in common.
func copyRows(dst, src View) {
	for i := range dst.Rows {
		copy(dst.Row(i), src.Row(i))
	}
}
