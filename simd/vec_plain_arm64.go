//go:build !purego

package simd

// vek has no NEON; see vec_plain.go.

func add(dst, x []float32) {
	n := whole(len(x))
	if n > 0 {
		addNEON(n, at(dst), at(x))
	}
	for i := n; i < len(x); i++ {
		dst[i] += x[i]
	}
}

func mulBy(dst, x []float32) {
	n := whole(len(x))
	if n > 0 {
		mulByNEON(n, at(dst), at(x))
	}
	for i := n; i < len(x); i++ {
		dst[i] *= x[i]
	}
}

func scale(x []float32, s float32) {
	n := whole(len(x))
	if n > 0 {
		scaleNEON(n, at(x), s)
	}
	for i := n; i < len(x); i++ {
		x[i] *= s
	}
}

func addNumber(x []float32, s float32) {
	n := whole(len(x))
	if n > 0 {
		addNumberNEON(n, at(x), s)
	}
	for i := n; i < len(x); i++ {
		x[i] += s
	}
}
