package loraone

import (
	"fmt"

	"gonum.org/v1/gonum/mat"
)

// Precondition replaces the gradients by (BᵀB+λI)⁻¹·∂L/∂A and ∂L/∂B·(AAᵀ+λI)⁻¹,
// both from the present values (arXiv 2402.02347; LoRA-One's prec_reg is λ). The
// R×R systems are solved by Cholesky in float64.
func (l *Layer) Precondition(lambda float64) error {
	byB, okB := gram(l.Bt, l.R, lambda)
	byA, okA := gram(l.A, l.R, lambda)
	if !okA || !okB {
		return fmt.Errorf("%s: the adapter's Gram matrix plus %g·I is not positive definite", l.Name, lambda)
	}
	if err := solve(byB, l.DA, l.R); err != nil {
		return fmt.Errorf("%s: lora_A: %w", l.Name, err)
	}
	if err := solve(byA, l.DBt, l.R); err != nil {
		return fmt.Errorf("%s: lora_B: %w", l.Name, err)
	}
	return nil
}

// gram factors M·Mᵀ+λI for M (r×n).
func gram(m []float32, r int, lambda float64) (*mat.Cholesky, bool) {
	n := len(m) / r
	g := mat.NewSymDense(r, nil)
	for i := range r {
		for j := i; j < r; j++ {
			x, y := m[i*n:(i+1)*n], m[j*n:(j+1)*n]
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

// solve replaces g (r×n) by the solution X of (the factored matrix)·X = g.
func solve(c *mat.Cholesky, g []float32, r int) error {
	x := mat.NewDense(r, len(g)/r, nil)
	data := x.RawMatrix().Data
	for i, v := range g {
		data[i] = float64(v)
	}
	if err := c.SolveTo(x, x); err != nil {
		if _, warned := err.(mat.Condition); !warned { // ill-conditioned is still solved
			return err
		}
	}
	for i, v := range data {
		g[i] = float32(v)
	}
	return nil
}
