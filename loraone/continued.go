package loraone

import (
	"fmt"
	"slices"
)

// Continued begins where a finished adapter is. It is no row of [Methods]: its start needs
// that adapter, from which [Continue] makes the modules.
var Continued = &Method{
	Name: "adapter", Title: "trained on from a finished adapter", Optimizer: "preconditioned-adamw",
	Scale: ByRoot,
	New:   newLayer, Size: LayerSize,
}

// Continuing returns c with the ranks of a finished adapter. An error names a projection
// that only one of the two means.
func (c Config) Continuing(finished *Adapters) (Config, error) {
	targets, err := c.Projections(finished.Model)
	if err != nil {
		return c, err
	}
	c.Ranks = make([]int, len(targets))
	place, leaves := map[int]int{}, map[string]bool{}
	for i, t := range targets {
		place[t.Index] = i
	}
	for _, m := range finished.Modules {
		l := m.LowRank()
		i, ok := place[l.Index]
		if !ok {
			return c, fmt.Errorf("the adapter has a module of %s, which target_modules and exclude_modules leave out", l.Name)
		}
		c.Ranks[i], leaves[l.Leaf] = l.R, true
	}
	for _, t := range targets {
		if !leaves[t.Leaf] {
			return c, fmt.Errorf("target_modules has %s, and the adapter has no module of it", t.Leaf)
		}
	}
	return c, nil
}

// Continue returns modules that add what those of a finished adapter do, for training
// with c, which [Config.Continuing] has made. They have c's scale: where that is not the
// file's, B is divided by the ratio and rounded once. Pairs of zeros at the end of a
// module, which no gradient would ever reach, get the ordinary start, which adds nothing.
func Continue(c Config, finished *Adapters, seed uint64) (*Adapters, error) {
	a, err := New(finished.Model, c, nil)
	if err != nil {
		return nil, err
	}
	from := map[int]LowRank{}
	for _, m := range finished.Modules {
		from[m.At().Index] = m.LowRank()
	}
	for _, m := range a.Modules {
		l, old := m.(*Layer), from[m.At().Index]
		copy(l.A, old.A)
		ratio := 1.0
		if old.Scale != l.Scale {
			ratio = float64(old.Scale) / float64(l.Scale)
		}
		for o := range l.Out {
			for r := range l.R {
				l.Bt[r*l.Out+o] = float32(ratio * float64(old.B[o*l.R+r]))
			}
		}
		if n := l.living(); n < l.R {
			l.ordinaryStart(seed, n)
		}
		l.Sync()
	}
	return a, nil
}

// living returns how many pairs there are up to the last that is not zero in both factors.
func (l *Layer) living() int {
	zero := func(x []float32) bool { return !slices.ContainsFunc(x, func(v float32) bool { return v != 0 }) }
	n := l.R
	for n > 0 && zero(l.A[(n-1)*l.In:n*l.In]) && zero(l.Bt[(n-1)*l.Out:n*l.Out]) {
		n--
	}
	return n
}
