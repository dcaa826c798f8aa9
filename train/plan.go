package train

import (
	"runtime"

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
	EvalRows             int
	Parameters           int   // trained
	AllocatedBytes       int64 // of micro-batches, adapters and optimizer; the weights are mapped, not allocated
	Tokens               int   // a pass over the training rows
}

// NewPlan returns the plan of training with c. valid may be nil.
func NewPlan(c *Config, m *model.Config, train, valid *data.Set) Plan {
	b := newBatches(c, len(train.Sequences))
	p := Plan{
		Steps: b.total, StepsPerEpoch: b.perEpoch, Warmup: newSchedule(c, b.total).warmup,
		Parameters: c.Lora("").Parameters(m), Tokens: train.Stats.Tokens,
	}
	p.AllocatedBytes = int64(p.Parameters)*4*6 + // value, transposed copy, gradient, two moments, best
		m.TrainingBytes(max(MicroBatch, train.Stats.Longest), threads(c))
	if valid != nil && len(valid.Sequences) > 0 {
		p.EvalEvery = evalEvery(c, b.total)
		p.EvalRows = len(chooseEval(c, valid))
	}
	if c.Init == "loraone" {
		p.InitSamples = c.InitSamples.of(len(train.Sequences))
	}
	return p
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
