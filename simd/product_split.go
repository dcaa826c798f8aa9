package simd

import "math"

// How products are split into tasks. The split decides who computes what and
// when, never what comes out.

// The costs of a task of m rows and n panels beside its m·n: packing a panel, in
// rows, and reading the rows, in panels, as they are or to round them. Measured as
// speeds of 110 GFLOP/s, 12 packed weights per ns, and 2-thread products of
// SmolLM2's shapes.
const (
	packCost  = 6
	readCost  = 0.05
	roundCost = 0.3
)

// splitWeights sets the parts of a product with weights to those that should end
// first. Parts of the rows pack the same panels again, narrow parts of the columns
// read the rows for little, and of few large parts the last is waited for.
func (g *product) splitWeights(threads int) {
	panels := ceilDiv(g.c.Cols, panelCols())
	read := readCost
	if g.pairs {
		read = roundCost
	}
	mostParts := max(1, min(4*threads, g.c.Rows/(blockRows()/2)))
	least := math.Inf(1)
	for n := 1; n <= blockPanels; n++ {
		for parts := 1; parts <= mostParts; parts++ {
			columns := ceilDiv(panels, n)
			rows := float64(g.c.Rows) / float64(parts)
			rounds := float64(ceilDiv(columns*parts, threads)) + 0.25
			if cost := rounds * (rows + packCost) * (float64(n) + read); cost < least {
				least = cost
				g.partCols, g.colParts, g.rowParts = n*panelCols(), columns, parts
			}
		}
	}
}

// spread reports whether the rows of a are a multiple of 1 KB apart: those of a
// tile then share few sets of the L1 cache, and those of a block need more pages
// than the TLB has. Copied blocks do better, by up to a half.
func spread(a View) bool { return a.ColStride == 1 && a.RowStride%spreadRows == 0 }

// spreadRows is 1 KB, in values.
const spreadRows = 256

// taskWork is the multiply-adds that are worth a task, about 5 µs.
const taskWork = 1 << 18

// splitViews sets the parts of a product of views, rows first: each part of the
// columns reads all of A.
func (g *product) splitViews(threads int) {
	g.colParts, g.rowParts = 1, 1
	if threads == 1 {
		return
	}
	want := min(8*threads, g.c.Rows*g.c.Cols*g.a.Cols/taskWork)
	g.rowParts = max(1, min(want, g.c.Rows/tileRows(g.c.Cols)))
	if g.rowParts < want {
		g.colParts = max(1, min(want/g.rowParts, g.c.Cols/panelCols()))
	}
}

// share returns the i-th of parts consecutive, nearly equal ranges of [0,n).
func share(n, parts, i int) (lo, hi int) { return n * i / parts, n * (i + 1) / parts }

func ceilDiv(n, d int) int { return (n + d - 1) / d }
