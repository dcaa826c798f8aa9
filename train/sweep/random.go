package sweep

import (
	"math"
	"strconv"

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

// digits of a drawn value: enough for a search, and readable.
const digits = 3

// draw returns sample i. It depends on the seed, the setting's name and i alone: more
// samples or settings leave it as it is.
func (d *drawn) draw(i int) (list []Setting) {
	for _, a := range d.axes {
		list = append(list, Setting{Key: a.key, Text: a.value(random.ForNames(d.seed, "sweep", a.key, strconv.Itoa(i)))})
	}
	return list
}

func (a *drawnAxis) value(s *random.Stream) string {
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
