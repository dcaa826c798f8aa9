package simd

import "unsafe"

// A panel is up to panelCols() columns of B for a block of k, row k contiguous
// and padded with zeros. Packing converts the stored weights.

// packColumns packs rows [col,col+cols) of the stacked w, columns [lo,hi), as the
// columns of a panel: B = Wᵀ.
func packColumns(dst []float32, w []Matrix, col, cols, lo, hi int) {
	p := Dense(dst, hi-lo, panelCols())
	if cols < p.Cols {
		clear(dst[:p.Rows*p.Cols])
	}
	group := packGroupRows()
	for j := 0; j < cols; {
		m, row := locate(w, col+j)
		n := min(group, cols-j, m.Rows-row)
		packValues(p, j, m, row, n, lo)
		j += n
	}
}

// packGroupRows is how many rows are packed as columns at once.
func packGroupRows() int {
	if active == generic {
		return 1
	}
	rows, _ := packGroup()
	return rows
}

// packValues writes n ≤ packGroupRows() rows of m from column lo on as columns
// j… of p.
func packValues(p View, j int, m Matrix, row, n, lo int) {
	if active != generic && n == packGroupRows() {
		packTransposed(p, j, m, row, lo)
	} else {
		packScattered(p, j, m, row, n, lo, 0)
	}
}

// packTransposed is packValues for a whole group.
func packTransposed(p View, j int, m Matrix, row, lo int) {
	group, bytes := packGroup()
	size := m.DType.Size()
	block := bytes / size // values of one row in a block
	if m.DType == F16 {
		packHalves(p, j, m, row, lo)
		return
	}
	n := p.Rows / block
	if n > 0 {
		packNT(m.DType, n, unsafe.Pointer(&m.Data[(row*m.Cols+lo)*size]), m.Cols*size,
			unsafe.Pointer(&p.Data[j]), 4*p.RowStride)
	}
	packScattered(p, j, m, row, group, lo, n*block)
}

// packHalves is packTransposed for F16, by way of a float32 block.
func packHalves(p View, j int, m Matrix, row, lo int) {
	const depth = 64 // a multiple of every panel width
	var buf [16 * depth]float32
	group, bytes := packGroup()
	whole := p.Rows &^ (p.Cols - 1)
	for k := 0; k < whole; k += depth {
		n := min(depth, whole-k)
		for i := 0; i < n; i += p.Cols {
			packNN(F16, group, unsafe.Pointer(&m.Data[2*(row*m.Cols+lo+k+i)]), 2*m.Cols, unsafe.Pointer(&buf[i]), 4*depth)
		}
		packNT(F32, 4*n/bytes, unsafe.Pointer(&buf), 4*depth,
			unsafe.Pointer(&p.Data[k*p.RowStride+j]), 4*p.RowStride)
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

// packRowsOf packs p.Rows rows of one matrix.
func packRowsOf(p View, m Matrix, row, col, cols int) {
	size := m.DType.Size()
	at := (row*m.Cols + col) * size
	if active != generic && cols == p.Cols && m.DType != F32 {
		packNN(m.DType, p.Rows, unsafe.Pointer(&m.Data[at]), m.Cols*size, unsafe.Pointer(&p.Data[0]), 4*p.RowStride)
		return
	}
	for k := range p.Rows {
		dst := p.Row(k)
		Convert(dst[:cols], m.Data[at:at+cols*size], m.DType)
		clear(dst[cols:])
		at += m.Cols * size
	}
}

// convertPart converts the values of row i from column col on.
func convertPart(dst []float32, m Matrix, i, col int) {
	size := m.DType.Size()
	at := (i*m.Cols + col) * size
	Convert(dst, m.Data[at:at+len(dst)*size], m.DType)
}

// locate finds a row of the stacked matrices.
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
// in order. The packing reads many rows at once, which no prefetcher follows:
// without this it runs at half the speed of memory.
func touchRows(w []Matrix, row, end int) {
	for row < end {
		m, local := locate(w, row)
		n := min(end-row, m.Rows-local)
		size := m.Cols * m.DType.Size()
		touch(m.Data[local*size : (local+n)*size])
		row += n
	}
}

//go:noinline
func touch(b []byte) (sum byte) {
	for i := 0; i < len(b); i += 64 {
		sum += b[i]
	}
	return sum
}
