package train

import (
	"fmt"
	"math"
	"runtime"

	"github.com/dustin/go-humanize"

	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/train/data"
)

// A Plan says how long a run will be. It needs the data and the model's
// configuration, no weights.
type Plan struct {
	Steps, StepsPerEpoch int
	Warmup               int // steps
	EvalEvery            int // steps; 0 without validation rows
	InitSamples          int // sequences of the initial gradient; 0 for init lora
	InitTokens           int // of those, about
	InitPasses           int // over them, about
	EvalRows, EvalTokens int // of an evaluation, the tokens about
	Parameters           int // trained
	Layout               model.Layout
	FormedBytes          int64 // of the initial gradient at a time
	AllocatedBytes       int64 // at the highest; the weights are mapped, not allocated
	Tokens               int   // a pass over the training rows
}

// NewPlan returns the plan of training with c. valid may be nil. held is what the
// process has allocated already. A budget that nothing fits into is an error.
func NewPlan(c *Config, m *model.Config, train, valid *data.Set, held int64) (Plan, error) {
	b := newBatches(c, train.Len())
	p := Plan{
		Steps: b.total, StepsPerEpoch: b.perEpoch, Warmup: newSchedule(c, b.total).warmup,
		Parameters: c.Lora("").Parameters(m), Tokens: train.Stats.Tokens,
	}
	if valid != nil && valid.Len() > 0 {
		p.EvalEvery = evalEvery(c, b.total)
		p.EvalRows = len(chooseEval(c, valid))
		p.EvalTokens = valid.Stats.Tokens * p.EvalRows / valid.Stats.Kept
	}
	if c.Init == "loraone" {
		p.InitSamples = c.InitSamples.of(train.Len())
		p.InitTokens = train.Stats.Tokens * p.InitSamples / train.Stats.Kept
	}
	err := p.fit(c, m, longest(train, valid), held)
	return p, err
}

// GarbagePercent is what may lie uncollected beside a run's memory, in percent of it: for
// debug.SetGCPercent. The heap is a few large buffers without pointers, and collecting
// often costs nothing.
const GarbagePercent = 5

func withGarbage(live int64) int64 { return live + live*GarbagePercent/100 }

// leastFormedBytes of the initial gradient are formed at a time under a budget.
const leastFormedBytes = loraone.DefaultFormedBytes / 4

// fit chooses the layout of the engine's memory, and then how much of the initial
// gradient is formed at a time: every step is longer with a smaller layout.
func (p *Plan) fit(c *Config, m *model.Config, longest int, held int64) error {
	lora, n := c.Lora(""), int64(p.Parameters)
	adapters := lora.TrainingBytes(m, max(longest, model.MostTokens)) + 4*2*n // two moments at most
	other := func(formed int64) int64 {
		start := int64(0)
		if p.InitSamples > 0 {
			start, _ = lora.Start(m, formed)
		}
		return held + adapters + max(start, 4*n) // the best adapter, when the start's gradients are gone
	}
	budget := int64(c.Memory)
	if budget == 0 {
		budget = math.MaxInt64
	}
	var ok bool
	p.Layout, ok = m.FitLayout(budget/(100+GarbagePercent)*100-other(leastFormedBytes), longest, threads(c))
	engine := m.TrainingBytes(p.Layout, longest, threads(c))
	p.FormedBytes = loraone.DefaultFormedBytes
	for p.FormedBytes > leastFormedBytes && withGarbage(other(p.FormedBytes)+engine) > budget {
		p.FormedBytes /= 2
	}
	if p.InitSamples > 0 {
		_, p.InitPasses = lora.Start(m, p.FormedBytes)
	}
	live := other(p.FormedBytes) + engine
	p.AllocatedBytes = withGarbage(live)
	if ok {
		return nil
	}
	return hint.New(fmt.Errorf("memory is %s, and this run takes %s at least: %s for the longest row (%d tokens), %s for the adapters and their start, %s held already",
		humanize.Bytes(uint64(budget)), humanize.Bytes(uint64(p.AllocatedBytes)), humanize.Bytes(uint64(engine)), longest,
		humanize.Bytes(uint64(live-engine-held)), humanize.Bytes(uint64(held))), "a lower max_length cuts long rows; fewer target_modules or a lower lora_r makes the adapters smaller")
}

func longest(train, valid *data.Set) int {
	n := train.Stats.Longest
	if valid != nil {
		n = max(n, valid.Stats.Longest)
	}
	return n
}

// evalEvery returns after how many steps to evaluate.
func evalEvery(c *Config, total int) int {
	if c.EvalSteps > 0 {
		return c.EvalSteps
	}
	return max(1, (total+9)/10)
}

// threads returns how many will compute.
func threads(c *Config) int {
	if c.Threads > 0 {
		return c.Threads
	}
	return runtime.GOMAXPROCS(0)
}
