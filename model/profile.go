package model

import "time"

// A Part is what a step spends its time on.
type Part uint8

// The parts of a step. Rest is what none of the others is.
const (
	Rest Part = iota
	QKV
	Attention
	Output
	MLP
	Head // final norm, lm_head and loss
	Adapters
	Elementwise
	Optimizer
	Outside // of a step: not shown
	parts
)

// Parts lists the parts of a step in the order of a table.
var Parts = [...]Part{QKV, Attention, Output, MLP, Head, Adapters, Elementwise, Optimizer, Rest}

func (p Part) String() string {
	return [parts]string{"rest", "q, k, v", "attention", "o", "mlp", "head and loss", "adapters", "elementwise", "optimizer", "outside"}[p]
}

// A Spent is what a part has taken: time, and the operations (a multiplication and
// an addition are two) that the products could not do without. What is computed
// twice to save memory counts once.
type Spent struct {
	Time time.Duration
	Ops  float64
}

// A Profile adds up what each part of a computation takes. It is a stopwatch of
// one goroutine: naming a part ends the one before. A nil Profile measures nothing.
type Profile struct {
	spent [parts]Spent
	part  Part
	since time.Time
	twice bool // what is computed now was counted before
}

// NewProfile returns a profile that is Outside.
func NewProfile() *Profile { return &Profile{part: Outside, since: time.Now()} }

// At says that from now on time is spent on part.
func (p *Profile) At(part Part) {
	if p == nil || p.part == part {
		return
	}
	now := time.Now()
	p.spent[p.part].Time += now.Sub(p.since)
	p.part, p.since = part, now
}

// count adds the operations of a product of n multiplications.
func (p *Profile) count(part Part, n int) {
	if p != nil && !p.twice {
		p.spent[part].Ops += 2 * float64(n)
	}
}

// again says whether what follows is computed a second time.
func (p *Profile) again(twice bool) {
	if p != nil {
		p.twice = twice
	}
}

// Spent returns what a part has taken so far.
func (p *Profile) Spent(part Part) Spent { return p.spent[part] }
