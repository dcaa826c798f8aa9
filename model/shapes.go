package model

import (
	"fmt"
	"slices"
	"strings"
)

// A Projection is what is known of a [Linear] before its weights are there.
type Projection struct {
	Index   int    // among [Config.Linears]
	Layer   int    // from 0
	Leaf    string // q_proj
	Name    string // model.layers.0.self_attn.q_proj, transformers' name of the module
	Stored  string // that of its tensors in the model's files: the same, but for a part of a larger model
	Out, In int
	Biased  bool

	place place
}

// A place is where in a block a projection stands.
type place uint8

const (
	atQKV place = iota
	atO
	atGateUp
	atDown
)

// Linears lists all projections of the model, layer by layer.
func (c *Config) Linears() []Projection {
	block := c.block()
	list := make([]Projection, 0, len(block)*c.NumHiddenLayers)
	for layer := range c.NumHiddenLayers {
		for _, p := range block {
			within := layerPrefix(layer) + p.Name + p.Leaf
			p.Index, p.Layer, p.Name, p.Stored = len(list), layer, c.module()+within, c.stored()+within
			list = append(list, p)
		}
	}
	return list
}

// block lists the projections of one layer: the one place that says their names and
// shapes. The outputs of q, k and v lie side by side in a row, and so do those of gate
// and up, whether they are projections of their own or fused.
func (c *Config) block() []Projection {
	C, F, q, kv := c.HiddenSize, c.IntermediateSize, c.qWidth(), c.kvWidth()
	inputs := []Projection{
		{Name: "self_attn.", Leaf: "q_proj", Out: q, In: C, Biased: c.QKVBias, place: atQKV},
		{Name: "self_attn.", Leaf: "k_proj", Out: kv, In: C, Biased: c.QKVBias, place: atQKV},
		{Name: "self_attn.", Leaf: "v_proj", Out: kv, In: C, Biased: c.QKVBias, place: atQKV},
	}
	gates := []Projection{
		{Name: "mlp.", Leaf: "gate_proj", Out: F, In: C, place: atGateUp},
		{Name: "mlp.", Leaf: "up_proj", Out: F, In: C, place: atGateUp},
	}
	if c.Fused {
		inputs = []Projection{{Name: "self_attn.", Leaf: "qkv_proj", Out: c.qkvWidth(), In: C, Biased: c.QKVBias, place: atQKV}}
		gates = []Projection{{Name: "mlp.", Leaf: "gate_up_proj", Out: 2 * F, In: C, place: atGateUp}}
	}
	return slices.Concat(inputs,
		[]Projection{{Name: "self_attn.", Leaf: "o_proj", Out: C, In: q, Biased: c.OBias, place: atO}}, gates,
		[]Projection{{Name: "mlp.", Leaf: "down_proj", Out: C, In: F, place: atDown}})
}

// Leaves lists the last parts of the names of a layer's projections.
func (c *Config) Leaves() []string {
	var leaves []string
	for _, p := range c.block() {
		leaves = append(leaves, p.Leaf)
	}
	return leaves
}

// Leaves lists those of an ordinary layer, for settings that are checked before a model
// is there.
func Leaves() []string { return new(Config).Leaves() }

// fused maps projections to those that hold them in a model whose projections are fused.
var fused = map[string]string{
	"q_proj": "qkv_proj", "k_proj": "qkv_proj", "v_proj": "qkv_proj",
	"gate_proj": "gate_up_proj", "up_proj": "gate_up_proj",
}

// Whole returns the one of a layer's projections that leaf names: itself, the fused one
// that holds it, or "".
func Whole(leaf string, leaves []string) string {
	for _, name := range []string{leaf, fused[leaf]} {
		if slices.Contains(leaves, name) {
			return name
		}
	}
	return ""
}

// PartsOf returns the projections of an ordinary layer that leaf stands for: itself, or
// those that a fused one holds.
func PartsOf(leaf string) []string {
	var parts []string
	for _, p := range Leaves() {
		if fused[p] == leaf {
			parts = append(parts, p)
		}
	}
	if parts == nil {
		parts = []string{leaf}
	}
	return parts
}

func layerPrefix(layer int) string { return fmt.Sprintf("layers.%d.", layer) }

// module and stored are what names of modules, and of tensors in the files, begin with.
func (c *Config) module() string {
	if c.Part != "" {
		return "model." + c.Part + "."
	}
	return "model."
}

func (c *Config) stored() string {
	if c.Part != "" {
		return c.Part + ".model."
	}
	return "model."
}

// A norm is a vector of weights in each block.
type norm struct {
	name  string
	width int
	of    func(b *Block) *[]float32
}

// norms lists those of one block. transformers' names say where they are, each family's
// in its own way: post_attention_layernorm is the MLP's where norms are before the halves,
// and attention's where they are behind them.
func (c *Config) norms() []norm {
	C := c.HiddenSize
	input := norm{"input_layernorm", C, func(b *Block) *[]float32 { return &b.InputNorm }}
	mlp := norm{"pre_feedforward_layernorm", C, func(b *Block) *[]float32 { return &b.MLPNorm }}
	post := norm{"post_attention_layernorm", C, func(b *Block) *[]float32 { return &b.PostNorm }}
	mlpPost := norm{"post_feedforward_layernorm", C, func(b *Block) *[]float32 { return &b.MLPPostNorm }}
	var list []norm
	switch c.NormPlaces {
	case NormsBefore:
		mlp.name = post.name
		list = []norm{input, mlp}
	case NormsAfter:
		list = []norm{post, mlpPost}
	case NormsAround:
		list = []norm{input, post, mlp, mlpPost}
	}
	if c.QKNorm {
		q, k := c.HeadDim, c.HeadDim
		if c.QKNormAcross {
			q, k = c.qWidth(), c.kvWidth()
		}
		list = append(list,
			norm{"self_attn.q_norm", q, func(b *Block) *[]float32 { return &b.QNorm }},
			norm{"self_attn.k_norm", k, func(b *Block) *[]float32 { return &b.KNorm }})
	}
	return list
}

// Names of the tensors that belong to no layer.
func (c *Config) embedName() string { return c.stored() + "embed_tokens.weight" }
func (c *Config) normName() string  { return c.stored() + "norm.weight" }
func (c *Config) headName() string {
	return strings.TrimSuffix(c.stored(), "model.") + "lm_head.weight"
}

// A Tensor is the name and shape of one tensor of a model's files.
type Tensor struct {
	Name  string
	Shape []int
}

// Tensors lists what the model's files hold. Where the head is tied to the embedding
// they may hold it as well.
func (c *Config) Tensors() []Tensor {
	list := []Tensor{{c.embedName(), []int{c.VocabSize, c.HiddenSize}}}
	for layer := range c.NumHiddenLayers {
		for _, n := range c.norms() {
			list = append(list, Tensor{c.stored() + layerPrefix(layer) + n.name + ".weight", []int{n.width}})
		}
	}
	for _, p := range c.Linears() {
		list = append(list, Tensor{p.Stored + ".weight", []int{p.Out, p.In}})
		if p.Biased {
			list = append(list, Tensor{p.Stored + ".bias", []int{p.Out}})
		}
	}
	list = append(list, Tensor{c.normName(), []int{c.HiddenSize}})
	if !c.TieWordEmbeddings {
		list = append(list, Tensor{c.headName(), []int{c.VocabSize, c.HiddenSize}})
	}
	return list
}

// The widths of rows between projections: all query heads, all key heads, and queries,
// keys and values side by side.
func (c *Config) qWidth() int   { return c.NumAttentionHeads * c.HeadDim }
func (c *Config) kvWidth() int  { return c.NumKeyValueHeads * c.HeadDim }
func (c *Config) qkvWidth() int { return c.qWidth() + 2*c.kvWidth() }
