package loraone

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/mat"

	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// GoRA gives higher ranks to the projections that matter to the loss, and starts B from
// the initial gradient (arXiv 2502.12171), as the authors' code has it
// (hhnqqq/MyTransformers, gora.py at 2f7d63c: union_mean, compress, scaled by lr).
//
// The importance of a projection is the mean of |W⊙G|. With Î its share of all, the rank
// is round(budget·Î)/(In+Out), rounded down, where the budget is Σ r·(In+Out), within r/2
// and 4r: Σ ranks may be another than that of equal ranks.
//
// A has the ordinary start, and s·B = -η·√(In/r)·G·Aᵀ(AAᵀ)⁻¹ with r the module's own rank:
// s·B·A is a step of size η against the gradient's projection on the rows of A, made as
// large as the whole. Their code has +G, which would climb; its own measure of the error
// compares with -G. Their s is α over the mean rank, its root, the own rank or its root, by
// switches; here it is the last. s·B·A does not depend on it.
var GoRA = &Method{
	Name: "gora", Title: "GoRA start and ranks (arXiv 2502.12171)",
	Needs:     Weights | Gradient | Whole,
	Optimizer: "preconditioned-adamw",
	Scale:     ByRoot,
	Weigh:     importance,
	Ranks:     goraRanks,
	New:       newLayer, Size: goraSize,
	Start: startGoRA,
	Halve: halveLayer,
}

// η and the bounds of the ranks, in r, are those of their scripts, whose r is 8.
const goraRate = 0.05

func goraBounds(r int) (least, most int) { return max(1, r/2), 4 * r }

// importance returns the mean of |W⊙G|.
func importance(g *Given) []float64 {
	var sum float64
	for i, w := range g.W.Data {
		sum += math.Abs(float64(w) * float64(g.Gradient.G.Data[i]))
	}
	return []float64{sum / float64(len(g.W.Data))}
}

func goraRanks(r int, at []model.Projection, weighed [][]float64) []int {
	var budget, all float64
	for i, p := range at {
		budget += float64(r * (p.In + p.Out))
		all += weighed[i][0]
	}
	least, most := goraBounds(r)
	ranks := make([]int, len(at))
	for i, p := range at {
		share := 1 / float64(len(at)) // where no gradient reaches any of them
		if all > 0 {
			share = weighed[i][0] / all
		}
		rank := int(math.RoundToEven(budget*share)) / (p.In + p.Out)
		ranks[i] = min(max(rank, least), most, p.In, p.Out)
	}
	return ranks
}

// goraSize is what a module holds before its rank is known: its part of the budget, and
// the most that raising the lowest ranks to r/2 adds.
func goraSize(at model.Projection, r int) Size {
	least, _ := goraBounds(r)
	s, more := LayerSize(at, r), LayerSize(at, least)
	s.Held += more.Held
	s.PerToken += more.PerToken
	return s
}

func startGoRA(m Module, g *Given) (pairs int, err error) {
	l := m.(*Layer)
	l.ordinaryStart(g.Seed, 0)
	if g.Gradient.Norm == 0 {
		return 0, nil
	}
	return l.R, l.descend(g.Gradient.G)
}

// descend sets B to a step against g, given A.
func (l *Layer) descend(g simd.View) error {
	var chol mat.Cholesky
	if !chol.Factorize(gram(l.A, l.R)) {
		return errors.New("the Gram matrix of A's start is not positive definite")
	}
	l.Sync()
	ga := simd.Dense(make([]float32, l.Out*l.R), l.Out, l.R) // G·Aᵀ
	simd.Mul(ga, g, simd.Dense(l.at, l.In, l.R))
	x := mat.NewDense(l.R, l.Out, nil)
	for o := range l.Out {
		for k, v := range ga.Row(o) {
			x.Set(k, o, float64(v))
		}
	}
	if err := chol.SolveTo(x, x); err != nil {
		return err
	}
	f := -goraRate * math.Sqrt(float64(l.In)/float64(l.R)) / float64(l.Scale)
	for i, v := range x.RawMatrix().Data {
		l.Bt[i] = float32(f * v)
	}
	return nil
}

// gram returns X·Xᵀ for X of r rows.
func gram(x []float32, r int) *mat.SymDense {
	n := len(x) / r
	k := mat.NewSymDense(r, nil)
	for i := range r {
		for j := i; j < r; j++ {
			var sum float64
			for c, v := range x[i*n : (i+1)*n] {
				sum += float64(float64(v) * float64(x[j*n+c]))
			}
			k.SetSym(i, j, sum)
		}
	}
	return k
}
