package optim

import (
	"fmt"

	"gonum.org/v1/gonum/mat"

	"example.com/finetune/loraone"
)

// ScaledAdamW is AdamW on preconditioned gradients, as LoRA-One's authors have it:
// (BᵀB+λI)⁻¹·∂L/∂A and ∂L/∂B·(AAᵀ+λI)⁻¹, both from the present values (arXiv 2402.02347;
// LoRA-One's prec_reg is λ).
var ScaledAdamW = &Kind{
	Name: "scaled-adamw", Title: "scaled AdamW", Beta1: 0.9, Beta2: 0.999,
	Rate:   func(int, float64) float64 { return 2e-3 },
	RateIs: ofEachNumber,
	New: func(s Settings, modules []loraone.Module) (Rule, error) {
		pairs, err := pairsOf("scaled-adamw", modules)
		return &scaledAdamW{newAdamW(s, modules), pairs}, err
	},
}

type scaledAdamW struct {
	*adamW
	pairs []pair
}

func (o *scaledAdamW) Prepare(module int) error {
	x := o.pairs[module]
	if err := precondition(x.a, x.bt, o.Reg); err != nil {
		return fmt.Errorf("%s: %w", x.name, err)
	}
	if sum := sumSquares(x.a.Grad) + sumSquares(x.bt.Grad); sum-sum != 0 { // NaN or infinite
		return fmt.Errorf("the preconditioned gradient of %s is not finite", x.name)
	}
	return nil
}

// A factored module trains the two factors of B·A, and nothing else.
type factored interface {
	Factors() (a, bt *loraone.Param) // r×In and r×Out
}

// A pair is the factors of a module.
type pair struct {
	name  string
	a, bt *loraone.Param
}

// pairsOf returns the factors of the modules, for an optimizer that needs them.
func pairsOf(optimizer string, modules []loraone.Module) ([]pair, error) {
	pairs := make([]pair, len(modules))
	for i, m := range modules {
		f, ok := m.(factored)
		if !ok {
			return nil, fmt.Errorf("%s trains other arrays than the two factors of B·A, which %s needs", m.At().Name, optimizer)
		}
		pairs[i].name = m.At().Name
		pairs[i].a, pairs[i].bt = f.Factors()
	}
	return pairs, nil
}

// precondition replaces the gradients of a pair. The r×r systems are solved by Cholesky
// in float64.
func precondition(a, bt *loraone.Param, lambda float64) error {
	byB, okB := cholesky(bt, lambda)
	byA, okA := cholesky(a, lambda)
	if !okA || !okB {
		return fmt.Errorf("the adapter's Gram matrix plus %g·I is not positive definite", lambda)
	}
	if err := solve(byB, a); err != nil {
		return fmt.Errorf("lora_A: %w", err)
	}
	if err := solve(byA, bt); err != nil {
		return fmt.Errorf("lora_B: %w", err)
	}
	return nil
}

// cholesky factors X·Xᵀ+λI for a factor X (r×n).
func cholesky(p *loraone.Param, lambda float64) (*mat.Cholesky, bool) {
	r, n := p.Rows, p.Cols
	g := mat.NewSymDense(r, nil)
	for i := range r {
		for j := i; j < r; j++ {
			x, y := p.Value[i*n:(i+1)*n], p.Value[j*n:(j+1)*n]
			var sum float64
			for k, v := range x {
				sum += float64(float64(v) * float64(y[k]))
			}
			if i == j {
				sum += lambda
			}
			g.SetSym(i, j, sum)
		}
	}
	c := new(mat.Cholesky)
	return c, c.Factorize(g)
}

// solve replaces a gradient G (r×n) by the solution X of (the factored matrix)·X = G.
func solve(c *mat.Cholesky, p *loraone.Param) error {
	x := mat.NewDense(p.Rows, p.Cols, nil)
	data := x.RawMatrix().Data
	for i, v := range p.Grad {
		data[i] = float64(v)
	}
	if err := c.SolveTo(x, x); err != nil {
		if _, warned := err.(mat.Condition); !warned { // ill-conditioned is still solved
			return err
		}
	}
	for i, v := range data {
		p.Grad[i] = float32(v)
	}
	return nil
}

// sumSquares adds in float64, in order; the products are exact there.
func sumSquares(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(float64(v) * float64(v))
	}
	return sum
}
