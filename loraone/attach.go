package loraone

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"example.com/finetune/model"
)

// projections are the leaf names that can be targets, in the order of a block.
var projections = []string{"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}

// A Config says which adapters a model gets; the names are PEFT's.
type Config struct {
	R             int
	Alpha         float64
	TargetModules []string // leaf names such as q_proj, or the one word all-linear
	BaseModel     string   // base_model_name_or_path
}

// Scale returns s = α/√r.
func (c Config) Scale() float64 { return c.Alpha / math.Sqrt(float64(c.R)) }

// Targets returns the leaf names meant by TargetModules, in the order of a block.
func (c Config) Targets() ([]string, error) {
	if slices.Equal(c.TargetModules, []string{"all-linear"}) {
		return projections, nil
	}
	for _, t := range c.TargetModules {
		if !slices.Contains(projections, t) {
			return nil, fmt.Errorf("target module %q not found in the model; it has %s, or all-linear for all of them", t, strings.Join(projections, ", "))
		}
	}
	if len(c.TargetModules) == 0 {
		return nil, errors.New("no target modules")
	}
	targets := slices.Clone(projections)
	return slices.DeleteFunc(targets, func(t string) bool { return !slices.Contains(c.TargetModules, t) }), nil
}

// Check returns an error where the adapters do not fit a model of configuration m.
// It needs no weights.
func (c Config) Check(m *model.Config) error {
	targets, err := c.Targets()
	if err != nil {
		return err
	}
	if c.R < 1 {
		return fmt.Errorf("lora_r is %d, want at least 1", c.R)
	}
	if !(c.Alpha > 0) || math.IsInf(c.Alpha, 0) {
		return fmt.Errorf("lora_alpha is %v, want a positive number", c.Alpha)
	}
	for _, t := range targets {
		if out, in := shape(m, t); c.R > min(out, in) {
			return fmt.Errorf("lora_r is %d, but %s is %d×%d: want at most %d", c.R, t, out, in, min(out, in))
		}
	}
	return nil
}

// shape returns a projection's out and in features.
func shape(m *model.Config, target string) (out, in int) {
	q, kv := m.NumAttentionHeads*m.HeadDim, m.NumKeyValueHeads*m.HeadDim
	switch target {
	case "q_proj":
		return q, m.HiddenSize
	case "k_proj", "v_proj":
		return kv, m.HiddenSize
	case "o_proj":
		return m.HiddenSize, q
	case "down_proj":
		return m.HiddenSize, m.IntermediateSize
	}
	return m.IntermediateSize, m.HiddenSize
}

// Parameters returns how many numbers the adapters would train in a model of
// configuration m.
func (c Config) Parameters(m *model.Config) int {
	n := 0
	targets, _ := c.Targets()
	for _, t := range targets {
		out, in := shape(m, t)
		n += (out + in) * c.R * m.NumHiddenLayers
	}
	return n
}

// TrainingBytes returns what the layers hold while micro-batches of the given
// tokens pass: values, transposed copies, gradients, and x·Aᵀ with its gradient.
func (c Config) TrainingBytes(m *model.Config, tokens int) int64 {
	targets, _ := c.Targets()
	return 4 * (3*int64(c.Parameters(m)) + 2*int64(tokens*c.R*len(targets)*m.NumHiddenLayers))
}

// Start returns what the spectral start holds besides at its highest, gradients that
// are formed together (see StartOptions) or sketches of all, and about how many passes
// over the sequences it takes.
func (c Config) Start(m *model.Config, formedBytes int64) (bytes int64, passes int) {
	targets, _ := c.Targets()
	var sizes, sketches []int64
	for range m.NumHiddenLayers {
		for _, t := range targets {
			out, in := shape(m, t)
			sizes = append(sizes, 4*int64(out)*int64(in))
			sketches = append(sketches, 4*int64(sketchWidth(c.R, in, out))*int64(2*in+2*out))
		}
	}
	groups := formedGroups(sizes, formedBytes)
	for _, g := range groups {
		bytes = max(bytes, g.bytes)
	}
	if groups == nil {
		for _, n := range sketches {
			bytes += n
		}
	}
	return bytes, passesOf(groups)
}

// Adapters are the layers attached to a model, in the model's order.
type Adapters struct {
	Config Config
	Layers []*Layer

	linears []*model.Linear
}

// Attach gives each target projection of m a Layer that changes nothing yet.
func Attach(m *model.Model, c Config) (*Adapters, error) {
	if err := c.Check(m.Config); err != nil {
		return nil, err
	}
	targets, err := c.Targets()
	if err != nil {
		return nil, err
	}
	a := &Adapters{Config: c}
	for _, l := range m.Linears() {
		if slices.Contains(targets, l.Name[strings.LastIndexByte(l.Name, '.')+1:]) {
			a.Add(l, NewLayer(l.Name, l.W.Cols, l.W.Rows, c.R, c.Scale()))
		}
	}
	return a, nil
}

// Add sets layer as the adapter of l.
func (a *Adapters) Add(l *model.Linear, layer *Layer) {
	l.Adapter = layer
	a.Layers = append(a.Layers, layer)
	a.linears = append(a.linears, l)
}

// Detach takes the layers off the model; Reattach puts them back.
func (a *Adapters) Detach() {
	for _, l := range a.linears {
		l.Adapter = nil
	}
}

// Reattach puts detached layers back.
func (a *Adapters) Reattach() {
	for i, l := range a.linears {
		l.Adapter = a.Layers[i]
	}
}

// Parameters returns how many numbers are trained.
func (a *Adapters) Parameters() int {
	n := 0
	for _, l := range a.Layers {
		n += len(l.A) + len(l.Bt)
	}
	return n
}

// StartLoRA gives every layer the ordinary start: A uniform, B zero.
func (a *Adapters) StartLoRA(seed uint64) {
	for _, l := range a.Layers {
		l.startLoRA(seed, 0)
		l.Sync()
	}
}
