package gguf

import (
	"math"
	"path/filepath"

	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
)

// WriteModel writes the model of a folder, its matrices of type t and its vectors in F32.
// With adapters, weights are W + s·B·A in float32, rounded once to t. tokens are the keys
// of [Tokens].
func WriteModel(path string, base *model.Model, a *loraone.Adapters, t Type, tokens []KeyValue) error {
	arch, err := architectureOf(base.Config)
	if err != nil {
		return err
	}
	set, err := safetensors.OpenDir(base.Dir)
	if err != nil {
		return err
	}
	defer set.Close()
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
		keys := append(modelKeys(arch.name, base, t), tokens...)
		return write(path, append(keys, KeyValue{"general.quantization_version", uint32(2)}), tensors)
	})
}

// modelKeys returns what the loader asks of a model.
func modelKeys(arch string, base *model.Model, t Type) []KeyValue {
	c := base.Config
	context := c.MaxPositionEmbeddings
	if window := c.Layers[0].Window; window > 0 {
		context = min(context, window) // the llama architecture has no window: as far as that it is the same
	}
	keys := []KeyValue{
		{"general.architecture", arch},
		{"general.type", "model"},
		{"general.name", folderName(base.Dir)},
		{arch + ".block_count", uint32(c.NumHiddenLayers)},
		{arch + ".context_length", uint32(context)},
		{arch + ".embedding_length", uint32(c.HiddenSize)},
		{arch + ".feed_forward_length", uint32(c.IntermediateSize)},
		{arch + ".attention.head_count", uint32(c.NumAttentionHeads)},
		{arch + ".attention.head_count_kv", uint32(c.NumKeyValueHeads)},
		{arch + ".attention.layer_norm_rms_epsilon", float32(c.RMSNormEps)},
		{arch + ".attention.key_length", uint32(c.HeadDim)},
		{arch + ".attention.value_length", uint32(c.HeadDim)},
		{"general.file_type", t.fileType()},
	}
	rope := c.Layers[0].Rope
	keys = append(keys, KeyValue{arch + ".rope.freq_base", float32(rope.Theta)})
	if rope.Type == "linear" {
		keys = append(keys, KeyValue{arch + ".rope.scaling.type", "linear"}, KeyValue{arch + ".rope.scaling.factor", float32(rope.Factor)})
	}
	if arch == "llama" {
		keys = append(keys, KeyValue{arch + ".vocab_size", uint32(c.VocabSize)}, KeyValue{arch + ".rope.dimension_count", uint32(c.HeadDim)})
	}
	return keys
}

func folderName(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return filepath.Base(dir)
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
	if err := w.layersAlike(); err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, t := range w.config.Tensors() { // a tied head is the embedding there too
		wanted[t.Name] = true
	}
	var list []Tensor
	if r := w.config.Layers[0].Rope; r.Type == "llama3" {
		factors := llama3Factors(r, w.config.HeadDim)
		list = append(list, Tensor{"rope_freqs.weight", []int{len(factors)}, F32, func(dst []float32, _, _ int) { copy(dst, factors) }})
	}
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

// layersAlike returns an error where layers differ in what a file says once.
func (w *weights) layersAlike() error {
	for i, l := range w.config.Layers {
		if l != w.config.Layers[0] {
			return refused("layer %d rotates or sees otherwise than layer 0: not written as GGUF", i)
		}
	}
	switch r := w.config.Layers[0].Rope; r.Type {
	case "default", "linear", "llama3":
		return nil
	default:
		return refused("the rope type %q is not written as GGUF", r.Type)
	}
}

// tensor returns one tensor of the model.
func (w *weights) tensor(shard *safetensors.File, hf string) (Tensor, error) {
	name, err := nameOf(hf)
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

// llama3Factors returns what the frequencies are divided by, in float32 as transformers
// and the official script have them (_compute_llama3_parameters).
func llama3Factors(r model.Rope, headDim int) []float32 {
	factors := make([]float32, headDim/2)
	low := float64(r.OriginalMaxPositionEmbeddings) / r.LowFreqFactor
	high := float64(r.OriginalMaxPositionEmbeddings) / r.HighFreqFactor
	for i := range factors {
		frequency := 1 / float32(math.Pow(r.Theta, float64(float32(2*i)/float32(headDim))))
		length := float64(float32(2*math.Pi) / frequency)
		switch {
		case length < high:
			factors[i] = 1
		case length > low:
			factors[i] = float32(r.Factor)
		default:
			smooth := (float32(float64(r.OriginalMaxPositionEmbeddings)/length) - float32(r.LowFreqFactor)) / float32(r.HighFreqFactor-r.LowFreqFactor)
			factors[i] = 1 / (float32((1-smooth)/float32(r.Factor)) + smooth)
		}
	}
	return factors
}
