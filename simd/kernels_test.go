package simd

import (
	"slices"
	"testing"
)

// forEachImpl runs f once for every kernel set this CPU has, with active set to it; with
// -short for the best one alone. Such tests must not run in parallel with each other.
func forEachImpl(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	old := active
	defer func() { active = old }()
	for _, k := range kernelSets {
		if testing.Short() && k != old {
			continue
		}
		active = k
		t.Run(k.name, f)
	}
}

// otherPairs is the best set with the way to multiply pairs that this CPU does not prefer,
// nil where there is one way.
var otherPairs *kernelSet

// forEachPairs is forEachImpl and both ways to multiply pairs.
func forEachPairs(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	forEachImpl(t, f)
	if otherPairs != nil {
		old := active
		defer func() { active = old }()
		active = otherPairs
		t.Run(active.name, f)
	}
}

// benchEachImpl is forEachImpl for benchmarks, best first.
func benchEachImpl(b *testing.B, f func(b *testing.B)) {
	b.Helper()
	old := active
	defer func() { active = old }()
	for _, k := range slices.Backward(kernelSets) {
		active = k
		b.Run(k.name, f)
	}
}

// TestKernelSets: a set has every kernel but those that kernelSet calls optional, and
// its shapes are such as the buffers of products expect.
func TestKernelSets(t *testing.T) {
	if kernelSets[0] != &plainGo || active != kernelSets[len(kernelSets)-1] || Kernels() != active.name {
		t.Errorf("%s runs, of %d sets", Kernels(), len(kernelSets))
	}
	forEachImpl(t, func(t *testing.T) {
		k := active
		if blockK()%32 != 0 || blockRows()%tileRows(panelCols()) != 0 || blockRows() == 0 {
			t.Errorf("blocks of %d rows and %d k", blockRows(), blockK())
		}
		if k == &plainGo {
			return
		}
		for name, missing := range map[string]bool{
			"max": k.max == nil, "dot": k.dot == nil, "addSquares": k.addSquares == nil, "normSums": k.normSums == nil, "expSum": k.expSum == nil,
			"geluMul": k.geluMul == nil, "geluMulBackward": k.geluMulBackward == nil,
			"softCap": k.softCap == nil, "softCapBackward": k.softCapBackward == nil,
			"siluMul": k.siluMul == nil, "siluMulBackward": k.siluMulBackward == nil, "scaleMul": k.scaleMul == nil,
			"rmsNormBackward": k.rmsNormBackward == nil, "rotate": k.rotate == nil, "adamW": k.adamW == nil,
			"convert": k.convert[F16] == nil || k.convert[BF16] == nil,
			"tile":    k.tile == nil,
			"packNT":  k.packNT[F32] == nil || k.packNT[BF16] == nil || k.packNT[F16] != nil,
			"packNN":  k.packNN[F16] == nil || k.packNN[BF16] == nil || k.packNN[F32] != nil,
		} {
			if missing {
				t.Errorf("%s is missing", name)
			}
		}
		if k.wide.cols > 32 || k.packRows > 16 || k.packBytes%4 != 0 || k.wide.cols%(k.packBytes/4) != 0 {
			t.Errorf("packs %d rows, %d bytes of each, to %d columns", k.packRows, k.packBytes, k.wide.cols)
		}
		if k.gram != nil && (k.gramSide < 1 || k.gramSide > gramSide) {
			t.Errorf("gram takes %d rows", k.gramSide)
		}
		if !k.masks && (k.wide.cols > maxTileCols || k.wide.cols*k.wide.rows > maxTile || k.narrow.cols*k.narrow.rows > maxTile) {
			t.Errorf("tiles of %v and %v need larger buffers", k.narrow, k.wide)
		}
		gemvs := k.gemv[:]
		if k.pairs != nil {
			gemvs = append(slices.Clone(gemvs), k.pairs.gemv)
		}
		for _, g := range gemvs {
			if g.run == nil {
				continue
			}
			for i, group := range g.group {
				if group == 0 || gemvMost%group != 0 {
					t.Errorf("a group of %d rows of W for %d of A", group, i+1)
				}
			}
			if k.copyBlock == nil {
				t.Error("gemv without copyBlock")
			}
		}
	})
}

// Operands on a stack that has just grown, or grows in the call, are found where they
// are: see at, which hides them from the compiler.
func TestOperandsOnAGrowingStack(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		var want [64]float32
		addSquares(&want, 0)
		results := make(chan [64]float32)
		for depth := range 400 {
			go func() { // on a stack of its own, as small as they begin
				var got [64]float32
				addSquares(&got, depth)
				results <- got
			}()
		}
		for range 400 {
			if got := <-results; got != want {
				t.Fatalf("%v, want %v", got, want)
			}
		}
	})
}

// addSquares computes in buffers of its own frame, below so many others.
//
//go:noinline
func addSquares(sum *[64]float32, depth int) {
	if depth > 0 {
		addSquares(sum, depth-1)
		return
	}
	var dg, du, dy, g, u [64]float32
	for i := range dy {
		dy[i], g[i], u[i] = 1, float32(i)/16-2, 1+float32(i)/64
	}
	SiLUMulBackward(dg[:], du[:], dy[:], g[:], u[:])
	Add(dg[:], du[:])
	*sum = dg
}
