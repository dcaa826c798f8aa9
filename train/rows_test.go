package train

import (
	"example.com/finetune/loraone"
	"example.com/finetune/model"
)

// A start from the rows of W is another method in one file and one row: A is the first
// rows of the frozen weight, B is zero.
func init() {
	loraone.Methods = append(loraone.Methods, &loraone.Method{
		Name: "rows", Title: "a start from rows of W", LeavesBase: true, Optimizer: "momentum",
		Needs: loraone.Weights,
		Scale: loraone.ByRank,
		New: func(at model.Projection, r int, scale float64) loraone.Module {
			return loraone.NewLayer(at, r, scale)
		},
		Size: loraone.LayerSize,
		Start: func(m loraone.Module, g *loraone.Given) (pairs int, err error) {
			l := m.(*loraone.Layer)
			for i := range l.R {
				copy(l.A[i*l.In:(i+1)*l.In], g.W.Row(i))
			}
			l.Sync()
			return l.R, nil
		},
	})
}
