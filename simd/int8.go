package simd

import "math"

// Products in int8 round both factors to integers of 8 bits, in groups of 64 along k
// that have a scale each: where products in float32 have four values, they have a quad of
// bytes. The sum of a group is an exact integer s, and C takes the groups in ascending
// order: c = s·t, or with add fma(s, t, c), where t is the product of the two scales.
//
// A block of A holds for each row and group 16 quads, of bytes that are 128 too large
// because VPDPBUSD takes unsigned ones, and the scale. A panel of B holds for each
// group a row of what the sums begin with, −128 times the sum of a column's integers; 16
// rows of quads; and a row of scales. All of it lies in []float32, which is never
// computed with. A last group with fewer k is filled up with zeros.
const (
	quadGroup   = 64 // k of a group
	groupValues = 17 // of a row of A, for a group
	groupRows   = 18 // of a panel, for a group
)

// A quadKernels is the part of a kernelSet for products in int8.
type quadKernels struct {
	tile     tileKernel             // of A and B that hold quads; its k are groups
	quantize blockKernel            // makes n groups of a block of A
	packNT   [dtypeCount]packKernel // makes n groups of quadRows rows of W, F32 or BF16
	packNN   [dtypeCount]packKernel // makes n groups of 64 rows of W, as many values of each as a tile has columns
	rows     int                    // of W that packNT takes
}

// quantized returns what a group whose largest value is bits, without its sign, is
// multiplied with to become integers of at most 127, and what an integer is then worth.
// Values below 2⁻¹⁰⁰ are zeros; of a group that is not finite every sum is a NaN.
func quantized(bits uint32) (inverse, scale float32) {
	const tiny, part = 0x1p-100, float32(1) / 127
	most := math.Float32frombits(bits)
	if most < tiny {
		return 0, 0
	}
	return 127 / most, float32(most*part) + (most - most)
}

// magnitude returns the bits of x without its sign: they are ordered as the values are,
// and a NaN is above all.
func magnitude(x float32) uint32 { return math.Float32bits(x) & 0x7fffffff }

// quantize rounds x·inverse to an integer, ties to even; a NaN is 0.
func quantize(x, inverse float32) int8 {
	r := math.RoundToEven(float64(x * inverse))
	if r != r {
		return 0
	}
	return int8(r)
}

// quantizeGroup writes at most 64 values, as 16 quads less their signs and the scale.
func quantizeGroup(dst, src []float32) {
	most := uint32(0)
	for _, x := range src {
		most = max(most, magnitude(x))
	}
	inverse, scale := quantized(most)
	var quads [quadGroup / 4]uint32
	for i, x := range src {
		quads[i/4] |= uint32(uint8(quantize(x, inverse))) << (i % 4 * 8)
	}
	for i, q := range quads {
		dst[i] = math.Float32frombits(q ^ 0x80808080)
	}
	dst[len(quads)] = scale
}

// quantizeRows sets dst, whose columns are groups, to the rows of src.
func quantizeRows(dst, src View) {
	n := 0
	if active.quads != nil && src.Rows > 0 {
		if n = src.Cols / quadGroup; n > 0 {
			active.quads.quantize(src.Rows, n, at(dst.Data), 4*dst.RowStride, at(src.Data), 4*src.RowStride)
		}
	}
	for i := range src.Rows {
		to, from := dst.Data[i*dst.RowStride:], src.Row(i)
		for g := n; g < dst.Cols; g++ {
			quantizeGroup(to[g*groupValues:], from[g*quadGroup:min(len(from), (g+1)*quadGroup)])
		}
	}
}

// groupCount is how many groups n values make.
func groupCount(n int) int { return ceilDiv(n, quadGroup) }

// QuantisedBytes is what a Pool allocates for X of T×k in a product in int8, or for dY.
func QuantisedBytes(T, k int) int64 {
	g := product{a: View{Rows: T, Cols: k}}
	_, pitch := g.quadStep()
	return 4 * int64(g.quadSteps()) * int64(T) * int64(pitch)
}

// quadGrain is the rows of A that a task of quantizeA takes.
const quadGrain = 16

// quantizeA makes quads of A, block by block of k, for all tasks of the product.
func (p *Pool) quantizeA(g *product) {
	step, pitch := g.quadStep()
	if n := ceilDiv(groupCount(g.a.Cols), step) * g.a.Rows * pitch; len(p.product.ints) < n {
		p.product.ints = make([]float32, n)
	}
	g.ints, p.product.a = p.product.ints, g.a
	p.Run(ceilDiv(g.a.Rows, quadGrain), p.quantizeTask)
}

// quadStep is the groups of a block, and the values between its rows.
func (g *product) quadStep() (step, pitch int) {
	groups := groupCount(g.a.Cols)
	step = ceilDiv(groups, ceilDiv(groups, blockGroups()))
	return step, step*groupValues + blockPad
}

// quantize is the task of quantizeA.
func (p *Pool) quantize(_, task int) {
	g := p.product
	lo := task * quadGrain
	for b, step := 0, g.quadSteps(); b < step; b++ {
		quantizeRows(g.quadBlock(b, lo, min(g.a.Rows, lo+quadGrain)))
	}
}

// quadSteps is the number of blocks of k.
func (g *product) quadSteps() int {
	step, _ := g.quadStep()
	return ceilDiv(groupCount(g.a.Cols), step)
}

// quadBlock returns rows [i,ie) of A in quads, block b of k, and what they are made of.
func (g *product) quadBlock(b, i, ie int) (quads, a View) {
	step, pitch := g.quadStep()
	lo, hi := b*step, min((b+1)*step, groupCount(g.a.Cols))
	quads = View{g.ints[(b*g.a.Rows+i)*pitch:], ie - i, hi - lo, pitch, 1}
	return quads, g.a.Slice(i, ie).Columns(lo*quadGroup, min(g.a.Cols, hi*quadGroup))
}

// blockGroups is the most groups of a block.
func blockGroups() int { return blockK() / 32 }

// quadSize is the values that quadColumns needs for panels of cols columns and a block.
func (g *product) quadSize(cols int) int {
	width := panelCols()
	groups := min(blockGroups(), groupCount(g.a.Cols))
	return ceilDiv(cols, width) * width * groups * groupRows
}

// quadColumns is weightColumns for quads.
func (g *product) quadColumns(buf []float32, col, end, r0, r1 int) {
	width := panelCols()
	if g.nt {
		touchRows(g.w, col, end)
	}
	groups := groupCount(g.a.Cols)
	step, _ := g.quadStep()
	for lo := 0; lo < groups; lo += step {
		hi := min(groups, lo+step)
		size := width * groupRows * (hi - lo) // of a panel
		g.packQuadBlock(buf, col, end, lo, hi)
		for i := r0; i < r1; i += blockRows() {
			ie := min(r1, i+blockRows())
			c := g.c.Slice(i, ie)
			a, _ := g.quadBlock(lo/step, i, ie)
			for j := col; j < end; j += width {
				b := Dense(buf[(j-col)/width*size:], groupRows*(hi-lo), width)
				mulQuads(c.Columns(j, min(end, j+width)), a, b, g.add || lo > 0)
			}
		}
	}
}

// packQuadBlock packs the panels of columns [col,end), groups [lo,hi), in the order of
// packBlock.
func (g *product) packQuadBlock(buf []float32, col, end, lo, hi int) {
	width, step := panelCols(), hi-lo
	group := width * groupRows // of a panel
	if !g.nt {
		step = packedRows / quadGroup
	}
	for k := lo; k < hi; k += step {
		ke := min(hi, k+step)
		for j := col; j < end; j += width {
			dst := buf[(j-col)/width*group*(hi-lo)+group*(k-lo):][:group*(ke-k)]
			packQuads(dst, g.w, g.nt, j, min(width, end-j), k*quadGroup, min(g.a.Cols, ke*quadGroup))
		}
	}
}

// mulQuads sets or adds to C = A·B for a block and a panel of quads.
func mulQuads(c, a, b View, add bool) {
	switch {
	case c.Rows == 0:
	case active.quads == nil:
		mulQuadsTwin(c, a, b, add)
	case !active.masks && c.Cols < panelCols():
		mulQuadsEdge(c, a, b, add)
	default:
		mulTiles(active.quads.tile, c, a, b, add)
	}
}

// mulQuadsEdge is mulQuads for fewer columns than the kernel writes, on copies of C.
func mulQuadsEdge(c, a, b View, add bool) {
	var values [maxTile]float32
	rows := active.wide.rows
	for i := 0; i < c.Rows; i += rows {
		ie := min(c.Rows, i+rows)
		ci, tmp := c.Slice(i, ie), Dense(values[:], ie-i, panelCols())
		copyRows(tmp, ci)
		mulTiles(active.quads.tile, tmp, a.Slice(i, ie), b, add)
		copyRows(ci, tmp)
	}
}

// mulQuadsTwin is the twin of the tile kernel.
func mulQuadsTwin(c, a, b View, add bool) {
	for i := range c.Rows {
		row := c.Row(i)
		for j := range row {
			for g := range a.Cols {
				x, y := a.Data[i*a.RowStride+g*groupValues:], b.Data[g*groupRows*b.RowStride+j:]
				sum := int32(math.Float32bits(y[0]))
				for k := range quadGroup / 4 {
					sum += dotQuad(math.Float32bits(x[k]), math.Float32bits(y[(1+k)*b.RowStride]))
				}
				scale := float32(x[groupValues-1] * y[(groupRows-1)*b.RowStride])
				if g == 0 && !add {
					row[j] = float32(float32(sum) * scale)
				} else {
					row[j] = fma(float32(sum), scale, row[j])
				}
			}
		}
	}
}

// dotQuad is the sum of the products of four unsigned and four signed bytes.
func dotQuad(x, y uint32) (sum int32) {
	for i := 0; i < 32; i += 8 {
		sum += int32(uint8(x>>i)) * int32(int8(y>>i))
	}
	return sum
}

// packQuads packs the panel of columns [col,col+cols) of B = W, or with nt of B = Wᵀ,
// rows [lo,hi), where w is the stacked W and lo begins a group.
func packQuads(dst []float32, w []Matrix, nt bool, col, cols, lo, hi int) {
	p := Dense(dst, groupCount(hi-lo)*groupRows, panelCols())
	if cols < p.Cols {
		clear(p.Data)
	}
	if nt {
		packQuadColumns(p, w, col, cols, lo, hi)
	} else {
		packQuadRows(p, w, col, cols, lo, hi)
	}
}

// packQuadColumns packs rows [col,col+cols) of the stacked w, values [lo,hi), as columns.
func packQuadColumns(p View, w []Matrix, col, cols, lo, hi int) {
	for j := 0; j < cols; {
		m, row := locate(w, col+j)
		n, whole := 1, 0 // rows, and whole groups that the kernel takes
		if q := active.quads; q != nil && min(cols-j, m.Rows-row) >= q.rows {
			n, whole = q.rows, (hi-lo)/quadGroup
		}
		if whole > 0 {
			packGroupColumns(p.Columns(j, j+n), m, row, lo, whole)
		}
		for i := range n {
			for g := whole; lo+g*quadGroup < hi; g++ {
				from := lo + g*quadGroup
				var values [quadGroup]float32
				part := values[:min(quadGroup, hi-from)]
				convertPart(part, m, row+i, from)
				packColumn(p, g, j+i, part)
			}
		}
		j += n
	}
}

// packGroupColumns packs rows of m from row on, n whole groups from value lo on, as the
// columns of p.
func packGroupColumns(p View, m Matrix, row, lo, n int) {
	size := m.DType.Size()
	if pack := active.quads.packNT[m.DType]; pack != nil {
		pack(n, at(m.Data[(row*m.Cols+lo)*size:]), m.Cols*size, at(p.Data), 4*p.RowStride)
		return
	}
	var values [16 * quadGroup]float32
	for g := range n {
		for i := range p.Cols {
			convertPart(values[i*quadGroup:(i+1)*quadGroup], m, row+i, lo+g*quadGroup)
		}
		active.quads.packNT[F32](1, at(values[:]), 4*quadGroup, at(p.Data[g*groupRows*p.RowStride:]), 4*p.RowStride)
	}
}

// packColumn writes a group of values as column j of group g.
func packColumn(p View, g, j int, values []float32) {
	var quads [groupValues]float32
	quantizeGroup(quads[:], values)
	at, sum := g*groupRows*p.RowStride+j, int32(0)
	for k, q := range quads[:quadGroup/4] {
		bits := math.Float32bits(q) ^ 0x80808080
		sum += dotQuad(0x80808080, bits)
		p.Data[at+(1+k)*p.RowStride] = math.Float32frombits(bits)
	}
	p.Data[at] = math.Float32frombits(uint32(-sum))
	p.Data[at+(groupRows-1)*p.RowStride] = quads[groupValues-1]
}

// packQuadRows packs rows [lo,hi) of the stacked w, columns [col,col+cols), as k. A group
// may have rows of several matrices.
func packQuadRows(p View, w []Matrix, col, cols, lo, hi int) {
	for g := 0; lo+g*quadGroup < hi; {
		from := lo + g*quadGroup
		m, row := locate(w, from)
		if n := min(hi-from, m.Rows-row) / quadGroup; n > 0 && active.quads != nil && cols == p.Cols {
			packGroupRows(p.Slice(g*groupRows, (g+n)*groupRows), m, row, col, n)
			g += n
			continue
		}
		packGroupValues(p, g, w, col, cols, from, min(hi, from+quadGroup))
		g++
	}
}

// packGroupRows packs n whole groups of the rows of m from row on.
func packGroupRows(p View, m Matrix, row, col, n int) {
	stride := m.Cols * m.DType.Size()
	from := m.Data[row*stride+col*m.DType.Size():]
	if pack := active.quads.packNN[m.DType]; pack != nil {
		pack(n, at(from), stride, at(p.Data), 4*p.RowStride)
		return
	}
	var values [quadGroup * 32]float32
	for g := range n {
		active.packNN[F16](quadGroup, at(from[g*quadGroup*stride:]), stride, at(values[:]), 4*p.Cols)
		active.quads.packNN[F32](1, at(values[:]), 4*p.Cols, at(p.Data[g*groupRows*p.RowStride:]), 4*p.RowStride)
	}
}

// packGroupValues packs rows [lo,hi) of the stacked w as group g, a value at a time.
func packGroupValues(p View, g int, w []Matrix, col, cols, lo, hi int) {
	var values [32][quadGroup]float32
	var part [32]float32
	for k := lo; k < hi; k++ {
		m, row := locate(w, k)
		convertPart(part[:cols], m, row, col)
		for j := range cols {
			values[j][k-lo] = part[j]
		}
	}
	for j := range cols {
		packColumn(p, g, j, values[j][:hi-lo])
	}
}
