package loraone

import (
	"context"
	"fmt"
	"math"

	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// formedLimit is how many bytes all G together may have to be formed: a fixed
// number, as a memory budget must not change a result. exactSide is the shorter
// side up to which a formed G is decomposed whole. Only tests change them.
var (
	formedLimit = 256 << 20
	exactSide   = 128
)

const (
	// A sketch of G is refined until its top r values move by less than this share,
	// or this many times. Products with a formed G are cheap; a sketch costs a pass
	// over the sequences each.
	formedTolerance, formedRounds = 1e-7, 24
	sketchTolerance, sketchRounds = 1e-4, 8
)

// A gradient computes the leading spectra of the one gradient of each layer's
// projection.
type gradient struct {
	ctx      context.Context
	layers   []*Layer
	linears  []*model.Linear
	engine   *model.Engine
	batches  [][]model.Sequence
	weights  []float32 // of each sequence: 1/(K·targets)
	options  StartOptions
	passes   int  // over the sequences so far
	sketched bool // G is not formed
	norms    []float64
}

func newGradient(ctx context.Context, a *Adapters, e *model.Engine, seqs []model.Sequence, o StartOptions) (*gradient, error) {
	if len(seqs) == 0 {
		return nil, fmt.Errorf("no sequences for the initial gradient")
	}
	if !(o.Gamma > 0) {
		return nil, fmt.Errorf("init_gamma is %v, want a positive number", o.Gamma)
	}
	g := &gradient{ctx: ctx, layers: a.Layers, linears: a.linears, engine: e, options: o, norms: make([]float64, len(a.Layers))}
	for i, s := range seqs {
		n := s.Targets()
		if n == 0 {
			return nil, fmt.Errorf("sequence %d of the initial gradient has no trained tokens", i)
		}
		g.weights = append(g.weights, float32(1/(float64(len(seqs))*float64(n))))
	}
	g.batches = model.MicroBatches(seqs, o.MicroBatch)
	var bytes int
	for _, l := range a.Layers {
		bytes += 4 * l.Out * l.In
	}
	g.sketched = bytes > formedLimit
	return g, nil
}

// spectra returns the leading spectrum of each layer's G, at least R values long.
func (g *gradient) spectra() ([]*spectrum, error) {
	if g.sketched {
		return g.sketchedSpectra(streamed{g}, sketchTolerance, sketchRounds, make([]*spectrum, len(g.layers)))
	}
	recs, f := make([]recorder, len(g.layers)), formed{pool: g.engine.Pool()}
	for i, l := range g.layers {
		v := simd.Dense(make([]float32, l.Out*l.In), l.Out, l.In)
		recs[i] = &whole{g: v}
		f.g = append(f.g, v)
	}
	if err := g.record(recs); err != nil {
		return nil, err
	}
	spectra, errs := make([]*spectrum, len(g.layers)), make([]error, len(g.layers))
	f.pool.Run(len(g.layers), func(_, i int) {
		l := g.layers[i]
		g.norms[i] = norm(f.g[i].Data)
		if min(l.In, l.Out) <= exactSide {
			spectra[i], errs[i] = decompose(f.g[i].Data, l.Out, l.In)
		}
	})
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", g.layers[i].Name, err)
		}
	}
	return g.sketchedSpectra(f, formedTolerance, formedRounds, spectra)
}

// sketchedSpectra fills in the spectra that are still nil.
func (g *gradient) sketchedSpectra(by multiplier, tolerance float64, rounds int, spectra []*spectrum) ([]*spectrum, error) {
	var all []*sketch
	for i, l := range g.layers {
		if spectra[i] == nil {
			all = append(all, newSketch(i, l, g.options.Seed))
		}
	}
	if err := g.refine(all, by, tolerance, rounds); err != nil {
		return nil, err
	}
	g.engine.Pool().Run(len(all), func(_, i int) { spectra[all[i].index], all[i].err = all[i].spectrum() })
	for _, s := range all {
		if s.err != nil {
			return nil, fmt.Errorf("%s: %w", s.layer.Name, s.err)
		}
	}
	return spectra, nil
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
		for k, r := range recs {
			if r != nil && !finite(r.sum()) {
				return &NonFiniteError{Sequence: first, Module: g.layers[k].Name}
			}
		}
		first += len(batch)
		if g.options.Progress != nil {
			g.options.Progress(g.passes*len(g.batches)+i+1, max(g.passes+1, g.expectedPasses())*len(g.batches))
		}
	}
	g.passes++
	return nil
}

// expectedPasses is a guess for the progress display: sketches usually settle
// after a few rounds of two passes.
func (g *gradient) expectedPasses() int {
	if g.sketched {
		return 6
	}
	return 1
}

func finite(x []float32) bool {
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
