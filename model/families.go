package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/finetune/internal/jsontree"
)

// A family is a kind of decoder: how its config.json becomes layers and facts. A new
// one is a reader and a row of families.
type family struct {
	architecture string   // transformers' class
	understands  []string // settings which others refuse (see offKeys) and read takes in
	read         func(c *Config, f *jsontree.Fields)
}

// families maps model_type to what is read then.
var families = map[string]family{
	"llama":   {architecture: "LlamaForCausalLM", read: readLlama},
	"mistral": {architecture: "MistralForCausalLM", read: readMistral},
	"qwen2":   {architecture: "Qwen2ForCausalLM", read: readQwen2},
	"qwen3":   {architecture: "Qwen3ForCausalLM", read: readQwen3},
}

// familyOf returns the row of a configuration's model_type; a mistake where there is
// none.
func familyOf(f *jsontree.Fields) (name string, row family, ok bool) {
	name = f.Text("model_type", "")
	if row, ok = families[name]; !ok {
		f.Wrong("model_type", "one of "+strings.Join(slices.Sorted(maps.Keys(families)), ", "))
	}
	return name, row, ok
}

func readLlama(c *Config, f *jsontree.Fields) {
	c.HeadDim = headDim(f, c.evenHeadDim(f))
	bias := f.Bool("attention_bias", false)
	c.QKVBias, c.OBias = bias, bias
	if f.Has("sliding_window") {
		f.Wrong("sliding_window", "null for model_type llama")
	}
	refuseWindowSwitch(f)
	c.sameLayers(f, LayerConfig{Rope: readRope(f)})
}

// readMistral: the window is 4096 where config.json does not mention it
// (MistralConfig).
func readMistral(c *Config, f *jsontree.Fields) {
	c.HeadDim = headDim(f, c.evenHeadDim(f))
	refuseBias(f, "mistral")
	window := 0
	if f.Absent("sliding_window") {
		window = 4096
	}
	window = f.Int("sliding_window", window, 1, maxPosition)
	refuseWindowSwitch(f)
	c.sameLayers(f, LayerConfig{Window: window, Rope: readRope(f)})
}

// readQwen2: its sliding_window says nothing until use_sliding_window switches it on.
func readQwen2(c *Config, f *jsontree.Fields) {
	c.HeadDim = headDim(f, c.evenHeadDim(f))
	refuseBias(f, "qwen2")
	c.QKVBias = true
	refuseWindowSwitch(f)
	c.sameLayers(f, LayerConfig{Rope: readRope(f)})
}

func readQwen3(c *Config, f *jsontree.Fields) {
	c.HeadDim = headDim(f, 128) // Qwen3Config's default
	bias := f.Bool("attention_bias", false)
	c.QKVBias, c.OBias = bias, bias
	c.QKNorm = true
	refuseWindowSwitch(f)
	c.sameLayers(f, LayerConfig{Rope: readRope(f)})
}

// headDim reads head_dim.
func headDim(f *jsontree.Fields, otherwise int) int {
	return f.Int("head_dim", otherwise, 2, maxHeadDim)
}

// evenHeadDim is hidden_size/num_attention_heads, the head_dim of most families where
// config.json has none.
func (c *Config) evenHeadDim(f *jsontree.Fields) int {
	if c.HiddenSize == 0 || c.NumAttentionHeads == 0 {
		return 0 // a mistake already
	}
	if !f.Has("head_dim") && c.HiddenSize%c.NumAttentionHeads != 0 {
		f.Wrong("hidden_size", fmt.Sprintf("a multiple of num_attention_heads (%d), or a head_dim", c.NumAttentionHeads))
	}
	return c.HiddenSize / c.NumAttentionHeads
}

func refuseBias(f *jsontree.Fields, modelType string) {
	if f.Bool("attention_bias", false) {
		f.Wrong("attention_bias", "false for model_type "+modelType)
	}
}

func refuseWindowSwitch(f *jsontree.Fields) {
	if f.Bool("use_sliding_window", false) {
		f.Wrong("use_sliding_window", "false: layers with and without a window are not supported")
	}
}

// sameLayers makes all layers l. layer_types must say the same.
func (c *Config) sameLayers(f *jsontree.Fields, l LayerConfig) {
	c.Layers = slices.Repeat([]LayerConfig{l}, c.NumHiddenLayers)
	types := f.Texts("layer_types")
	if types == nil {
		return
	}
	if len(types) != c.NumHiddenLayers {
		f.Mistake("layer_types has %d entries, want num_hidden_layers (%d)", len(types), c.NumHiddenLayers)
	}
	want := "full_attention"
	if l.Window > 0 {
		want = "sliding_attention"
	}
	if i := slices.IndexFunc(types, func(t string) bool { return t != want }); i >= 0 {
		f.Mistake("layer_types[%d] is %q, want %q in every layer", i, types[i], want)
	}
}
