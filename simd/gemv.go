package simd

// Products of a few rows of A with Wᵀ, as in decoding, do a handful of operations for
// each weight they read. So W is not packed: the kernels read it where it lies, at the
// speed of memory, and transpose it in registers. They sum as the tiles do: the bits
// of a row are the same whether it is multiplied alone or among many.

const (
	gemvTimes = 3       // most times that a kernel takes its most rows of A: with more of them, packing W costs less
	gemvMost  = 32      // a multiple of every gemv.group
	gemvBlock = 16      // bytes of a row of W that a kernel takes at once
	gemvTask  = 1 << 17 // bytes of W that are worth a task, about 5 µs
	gemvChunk = 2048    // bytes of a row that are copied at once; see gemvGroups
	gemvPitch = gemvChunk + 64
)

// isFew reports whether gemvColumns computes the product with w.
func (g *product) isFew(w []Matrix) bool {
	if !g.nt || g.quads {
		return false
	}
	for _, m := range w {
		k := g.gemv(m.DType)
		if k.run == nil || g.c.Rows > gemvTimes*len(k.group) || m.Cols*m.DType.Size()%gemvBlock != 0 {
			return false
		}
	}
	return true
}

// gemv returns the kernel for weights of type d, an empty one where there is none.
func (g *product) gemv(d DType) gemv {
	switch {
	case !g.pairs:
		return active.gemv[d]
	case d == BF16 && active.pairs != nil:
		return active.pairs.gemv
	}
	return gemv{}
}

// splitFew sets the parts of a product of few rows: W is read once, in parts that are
// whole groups of its rows, as many parts for each thread.
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

// gemvColumns computes columns [col,end) of C, which are rows of the stacked W. Rows
// of a matrix beyond whole groups are left to weightColumns.
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
		k := g.gemv(m.DType)
		rows := k.rows(a.Rows)
		unit := max(k.group[rows-1], k.group[(a.Rows-1)%rows])
		whole := n / unit * unit
		g.gemvGroups(k, buf[spare:], a, m, row, whole, unit, col)
		if whole < n {
			g.weightColumns(buf[spare:], col+whole, col+n, 0, g.c.Rows)
		}
		col += n
	}
}

// gemvGroups multiplies A with n rows of m, whole units of them, which gives columns
// col… of C. The kernel prefetches the next group while it computes one; the first is
// touched here. Rows a multiple of 2 KB apart share two sets of the L1 cache: they are
// copied to buf a chunk of each at a time, and the kernel continues its sums in C.
func (g *product) gemvGroups(k gemv, buf []float32, a View, m Matrix, row, n, unit, col int) {
	stride := m.Cols * m.DType.Size()
	each := stride / a.Cols // bytes of W for an element of A
	touch(m.Data[row*stride:][:min(unit, n)*stride])
	for i := 0; i < n; i += unit {
		w, c := m.Data[(row+i)*stride:], g.c.Columns(col+i, col+i+unit)
		if stride%gemvChunk != 0 {
			k.multiply(c, a, w, stride, stride, g.add)
			continue
		}
		for lo := 0; lo < stride; lo += gemvChunk {
			size := min(gemvChunk, stride-lo)
			active.copyBlock(unit, size/4, at(buf), gemvPitch, at(w[lo:]), stride)
			k.multiply(c, a.Columns(lo/each, a.Cols), bytesOf(buf), size, gemvPitch, g.add || lo > 0)
		}
	}
}

// multiply sets c = A·Wᵀ or adds to it, for size bytes of rows of W that lie stride bytes
// apart. It takes as many rows of A at a time as the kernel does: these rows of W are in
// a cache from the second time on.
func (k gemv) multiply(c, a View, w []byte, size, stride int, add bool) {
	each := k.rows(a.Rows)
	for r := 0; r < a.Rows; r += each {
		rows := min(each, a.Rows-r)
		group := k.group[rows-1]
		for j := 0; j < c.Cols; j += group {
			k.run(rows, size/gemvBlock, at(w[j*stride:]), stride, at(a.Data[r*a.RowStride:]), 4*a.RowStride, at(c.Data[r*c.RowStride+j:]), 4*c.RowStride, add)
		}
	}
}

// rows returns how many of m rows of A are taken at a time: about the same number each
// time, and the rest.
func (k gemv) rows(m int) int { return ceilDiv(m, ceilDiv(m, len(k.group))) }
