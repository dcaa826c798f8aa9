package loraone

import (
	"context"
	"fmt"
	"math"
	"slices"

	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// Gradients are formed in groups of layers, a pass over the sequences each. Where all
// together take more than formedLimit bytes, none is formed. That is a fixed number, as
// a memory budget must not change a result. exactSide is the shorter side up to which a
// formed G is decomposed whole. Only tests change them.
var (
	formedLimit = int64(1 << 30)
	exactSide   = 128
)

// DefaultFormedBytes is StartOptions.FormedBytes where it is 0.
const DefaultFormedBytes = 512 << 20

const (
	// A sketch of G is refined until its top r values move by less than this share,
	// or this many times. Products with a formed G are cheap; a sketch costs a pass
	// over the sequences each.
	formedTolerance, formedRounds = 1e-7, 24
	sketchTolerance, sketchRounds = 1e-4, 8
)

// A gradient sets layers from the leading spectra of the one gradient of each
// projection.
type gradient struct {
	ctx     context.Context
	layers  []*Layer
	linears []*model.Linear
	engine  *model.Engine
	batches [][]model.Sequence
	weights []float32 // of each sequence: 1/(K·targets)
	options StartOptions
	passes  int     // over the sequences so far
	groups  []group // whose G are formed together; nil: only sketches of them are kept
	modules []ModuleReport
}

func newGradient(ctx context.Context, a *Adapters, e *model.Engine, seqs []model.Sequence, o StartOptions) (*gradient, error) {
	if len(seqs) == 0 {
		return nil, fmt.Errorf("no sequences for the initial gradient")
	}
	if !(o.Gamma > 0) {
		return nil, fmt.Errorf("init_gamma is %v, want a positive number", o.Gamma)
	}
	g := &gradient{ctx: ctx, layers: a.Layers, linears: a.linears, engine: e, options: o, modules: make([]ModuleReport, len(a.Layers))}
	for i, s := range seqs {
		n := s.Targets()
		if n == 0 {
			return nil, fmt.Errorf("sequence %d of the initial gradient has no trained tokens", i)
		}
		g.weights = append(g.weights, float32(1/(float64(len(seqs))*float64(n))))
	}
	g.batches = e.MicroBatches(seqs)
	sizes := make([]int64, len(a.Layers))
	for i, l := range a.Layers {
		sizes[i] = 4 * int64(l.Out) * int64(l.In)
	}
	g.groups = formedGroups(sizes, o.FormedBytes)
	return g, nil
}

// A group is layers [from,to) and the bytes of their G.
type group struct {
	from, to int
	bytes    int64
}

// formedGroups cuts layers, whose G have the given sizes, into groups to be formed
// together, of at most limit bytes but for a single one; nil where they are not formed.
func formedGroups(sizes []int64, limit int64) []group {
	if limit == 0 {
		limit = DefaultFormedBytes
	}
	var groups []group
	total := int64(0)
	for i, n := range sizes {
		total += n
		if last := len(groups) - 1; last >= 0 && groups[last].bytes+n <= limit {
			groups[last].to, groups[last].bytes = i+1, groups[last].bytes+n
		} else {
			groups = append(groups, group{i, i + 1, n})
		}
	}
	if total > formedLimit {
		return nil
	}
	return groups
}

// start sets all layers, and modules.
func (g *gradient) start() error {
	if g.groups == nil {
		return g.startSketched()
	}
	for _, part := range g.groups {
		if err := g.startFormed(part); err != nil {
			return err
		}
	}
	return nil
}

// startFormed sets the layers of a group.
func (g *gradient) startFormed(part group) error {
	recs := make([]recorder, len(g.layers))
	formed := make([]simd.View, len(g.layers))
	for i := part.from; i < part.to; i++ {
		l := g.layers[i]
		formed[i] = simd.Dense(make([]float32, l.Out*l.In), l.Out, l.In)
		recs[i] = &whole{g: formed[i]}
	}
	if err := g.record(recs); err != nil {
		return err
	}
	clear(recs)
	return g.each(part, func(i int) (err error) {
		l, G := g.layers[i], formed[i]
		formed[i] = simd.View{} // its memory is free as soon as it has served
		var sp *spectrum
		if min(l.In, l.Out) <= exactSide {
			sp, err = decompose(G.Data, l.Out, l.In)
		} else {
			sp, err = newSketch(l, g.options.Seed).of(G)
		}
		if err == nil {
			g.modules[i] = l.start(sp, norm(G.Data), g.options)
		}
		return err
	})
}

// startSketched sets all layers from sketches.
func (g *gradient) startSketched() error {
	all := make([]*sketch, len(g.layers))
	for i, l := range g.layers {
		all[i] = newSketch(l, g.options.Seed)
	}
	norms, err := g.refine(all)
	if err != nil {
		return err
	}
	return g.each(group{from: 0, to: len(all)}, func(i int) error {
		g.modules[i] = g.layers[i].start(all[i].spectrum(), norms[i], g.options)
		return nil
	})
}

// each calls f for each layer of a group, on all threads.
func (g *gradient) each(part group, f func(i int) error) error {
	errs := make([]error, part.to)
	g.engine.Pool().Run(part.to-part.from, func(_, task int) { errs[part.from+task] = f(part.from + task) })
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("%s: %w", g.layers[i].Name, err)
		}
	}
	return nil
}

// record runs all sequences forward and backward through recs.
func (g *gradient) record(recs []recorder) error {
	defer func() {
		for _, l := range g.linears {
			l.Adapter = nil
		}
	}()
	for i, l := range g.linears {
		l.Adapter = nil
		if recs[i] != nil {
			l.Adapter = recs[i]
		}
	}
	first := 0
	for i, batch := range g.batches {
		if err := g.ctx.Err(); err != nil {
			return err
		}
		losses := g.engine.LossBackward(batch, g.weights[first:first+len(batch)])
		for k, l := range losses {
			if math.IsNaN(l.Sum) || math.IsInf(l.Sum, 0) {
				return &NonFiniteError{Sequence: first + k}
			}
		}
		bad := make([]bool, len(recs))
		g.engine.Pool().Run(len(recs), func(_, k int) { bad[k] = recs[k] != nil && !finite(recs[k].sum()) })
		if k := slices.Index(bad, true); k >= 0 {
			return &NonFiniteError{Sequence: first, Module: g.layers[k].Name}
		}
		first += len(batch)
		if g.options.Progress != nil {
			g.options.Progress(g.passes*len(g.batches)+i+1, max(g.passes+1, passesOf(g.groups))*len(g.batches))
		}
	}
	g.passes++
	return nil
}

// passesOf returns how many passes the groups take; a guess where there are none, as
// sketches usually settle after a few rounds of two.
func passesOf(groups []group) int {
	if groups == nil {
		return 6
	}
	return len(groups)
}

func finite(x []float32) bool {
	if v := simd.Dot(x, x); v-v == 0 { // nearly always, and six times as fast
		return true
	}
	for _, v := range x {
		if v-v != 0 { // Inf-Inf and NaN-NaN are NaN
			return false
		}
	}
	return true
}

// norm returns the Euclidean norm, summed in float64 in order.
func norm(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(float64(v) * float64(v))
	}
	return math.Sqrt(sum)
}
