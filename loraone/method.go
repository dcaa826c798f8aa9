package loraone

import (
	"math"
	"slices"

	"example.com/finetune/loraone/spectrum"
	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// Needs says what a method's ranks and start are made from.
type Needs uint8

// What there is. A method may need several.
const (
	Nothing  Needs = 0
	Weights  Needs = 1 << (iota - 1) // the frozen W
	Gradient                         // the initial gradient: its norm and leading spectrum
	Whole                            // the initial gradient materialised as well
)

// A Method is a way to choose adapters and to start them: a row of [Methods], in a file
// of its own. Events follow each other so: gradient → spectrum → ranks → modules → start.
type Method struct {
	Name       string // as settings spell it
	Title      string // for people
	Needs      Needs
	LeavesBase bool    // the start changes no bit of what the model computes
	Gamma      float64 // init_gamma where settings do not say; 0: it has none

	Optimizer string             // the name of the one it is trained with where settings do not say
	Rate      float64            // the learning rate that suits it there; 0: the optimizer's own
	Rates     map[string]float64 // of that rate, by a parameter's group; nil: 1

	// Pairs returns how many leading triples of the initial gradient a start of rank r
	// wants; nil: none.
	Pairs func(r int) int
	// Scale is the factor s of B·A where settings do not say which.
	Scale Scaling
	// Weigh takes from what is given for one projection the numbers by which Ranks
	// decides; both are nil where every module has rank r. As ranks come before modules,
	// the initial gradient is then computed twice.
	Weigh func(g *Given) []float64
	// Ranks returns the rank of each projection; 0: it gets no module.
	Ranks func(r int, at []model.Projection, weighed [][]float64) []int
	// New returns a module that changes nothing yet, and Size what it holds.
	New  func(at model.Projection, r int, scale float64) Module
	Size func(at model.Projection, r int) Size
	// Start sets the values of a module and returns how many of its pairs came from what
	// the method needs; the others got the ordinary start. It runs for several modules at
	// once.
	Start func(m Module, g *Given) (pairs int, err error)
	// Halve halves what a started module adds to the weights; nil where a start adds
	// nothing. A start is halved while the model is worse with it than without.
	Halve func(m Module)
}

// Methods is the table. A program may add rows before it uses any.
var Methods = []*Method{LoRAOne, LoRA, LoRAPlus, PiSSA, OLoRA, LoRAGA, LoRASB, GoRA, AdaRankGrad}

// Find returns the method of a name, nil where there is none.
func Find(name string) *Method {
	if i := slices.IndexFunc(Methods, func(m *Method) bool { return m.Name == name }); i >= 0 {
		return Methods[i]
	}
	return nil
}

// Names lists the methods' names in the order of the table.
func Names() []string {
	names := make([]string, len(Methods))
	for i, m := range Methods {
		names[i] = m.Name
	}
	return names
}

// Need reports whether the method needs all of n.
func (m *Method) Need(n Needs) bool { return m.Needs&n == n }

// pairs is Pairs.
func (m *Method) pairs(r int) int {
	if m.Pairs == nil {
		return 0
	}
	return m.Pairs(r)
}

// A Given is what a module's start is made from.
type Given struct {
	StartOptions
	Gradient *spectrum.Gradient // where the method needs it
	W        simd.View          // Out×In, where the method needs it; not to be kept
}

// A Size is what a module holds, in numbers.
type Size struct {
	Trained  int // parameters
	Held     int // of values, gradients and copies
	PerToken int // of a micro-batch
}

// A Scaling is the factor s of B·A for rank r.
type Scaling func(alpha float64, r int) float64

// ByRank is α/r, that of the LoRA paper and of PEFT (arXiv 2106.09685). ByRoot is α/√r,
// which PEFT calls use_rslora (arXiv 2312.03732).
func ByRank(alpha float64, r int) float64 { return alpha / float64(r) }
func ByRoot(alpha float64, r int) float64 { return alpha / math.Sqrt(float64(r)) }
