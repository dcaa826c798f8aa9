package train

import (
	"cmp"
	"slices"

	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// The inner method is all that a method may be and the others are not: its modules have
// no pair of factors (they train an r×r matrix between two frozen ones, as LoRA-SB does),
// it wants G itself, and it gives a higher rank to the half of the projections with the
// larger gradient, and none to the one with the smallest.
func init() {
	loraone.Methods = append(loraone.Methods, &loraone.Method{
		Name: "inner", Title: "An inner matrix", Optimizer: "adamw",
		Needs: loraone.Gradient | loraone.Whole,
		Pairs: func(r int) int { return r },
		Scale: func(float64, int) float64 { return 1 },
		Weigh: func(g *loraone.Given) []float64 { return []float64{g.Gradient.Norm} },
		Ranks: innerRanks,
		New: func(at model.Projection, r int, scale float64) loraone.Module {
			n := func(rows, cols int) []float32 { return make([]float32, rows*cols) }
			return &inner{at: at, r: r, a: n(r, at.In), bt: n(r, at.Out), core: n(r, r), grad: n(r, r)}
		},
		Size: func(at model.Projection, r int) loraone.Size {
			return loraone.Size{Trained: r * r, Held: 2*r*r + r*(at.In+at.Out), PerToken: 4 * r}
		},
		Start: func(m loraone.Module, g *loraone.Given) (int, error) {
			l, sp := m.(*inner), g.Gradient.Spectrum
			for k := range l.r {
				for i, x := range sp.U(k) {
					l.bt[k*l.at.Out+i] = float32(x)
				}
				for i, x := range sp.V(k) {
					l.a[k*l.at.In+i] = float32(x)
				}
			}
			// Bᵀ·G·A is diag(S): a small step against it, from G itself.
			bg := simd.Dense(make([]float32, l.r*l.at.In), l.r, l.at.In)
			simd.Mul(bg, l.view(l.bt, l.at.Out), g.Gradient.G)
			simd.Mul(l.view(l.core, l.r), bg, l.transposed(l.a, l.at.In))
			simd.Scale(l.core, float32(-0.01/sp.S[0]))
			return l.r, nil
		},
	})
}

func innerRanks(r int, at []model.Projection, weighed [][]float64) []int {
	order := make([]int, len(at))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(weighed[j][0], weighed[i][0]) })
	ranks := make([]int, len(at))
	for place, i := range order {
		ranks[i] = r
		if place < len(order)/2 {
			ranks[i] = r + 1
		}
	}
	ranks[order[len(order)-1]] = 0
	return ranks
}

// An inner adds B·C·A, of which only C (r×r) is trained.
type inner struct {
	at                model.Projection
	r                 int
	a, bt, core, grad []float32
	h, z              simd.View // x·Aᵀ and h·Cᵀ of the last Forward
}

func (l *inner) view(x []float32, cols int) simd.View { return simd.Dense(x, l.r, cols) }

func (l *inner) Forward(p *simd.Pool, y, x simd.View) {
	l.h = simd.Dense(make([]float32, x.Rows*l.r), x.Rows, l.r)
	l.z = simd.Dense(make([]float32, x.Rows*l.r), x.Rows, l.r)
	p.Mul(l.h, x, l.transposed(l.a, l.at.In))
	p.Mul(l.z, l.h, l.transposed(l.core, l.r))
	p.AddMul(y, l.z, l.view(l.bt, l.at.Out))
}

func (l *inner) Backward(p *simd.Pool, dx, dy, x simd.View) {
	dz := simd.Dense(make([]float32, x.Rows*l.r), x.Rows, l.r)
	dh := simd.Dense(make([]float32, x.Rows*l.r), x.Rows, l.r)
	p.Mul(dz, dy, l.transposed(l.bt, l.at.Out))
	p.AddMul(l.view(l.grad, l.r), dz.T(), l.h)
	if dx.Data != nil {
		p.Mul(dh, dz, l.view(l.core, l.r))
		p.AddMul(dx, dh, l.view(l.a, l.at.In))
	}
}

// transposed copies x (r×cols) as the products want it.
func (l *inner) transposed(x []float32, cols int) simd.View {
	t := simd.Dense(make([]float32, len(x)), cols, l.r)
	simd.Transpose(t, l.view(x, cols))
	return t
}

func (l *inner) At() model.Projection { return l.at }
func (l *inner) Sync()                {}

func (l *inner) Params() []*loraone.Param {
	return []*loraone.Param{{Name: l.at.Name + ".inner", Rows: l.r, Cols: l.r, Value: l.core, Grad: l.grad, Group: "C"}}
}

func (l *inner) Frozen() []*loraone.Param {
	return []*loraone.Param{
		{Name: l.at.Name + ".inner_A", Rows: l.r, Cols: l.at.In, Value: l.a},
		{Name: l.at.Name + ".inner_Bt", Rows: l.r, Cols: l.at.Out, Value: l.bt},
	}
}

// LowRank is A and B·C.
func (l *inner) LowRank() loraone.LowRank {
	b := make([]float32, l.at.Out*l.r)
	simd.Mul(simd.Dense(b, l.at.Out, l.r), l.transposed(l.bt, l.at.Out), l.view(l.core, l.r))
	return loraone.LowRank{Projection: l.at, R: l.r, A: l.a, B: b, Scale: 1}
}
