package loraone

import (
	"errors"
	"fmt"

	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// Adapters are the modules for a model, in the model's order.
type Adapters struct {
	Modules []Module
	Model   *model.Config // which they are for

	ranks []int // what New was given
}

// New returns modules that change nothing yet for a model of configuration m. ranks are
// those of the projections that c means, 0 for no module; nil: all R.
func New(m *model.Config, c Config, ranks []int) (*Adapters, error) {
	if err := c.Check(m); err != nil {
		return nil, err
	}
	targets, err := c.Projections(m)
	if err != nil {
		return nil, err
	}
	if ranks != nil && len(ranks) != len(targets) {
		return nil, fmt.Errorf("%d ranks for %d projections", len(ranks), len(targets))
	}
	a := &Adapters{Model: m, ranks: ranks}
	for i, t := range targets {
		r := c.rank(ranks, i)
		if r < 0 || r > min(t.Out, t.In) {
			return nil, fmt.Errorf("rank %d for %s, which is %d×%d", r, t.Name, t.Out, t.In)
		}
		if r > 0 {
			a.Modules = append(a.Modules, c.Method.New(t, r, c.Scale(r)))
		}
	}
	if len(a.Modules) == 0 {
		return nil, errors.New("the ranks leave no module")
	}
	return a, nil
}

// Of returns given modules of a model of configuration m as adapters.
func Of(m *model.Config, modules []Module) *Adapters {
	return &Adapters{Modules: modules, Model: m}
}

// Ranks returns what [New] was given: nil where all modules have one rank.
func (a *Adapters) Ranks() []int { return a.ranks }

// Uniform returns modules of one rank and a scale of 1 that add the same: scales go into
// B, rounded once, and rows and columns of zeros fill up to the largest rank. It is for
// files that hold one rank, or one scale, for all.
func (a *Adapters) Uniform() *Adapters {
	list := make([]LowRank, len(a.Modules))
	r := 0
	for i, m := range a.Modules {
		list[i] = m.LowRank().Folded()
		r = max(r, list[i].R)
	}
	modules := make([]Module, len(list))
	for i, l := range list {
		l = l.Padded(r)
		layer := NewLayer(l.Projection, r, 1)
		copy(layer.A, l.A)
		simd.Transpose(simd.Dense(layer.Bt, r, l.Out), simd.Dense(l.B, l.Out, r))
		layer.Sync()
		modules[i] = layer
	}
	return Of(a.Model, modules)
}

// Attach makes the modules the adapters of e, in place of those it has.
func (a *Adapters) Attach(e *model.Engine) {
	list := make([]model.Adapter, len(a.Model.Linears()))
	for _, m := range a.Modules {
		list[m.At().Index] = m
	}
	e.SetAdapters(list)
}

// Params lists what all modules train.
func (a *Adapters) Params() []*Param {
	var list []*Param
	for _, m := range a.Modules {
		list = append(list, m.Params()...)
	}
	return list
}

// Parameters returns how many numbers are trained.
func (a *Adapters) Parameters() int {
	n := 0
	for _, p := range a.Params() {
		n += len(p.Value)
	}
	return n
}

// ZeroGrad sets all gradients to zero.
func (a *Adapters) ZeroGrad() {
	for _, p := range a.Params() {
		clear(p.Grad)
	}
}

// Sync must follow every change of a value.
func (a *Adapters) Sync() {
	for _, m := range a.Modules {
		m.Sync()
	}
}
