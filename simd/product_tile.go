package simd

import "unsafe"

// edgeDepth is the k of one pass of mulEdge, whose B is a copy on the stack.
const edgeDepth = 64

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

// mulTiles is mulPanel for a width the micro-kernels write. The rows are split
// evenly: 64 rows are five tiles of 12 and 13, not four of 14 and one of 8. With
// pairs A and B hold those.
func mulTiles(c, a, b View, add, pairs bool) {
	most := tileRows(c.Cols)
	tiles := (c.Rows + most - 1) / most
	size, longer := c.Rows/tiles, c.Rows%tiles
	for i, t := 0, 0; i < c.Rows; t++ {
		rows := size
		if t < longer {
			rows++
		}
		ai, b0, ci := unsafe.Pointer(&a.Data[i*a.RowStride]), unsafe.Pointer(&b.Data[0]), unsafe.Pointer(&c.Data[i*c.RowStride])
		if pairs {
			tileDot(rows, c.Cols, a.Cols, ai, 4*a.RowStride, 4*a.ColStride, b0, 4*b.RowStride, ci, 4*c.RowStride, add)
		} else {
			tile(rows, c.Cols, a.Cols, ai, 4*a.RowStride, 4*a.ColStride, b0, 4*b.RowStride, ci, 4*c.RowStride, add)
		}
		i += rows
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
