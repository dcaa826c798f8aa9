package sweep

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/train/recipe"
)

// A Run is one of a sweep.
type Run struct {
	Index         int
	Configuration int    // its number; runs of one differ in the seed alone
	Variant       string // "" without variants
	Settings      []Setting
	Seed          uint64
	Name          string // of its folder
	Config        *recipe.Resolved

	figures figures // as read while it was at work
}

// Label names a configuration: its variant and what differs.
func (r *Run) Label() string { return label(r.Variant, r.Settings) }

func label(variant string, settings []Setting) string {
	var parts []string
	if variant != "" {
		parts = append(parts, variant)
	}
	for _, s := range settings {
		if !s.Implied {
			parts = append(parts, s.Key+"="+s.Text)
		}
	}
	if len(parts) == 0 {
		return "base"
	}
	return strings.Join(parts, ",")
}

// MostUnasked is how many runs a sweep may have without being asked twice.
const MostUnasked = 500

// Count returns how many runs the file makes.
func (f *File) Count() int {
	configurations := 0
	for _, v := range f.named() {
		n := 1
		for _, a := range v.axes {
			n = times(n, len(a.texts))
		}
		configurations += n
	}
	for _, a := range f.grid {
		configurations = times(configurations, len(a.texts))
	}
	return times(times(configurations, max(1, f.random.samples)), len(f.Seeds))
}

// times multiplies, up to a number that is too many anyway.
func times(a, b int) int { return min(a*b, 1<<40) }

// named are the variants, or one that changes nothing.
func (f *File) named() []variant {
	if len(f.variants) == 0 {
		return []variant{{}}
	}
	return f.variants
}

// Runs expands the file: variants, each over its own values, over the grid, over the
// samples, over the seeds, which change fastest. All mistakes in recipes are reported
// together.
func (f *File) Runs() ([]*Run, error) {
	var runs []*Run
	var found []error
	told, same := map[string]bool{}, map[string]*Run{}
	configuration := 0
	drawn, err := f.random.draws()
	if err != nil {
		return nil, hint.New(hint.Usagef("%s: %w", f.Path, err), hint.Of(err))
	}
	for _, v := range f.named() {
		for _, settings := range f.configurations(v, drawn) {
			for _, seed := range f.Seeds {
				r := &Run{Index: len(runs), Configuration: configuration, Variant: v.name, Settings: settings, Seed: seed}
				runs = append(runs, r)
				err := r.resolve(f)
				if err == nil {
					err = twice(same, r)
				}
				if err != nil && !told[err.Error()] {
					told[err.Error()] = true
					found = append(found, hint.New(hint.Usagef("%s: %s: %w", f.Path, r.Label(), err), hint.Of(err)))
				}
			}
			configuration++
		}
	}
	if err := recipe.Together(found); err != nil {
		return nil, err
	}
	return runs, f.checkBaseline(runs)
}

// configurations are the settings of a variant's: those that differ from the base. Each has
// all that is drawn.
func (f *File) configurations(v variant, drawn [][]Setting) [][]Setting {
	list := product(product([][]Setting{nil}, v.axes, true), f.grid, false)
	if len(drawn) == 0 {
		return list
	}
	var all [][]Setting
	for _, settings := range list {
		for _, sample := range drawn {
			all = append(all, slices.Concat(settings, sample))
		}
	}
	return all
}

// product extends each list of settings by every combination of the axes' values, of
// which the last changes fastest. implied says that a single value goes without saying.
func product(list [][]Setting, axes []axis, implied bool) [][]Setting {
	for _, a := range axes {
		var longer [][]Setting
		for _, settings := range list {
			for _, text := range a.texts {
				longer = append(longer, append(slices.Clone(settings), Setting{Key: a.key, Text: text, Implied: implied && len(a.texts) == 1}))
			}
		}
		list = longer
	}
	return list
}

// resolve makes the run's settings and its folder's name.
func (r *Run) resolve(f *File) error {
	c := f.Base
	c.Notes = nil
	c.Seed = r.Seed
	for _, s := range r.Settings {
		if err := c.Set(s.Key, s.Text); err != nil {
			return err
		}
	}
	compare(&c)
	c.OutputDir = f.OutputDir // until the name is known
	c.Resume = true
	resolved, err := c.Resolve()
	if err != nil {
		return err
	}
	r.Name = r.name(resolved)
	resolved.OutputDir = filepath.Join(f.OutputDir, r.Name)
	r.Config = resolved
	return nil
}

// compare sets how often and on how many rows runs are evaluated where that is left to each
// of them: runs that are compared have the same rows, however long they are.
func compare(c *recipe.Config) {
	if c.EvalSteps == recipe.Chosen {
		c.EvalSteps = 0
	}
	if c.EvalSamples == recipe.Chosen {
		c.EvalSamples = recipe.MostEvalRows
	}
}

// longestName leaves room for what files in the folder of logs add.
const longestName = 120

// name is readable, and of one recipe alone.
func (r *Run) name(c *recipe.Resolved) string {
	text := strings.Map(func(x rune) rune {
		if x < 0x80 && (x >= 'a' && x <= 'z' || x >= 'A' && x <= 'Z' || x >= '0' && x <= '9' || strings.ContainsRune("._=,+-", x)) {
			return x
		}
		return '_'
	}, fmt.Sprintf("%s,seed=%d", r.Label(), r.Seed))
	return strings.TrimLeft(text[:min(len(text), longestName)], ".-") + "-" + hash(c)
}

// hash is the part of a recipe's identity that stands in the folder's name.
func hash(c *recipe.Resolved) string { return identity(c)[:8] }

// hashIn is the hash in the name of a run's folder.
func hashIn(name string) string { return name[strings.LastIndexByte(name, '-')+1:] }

// identity is of a recipe, its model, its data and the adapter that it begins from. What is
// as it is by default is left out, so that a setting which a later version adds changes no
// name.
func identity(c *recipe.Resolved) string {
	standard := recipe.Default()
	compare(&standard)
	method := c.Init.Method()
	standard.Optimizer, standard.InitGamma = recipe.Optimizer(method.Optimizer), method.Gamma // as resolved
	h := sha256.New()
	for _, key := range recipe.Keys() {
		if text := c.Text(key); key == "model" || key == "data" || (key == "adapter" || recipe.Decides(key)) && text != standard.Text(key) {
			fmt.Fprintf(h, "%s=%q\n", key, text)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// twice returns an error for a run that is another one too. One that differs from another in
// what changes nothing alone, as epochs do where max_steps counts, gets a note.
func twice(same map[string]*Run, r *Run) error {
	id, effective := identity(r.Config), "effective "+identity(r.Config.Effective())
	if before, ok := same[id]; ok {
		return fmt.Errorf("the same run as %s", before.Label())
	}
	if before, ok := same[effective]; ok {
		r.Config.Notes = append(slices.Clone(r.Config.Notes), fmt.Sprintf("%s comes out as %s does: what differs changes nothing there", r.Label(), before.Label()))
	} else {
		same[effective] = r
	}
	same[id] = r
	return nil
}

// Baseline lists the configurations that others are compared to, the first where the
// file names none.
func (f *File) Baseline(runs []*Run) (list []int) {
	for _, r := range runs {
		if !slices.Contains(list, r.Configuration) && r.has(f.baseline) {
			list = append(list, r.Configuration)
		}
	}
	if f.baseline == nil {
		return list[:1]
	}
	return list
}

// has reports whether a run has all of some settings.
func (r *Run) has(settings []Setting) bool {
	for _, s := range settings {
		if s.Key == "variant" {
			if r.Variant != s.Text {
				return false
			}
		} else if r.Config.Text(s.Key) != s.Text {
			return false
		}
	}
	return true
}

func (f *File) checkBaseline(runs []*Run) error {
	if len(f.Baseline(runs)) > 0 {
		return nil
	}
	var names []string
	for _, v := range f.variants {
		names = append(names, v.name)
	}
	err := hint.Usagef("%s: baseline: no run has %s", f.Path, label("", f.baseline))
	if len(names) > 0 {
		return hint.New(err, "the variants are "+strings.Join(names, ", "))
	}
	return err
}
