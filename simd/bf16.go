package simd

import (
	"math"
	"runtime"
	"time"
)

// Products in bf16 take two k at a time: where products in float32 have a value, they
// have a pair of bf16, the even k in the low half of 32 bits. Pairs lie in []float32,
// which is never computed with. A block of A then has half the columns, and a panel of
// B half the rows. A last k without a partner is paired with +0.
//
// There are CPUs, Sapphire Rapids for one, that multiply pairs more slowly than two fused
// multiply-adds do. There a block of A holds the two of a pair apart.

// pairCount is how many pairs n values make.
func pairCount(n int) int { return (n + 1) / 2 }

// pair rounds two values to a pair.
func pair(even, odd float32) float32 {
	return math.Float32frombits(uint32(bfloat16(even)) | uint32(bfloat16(odd))<<16)
}

// unpair widens the two values of a pair.
func unpair(p float32) (even, odd float32) {
	b := math.Float32bits(p)
	return math.Float32frombits(b << 16), math.Float32frombits(b & 0xffff0000)
}

// bfloat16 rounds to nearest even, a subnormal to a zero of its sign, a NaN to a quiet one.
func bfloat16(x float32) uint16 {
	b := math.Float32bits(x)
	switch {
	case b<<1 < 1<<24:
		return uint16(b>>16) & 0x8000
	case x != x:
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// roundPairs sets dst to the rows of src, whose columns are contiguous, in pairs.
func roundPairs(dst, src View) {
	n := 0
	if active.pairs != nil && src.Rows > 0 {
		if n = whole(src.Cols); n > 0 {
			active.pairs.round(src.Rows, n, at(dst.Data), 4*dst.RowStride, at(src.Data), 4*src.RowStride)
		}
	}
	for i := range src.Rows {
		to, from := dst.Row(i)[n/2:], src.Row(i)[n:]
		for ; len(from) > 1; to, from = to[1:], from[2:] {
			to[0] = pair(from[0], from[1])
		}
		if len(from) > 0 {
			to[0] = pair(from[0], 0)
		}
	}
}

// pairBlock returns pairs [lo,hi) of the rows of A, rounded to a block in buf, as the tile
// kernel takes them.
func pairBlock(buf []float32, a View, lo, hi int) View {
	a = a.Columns(2*lo, min(2*hi, a.Cols))
	p := View{buf, a.Rows, hi - lo, pairValues()*(hi-lo) + blockPad, pairValues()}
	if pairValues() == 2 {
		roundApart(p, a)
	} else {
		roundPairs(p, a)
	}
	return p
}

// pairValues is how many values a pair of A takes in a block: 2 where they are apart.
func pairValues() int {
	if active.pairs != nil && active.pairs.apart != nil {
		return 2
	}
	return 1
}

// roundApart sets dst to the rows of src, whose columns are contiguous, in pairs whose two
// are apart, the odd one first: dst.Cols pairs, two values from one to the next.
func roundApart(dst, src View) {
	n := whole(src.Cols)
	if n > 0 && src.Rows > 0 {
		active.pairs.apart(src.Rows, n, at(dst.Data), 4*dst.RowStride, at(src.Data), 4*src.RowStride)
	}
	for i := range src.Rows {
		to, from := dst.Data[i*dst.RowStride+n:], src.Row(i)[n:]
		for ; len(from) > 1; to, from = to[2:], from[2:] {
			to[1], to[0] = unpair(pair(from[0], from[1]))
		}
		if len(from) > 0 {
			to[1], to[0] = unpair(pair(from[0], 0))
		}
	}
}

// fasterPairs returns the one of a and b whose tile takes less time: their results are the
// same. It takes 40 to 80 µs.
func fasterPairs(a, b *pairKernels) *pairKernels {
	const rows, cols, depth, tries = 8, 32, 64, 4
	x, y, z := make([]float32, 2*rows*depth), make([]float32, depth*cols), make([]float32, rows*cols)
	best := [2]time.Duration{time.Hour, time.Hour}
	for range tries {
		for i, k := range []*pairKernels{a, b} {
			start := time.Now()
			k.tile(rows, cols, depth, at(x), 8*depth, 4, at(y), 4*cols, at(z), 4*cols, false)
			best[i] = min(best[i], time.Since(start))
		}
	}
	if best[1] < best[0] {
		return b
	}
	return a
}

// mulPairs sets or adds to C = A·B for a block and a panel of pairs.
func mulPairs(c, a, b View, add bool) {
	switch {
	case c.Rows == 0 || c.Cols == 0:
	case active.pairs == nil:
		mulPairsTwin(c, a, b, add)
	case c.Cols < tileCols(c.Cols):
		mulEdge(active.pairs.tile, c, a, b, add)
	default:
		mulTiles(active.pairs.tile, c, a, b, add)
	}
}

// mulPairsTwin is the twin of the tile kernel.
func mulPairsTwin(c, a, b View, add bool) {
	for i := range c.Rows {
		row := c.Row(i)
		for j := range row {
			sum := float32(0)
			if add {
				sum = flush(row[j])
			}
			for k, p := range a.Row(i) {
				x0, x1 := unpair(p)
				y0, y1 := unpair(b.Data[k*b.RowStride+j])
				sum = addPair(sum, flush(x0), flush(y0), flush(x1), flush(y1))
			}
			row[j] = sum
		}
	}
}

// addPair returns sum + x0·y0 + x1·y1 as the instruction of this architecture does, of
// bf16 and a sum that have no subnormals.
func addPair(sum, x0, y0, x1, y1 float32) float32 {
	if runtime.GOARCH == "arm64" {
		return addPairOdd(sum, x0, y0, x1, y1)
	}
	return addPairEven(sum, x0, y0, x1, y1)
}

// addPairEven is VDPBF16PS: the odd product is added first, each with one rounding to
// nearest even.
func addPairEven(sum, x0, y0, x1, y1 float32) float32 {
	return fmaFlush(x0, y0, fmaFlush(x1, y1, sum))
}

// addPairOdd is BFDOT: the products are added to each other, then to the sum, each time
// rounded to odd. A product of bf16 is exact but for its range.
func addPairOdd(sum, x0, y0, x1, y1 float32) float32 {
	return addOdd(sum, addOdd(flush(float32(x0*y0)), flush(float32(x1*y1))))
}

// addOdd returns x+y rounded to odd, that is cut to 24 bits, of which the last is 1 where
// the sum had more, or a zero of its sign where it is below the normal range. The operands
// have no subnormals.
func addOdd(x, y float32) float32 {
	a, b := float64(x), float64(y)
	s := a + b
	t := s - a
	rest := (a - (s - t)) + (b - t) // of the exact sum
	bits := math.Float64bits(s)
	if s == 0 || s-s != 0 {
		return float32(s)
	}
	const dropped = 1<<29 - 1
	inexact := rest != 0 || bits&dropped != 0
	if rest != 0 && (rest > 0) != (s > 0) {
		bits-- // the exact sum is nearer to zero than s
	}
	r := float32(math.Float64frombits(bits &^ dropped))
	if inexact && r-r == 0 {
		r = math.Float32frombits(math.Float32bits(r) | 1)
	}
	return flush(r)
}

// smallestNormal is the least positive float32 that is not subnormal.
const smallestNormal = 0x1p-126

// flush makes a subnormal a zero of its sign.
func flush(x float32) float32 {
	if math.Float32bits(x)<<1 < 1<<24 {
		return float32(math.Copysign(0, float64(x)))
	}
	return x
}

// fmaFlush returns x·y+z, rounded to 24 bits, or a zero of its sign where that is below
// the normal range; the operands have no subnormals. Close to that range fma rounds to
// fewer bits, and may round up to the least normal number what 24 bits keep below it:
// there s is exact, and decides.
func fmaFlush(x, y, z float32) float32 {
	r := fma(x, y, z)
	size := math.Abs(float64(r))
	if size == smallestNormal {
		s := float64(float64(x)*float64(y)) + float64(z)
		if math.Abs(s) < smallestNormal*(1-0x1p-25) {
			size = 0
		}
	}
	if size < smallestNormal {
		return float32(math.Copysign(0, float64(r)))
	}
	return r
}

// packPairs packs the panel of columns [col,col+cols) of B = W, or with nt of B = Wᵀ,
// pairs [lo,hi) of k, where w is the stacked W: what packRows and packColumns do for
// values.
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

// packPairColumns packs rows [col,col+cols) of the stacked w, from pair lo on, as the
// columns of p. Rows in BF16 with an even number of values are pairs already: they are
// moved like F32.
func packPairColumns(p View, w []Matrix, col, cols, lo int) {
	group := packGroup()
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

// packRounded rounds n rows of m, from pair lo on, and writes them as columns j… of p.
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

// packPairRows makes pairs of rows 2·lo and 2·lo+1, and so on, of the stacked w: row k
// of p. The two may be rows of two matrices, and the last row may be alone.
func packPairRows(p View, w []Matrix, col, cols, lo int) {
	for k := 0; k < p.Rows; {
		m, row := locate(w, 2*(lo+k))
		if n := min(p.Rows-k, (m.Rows-row)/2); n > 0 {
			packPairRowsOf(p.Slice(k, k+n), m, row, col, cols)
			k += n
			continue
		}
		next, first := locateOrNone(w, 2*(lo+k)+1)
		packPairRow(p.Row(k), m, row, next, first, col, cols)
		k++
	}
}

// packPairRowsOf makes pairs of the 2·p.Rows rows of m from row on.
func packPairRowsOf(p View, m Matrix, row, col, cols int) {
	if active.pairs == nil || cols < p.Cols {
		for k := range p.Rows {
			packPairRow(p.Row(k), m, row+2*k, m, row+2*k+1, col, cols)
		}
		return
	}
	stride := m.Cols * m.DType.Size()
	from := m.Data[row*stride+col*m.DType.Size():]
	if pack := active.pairs.pack[m.DType]; pack != nil {
		pack(p.Rows, at(from), stride, at(p.Data), 4*p.RowStride)
		return
	}
	const depth = 16
	var buf [2 * depth * 32]float32 // F16 in float32
	for k := 0; k < p.Rows; k += depth {
		n := min(depth, p.Rows-k)
		active.packNN[F16](2*n, at(from[2*k*stride:]), stride, at(buf[:]), 4*p.Cols)
		active.pairs.pack[F32](n, at(buf[:]), 4*p.Cols, at(p.Row(k)), 4*p.RowStride)
	}
}

// packPairRow sets dst to pairs of row i of m and row j of n, columns [col,col+cols),
// where an empty n has zeros.
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

// locateOrNone is locate for a row that may be one past the last: that of an empty
// matrix.
func locateOrNone(w []Matrix, row int) (m Matrix, local int) {
	rows := 0
	for _, m := range w {
		rows += m.Rows
	}
	if row == rows {
		return Matrix{}, 0
	}
	return locate(w, row)
}
