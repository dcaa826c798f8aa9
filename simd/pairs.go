package simd

import "math"

// Products in bf16 take two k at a time: where those in float32 have a value,
// theirs have a pair, the even k in the low half of 32 bits. Pairs lie in
// []float32, where they are only moved: a block of A or a panel of B holds half
// the columns or rows it would. A last odd k is paired with +0.

// pairCount is the pairs of n values.
func pairCount(n int) int { return (n + 1) / 2 }

func pair(even, odd float32) float32 {
	return math.Float32frombits(uint32(bfloat16(even)) | uint32(bfloat16(odd))<<16)
}

// unpair widens the two values of a pair.
func unpair(p float32) (even, odd float32) {
	b := math.Float32bits(p)
	return math.Float32frombits(b << 16), math.Float32frombits(b & 0xffff0000)
}

// bfloat16 rounds to nearest even, as VCVTNEPS2BF16 does: a subnormal to a zero,
// a NaN to a quiet one.
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

// roundPairs rounds the rows of src, whose columns are contiguous, to pairs.
func roundPairs(dst, src View) {
	n := 0
	if dotKernels() && src.Rows > 0 {
		if n = whole(src.Cols); n > 0 {
			roundBlock(src.Rows, n, at(dst.Data), 4*dst.RowStride, at(src.Data), 4*src.RowStride)
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

// pairBlock rounds pairs [lo,hi) of the rows of A to a block in buf.
func pairBlock(buf []float32, a View, lo, hi int) View {
	p := View{buf, a.Rows, hi - lo, hi - lo + blockPad, 1}
	roundPairs(p, a.Columns(2*lo, min(2*hi, a.Cols)))
	return p
}

// mulPairs sets or adds to C = A·B for a block and a panel of pairs.
func mulPairs(c, a, b View, add bool) {
	switch {
	case c.Rows == 0 || c.Cols == 0:
	case dotKernels():
		mulTiles(c, a, b, add, true)
	default:
		mulPairsGeneric(c, a, b, add)
	}
}

// mulPairsGeneric is the twin of the kernels: each pair adds its odd product
// first, both as VDPBF16PS does.
func mulPairsGeneric(c, a, b View, add bool) {
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
				sum = fmaFlush(flush(x0), flush(y0), fmaFlush(flush(x1), flush(y1), sum))
			}
			row[j] = sum
		}
	}
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

// fmaFlush is fma without subnormals, in the operands (which have none) or the
// result, which is a zero where its 24 bits end below the normal range. There fma
// has fewer bits, and may have rounded up to that range; s is exact so close to it.
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
