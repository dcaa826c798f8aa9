package optim

import (
	"slices"

	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// Settings are what all optimizers choose from.
type Settings struct {
	Beta1, Beta2, Epsilon, WeightDecay float64
	Reg                                float64            // λ of scaled-adamw
	Factors                            map[string]float64 // of the learning rate, by a parameter's group; 1 where it has none
}

// factor returns what a parameter's learning rate is multiplied by.
func (s Settings) factor(p *loraone.Param) float64 {
	if f, ok := s.Factors[p.Group]; ok {
		return f
	}
	return 1
}

// A Kind is an optimizer: a row of [Kinds], in a file of its own.
type Kind struct {
	Name         string // as settings spell it
	Title        string // for people
	Beta1, Beta2 float64
	// Rate is the learning rate that suits adapters on so many projections of a layer, with
	// scale times √r of each: lora_alpha where the scale is α/√r.
	Rate func(targets int, alpha float64) float64
	// RateIs completes "its rate is" for people: rates of another kind have another size.
	RateIs string
	// New returns the rule that updates some modules. A module that it cannot update is an
	// error.
	New func(s Settings, modules []loraone.Module) (Rule, error)
	// Held returns how many numbers are remembered of a module of rank r; nil: two of each
	// that is trained, at most.
	Held func(at model.Projection, r int) int
}

// ofEachNumber is what Adam's rates are.
const ofEachNumber = "about the size of a step of each number"

// Kinds is the table. A program may add rows before it uses any.
var Kinds = []*Kind{PreconditionedAdamW, AdamW, ScaledAdamW, AdaRankGrad}

// Find returns the kind of a name, nil where there is none.
func Find(name string) *Kind {
	if i := slices.IndexFunc(Kinds, func(k *Kind) bool { return k.Name == name }); i >= 0 {
		return Kinds[i]
	}
	return nil
}

// Names lists the kinds' names in the order of the table.
func Names() []string {
	names := make([]string, len(Kinds))
	for i, k := range Kinds {
		names[i] = k.Name
	}
	return names
}

// A Rule updates the modules it was made for, each by its index. A step begins, then
// Prepare and then Update are called for several modules at once.
type Rule interface {
	// Begin starts step t, from 0, of a learning rate, with what is the same for all modules.
	Begin(t int, rate float64)
	// Prepare readies a module for a step. It may change gradients and nothing else: after
	// an error no step is taken.
	Prepare(module int) error
	// Update takes the step that has begun.
	Update(module int)
	// State lists what the rule remembers between steps, in a fixed order: checkpoints
	// keep it by name.
	State() []*loraone.Param
}

// An Optimizer is a rule at work.
type Optimizer struct {
	modules []loraone.Module
	pool    *simd.Pool
	rule    Rule
}

// New returns an optimizer of some modules that computes on p.
func New(k *Kind, s Settings, modules []loraone.Module, p *simd.Pool) (*Optimizer, error) {
	rule, err := k.New(s, modules)
	return &Optimizer{modules, p, rule}, err
}

// Step takes step t, from 0, of a learning rate, given mean, clipped gradients. After an
// error no parameter has changed.
func (o *Optimizer) Step(t int, rate float64) error {
	o.rule.Begin(t, rate)
	failed := make([]error, len(o.modules))
	o.pool.Run(len(o.modules), func(_, i int) { failed[i] = o.rule.Prepare(i) })
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	o.pool.Run(len(o.modules), func(_, i int) {
		o.rule.Update(i)
		o.modules[i].Sync()
	})
	return nil
}

// State lists what is remembered between steps.
func (o *Optimizer) State() []*loraone.Param { return o.rule.State() }

// remembered returns an array of a parameter that a rule remembers, zero at first.
func remembered(prefix string, p *loraone.Param, rows int) *loraone.Param {
	return &loraone.Param{Name: prefix + p.Name, Rows: rows, Cols: p.Cols, Value: make([]float32, rows*p.Cols)}
}
