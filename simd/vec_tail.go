package simd

// The tails of the functions with an exp, less than 16 values: the kernels take
// them in a padded block. Short ones are left to the twins, as all other tails
// are, which need less time than the copies.

const shortTail = 2

func padded(n int) bool { return n > shortTail && vectorised() }

func expSumTail(l *lanes, dst, x []float32, shift float32) {
	if !padded(len(x)) {
		expSumGeneric(l, dst, x, shift)
		return
	}
	var block [16]float32
	var sums lanes
	copy(block[:], x)
	expSumLanes(16, at(block[:]), at(block[:]), shift, &sums)
	for i := range dst {
		l[i] += block[i]
	}
	l.pad(copy(dst, block[:]))
}

func siluMulTail(y, g, u []float32) {
	if !padded(len(y)) {
		siluMulGeneric(y, g, u)
		return
	}
	var gs, us [16]float32
	copy(gs[:], g)
	copy(us[:], u)
	siluMulVec(16, at(gs[:]), at(gs[:]), at(us[:]))
	copy(y, gs[:])
}

func siluMulBackwardTail(dg, du, dy, g, u []float32) {
	if !padded(len(dy)) {
		siluMulBackwardGeneric(dg, du, dy, g, u)
		return
	}
	var dys, gs, us [16]float32
	copy(dys[:], dy)
	copy(gs[:], g)
	copy(us[:], u)
	siluMulBackwardVec(16, at(gs[:]), at(us[:]), at(dys[:]), at(gs[:]), at(us[:]))
	copy(dg, gs[:])
	copy(du, us[:])
}
