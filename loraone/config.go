package loraone

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"example.com/finetune/loraone/spectrum"
	"example.com/finetune/model"
)

// allLinear is the one word for all projections, PEFT's.
const allLinear = "all-linear"

// A Config says which adapters a model gets.
type Config struct {
	Method        *Method
	R             int
	Alpha         float64
	TargetModules []string // leaf names such as q_proj, or the one word all-linear
	UseRSLoRA     *bool    // α/√r or α/r; nil: the method's own scale

	// ExcludeModules are left out of TargetModules: a leaf, a whole name, or components of
	// one such as layers.0 or layers.0.self_attn.q_proj.
	ExcludeModules []string
	// Ranks are those of the projections that are meant, in the model's order; 0: no
	// module. nil: R for all.
	Ranks []int
}

// Scale returns the factor of B·A in a module of rank r.
func (c Config) Scale(r int) float64 {
	switch {
	case c.UseRSLoRA == nil:
		return c.Method.Scale(c.Alpha, r)
	case *c.UseRSLoRA:
		return ByRoot(c.Alpha, r)
	}
	return ByRank(c.Alpha, r)
}

// Targets returns the leaf names that TargetModules means, but for those that
// ExcludeModules names, in the order of a layer that has the given ones. Where projections
// are fused, one of them means the whole that holds it: PEFT's q_proj and v_proj of LLaMA
// are its qkv_proj of Phi-3.
func (c Config) Targets(leaves []string) ([]string, error) {
	all := slices.Equal(c.TargetModules, []string{allLinear})
	var meant []string
	for _, t := range c.TargetModules {
		whole := model.Whole(t, leaves)
		meant = append(meant, whole)
		if !all && whole == "" {
			return nil, fmt.Errorf("target module %q not found in the model; it has %s, or all-linear for all of them", t, strings.Join(leaves, ", "))
		}
	}
	if len(c.TargetModules) == 0 {
		return nil, errors.New("no target modules")
	}
	targets := slices.DeleteFunc(slices.Clone(leaves), func(leaf string) bool {
		return !all && !slices.Contains(meant, leaf) || slices.Contains(c.ExcludeModules, leaf)
	})
	if len(targets) == 0 {
		return nil, fmt.Errorf("exclude_modules leaves nothing of %s", strings.Join(c.TargetModules, ", "))
	}
	return targets, nil
}

// Projections returns those that TargetModules means and ExcludeModules does not, in the
// model's order. An entry of either that means none is an error.
func (c Config) Projections(m *model.Config) ([]model.Projection, error) {
	targets, err := c.Targets(m.Leaves())
	if err != nil {
		return nil, err
	}
	all := m.Linears()
	for _, entry := range c.ExcludeModules {
		if !slices.ContainsFunc(all, func(p model.Projection) bool { return within(entry, p.Name) }) {
			return nil, fmt.Errorf("exclude_modules: %q is in no name of a projection of the model; it has %s, each in layers.0 to layers.%d, with names such as %s",
				entry, strings.Join(m.Leaves(), ", "), m.NumHiddenLayers-1, all[0].Name)
		}
	}
	list := slices.DeleteFunc(all, func(p model.Projection) bool {
		return !slices.Contains(targets, p.Leaf) || slices.ContainsFunc(c.ExcludeModules, func(entry string) bool { return within(entry, p.Name) })
	})
	if len(list) == 0 {
		return nil, fmt.Errorf("exclude_modules leaves nothing of %s", strings.Join(c.TargetModules, ", "))
	}
	return list, nil
}

// LeftOut returns how many projections of TargetModules get no module, by ExcludeModules
// or Ranks.
func (c Config) LeftOut(m *model.Config) int {
	all := c
	all.ExcludeModules = nil
	meant, _ := all.Projections(m)
	list, _ := c.Projections(m)
	n := len(meant) - len(list)
	for _, r := range c.Ranks {
		if r == 0 {
			n++
		}
	}
	return n
}

// within reports whether the components of an entry follow each other in a name. PEFT
// takes those at its end.
func within(entry, name string) bool { return strings.Contains("."+name+".", "."+entry+".") }

// Check returns an error where the adapters do not fit a model of configuration m.
// It needs no weights.
func (c Config) Check(m *model.Config) error {
	targets, err := c.Projections(m)
	if err != nil {
		return err
	}
	if c.R < 1 {
		return fmt.Errorf("lora_r is %d, want at least 1", c.R)
	}
	if !(c.Alpha > 0) || math.IsInf(c.Alpha, 0) {
		return fmt.Errorf("lora_alpha is %v, want a positive number", c.Alpha)
	}
	if c.Ranks != nil && len(c.Ranks) != len(targets) {
		return fmt.Errorf("%d ranks for %d projections", len(c.Ranks), len(targets))
	}
	for i, t := range targets {
		if r := c.rank(nil, i); r > min(t.Out, t.In) {
			return fmt.Errorf("lora_r is %d, but %s is %d×%d: want at most %d", r, t.Leaf, t.Out, t.In, min(t.Out, t.In))
		}
		if pairs := c.Method.pairs(c.R); pairs > min(t.Out, t.In) {
			return fmt.Errorf("lora_r is %d, and %s starts from %d singular vectors, but %s is %d×%d", c.R, c.Method.Name, pairs, t.Leaf, t.Out, t.In)
		}
	}
	return nil
}

// size adds up what the modules hold.
func (c Config) size(m *model.Config) (sum Size) {
	targets, _ := c.Projections(m)
	for i, t := range targets {
		s := c.Method.Size(t, c.rank(nil, i))
		sum.Trained += s.Trained
		sum.Held += s.Held
		sum.PerToken += s.PerToken
	}
	return sum
}

// Parameters returns how many numbers the adapters would train in a model of
// configuration m.
func (c Config) Parameters(m *model.Config) int { return c.size(m).Trained }

// TrainingBytes returns what the modules hold while micro-batches of the given tokens
// pass.
func (c Config) TrainingBytes(m *model.Config, tokens int) int64 {
	s := c.size(m)
	return 4 * (int64(s.Held) + int64(tokens)*int64(s.PerToken))
}

// StartCost returns what [Start] holds besides at its highest on some threads, and about
// how many passes over the sequences it takes. materialised is as in StartOptions.
func (c Config) StartCost(m *model.Config, materialised int64, threads int) (bytes int64, passes int) {
	targets, _ := c.Projections(m)
	if c.Method.Need(Gradient) {
		bytes, passes = spectrum.Cost(c.wanted(targets, nil), c.spectrumOptions(StartOptions{MaterialisedBytes: materialised}))
		if c.Method.Ranks != nil {
			passes *= 2
		}
	}
	if c.Method.Need(Weights) {
		largest := int64(0)
		for _, t := range targets {
			largest = max(largest, 4*int64(t.Out)*int64(t.In))
		}
		bytes += largest * int64(threads)
	}
	return bytes, passes
}

// wanted returns what the method wants of the initial gradient for modules of given
// ranks; nil: all R.
func (c Config) wanted(targets []model.Projection, ranks []int) []spectrum.Target {
	list := make([]spectrum.Target, len(targets))
	for i, t := range targets {
		list[i] = spectrum.Target{Projection: t, Pairs: min(c.Method.pairs(c.rank(ranks, i)), t.Out, t.In)}
	}
	return list
}

// rank returns that of projection i, from ranks, else from the configuration.
func (c Config) rank(ranks []int, i int) int {
	switch {
	case ranks != nil:
		return ranks[i]
	case c.Ranks != nil:
		return c.Ranks[i]
	}
	return c.R
}

func (c Config) spectrumOptions(o StartOptions) spectrum.Options {
	return spectrum.Options{Seed: o.Seed, Whole: c.Method.Need(Gradient | Whole), Progress: o.Progress, MaterialisedBytes: o.MaterialisedBytes}
}
