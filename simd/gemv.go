package simd

import "unsafe"

// Products of a few rows, as of decoding, read each weight for a handful of
// operations: they take W as it lies, at the speed of memory. An output sums as
// in a panel, so that the number of rows does not show.

const (
	gemvRows  = 4       // most rows of A
	gemvBlock = 16      // bytes of a row of W that a kernel takes at once
	gemvTask  = 1 << 17 // bytes of W that are worth a task, about 5 µs
	gemvChunk = 2048    // bytes of a row that are copied at once
	gemvPitch = gemvChunk + 64
)

// isFew reports whether gemvColumns computes the product with w.
func (g *product) isFew(w []Matrix) bool {
	if !g.nt || g.c.Rows > gemvRows || active == generic || gemvGroup(g.c.Rows) == 0 || g.pairs && !dotKernels() {
		return false
	}
	for _, m := range w {
		if m.DType == F16 || m.DType == F32 && g.pairs || m.Cols*m.DType.Size()%gemvBlock != 0 {
			return false
		}
	}
	return true
}

// splitFew is splitWeights for few rows: W is read once, in parts that are whole
// groups of rows.
func (g *product) splitFew(w []Matrix, threads int) {
	group := gemvGroup(g.c.Rows)
	size := 0
	for _, m := range w {
		size += len(m.Data)
	}
	parts := max(1, min(8*threads, size/gemvTask))
	g.partCols = ceilDiv(ceilDiv(g.c.Cols, parts), group) * group
	g.colParts, g.rowParts = ceilDiv(g.c.Cols, g.partCols), 1
}

// gemvColumns computes columns [col,end). The rows of a matrix beyond whole
// groups are left to weightColumns.
func (p *Pool) gemvColumns(worker, col, end int) {
	g := p.product
	group := gemvGroup(g.c.Rows)
	spare := g.c.Rows * pairCount(g.a.Cols)
	buf := p.buffer(worker, spare+max(g.panelSize(group), group*gemvPitch/4))
	a := g.a
	if g.pairs {
		a = Dense(buf, g.a.Rows, pairCount(g.a.Cols))
		roundPairs(a, g.a)
	}
	for col < end {
		m, row := locate(g.w, col)
		n := min(end-col, m.Rows-row)
		whole := n / group * group
		g.gemvRows(buf[spare:], a, m, row, whole, col)
		if whole < n {
			g.weightColumns(buf[spare:], col+whole, col+n, 0, g.c.Rows)
		}
		col += n
	}
}

// gemvRows multiplies n rows of m, whole groups, to columns col… of C. Rows a
// multiple of 2 KB apart, which share two sets of the L1 cache, are copied.
func (g *product) gemvRows(buf []float32, a View, m Matrix, row, n, col int) {
	stride := m.Cols * m.DType.Size()
	each := stride / a.Cols // bytes of W for an element of A
	group := gemvGroup(a.Rows)
	for i := 0; i < n; i += group {
		w, c := m.Data[(row+i)*stride:], unsafe.Pointer(&g.c.Data[col+i])
		if stride%gemvChunk != 0 {
			gemv(m.DType, g.pairs, a.Rows, stride/gemvBlock, unsafe.Pointer(&w[0]), stride,
				unsafe.Pointer(&a.Data[0]), 4*a.RowStride, c, 4*g.c.RowStride, g.add)
			continue
		}
		for lo := 0; lo < stride; lo += gemvChunk {
			size := min(gemvChunk, stride-lo)
			copyRowsVec(group, size/4, at(buf), gemvPitch, unsafe.Pointer(&w[lo]), stride)
			gemv(m.DType, g.pairs, a.Rows, size/gemvBlock, at(buf), gemvPitch,
				unsafe.Pointer(&a.Data[lo/each]), 4*a.RowStride, c, 4*g.c.RowStride, g.add || lo > 0)
		}
	}
}
