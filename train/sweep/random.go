package sweep

import (
	"fmt"
	"math"
	"strconv"

	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/random"
	"example.com/finetune/train/recipe"
)

// A drawn is a number of configurations whose settings are drawn.
type drawn struct {
	samples int
	seed    uint64
	axes    []drawnAxis
}

// A drawnAxis is a setting and where its values come from: texts, or an interval.
type drawnAxis struct {
	key     string
	choices []string
	lo, hi  float64
	log     bool // evenly on a logarithmic scale
}

// random reads what is drawn: {samples: 20, weight_decay: {log: [1e-4, 1e-1]}}.
func (r *reader) random(e recipe.Entry) drawn {
	d := drawn{}
	for _, s := range r.mapping(e, "samples, and settings with {log: [low, high]}, {uniform: [low, high]} or {choice: [values]}") {
		switch s.Key {
		case "samples":
			d.samples = r.whole(s, 1)
		case "seed":
			d.seed = uint64(r.whole(s, 0))
		default:
			if key, ok := r.key(s, "random"); ok {
				d.axes = append(d.axes, r.drawnAxis(s, key))
			}
		}
	}
	switch {
	case d.samples == 0:
		r.fault(e.Line, "", "random: samples: how many are to be drawn?")
	case len(d.axes) == 0:
		r.fault(e.Line, "", "random: no setting to draw")
	case len(r.found) == 0 && float64(d.samples) > d.combinations():
		r.fault(e.Line, "grid takes every combination once", "random: samples is %d, and there are %.0f different ones", d.samples, d.combinations())
	}
	return d
}

func (r *reader) drawnAxis(s recipe.Entry, key string) drawnAxis {
	a := drawnAxis{key: key}
	entries := r.mapping(s, "{log: [low, high]}, {uniform: [low, high]} or {choice: [values]}")
	if len(entries) != 1 {
		if len(r.found) == 0 || len(entries) > 1 {
			r.fault(s.Line, "", "random: %s: want one of log, uniform and choice", key)
		}
		return a
	}
	from := entries[0]
	nodes, _ := from.Value.List()
	switch {
	case from.Key == "choice" && len(nodes) > 0:
		a.choices = r.values(s, key, "random", nodes)
		return a
	case from.Key == "log" || from.Key == "uniform":
		a.log = from.Key == "log"
		if a.lo, a.hi = bounds(nodes); a.lo < a.hi && (!a.log || a.lo > 0) {
			return a
		}
		r.fault(s.Line, "", "random: %s: want two numbers, the smaller first%s", key, map[bool]string{true: ", both above 0"}[a.log])
	default:
		r.fault(s.Line, "", "random: %s: %.40q, want log, uniform or choice with a list", key, from.Key)
	}
	return a
}

// bounds returns the two numbers of a list, NaN for what is not one.
func bounds(nodes []recipe.Node) (lo, hi float64) {
	if len(nodes) != 2 {
		return math.NaN(), math.NaN()
	}
	read := func(n recipe.Node) float64 {
		text, _ := n.Text()
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(x, 0) {
			return math.NaN()
		}
		return x
	}
	return read(nodes[0]), read(nodes[1])
}

// A drawn value has as many digits as a search needs to read, and more where fewer have been
// drawn already: 17 tell any two numbers apart.
const (
	fewestDigits = 3
	mostDigits   = 17
)

// mostTries at a sample find all of a thousand combinations that are equally likely.
const mostTries = 20_000

// draws returns the samples in their order, all different. What a sample is follows from the
// seed, the settings and the samples before it: more samples leave it as it is.
func (d *drawn) draws() ([][]Setting, error) {
	list, taken := make([][]Setting, d.samples), map[string]bool{}
	for i := range list {
		var ok bool
		if list[i], ok = d.draw(i, taken); !ok {
			return nil, hint.New(fmt.Errorf("random: sample %d of %d comes out as one before it however often it is drawn", i+1, d.samples),
				fmt.Sprintf("samples: %d, wider intervals, or grid, which takes every combination once", i))
		}
	}
	return list, nil
}

// draw returns sample i, unlike those that are taken. Where it is one of them it gets more
// digits, and where it has none to get, as a choice, it is drawn again.
func (d *drawn) draw(i int, taken map[string]bool) ([]Setting, bool) {
	most := fewestDigits
	if math.IsInf(d.combinations(), 1) {
		most = mostDigits
	}
	for try := range mostTries {
		for digits := fewestDigits; digits <= most; digits++ {
			list := d.sample(i, try, digits)
			if id := label("", list); !taken[id] {
				taken[id] = true
				return list, true
			}
		}
	}
	return nil, false
}

// sample is what comes out of one try at sample i. Of each setting it depends on the seed, the
// setting's name, i and the try alone.
func (d *drawn) sample(i, try, digits int) []Setting {
	list := make([]Setting, len(d.axes))
	for k := range d.axes {
		a := &d.axes[k]
		names := []string{"sweep", a.key, strconv.Itoa(i)}
		if try > 0 {
			names = append(names, strconv.Itoa(try))
		}
		list[k] = Setting{Key: a.key, Text: a.value(random.ForNames(d.seed, names...), digits)}
	}
	return list
}

// combinations is how many different samples there are, +Inf where a value has digits to get.
func (d *drawn) combinations() float64 {
	n := 1.0
	for k := range d.axes {
		switch a := &d.axes[k]; {
		case len(a.choices) > 0:
			n *= float64(len(a.choices))
		case a.fine():
			return math.Inf(1)
		default:
			n *= math.Round(a.hi) - math.Round(a.lo) + 1
		}
	}
	return n
}

// fine reports whether more digits make another value.
func (a *drawnAxis) fine() bool { return len(a.choices) == 0 && !recipe.Whole(a.key) }

func (a *drawnAxis) value(s *random.Stream, digits int) string {
	if len(a.choices) > 0 {
		return a.choices[s.Below(len(a.choices))]
	}
	u := s.Float64()
	x := a.lo + float64(u*(a.hi-a.lo))
	if a.log {
		x = math.Exp(math.Log(a.lo) + float64(u*(math.Log(a.hi)-math.Log(a.lo))))
	}
	if recipe.Whole(a.key) {
		return strconv.FormatFloat(math.Round(x), 'f', -1, 64)
	}
	return strconv.FormatFloat(x, 'g', digits, 64)
}
