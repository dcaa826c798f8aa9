package simd

import "unsafe"

// packPairs packs pairs [lo,hi) of the stacked w, or with nt of its transpose:
// packColumns and packRows for a panel of pairs.
func packPairs(dst []float32, w []Matrix, nt bool, col, cols, lo, hi int) {
	p := Dense(dst, hi-lo, panelCols())
	if cols < p.Cols {
		clear(dst[:p.Rows*p.Cols])
	}
	if nt {
		packPairColumns(p, w, col, cols, lo)
	} else {
		packPairRows(p, w, col, cols, lo)
	}
}

// packPairColumns writes rows [col,col+cols) of the stacked w as columns. Stored
// bf16 is pairs already, where a row is a whole number of them.
func packPairColumns(p View, w []Matrix, col, cols, lo int) {
	group := packGroupRows()
	for j := 0; j < cols; {
		m, row := locate(w, col+j)
		n := min(group, cols-j, m.Rows-row)
		if m.DType == BF16 && m.Cols%2 == 0 {
			packValues(p, j, Matrix{m.Data, F32, m.Rows, m.Cols / 2}, row, n, lo)
		} else {
			packRounded(p, j, m, row, n, lo)
		}
		j += n
	}
}

// packRounded rounds n rows of m and writes their pairs from lo on as columns j…
// of p.
func packRounded(p View, j int, m Matrix, row, n, lo int) {
	const depth = 64
	var values [2 * depth]float32
	var rows [16 * depth]float32
	for k := 0; k < p.Rows; k += depth {
		count := min(depth, p.Rows-k)
		part := values[:min(2*count, m.Cols-2*(lo+k))]
		for i := range n {
			convertPart(part, m, row+i, 2*(lo+k))
			roundPairs(Dense(rows[i*depth:], 1, count), Dense(part, 1, len(part)))
		}
		Transpose(p.Slice(k, k+count).Columns(j, j+n), View{rows[:], n, count, depth, 1})
	}
}

// packPairRows makes pairs of rows 2·lo… of the stacked w, which may be of two
// matrices, or the last of all alone.
func packPairRows(p View, w []Matrix, col, cols, lo int) {
	for k := 0; k < p.Rows; {
		m, row := locate(w, 2*(lo+k))
		if n := min(p.Rows-k, (m.Rows-row)/2); n > 0 {
			packPairRowsOf(p.Slice(k, k+n), m, row, col, cols)
			k += n
			continue
		}
		next, first := below(w, 2*(lo+k)+1)
		packPairRow(p.Row(k), m, row, next, first, col, cols)
		k++
	}
}

// packPairRowsOf makes pairs of rows row, row+1, … of one matrix.
func packPairRowsOf(p View, m Matrix, row, col, cols int) {
	if !dotKernels() || cols < p.Cols {
		for k := range p.Rows {
			packPairRow(p.Row(k), m, row+2*k, m, row+2*k+1, col, cols)
		}
		return
	}
	size := m.DType.Size()
	from := unsafe.Pointer(&m.Data[(row*m.Cols+col)*size])
	if m.DType != F16 {
		packPairsNN(m.DType, p.Rows, from, m.Cols*size, unsafe.Pointer(&p.Data[0]), 4*p.RowStride)
		return
	}
	const depth = 16
	var buf [2 * depth * 32]float32
	for k := 0; k < p.Rows; k += depth {
		n := min(depth, p.Rows-k)
		packNN(F16, 2*n, unsafe.Add(from, 2*k*m.Cols*size), m.Cols*size, unsafe.Pointer(&buf), 4*p.Cols)
		packPairsNN(F32, n, unsafe.Pointer(&buf), 4*p.Cols, unsafe.Pointer(&p.Row(k)[0]), 4*p.RowStride)
	}
}

// packPairRow makes pairs of row i of m and row j of n, or +0 where n is empty.
func packPairRow(dst []float32, m Matrix, i int, n Matrix, j, col, cols int) {
	var even, odd [32]float32
	convertPart(even[:cols], m, i, col)
	if n.Rows > 0 {
		convertPart(odd[:cols], n, j, col)
	}
	for x := range cols {
		dst[x] = pair(even[x], odd[x])
	}
}

// below is locate where there may be no such row: the matrix is then empty.
func below(w []Matrix, row int) (m Matrix, local int) {
	rows := 0
	for _, m := range w {
		rows += m.Rows
	}
	if row == rows {
		return Matrix{}, 0
	}
	return locate(w, row)
}
