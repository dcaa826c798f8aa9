package recipe

import (
	"fmt"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone"
	"example.com/finetune/simd"
	"example.com/finetune/train/data"
	"example.com/finetune/train/optim"
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
	Truncate   = Overlong(data.Truncate)
	Drop       = Overlong(data.Drop)
	RefuseLong = Overlong(data.Refuse)
)

// UnmarshalText reads a word.
func (o *Overlong) UnmarshalText(text []byte) error {
	return parse(o, text, Truncate, Drop, RefuseLong)
}

// TrainOn is what of a row is learned.
type TrainOn string

// What may be learned: answers and completions, the last answer, or everything.
const (
	Assistant  = TrainOn(data.Answers)
	LastAnswer = TrainOn(data.LastAnswer)
	Everything = TrainOn(data.Everything)
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

// ReportTo is what reads a run's figures besides metrics.jsonl.
type ReportTo string

// The readers.
const (
	ReportNone  ReportTo = "none"
	TensorBoard ReportTo = "tensorboard"
)

// UnmarshalText reads a word.
func (r *ReportTo) UnmarshalText(text []byte) error {
	err := parse(r, text, ReportNone, TensorBoard)
	if hint.Of(err) == "" {
		err = hint.New(err, "metrics.jsonl and loss.svg in the output folder have all figures")
	}
	return err
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

// Init names how adapters start: a row of [loraone.Methods], or Continued.
type Init string

// Continued starts from the adapter that settings name.
var Continued = Init(loraone.Continued.Name)

// UnmarshalText reads a name. That of Continued is not offered: it follows from the
// setting of the adapter.
func (i *Init) UnmarshalText(text []byte) error {
	if *i = Init(text); *i == Continued {
		return nil
	}
	return parse(i, text, named[Init](loraone.Names())...)
}

// Method is what the name stands for; nil for none.
func (i Init) Method() *loraone.Method {
	if i == Continued {
		return loraone.Continued
	}
	return loraone.Find(string(i))
}

// An Optimizer names how gradients become steps: a row of [optim.Kinds].
type Optimizer string

// ByMethod is the optimizer that the method is trained with.
const ByMethod Optimizer = "auto"

// UnmarshalText reads a name, or auto.
func (o *Optimizer) UnmarshalText(text []byte) error {
	return parse(o, text, append([]Optimizer{ByMethod}, named[Optimizer](optim.Names())...)...)
}

// named makes choices of a table's names.
func named[T ~string](names []string) []T {
	list := make([]T, len(names))
	for i, name := range names {
		list[i] = T(name)
	}
	return list
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
	if near := Nearest(string(word), list); near != "" {
		return hint.Newf(err, "did you mean %s?", near)
	}
	return err
}
