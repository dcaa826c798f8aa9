package simd

import "unsafe"

// Products of a few rows, as of decoding, read each weight for a handful of
// operations: they take W as it lies, at the speed of memory. An output sums as
// in a panel, so that the number of rows does not show.

const (
	gemvRows  = 4       // most rows of A
	gemvMost  = 32      // a multiple of every gemvGroup
	gemvBlock = 16      // bytes of a row of W that a kernel takes at once
	gemvTask  = 1 << 17 // bytes of W that are worth a task, about 5 µs
	gemvChunk = 2048    // bytes of a row that are copied at once
	gemvPitch = gemvChunk + 64
)

// isFew reports whether gemvColumns computes the product with w.
func (g *product) isFew(w []Matrix) bool {
	if !g.nt || g.c.Rows > gemvRows || active == generic || g.pairs && !dotKernels() {
		return false
	}
	for _, m := range w {
		if gemvGroup(m.DType, g.c.Rows) == 0 || g.pairs && m.DType != BF16 || m.Cols*m.DType.Size()%gemvBlock != 0 {
			return false
		}
	}
	return true
}

// splitFew is splitWeights for few rows: W is read once, in parts that are whole
// groups of rows, as many for each thread.
func (g *product) splitFew(w []Matrix, threads int) {
	size := 0
	for _, m := range w {
		size += len(m.Data)
	}
	parts := 1
	if threads > 1 {
		parts = max(1, min(8, size/gemvTask/threads)) * threads
	}
	g.partCols = ceilDiv(ceilDiv(g.c.Cols, parts), gemvMost) * gemvMost
	g.colParts, g.rowParts = ceilDiv(g.c.Cols, g.partCols), 1
}

// gemvColumns computes columns [col,end). The rows of a matrix beyond whole
// groups are left to weightColumns.
func (p *Pool) gemvColumns(worker, col, end int) {
	g := p.product
	spare := g.c.Rows * pairCount(g.a.Cols)
	buf := p.buffer(worker, spare+max(g.panelSize(gemvMost), gemvMost*gemvPitch/4))
	a := g.a
	if g.pairs {
		a = Dense(buf, g.a.Rows, pairCount(g.a.Cols))
		roundPairs(a, g.a)
	}
	for col < end {
		m, row := locate(g.w, col)
		n := min(end-col, m.Rows-row)
		group := gemvGroup(m.DType, a.Rows)
		whole := n / group * group
		g.gemvRows(buf[spare:], a, m, row, whole, group, col)
		if whole < n {
			g.weightColumns(buf[spare:], col+whole, col+n, 0, g.c.Rows)
		}
		col += n
	}
}

// gemvRows multiplies n rows of m, whole groups, to columns col… of C. Rows a
// multiple of 2 KB apart, which share two sets of the L1 cache, are copied. The
// kernels foresee each group but the first.
func (g *product) gemvRows(buf []float32, a View, m Matrix, row, n, group, col int) {
	stride := m.Cols * m.DType.Size()
	each := stride / a.Cols // bytes of W for an element of A
	touch(m.Data[row*stride:][:min(group, n)*stride])
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
