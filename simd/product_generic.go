package simd

// genericDepth bounds the k of a pass, so that its part of B stays in the cache.
const genericDepth = 256

// mulGeneric sets (or, with add, adds to) C = A·B.
func mulGeneric(c, a, b View, add bool) {
	if !add {
		c.Clear()
	}
	for lo := 0; lo < a.Cols; lo += genericDepth {
		n := min(genericDepth, a.Cols-lo)
		for i := range c.Rows {
			row := c.Row(i)
			x := a.Data[i*a.RowStride+lo*a.ColStride:]
			j := 0
			for ; j+4 <= len(row); j += 4 {
				mulGeneric4((*[4]float32)(row[j:]), x, a.ColStride, b.Data[lo*b.RowStride+j:], b.RowStride, n)
			}
			for ; j < len(row); j++ {
				for k := range n {
					row[j] = fma(x[k*a.ColStride], b.Data[(lo+k)*b.RowStride+j], row[j])
				}
			}
		}
	}
}

// mulGeneric4 adds n products to four elements of a row. It is fma written out:
// four chains at once are what makes the pure-Go build usable.
func mulGeneric4(c *[4]float32, a []float32, as int, b []float32, bs, n int) {
	c0, c1, c2, c3 := float64(c[0]), float64(c[1]), float64(c[2]), float64(c[3])
	for k := range n {
		x := float64(a[k*as])
		r := (*[4]float32)(b[k*bs:])
		p0, p1 := float64(x*float64(r[0])), float64(x*float64(r[1]))
		p2, p3 := float64(x*float64(r[2])), float64(x*float64(r[3]))
		s0, s1, s2, s3 := p0+c0, p1+c1, p2+c2, p3+c3
		if roundsTwice(s0) || roundsTwice(s1) || roundsTwice(s2) || roundsTwice(s3) {
			c0, c1 = float64(roundOnce(p0, c0, s0)), float64(roundOnce(p1, c1, s1))
			c2, c3 = float64(roundOnce(p2, c2, s2)), float64(roundOnce(p3, c3, s3))
			continue
		}
		c0, c1, c2, c3 = float64(float32(s0)), float64(float32(s1)), float64(float32(s2)), float64(float32(s3))
	}
	c[0], c[1], c[2], c[3] = float32(c0), float32(c1), float32(c2), float32(c3)
}
