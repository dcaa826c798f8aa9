package report

import (
	"cmp"
	"slices"

	"gonum.org/v1/gonum/stat"

	"example.com/finetune/train/rundir"
	"example.com/finetune/train/sweep"
)

// A Comparison is what runs come to, by configuration, the best first.
type Comparison struct {
	Configurations []*Configuration
	Baseline       *Configuration // nil where none of those named is finished
	Validated      bool           // losses are those of validation rows; else of training
	Scored         bool           // a run has scored its answers
	Axes           []Axis
	Runs           []*Run
	Findings       []string // what a reader should conclude
	Limits         []string // what the data do not show

	unread   []error // of runs that are left out
	judged   []string
	named    int // finished configurations to choose the baseline from
	repeated int // finished runs that are another one again
}

// A Configuration is a recipe apart from its seed, and its runs.
type Configuration struct {
	Label    string
	Runs     []*Run
	Done     []*Run // those that are finished, by seed
	Mean, SD float64
	BestStep float64 // the mean
	Seconds  float64 // the mean
	Pace     float64 // tokens per second of training, the mean
	Bytes    int64   // allocated beside the mapped weights, the most
	Right    Accuracy
	Against  *Difference // of the loss
	Answers  *Difference // of the accuracy; nil where the rows answered are not those of the baseline
}

// An Accuracy is the share of right answers, over the runs that have scored them.
type Accuracy struct {
	Runs           int
	Mean, SD, Base float64 // with the adapter, its standard deviation, and of the base
}

// An Axis is a setting that differs between configurations, with its values: numbers in
// their order.
type Axis struct {
	Key    string
	Values []string
}

// Compare compares runs.
func Compare(runs *Runs) *Comparison {
	c := &Comparison{Runs: runs.List, Validated: true, unread: runs.Unread, judged: runs.judged}
	for _, r := range runs.List {
		if r.Finished() && !r.Provenance.Validated {
			c.Validated = false
		}
	}
	for _, r := range runs.List {
		g := c.configuration(r.Configuration)
		if r.Finished() && g.seeded(r.Recipe.Seed) {
			c.repeated++
			continue
		}
		r.byTraining = !c.Validated
		g.Runs = append(g.Runs, r)
	}
	for _, g := range c.Configurations {
		g.summarise()
	}
	c.Scored = slices.ContainsFunc(c.Configurations, func(g *Configuration) bool { return g.Right.Runs > 0 })
	c.Baseline = c.baseline(runs.Baseline)
	for _, g := range c.Configurations {
		if c.Baseline != nil && g != c.Baseline {
			g.Against, g.Answers = Differ(g, c.Baseline), DifferInAnswers(g, c.Baseline)
		}
	}
	slices.SortStableFunc(c.Configurations, func(a, b *Configuration) int {
		if x, y := len(a.Done) == 0, len(b.Done) == 0; x || y {
			return cmp.Compare(order(x), order(y))
		}
		return cmp.Compare(a.Mean, b.Mean)
	})
	c.axes(runs)
	c.conclude()
	return c
}

func order(last bool) int {
	if last {
		return 1
	}
	return 0
}

// configuration returns the one with a label, which may be new.
func (c *Comparison) configuration(label string) *Configuration {
	for _, g := range c.Configurations {
		if g.Label == label {
			return g
		}
	}
	g := &Configuration{Label: label}
	c.Configurations = append(c.Configurations, g)
	return g
}

// seeded reports whether the configuration has a finished run of a seed.
func (g *Configuration) seeded(seed uint64) bool {
	return slices.ContainsFunc(g.Runs, func(r *Run) bool { return r.Finished() && r.Recipe.Seed == seed })
}

// baseline returns the best finished configuration of those named, else the first.
func (c *Comparison) baseline(labels []string) (best *Configuration) {
	for _, g := range c.Configurations {
		switch {
		case len(g.Done) == 0:
		case len(labels) == 0:
			return g
		case slices.Contains(labels, g.Label):
			if c.named++; best == nil || g.Mean < best.Mean {
				best = g
			}
		}
	}
	return best
}

// summarise takes the means over the finished runs.
func (g *Configuration) summarise() {
	for _, r := range g.Runs {
		if r.Finished() {
			g.Done = append(g.Done, r)
		}
	}
	slices.SortStableFunc(g.Done, func(a, b *Run) int { return cmp.Compare(a.Recipe.Seed, b.Recipe.Seed) })
	var losses, steps, seconds, paces []float64
	for _, r := range g.Done {
		losses = append(losses, r.Loss())
		steps = append(steps, float64(r.Provenance.BestStep))
		seconds = append(seconds, r.Provenance.Seconds)
		paces = append(paces, Pace(r.Status.Metrics))
		g.Bytes = max(g.Bytes, r.Provenance.AllocatedBytes)
	}
	g.Mean, g.SD = stat.MeanStdDev(losses, nil) // NaN of too few
	g.Right = accuracy(g.Done)
	g.BestStep, g.Seconds, g.Pace = stat.Mean(steps, nil), stat.Mean(seconds, nil), stat.Mean(paces, nil)
}

// accuracy takes the means over the runs with scored answers.
func accuracy(runs []*Run) Accuracy {
	var base, adapter []float64
	for _, r := range runs {
		if a := r.Provenance.Answers; a != nil {
			base, adapter = append(base, a.Base), append(adapter, a.Adapter)
		}
	}
	a := Accuracy{Runs: len(adapter), Base: stat.Mean(base, nil)}
	a.Mean, a.SD = stat.MeanStdDev(adapter, nil)
	return a
}

// Pace returns the tokens of training per second of training, evaluations apart; 0 where
// the figures do not say.
func Pace(lines []rundir.Metric) float64 {
	tokens, seconds, before := 0.0, 0.0, 0
	for _, m := range lines {
		if m.Loss == nil {
			continue
		}
		if m.TokensPerSecond > 0 {
			n := float64(m.Tokens - before)
			tokens += n
			seconds += n / m.TokensPerSecond
		}
		before = m.Tokens
	}
	if seconds == 0 {
		return 0
	}
	return tokens / seconds
}

// axes finds the settings that differ between configurations, but for those that follow
// from another: β₁ from the optimizer, the optimizer from the variant.
func (c *Comparison) axes(runs *Runs) {
	var axes []Axis
	if variants := variantsOf(runs.List); len(variants) > 1 {
		axes = append(axes, Axis{"variant", variants})
	}
	keys := runs.differing()
	slices.SortStableFunc(keys, func(a, b string) int { return cmp.Compare(order(!causes(a)), order(!causes(b))) })
	for _, key := range keys {
		var values []string
		for _, r := range runs.List {
			if v := r.text(key); r.Begun && !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
		slices.SortStableFunc(values, byNumber)
		axes = append(axes, Axis{key, values})
	}
	for _, a := range axes {
		if !slices.ContainsFunc(c.Axes, func(of Axis) bool { return c.follows(a, of) }) {
			c.Axes = append(c.Axes, a)
		}
	}
}

// causes reports whether other settings have their defaults by this one.
func causes(key string) bool { return key == "init" || key == "optimizer" || key == "target_modules" }

// follows reports whether the value on one axis is known from that on another.
func (c *Comparison) follows(a, of Axis) bool {
	known := map[string]string{}
	for _, g := range c.Configurations {
		v, cause := g.value(a), g.value(of)
		if before, ok := known[cause]; ok && before != v {
			return false
		}
		known[cause] = v
	}
	return true
}

// variantsOf lists the variants of runs that all have one.
func variantsOf(runs []*Run) (list []string) {
	for _, r := range runs {
		if r.Variant == "" {
			return nil
		}
		if !slices.Contains(list, r.Variant) {
			list = append(list, r.Variant)
		}
	}
	return list
}

// value is what a configuration has on an axis, "" before any of its runs has begun.
func (g *Configuration) value(a Axis) string {
	if a.Key == "variant" {
		return g.Runs[0].Variant
	}
	for _, r := range g.Runs {
		if r.Begun {
			return r.text(a.Key)
		}
	}
	return ""
}

// missing counts the runs that are not finished, by how they are.
func (c *Comparison) missing() map[sweep.State]int {
	counts := map[sweep.State]int{}
	for _, r := range c.Runs {
		if !r.Finished() {
			counts[r.Status.State]++
		}
	}
	return counts
}
