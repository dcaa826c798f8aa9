package recipe

import (
	"fmt"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/simd"
)

// A Scheduler is the course of the learning rate behind its warm-up.
type Scheduler string

// The schedulers.
const (
	Constant Scheduler = "constant"
	Linear   Scheduler = "linear"
	Cosine   Scheduler = "cosine"
)

// UnmarshalText reads a word.
func (s *Scheduler) UnmarshalText(text []byte) error { return parse(s, text, Constant, Linear, Cosine) }

// Overlong is what becomes of rows with more than max_length tokens.
type Overlong string

// What may become of them.
const (
	Truncate   Overlong = "truncate"
	Drop       Overlong = "drop"
	RefuseLong Overlong = "error"
)

// UnmarshalText reads a word.
func (o *Overlong) UnmarshalText(text []byte) error {
	return parse(o, text, Truncate, Drop, RefuseLong)
}

// TrainOn is what of a row is learned.
type TrainOn string

// What may be learned: answers and completions, the last answer, or everything.
const (
	Assistant  TrainOn = "assistant"
	LastAnswer TrainOn = "last"
	Everything TrainOn = "all"
)

// UnmarshalText reads a word.
func (t *TrainOn) UnmarshalText(text []byte) error {
	return parse(t, text, Assistant, LastAnswer, Everything)
}

// Progress is how a run is shown.
type Progress string

// The ways: auto is a bar on a terminal and log lines elsewhere.
const (
	ProgressAuto Progress = "auto"
	ProgressBar  Progress = "bar"
	ProgressLog  Progress = "log"
	ProgressNone Progress = "none"
)

// UnmarshalText reads a word.
func (p *Progress) UnmarshalText(text []byte) error {
	return parse(p, text, ProgressAuto, ProgressBar, ProgressLog, ProgressNone)
}

// A Switch is on, off, or as the method has it.
type Switch string

// The positions.
const (
	Auto Switch = "auto"
	On   Switch = "true"
	Off  Switch = "false"
)

// UnmarshalText reads auto, true or false.
func (s *Switch) UnmarshalText(text []byte) error {
	return parse(s, []byte(strings.ToLower(string(text))), Auto, On, Off)
}

// Init is how adapters start.
type Init string

// The starts.
const (
	LoRAOne Init = "loraone" // from the initial gradient
	LoRA    Init = "lora"    // from noise
)

// UnmarshalText reads a word.
func (i *Init) UnmarshalText(text []byte) error { return parse(i, text, LoRAOne, LoRA) }

// NeedsGradient reports whether the start is made from the initial gradient.
func (i Init) NeedsGradient() bool { return i == LoRAOne }

// Title names the start in a report.
func (i Init) Title() string {
	if i == LoRAOne {
		return "LoRA-One start (arXiv 2502.01235)"
	}
	return "Ordinary LoRA start"
}

// An Optimizer makes steps of gradients.
type Optimizer string

// The optimizers.
const (
	PreconditionedAdamW Optimizer = "preconditioned-adamw"
	AdamW               Optimizer = "adamw"
)

// Learning rates used when learning_rate is not given, from runs of 40 steps of 8
// GSM8K rows on SmolLM2-135M (scripts/gsm8k.sh) after LoRA-One's start. Held-out
// loss: adamw 0.793 at 1e-3, 0.740 at 2e-3; preconditioned-adamw 0.874 at 1e-3, 0.782
// at 3e-3, unsteady at 5e-3. The usual 2e-4 is far too low for short runs.
const (
	rateAdamW          = 2e-3
	ratePreconditioned = 2e-3
)

// UnmarshalText reads a word.
func (o *Optimizer) UnmarshalText(text []byte) error {
	return parse(o, text, PreconditionedAdamW, AdamW)
}

func (o Optimizer) rate() float64 {
	if o == AdamW {
		return rateAdamW
	}
	return ratePreconditioned
}

// Title names the optimizer in a report.
func (o Optimizer) Title() string {
	if o == AdamW {
		return "AdamW"
	}
	return "preconditioned AdamW"
}

// Compute is the precision of products with stored weights.
type Compute simd.Compute

// UnmarshalText reads a word. Whether this CPU can do it is not asked.
func (c *Compute) UnmarshalText(text []byte) error {
	compute, err := simd.ParseCompute(string(text))
	if compute.String() != string(text) {
		return err
	}
	*c = Compute(compute)
	return nil
}

// MarshalText returns the word.
func (c Compute) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

func (c Compute) String() string { return simd.Compute(c).String() }

// parse sets a choice to one of its words.
func parse[T ~string](choice *T, text []byte, words ...T) error {
	word := T(text)
	if slices.Contains(words, word) {
		*choice = word
		return nil
	}
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = string(w)
	}
	err := fmt.Errorf("%.60q, want one of %s", text, strings.Join(list, ", "))
	if near := nearest(string(word), list); near != "" {
		return hint.Newf(err, "did you mean %s?", near)
	}
	return err
}
