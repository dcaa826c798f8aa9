package gguf

import (
	"context"
	"slices"
	"strings"

	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
)

// WriteModel writes the model of a folder, its matrices of type t and its vectors in F32.
// With adapters, weights are W + s·B·A in float32, rounded once to t. tokens are the keys
// of [Tokens]. Where ctx ends early, its cause is the error, and nothing is left.
func WriteModel(ctx context.Context, path string, base *model.Model, a *loraone.Adapters, t Type, tokens []KeyValue) error {
	arch, err := architectureOf(base.Config)
	if err != nil {
		return err
	}
	set, err := safetensors.OpenDir(base.Dir)
	if err != nil {
		return err
	}
	defer set.Close()
	keys, err := modelKeys(arch, base.Config, t)
	if err != nil {
		return err
	}
	w := weights{config: base.Config, arch: arch, set: set, kind: t, adapted: map[string]loraone.LowRank{}}
	if a != nil {
		for _, m := range a.Modules {
			w.adapted[m.At().Stored+".weight"] = m.LowRank()
		}
	}
	return set.Guard(func() error {
		tensors, err := w.tensors()
		if err != nil {
			return err
		}
		keys = slices.Concat(keys, tokens, []KeyValue{{"general.quantization_version", uint32(2)}})
		return write(ctx, path, keys, tensors)
	})
}

// modelKeys returns what the loader asks of a model.
func modelKeys(arch architecture, c *model.Config, t Type) ([]KeyValue, error) {
	keys, err := arch.keys(c)
	return slices.Concat([]KeyValue{
		{"general.architecture", arch.name},
		{"general.type", "model"},
	}, keys, []KeyValue{{"general.file_type", t.fileType()}}), err
}

// weights are the tensors of a model on their way.
type weights struct {
	config  *model.Config
	arch    architecture
	set     *safetensors.Set
	kind    Type
	adapted map[string]loraone.LowRank // by tensor
}

// tensors lists what is written, in the order of the shards.
func (w *weights) tensors() ([]Tensor, error) {
	wanted := map[string]bool{}
	for _, t := range w.config.Tensors() { // a tied head is the embedding there too
		wanted[t.Name] = true
	}
	list := ropeTensors(w.config)
	for _, shard := range w.set.Shards() {
		for _, info := range shard.Layout() {
			if !wanted[info.Name] {
				continue
			}
			t, err := w.tensor(shard, info.Name)
			if err != nil {
				return nil, err
			}
			list = append(list, t)
		}
	}
	return list, nil
}

// tensor returns one tensor of the model.
func (w *weights) tensor(shard *safetensors.File, hf string) (Tensor, error) {
	name, err := nameOf(w.config, hf)
	if err != nil {
		return Tensor{}, err
	}
	stored, _ := shard.Tensor(hf)
	m := simd.Matrix{Data: stored.Data, Rows: 1, Cols: stored.Shape[len(stored.Shape)-1]}
	for m.DType.String() != stored.DType { // the model is loaded: it is one of the three
		m.DType++
	}
	t := Tensor{Name: name, Shape: stored.Shape, Type: w.kind}
	if len(stored.Shape) == 1 {
		t.Type = F32
	} else {
		m.Rows = stored.Shape[0]
	}
	if m.Cols%t.Type.block() != 0 {
		t.Type = F16 // as the official script
	}
	heads := w.arch.heads(w.config, hf)
	if len(stored.Shape) == 1 && heads > 0 { // a bias: its values move as rows do
		t.Rows = func(dst []float32, _, _ int) {
			x := make([]float32, m.Cols)
			m.Row(x, 0)
			for i := range dst {
				dst[i] = x[source(i, m.Cols, heads)]
			}
		}
		return t, nil
	}
	if w.config.NormsPlusOne && strings.HasSuffix(hf, "norm.weight") {
		t.Rows = func(dst []float32, _, _ int) {
			m.Row(dst, 0)
			for i := range dst {
				dst[i]++
			}
		}
		return t, nil
	}
	l := w.adapted[hf]
	t.Rows = func(dst []float32, lo, hi int) { w.rows(dst, lo, hi, m, heads, l) }
	return t, nil
}

// rows sets dst to rows [lo,hi) of W + s·B·A as they stand in the file.
func (w *weights) rows(dst []float32, lo, hi int, m simd.Matrix, heads int, l loraone.LowRank) {
	n := hi - lo
	if l.R > 0 {
		b := make([]float32, n*l.R)
		for i := range n {
			from := source(lo+i, m.Rows, heads)
			copy(b[i*l.R:], l.B[from*l.R:(from+1)*l.R])
		}
		simd.Mul(simd.Dense(dst, n, m.Cols), simd.Dense(b, n, l.R), simd.Dense(l.A, l.R, l.In))
		simd.Scale(dst, l.Scale)
	}
	row := make([]float32, m.Cols)
	for i := range n {
		to := dst[i*m.Cols : (i+1)*m.Cols]
		m.Row(row, source(lo+i, m.Rows, heads))
		if l.R > 0 {
			simd.Add(to, row)
		} else {
			copy(to, row)
		}
	}
}
