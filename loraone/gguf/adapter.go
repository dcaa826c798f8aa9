package gguf

import (
	"context"
	"fmt"

	"example.com/finetune/loraone"
)

// WriteAdapter writes adapters as a file for llama.cpp's --lora, its matrices of type t,
// which is not Q8_0: ranks are shorter than its blocks.
func WriteAdapter(path string, a *loraone.Adapters, t Type) error {
	arch, err := architectureOf(a.Model)
	if err != nil {
		return err
	}
	if t.block() > 1 {
		return fmt.Errorf("an adapter of type %v: want f32, f16 or bf16", t)
	}
	modules, alpha := oneAlpha(a)
	var tensors []Tensor
	for _, l := range modules {
		name, err := nameOf(a.Model, l.Name+".weight")
		if err != nil {
			return err
		}
		heads := arch.heads(a.Model, l.Name+".weight")
		tensors = append(tensors,
			Tensor{name + ".lora_a", []int{l.R, l.In}, t, func(dst []float32, lo, hi int) { copy(dst, l.A[lo*l.In:hi*l.In]) }},
			Tensor{name + ".lora_b", []int{l.Out, l.R}, t, func(dst []float32, lo, hi int) {
				for i := lo; i < hi; i++ {
					from := source(i, l.Out, heads)
					copy(dst[(i-lo)*l.R:], l.B[from*l.R:(from+1)*l.R])
				}
			}})
	}
	return write(context.Background(), path, []KeyValue{
		{"general.architecture", arch.name},
		{"general.type", "adapter"},
		{"adapter.type", "lora"},
		{"adapter.lora.alpha", alpha},
		{"general.quantization_version", uint32(2)},
	}, tensors)
}

// oneAlpha returns the modules with scales of one alpha over each module's rank. Where
// they have none, alpha is the first one's rank and what is missing goes into B.
func oneAlpha(a *loraone.Adapters) (modules []loraone.LowRank, alpha float32) {
	same := true
	for _, m := range a.Modules {
		l := m.LowRank()
		modules = append(modules, l)
		first := modules[0]
		same = same && l.Scale*float32(l.R) == first.Scale*float32(first.R)
	}
	if alpha = modules[0].Scale * float32(modules[0].R); same && alpha != 0 {
		return modules, alpha
	}
	alpha = float32(modules[0].R)
	for i, l := range modules {
		l.Scale = l.Scale * float32(l.R) / alpha
		modules[i] = l.Folded()
	}
	return modules, alpha
}
