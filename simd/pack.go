package simd

// A panel is up to panelCols() columns of B for a block of k: row k is contiguous, and
// columns that B does not have are zeros. Packing converts the stored weights to
// float32 on the way.

// packColumns packs rows [col,col+cols) of the stacked w, columns [lo,hi), as the
// columns of a panel: B = Wᵀ.
func packColumns(dst []float32, w []Matrix, col, cols, lo, hi int) {
	p := Dense(dst, hi-lo, panelCols())
	if cols < p.Cols {
		clear(dst[:p.Rows*p.Cols])
	}
	group := packGroup()
	for j := 0; j < cols; {
		m, row := locate(w, col+j)
		n := min(group, cols-j, m.Rows-row)
		packValues(p, j, m, row, n, lo)
		j += n
	}
}

// packGroup is how many rows are packed as columns at once.
func packGroup() int { return max(1, active.packRows) }

// packValues writes n ≤ packGroup() rows of m, from column lo on, as columns j… of p.
func packValues(p View, j int, m Matrix, row, n, lo int) {
	switch {
	case n < active.packRows || active.packRows == 0:
		packScattered(p, j, m, row, n, lo, 0)
	case m.DType == F16:
		packHalves(p, j, m, row, lo)
	default:
		packTransposed(p, j, m, row, lo)
	}
}

// packTransposed is packValues for a group of rows in F32 or BF16.
func packTransposed(p View, j int, m Matrix, row, lo int) {
	size := m.DType.Size()
	each := active.packBytes / size // values of a row that the kernel takes at once
	n := p.Rows / each
	if n > 0 {
		active.packNT[m.DType](n, at(m.Data[(row*m.Cols+lo)*size:]), m.Cols*size, at(p.Data[j:]), 4*p.RowStride)
	}
	packScattered(p, j, m, row, active.packRows, lo, n*each)
}

// packHalves is packValues for a group of rows in F16, which it converts first.
func packHalves(p View, j int, m Matrix, row, lo int) {
	const depth = 64 // a multiple of every panel width
	var buf [16 * depth]float32
	group := active.packRows
	whole := p.Rows &^ (p.Cols - 1)
	for k := 0; k < whole; k += depth {
		n := min(depth, whole-k)
		for i := 0; i < n; i += p.Cols {
			active.packNN[F16](group, at(m.Data[2*(row*m.Cols+lo+k+i):]), 2*m.Cols, at(buf[i:]), 4*depth)
		}
		active.packNT[F32](4*n/active.packBytes, at(buf[:]), 4*depth, at(p.Data[k*p.RowStride+j:]), 4*p.RowStride)
	}
	packScattered(p, j, m, row, group, lo, whole)
}

// packScattered writes n rows of m as columns j… of p, from row k of p on, one
// value at a time.
func packScattered(p View, j int, m Matrix, row, n, lo, k int) {
	var buf [64]float32
	for ; k < p.Rows; k += len(buf) {
		part := buf[:min(len(buf), p.Rows-k)]
		for i := range n {
			convertPart(part, m, row+i, lo+k)
			for r, v := range part {
				p.Data[(k+r)*p.RowStride+j+i] = v
			}
		}
	}
}

// packRows packs columns [col,col+cols) of rows [lo,hi) of the stacked w as the
// rows of a panel: B = W.
func packRows(dst []float32, w []Matrix, col, cols, lo, hi int) {
	p := Dense(dst, hi-lo, panelCols())
	for k := 0; k < p.Rows; {
		m, row := locate(w, lo+k)
		n := min(p.Rows-k, m.Rows-row)
		packRowsOf(p.Slice(k, k+n), m, row, col, cols)
		k += n
	}
}

// packRowsOf packs columns [col,col+cols) of the p.Rows rows of m from row on.
func packRowsOf(p View, m Matrix, row, col, cols int) {
	size := m.DType.Size()
	from := (row*m.Cols + col) * size
	if pack := active.packNN[m.DType]; pack != nil && cols == p.Cols {
		pack(p.Rows, at(m.Data[from:]), m.Cols*size, at(p.Data), 4*p.RowStride)
		return
	}
	for k := range p.Rows {
		dst := p.Row(k)
		Convert(dst[:cols], m.Data[from:from+cols*size], m.DType)
		clear(dst[cols:])
		from += m.Cols * size
	}
}

// convertPart sets dst to the values of row i from column col on, in float32.
func convertPart(dst []float32, m Matrix, i, col int) {
	size := m.DType.Size()
	from := (i*m.Cols + col) * size
	Convert(dst, m.Data[from:from+len(dst)*size], m.DType)
}

// locate finds a row of stacked matrices: which one has it, and as which of its rows.
func locate(w []Matrix, row int) (m Matrix, local int) {
	for _, m := range w {
		if row < m.Rows {
			return m, row
		}
		row -= m.Rows
	}
	panic("simd: row past the stacked matrices")
}

// touchRows reads a byte of each cache line of rows [row,end) of the stacked w,
// in order, which brings them to the cache. The packing kernels read many rows at
// once, which no prefetcher follows: without this they run at half the speed of memory.
func touchRows(w []Matrix, row, end int) {
	for row < end {
		m, local := locate(w, row)
		n := min(end-row, m.Rows-local)
		size := m.Cols * m.DType.Size()
		touch(m.Data[local*size : (local+n)*size])
		row += n
	}
}

// touch reads a byte of each cache line of b. The sum keeps the compiler from
// leaving the loads out.
//
//go:noinline
func touch(b []byte) (sum byte) {
	for i := 0; i < len(b); i += 64 {
		sum += b[i]
	}
	return sum
}
