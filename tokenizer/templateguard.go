package tokenizer

import (
	"errors"
	"fmt"
	"time"

	"github.com/ardanlabs/jinja"
)

// What a template may use. It comes with a model from anywhere, so it must not
// hang a run or eat the machine's memory; no real one comes near these.
const (
	maxTemplate = 1 << 18          // bytes of source: the longest in use have 2^15
	templateRun = 10 * time.Second // for all renderings of one conversation
	maxText     = 1 << 24          // bytes of a string: millions of tokens
	maxValue    = 1 << 26          // bytes of a value, printed; and of all that is written
	maxDepth    = 1000             // lists in one another
	maxSpent    = 1 << 30          // bytes of all values made in one rendering
	maxMacros   = 200              // calls in one another: Python ends near there too
	maxRange    = 100_000          // jinja2's sandbox has the same
)

// stopped is the error of a template that went over a limit.
type stopped string

func (s stopped) Error() string { return string(s) }

// ErrEndless is a template that does not seem to come to an end.
var ErrEndless error = stopped("does not come to an end")

// errInnerNamespace keeps values free of cycles.
var errInnerNamespace = errors.New("a namespace inside of another value is not supported")

// guard watches one rendering. Each of our functions reports to it what it makes,
// and the rewriting puts a call of one into every loop and macro.
type guard struct {
	deadline time.Time
	limit    time.Duration
	calls    int
	spent    int
	written  int
	macros   int
	spaces   map[*jinja.Dict]bool // namespaces: the only values that change
	weights  map[any]weight       // of lists and dicts
}

// weight is the size of a value, written out, and how deep it is nested.
type weight struct{ bytes, depth int }

func newGuard(limit time.Duration, deadline time.Time) *guard {
	return &guard{limit: limit, deadline: deadline, spaces: map[*jinja.Dict]bool{}, weights: map[any]weight{}}
}

// spend counts a call that made bytes.
func (g *guard) spend(bytes int) error {
	const callBytes, callsPerLook = 64, 64
	if g.spent += bytes + callBytes; g.spent > maxSpent {
		return fmt.Errorf("%w: has made more than %d MiB of values", ErrEndless, maxSpent>>20)
	}
	if g.calls++; g.calls%callsPerLook == 0 && time.Now().After(g.deadline) {
		return fmt.Errorf("%w: still running after %v", ErrEndless, g.limit)
	}
	return nil
}

// text is a new string, if it is not too long. Its length is checked by room first
// where it is more than that of what it is made of.
func (g *guard) text(s string) (jinja.Value, error) {
	return jinja.NewString(s), g.room(len(s))
}

func (g *guard) room(bytes int) error {
	if bytes > maxText {
		return stopped(fmt.Sprintf("makes a text of more than %d MiB", maxText>>20))
	}
	return g.spend(bytes)
}

// keep counts a value that the renderer has made. Values nest without end only
// through namespaces, which therefore stay out of other values.
func (g *guard) keep(v jinja.Value) (jinja.Value, error) {
	const itemBytes = 64
	switch {
	case v.IsString():
		return v, g.room(len(v.AsString()))
	case v.IsDict() && g.spaces[v.AsDict()]:
		return v, g.spend(0)
	case v.IsList(), v.IsDict():
		w, err := g.weigh(v)
		if err == nil && w.bytes > maxValue {
			err = stopped(fmt.Sprintf("makes a value of more than %d MiB", maxValue>>20))
		}
		if err == nil && w.depth > maxDepth {
			err = stopped(fmt.Sprintf("makes lists nested deeper than %d", maxDepth))
		}
		if err != nil {
			return v, err
		}
		n := 0
		if v.IsList() {
			n = v.AsList().Len()
		} else {
			n = v.AsDict().Len()
		}
		return v, g.spend(itemBytes * n)
	}
	return v, g.spend(0)
}

func (g *guard) weigh(v jinja.Value) (weight, error) {
	const plain = 16
	switch {
	case v.IsString():
		return weight{plain + len(v.AsString()), 0}, nil
	case v.IsList():
		l := v.AsList()
		return g.sum(l, l.Items)
	case v.IsDict():
		d := v.AsDict()
		if g.spaces[d] {
			return weight{}, errInnerNamespace
		}
		items := make([]jinja.Value, 0, 2*len(d.Keys))
		for _, k := range d.Keys {
			items = append(items, jinja.NewString(k), d.Data[k])
		}
		return g.sum(d, items)
	}
	return weight{plain, 0}, nil
}

// sum is the weight of a list or dict, known from then on.
func (g *guard) sum(key any, items []jinja.Value) (weight, error) {
	if w, ok := g.weights[key]; ok {
		return w, nil
	}
	w := weight{16, 1}
	for _, item := range items {
		i, err := g.weigh(item)
		if err != nil {
			return w, err
		}
		w = weight{min(w.bytes+i.bytes, 2*maxValue), max(w.depth, i.depth+1)}
	}
	g.weights[key] = w
	return w, nil
}

// enter and leave stand around the body of a macro.
func (g *guard) enter() error {
	if g.macros++; g.macros > maxMacros {
		return stopped(fmt.Sprintf("macros call each other more than %d deep", maxMacros))
	}
	return g.spend(0)
}

func (g *guard) leave() { g.macros-- }
