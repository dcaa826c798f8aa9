package train

import (
	"fmt"
	"math"
	"runtime"

	"github.com/dustin/go-humanize"

	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone"
	"example.com/finetune/loraone/spectrum"
	"example.com/finetune/model"
	"example.com/finetune/simd"
	"example.com/finetune/train/data"
	"example.com/finetune/train/generate"
	"example.com/finetune/train/recipe"
)

// A Plan says how long a run will be. It needs the data and the model's
// configuration, no weights.
type Plan struct {
	Steps, StepsPerEpoch int
	Warmup               int   // steps
	EvalEvery            int   // steps; 0 without validation rows
	InitSamples          int   // sequences of the initial gradient; 0 where the method needs none
	InitTokens           int   // of those, where what they share counts once
	InitPasses           int   // over them, about
	EvalStart            bool  // the start is evaluated too: it is not the base
	EvalRows             int   // of an evaluation
	EvalComputed         int   // tokens of these, where what they share counts once
	Samples              Texts // of an evaluation
	Scored               Texts // of the base, and again of the adapter, at the end
	Parameters           int   // trained
	LeftOut              int   // projections that targets name and that get no module
	Layout               model.Layout
	MaterialisedBytes    int64 // of the initial gradient at a time
	TextBytes            int64 // that texts may take which the model writes at once; 0: it writes none
	AllocatedBytes       int64 // at the highest; the weights are mapped, not allocated
	Tokens               int   // a pass over the training rows
	Computed             int   // of these, where what the rows of a step share counts once
	Shared               int   // the longest beginning that rows of a step, or those for validation, share
}

// NewPlan returns the plan of training with c. valid may be nil. held is what the
// process has allocated already. A budget that nothing fits into is an error.
func NewPlan(c *recipe.Resolved, m *model.Config, train, valid *data.Set, held int64) (Plan, error) {
	lora, _, err := Begin(c, m)
	if err != nil {
		return Plan{}, err
	}
	b := newBatches(&c.Recipe, train.Len())
	p := Plan{
		Steps: b.total, StepsPerEpoch: b.perEpoch, Warmup: newSchedule(&c.Recipe, b.total).warmup,
		Parameters: lora.Parameters(m), LeftOut: lora.LeftOut(m), Tokens: train.Stats.Tokens,
	}
	if err := p.share(&c.Recipe, m, b, train, valid); err != nil {
		return p, err
	}
	if valid != nil && valid.Len() > 0 {
		p.EvalEvery = evalEvery(int(c.EvalSteps), b.total)
		p.Samples, p.Scored = texts(c, valid, p.EvalRows)
	}
	err = p.fit(c, lora, m, longest(train, valid), held)
	return p, err
}

// share finds what rows share in each step of the first epoch, in the initial gradient and in
// an evaluation.
func (p *Plan) share(c *recipe.Recipe, m *model.Config, b *batches, train, valid *data.Set) (err error) {
	look := func(set *data.Set, indices []int) (int, error) {
		seqs, err := set.Sequences(indices)
		if err != nil {
			return 0, err
		}
		computed, longest := m.SharedTokens(seqs)
		p.Shared = max(p.Shared, longest)
		return computed, nil
	}
	for t := range b.perEpoch {
		n, err := look(train, b.batch(t))
		if err != nil {
			return err
		}
		p.Computed += n
	}
	if c.Init.Method().Need(loraone.Gradient) {
		p.InitSamples = c.InitSamples.Of(train.Len())
		if p.InitTokens, err = look(train, b.initial(p.InitSamples)); err != nil {
			return err
		}
	}
	if valid == nil || valid.Len() == 0 {
		return nil
	}
	rows := chooseEval(c, valid)
	p.EvalRows, p.EvalStart = len(rows), !c.Init.Method().LeavesBase
	p.EvalComputed, err = look(valid, rows)
	return err
}

// GarbagePercent is what may lie uncollected beside a run's memory, in percent of it: for
// debug.SetGCPercent. The heap is a few large buffers without pointers, and collecting
// often costs nothing.
const GarbagePercent = 5

func withGarbage(live int64) int64 { return live + live*GarbagePercent/100 }

// leastMaterialisedBytes of the initial gradient are in memory at a time under a budget.
const leastMaterialisedBytes = spectrum.DefaultMaterialisedBytes / 4

// fit chooses the layout of the engine's memory, and then how much of the initial
// gradient is in memory at a time: every step is longer with a smaller layout.
func (p *Plan) fit(c *recipe.Resolved, lora loraone.Config, m *model.Config, longest int, held int64) error {
	n := int64(p.Parameters)
	if simd.Compute(c.Compute) == simd.ComputeInt8 {
		held += m.QuantisedBytes(longest)
	}
	adapters := lora.TrainingBytes(m, max(longest, model.MostTokens)) + 4*remembered(c, lora, m, n)
	other := func(materialised int64) int64 {
		start, _ := lora.StartCost(m, materialised, threads(c))
		return held + adapters + max(start, 4*n) // the best adapter, when the start's gradients are gone
	}
	text := textBytes(c, m, longest)
	held += text
	budget := int64(c.Memory)
	if budget == 0 {
		budget = math.MaxInt64
	}
	var ok bool
	p.Layout, ok = m.FitLayout(budget/(100+GarbagePercent)*100-other(leastMaterialisedBytes), longest, p.Shared, threads(c))
	engine := m.TrainingBytes(p.Layout, longest, p.Shared, threads(c))
	p.MaterialisedBytes = spectrum.DefaultMaterialisedBytes
	for p.MaterialisedBytes > leastMaterialisedBytes && withGarbage(other(p.MaterialisedBytes)+engine) > budget {
		p.MaterialisedBytes /= 2
	}
	_, p.InitPasses = lora.StartCost(m, p.MaterialisedBytes, threads(c))
	live := other(p.MaterialisedBytes) + engine
	p.AllocatedBytes = withGarbage(live)
	p.planTexts(text, budget)
	if ok {
		return nil
	}
	return hint.New(fmt.Errorf("memory is %s, and this run takes %s at least: %s for the longest row (%d tokens), %s for the adapters and their start, %s held already",
		humanize.Bytes(uint64(budget)), humanize.Bytes(uint64(p.AllocatedBytes)), humanize.Bytes(uint64(engine)), longest,
		humanize.Bytes(uint64(live-engine-held)), humanize.Bytes(uint64(held))), "a lower max_length cuts long rows; fewer target_modules or a lower lora_r makes the adapters smaller")
}

// remembered returns how many numbers the optimizer keeps of n that are trained.
func remembered(c *recipe.Resolved, lora loraone.Config, m *model.Config, n int64) (sum int64) {
	held := c.Kind().Held
	if held == nil {
		return 2 * n // two moments at most
	}
	targets, _ := lora.Projections(m) // checked
	for _, t := range targets {
		sum += int64(held(t, lora.R))
	}
	return sum
}

// textBytes returns the memory of one text that the model writes; 0 where it writes none.
func textBytes(c *recipe.Resolved, m *model.Config, longest int) int64 {
	n := 0
	if c.SamplePrompts != "" {
		n = sampleTokens
	}
	if c.Score.On() {
		n = max(n, c.Score.Limit())
	}
	if n == 0 {
		return 0
	}
	return m.TextBytes(min(longest+n, m.MaxPositionEmbeddings))
}

// planTexts plans for as many texts at once as the budget leaves room for, one of them
// being in the plan already.
func (p *Plan) planTexts(one, budget int64) {
	if one == 0 {
		return
	}
	most := min(generate.DefaultMemory, int64(max(p.EvalRows, 1))*one)
	room := (budget - p.AllocatedBytes) / (100 + GarbagePercent) * 100
	more := max(0, min(most-one, room))
	p.TextBytes = one + more
	p.AllocatedBytes += withGarbage(more)
}

func longest(train, valid *data.Set) int {
	n := train.Stats.Longest
	if valid != nil {
		n = max(n, valid.Stats.Longest)
	}
	return n
}

// evalEvery returns after how many steps to evaluate.
func evalEvery(steps, total int) int {
	if steps > 0 {
		return steps
	}
	return max(1, (total+mostEvals-1)/mostEvals)
}

// threads returns how many will compute.
func threads(c *recipe.Resolved) int {
	if c.Threads > 0 {
		return c.Threads
	}
	return runtime.GOMAXPROCS(0)
}
