package loraone

import (
	"fmt"

	"example.com/finetune/internal/random"
	"example.com/finetune/loraone/spectrum"
	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// LoRASB trains an r×r matrix R between two frozen ones (arXiv 2411.19557), as the
// authors' code has it (CERT-Lab/lora-sb at 4feb81c, gradient_utils.py:140):
// ΔW = s·B·R·A, and with -η·sign(G) = U·S·Vᵀ, B is the first r columns of U, A the first
// r rows of Vᵀ, and R is diag(S). η is the learning rate of the first step: their
// lr/(warmup_ratio·steps). The model moves, by the leading part of the first step that
// Adam would take with all weights. Their α is r, so that s is 1.
//
// Where Sₖ cannot be told from 0, as where no gradient reaches the projection, Rₖₖ is 0
// and uₖ and vₖ are random.
var LoRASB = &Method{
	Name: "lorasb", Title: "LoRA-SB start (arXiv 2411.19557)",
	Needs:     Gradient | Whole,
	Optimizer: "adamw", Rate: 2e-2, // R is small: stories260K likes 4e-2, the highest that was tried (scripts/evidence)
	Scale: func(float64, int) float64 { return 1 },
	New:   newCore, Size: coreSize,
	Start: startSB,
	Halve: func(m Module) { simd.Scale(m.(*core).r, 0.5) },
}

func startSB(m Module, g *Given) (pairs int, err error) {
	if !(g.FirstRate > 0) {
		return 0, fmt.Errorf("the learning rate of the first step is %v, want a positive number", g.FirstRate)
	}
	c := m.(*core)
	signs := g.Gradient.G
	for i, v := range signs.Data {
		signs.Data[i] = sign(v)
	}
	sp, err := spectrum.Leading(spectrum.Target{Projection: c.Projection, Pairs: c.outer.R}, signs, g.Seed)
	if err != nil {
		return 0, err
	}
	outer := c.outer
	outer.ordinaryStart(g.Seed, 0)
	uniform(outer.Bt, 0, c.Out, random.ForNames(g.Seed, "lora_B", c.Name))
	n, least := 0, negligible(c.Projection, sp)
	for n < outer.R && sp.S[n] > least {
		f := orientation(sp.U(n))
		outer.setPair(n, sp.U(n), sp.V(n), f, -f)
		c.r[n*outer.R+n] = float32(g.FirstRate * sp.S[n])
		n++
	}
	return n, nil
}

func sign(x float32) float32 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}

// A core is the module of LoRA-SB: it adds Scale·B·R·A to a frozen Out×In projection, and
// trains R alone.
type core struct {
	model.Projection
	outer *Layer    // A, B and Scale; R of it is the rank
	r, dr []float32 // R×R, and ∂L/∂R
	rt    []float32 // r transposed, kept by Sync

	h, z, dh []float32 // T×R: x·Aᵀ of the last Forward; Scale·h·Rᵀ, and later its gradient; that of h
}

func newCore(at model.Projection, r int, scale float64) Module {
	n := func() []float32 { return make([]float32, r*r) }
	return &core{Projection: at, outer: frozenLayer(at, r, float32(scale)), r: n(), dr: n(), rt: n()}
}

func coreSize(at model.Projection, r int) Size {
	return Size{Trained: r * r, Held: 3*r*r + 2*r*(at.In+at.Out), PerToken: 3 * r}
}

// At returns the projection that the module adapts.
func (c *core) At() model.Projection { return c.Projection }

// Params returns R.
func (c *core) Params() []*Param {
	return []*Param{{Name: c.Name + ".lora_R", Rows: c.outer.R, Cols: c.outer.R, Value: c.r, Grad: c.dr, Group: "R"}}
}

// Frozen returns A and Bᵀ.
func (c *core) Frozen() []*Param {
	a, bt := c.outer.Factors()
	return []*Param{a, bt}
}

// Sync must follow every change of a value.
func (c *core) Sync() {
	c.outer.Sync()
	simd.Transpose(c.square(c.rt), c.square(c.r))
}

// LowRank returns A and B·R.
func (c *core) LowRank() LowRank {
	l := c.outer.LowRank()
	b := make([]float32, len(l.B))
	simd.Mul(simd.Dense(b, c.Out, l.R), simd.Dense(l.B, c.Out, l.R), c.square(c.r))
	l.B = b
	return l
}

func (c *core) square(x []float32) simd.View { return simd.Dense(x, c.outer.R, c.outer.R) }

func (c *core) rows(buf *[]float32, tokens int) simd.View {
	return simd.Dense(grown(buf, tokens*c.outer.R), tokens, c.outer.R)
}

// Forward adds Scale·x·Aᵀ·Rᵀ·Bᵀ to y.
func (c *core) Forward(p *simd.Pool, y, x simd.View) {
	h, z := c.rows(&c.h, x.Rows), c.rows(&c.z, x.Rows)
	p.Mul(h, x, simd.Dense(c.outer.at, c.In, c.outer.R))
	p.Mul(z, h, c.square(c.rt))
	simd.Scale(z.Data, c.outer.Scale)
	p.AddMul(y, z, simd.Dense(c.outer.Bt, c.outer.R, c.Out))
}

// Backward adds to the gradient of R and to dx; see [model.Adapter].
func (c *core) Backward(p *simd.Pool, dx, dy, x simd.View) {
	h, dz := c.rows(&c.h, x.Rows), c.rows(&c.z, x.Rows)
	p.Mul(dz, dy, simd.Dense(c.outer.b, c.Out, c.outer.R)) // y += z·Bᵀ
	simd.Scale(dz.Data, c.outer.Scale)                     // z = Scale·h·Rᵀ
	p.AddMul(c.square(c.dr), dz.T(), h)
	if dx.Data != nil {
		dh := c.rows(&c.dh, x.Rows)
		p.Mul(dh, dz, c.square(c.r))
		p.AddMul(dx, dh, simd.Dense(c.outer.A, c.outer.R, c.In)) // h = x·Aᵀ
	}
}
