package spectrum

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// materialisedLimit is how many bytes all G may take together to be materialised, in as
// many passes as it takes. Only tests change it.
var materialisedLimit = int64(1 << 30)

// DefaultMaterialisedBytes is Options.MaterialisedBytes where it is 0.
const DefaultMaterialisedBytes = 512 << 20

// A Target is a projection whose gradient is wanted.
type Target struct {
	model.Projection
	Pairs int // leading singular triples wanted; 0: none
}

// bytes is the size of the target's G.
func (t Target) bytes() int64 { return 4 * int64(t.Out) * int64(t.In) }

// Options say how gradients are computed.
type Options struct {
	Seed     uint64
	Whole    bool                  // every G is wanted materialised
	Progress func(done, total int) // called after each micro-batch; may be nil

	// MaterialisedBytes bounds the gradients in memory at a time, each group of them
	// being a pass over the sequences; 0 means DefaultMaterialisedBytes. No result
	// depends on it.
	MaterialisedBytes int64
}

// A Gradient is the initial gradient of one projection.
type Gradient struct {
	Target
	Norm     float64   // ‖G‖_F; an estimate where G is only sketched
	Spectrum *Spectrum // the leading Pairs triples at least; nil where none are wanted
	G        simd.View // Out×In, not to be kept, though it may be overwritten; without Data where it is only sketched
}

// A Pass is what else Each has seen.
type Pass struct {
	Sketched bool    // no G was materialised
	Loss     float64 // (1/K)·Σ Lₖ, whose gradient G is
}

// A NonFiniteError is a loss or gradient that is NaN or infinite.
type NonFiniteError struct {
	Sequence int    // index into the sequences given
	Module   string // whose gradient it is; empty for the loss
}

func (e *NonFiniteError) Error() string {
	if e.Module == "" {
		return fmt.Sprintf("the loss of sequence %d of the initial gradient is not finite", e.Sequence)
	}
	return fmt.Sprintf("the initial gradient of %s is not finite from sequence %d on", e.Module, e.Sequence)
}

// Each computes the gradient G = (1/K)·Σ ∇Lₖ of each target over the K sequences, Lₖ
// the mean loss of sequence k's targets, at the weights of the engine's model without
// adapters, and calls f with it. i is the target's index. f is called on the engine's
// workers, for several targets at once and in any order.
//
// A loss or gradient that is not finite is a *NonFiniteError. Each stops between
// micro-batches when ctx ends. Afterwards the engine has the adapters that it had.
func Each(ctx context.Context, e *model.Engine, seqs []model.Sequence, targets []Target, o Options, f func(i int, g *Gradient) error) (Pass, error) {
	c, err := newComputation(ctx, e, seqs, targets, o, f)
	if err != nil {
		return Pass{}, err
	}
	defer e.SetAdapters(e.Adapters())
	if c.groups == nil {
		err := c.sketched()
		return Pass{Sketched: true, Loss: c.loss}, err
	}
	for _, part := range c.groups {
		if err := c.materialised(part); err != nil {
			return Pass{}, err
		}
	}
	return Pass{Loss: c.loss}, nil
}

// Loss returns (1/K)·Σ Lₖ of the K sequences with the adapters that the engine has: what
// Pass.Loss is without any. It stops between micro-batches when ctx ends.
func Loss(ctx context.Context, e *model.Engine, seqs []model.Sequence) (loss float64, err error) {
	pass := e.Forward(seqs)
	for ctx.Err() == nil && pass.Next() {
	}
	for _, l := range pass.Losses {
		loss += share(l, len(seqs))
	}
	return loss, ctx.Err()
}

// share is what the loss of one of k sequences adds to their mean.
func share(l model.Loss, k int) float64 { return float64(l.Sum / (float64(k) * float64(l.Targets))) }

// Cost returns what Each holds besides the engine at its highest, gradients that are
// materialised together or sketches of all, and about how many passes over the sequences
// it takes.
func Cost(targets []Target, o Options) (bytes int64, passes int) {
	groups := groupsOf(targets, o)
	for _, g := range groups {
		bytes = max(bytes, g.bytes)
	}
	if groups == nil {
		for _, t := range targets {
			bytes += 4 * int64(sketchWidth(t)) * int64(2*t.In+2*t.Out)
		}
	}
	return bytes, passesOf(groups)
}

// A computation is one call of Each.
type computation struct {
	ctx     context.Context
	engine  *model.Engine
	targets []Target
	options Options
	f       func(i int, g *Gradient) error
	seqs    []model.Sequence
	weights []float32 // of each sequence: 1/(K·targets)
	passes  int       // over the sequences so far
	loss    float64   // of the first pass
	groups  []group   // whose G are materialised together; nil: only sketches are kept
}

func newComputation(ctx context.Context, e *model.Engine, seqs []model.Sequence, targets []Target, o Options, f func(int, *Gradient) error) (*computation, error) {
	if len(seqs) == 0 {
		return nil, errors.New("no sequences for the initial gradient")
	}
	c := &computation{ctx: ctx, engine: e, targets: targets, options: o, f: f, seqs: seqs, groups: groupsOf(targets, o)}
	for i, s := range seqs {
		n := s.Targets()
		if n == 0 {
			return nil, fmt.Errorf("sequence %d of the initial gradient has no trained tokens", i)
		}
		c.weights = append(c.weights, float32(1/(float64(len(seqs))*float64(n))))
	}
	return c, nil
}

// A group is targets [from,to) and the bytes of their G.
type group struct {
	from, to int
	bytes    int64
}

// groupsOf partitions the targets into groups whose G take at most MaterialisedBytes
// together, or one G that takes more. It returns nil where G are to be sketched.
func groupsOf(targets []Target, o Options) []group {
	limit := o.MaterialisedBytes
	if limit == 0 {
		limit = DefaultMaterialisedBytes
	}
	var groups []group
	total := int64(0)
	for i, t := range targets {
		n := t.bytes()
		total += n
		if last := len(groups) - 1; last >= 0 && groups[last].bytes+n <= limit {
			groups[last].to, groups[last].bytes = i+1, groups[last].bytes+n
		} else {
			groups = append(groups, group{i, i + 1, n})
		}
	}
	if total > materialisedLimit && !o.Whole {
		return nil
	}
	return groups
}

// passesOf returns how many passes the groups take; a guess where there are none, as
// sketches usually converge after a few rounds of two.
func passesOf(groups []group) int {
	if groups == nil {
		return 6
	}
	return len(groups)
}

// materialised delivers the gradients of a group from their G.
func (c *computation) materialised(part group) error {
	recs := make([]recorder, len(c.targets))
	matrices := make([]simd.View, len(c.targets))
	for i := part.from; i < part.to; i++ {
		t := c.targets[i]
		matrices[i] = simd.Dense(make([]float32, t.Out*t.In), t.Out, t.In)
		recs[i] = &whole{g: matrices[i]}
	}
	if err := c.record(recs); err != nil {
		return err
	}
	clear(recs)
	return c.each(part, func(i int) (err error) {
		g := &Gradient{Target: c.targets[i], G: matrices[i]}
		matrices[i] = simd.View{} // its memory is free as soon as it has served
		if g.Pairs > 0 {
			if g.Spectrum, err = Leading(g.Target, g.G, c.options.Seed); err != nil {
				return err
			}
		}
		g.Norm = norm(g.G.Data)
		return c.f(i, g)
	})
}

// each calls f for each target of a group, on all threads.
func (c *computation) each(part group, f func(i int) error) error {
	errs := make([]error, part.to)
	c.engine.Pool().Run(part.to-part.from, func(_, task int) { errs[part.from+task] = f(part.from + task) })
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("%s: %w", c.targets[i].Name, err)
		}
	}
	return nil
}

// record runs all sequences forward and backward through recs.
func (c *computation) record(recs []recorder) error {
	adapters := make([]model.Adapter, len(c.engine.Model().Linears()))
	for i, t := range c.targets {
		if recs[i] != nil {
			adapters[t.Index] = recs[i]
		}
	}
	c.engine.SetAdapters(adapters)
	pass := c.engine.Backward(c.seqs, c.weights)
	for c.ctx.Err() == nil && pass.Next() {
		for i, l := range pass.Losses {
			if math.IsNaN(l.Sum) || math.IsInf(l.Sum, 0) {
				return &NonFiniteError{Sequence: i}
			}
		}
		bad := make([]bool, len(recs))
		c.engine.Pool().Run(len(recs), func(_, k int) { bad[k] = recs[k] != nil && !finite(recs[k].sum()) })
		if k := slices.Index(bad, true); k >= 0 {
			return &NonFiniteError{Sequence: pass.Sequence(), Module: c.targets[k].Name}
		}
		if c.options.Progress != nil {
			done, total := pass.Progress()
			c.options.Progress(c.passes*total+done, max(c.passes+1, passesOf(c.groups))*total)
		}
	}
	if err := c.ctx.Err(); err != nil {
		return err
	}
	for _, l := range pass.Losses {
		if c.passes == 0 {
			c.loss += share(l, len(c.seqs))
		}
	}
	c.passes++
	return nil
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
