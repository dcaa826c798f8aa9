package model

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"example.com/finetune/internal/jsontree"
)

// A family is a kind of decoder. A new one is a row of families, and a reader where
// none of those below says what its config.json does; see doc.go.
type family struct {
	architecture string   // transformers' class
	understands  []string // settings which others refuse (see offKeys) and read takes in
	base         Config   // facts of all its models, and what its config.json may leave out
	read         func(c *Config, f *jsontree.Fields)
	text         string // model_type of the part that is read, where base has one
}

// families maps model_type to what is read then.
var families = map[string]family{
	"llama":     {architecture: "LlamaForCausalLM", read: readLlama},
	"mistral":   {architecture: "MistralForCausalLM", read: readMistral},
	"ministral": {architecture: "MinistralForCausalLM", read: readMistral},
	"qwen2":     {architecture: "Qwen2ForCausalLM", base: Config{QKVBias: true}, read: readQwen2},
	"qwen3":     {architecture: "Qwen3ForCausalLM", base: Config{QKNorm: true, HeadDim: 128}, read: readQwen3},
	"smollm3": {
		architecture: "SmolLM3ForCausalLM", understands: []string{"no_rope_layers"},
		base: Config{TieWordEmbeddings: true}, read: readSmolLM3,
	},
	"olmo2": {
		architecture: "Olmo2ForCausalLM",
		base:         Config{NormPlaces: NormsAfter, QKNorm: true, QKNormAcross: true, RMSNormEps: 1e-5}, read: readLlama,
	},
	"olmo3": {
		architecture: "Olmo3ForCausalLM",
		base:         Config{NormPlaces: NormsAfter, QKNorm: true, QKNormAcross: true, RMSNormEps: 1e-5}, read: readOlmo3,
	},
	"exaone4": {
		architecture: "Exaone4ForCausalLM",
		base:         Config{NormPlaces: NormsAfter, QKNorm: true, RMSNormEps: 1e-5}, read: readExaone4,
	},
	"granite": {
		architecture: "GraniteForCausalLM",
		understands:  []string{"embedding_multiplier", "attention_multiplier", "residual_multiplier", "logits_scaling"}, read: readGranite,
	},
	"gemma": {
		architecture: "GemmaForCausalLM",
		base:         Config{NormsPlusOne: true, Activation: GELUTanh, HeadDim: 256, TieWordEmbeddings: true}, read: readGemma1,
	},
	"gemma2": {
		architecture: "Gemma2ForCausalLM", understands: []string{"attn_logit_softcapping", "final_logit_softcapping", "query_pre_attn_scalar"},
		base: gemma2, read: readGemma2,
	},
	"gemma3_text": {
		architecture: "Gemma3ForCausalLM", understands: []string{"final_logit_softcapping", "query_pre_attn_scalar"},
		base: gemma3, read: readGemma3,
	},
	"gemma3": {architecture: "Gemma3ForConditionalGeneration", base: Config{Part: "language_model", Activation: GELUTanh}, text: "gemma3_text"},
	"phi3": {
		architecture: "Phi3ForCausalLM", understands: []string{"partial_rotary_factor"},
		base: Config{Fused: true, RMSNormEps: 1e-5}, read: readPhi3,
	},
}

// What the later Gemmas share, and what the config.json of a third one may leave out (Gemma3TextConfig).
var (
	gemma2 = Config{NormPlaces: NormsAround, NormsPlusOne: true, Activation: GELUTanh, HeadDim: 256, TieWordEmbeddings: true}
	gemma3 = func() Config {
		c := gemma2
		c.QKNorm = true
		c.NumAttentionHeads, c.NumKeyValueHeads, c.VocabSize, c.MaxPositionEmbeddings = 8, 4, 262208, 131072
		return c
	}()
)

// familyOf returns the row of a configuration's model_type; a mistake where there is
// none.
func familyOf(f *jsontree.Fields) (name string, row family, ok bool) {
	name = f.Text("model_type", "")
	if row, ok = families[name]; !ok {
		f.Wrong("model_type", "one of "+strings.Join(slices.Sorted(maps.Keys(families)), ", "))
	}
	return name, row, ok
}

// readLlama: the family has no window. Of a config.json with one, the forward pass of
// transformers 5 takes no notice, but its generate keeps a cache of so many positions: beyond
// them there is no one answer to reproduce.
func readLlama(c *Config, f *jsontree.Fields) {
	c.readHeadDim(f)
	c.readBias(f)
	if f.Has("sliding_window") {
		f.Wrong("sliding_window", "null for model_type "+c.ModelType+": transformers trains it without a window and writes text with one, and null in config.json makes both do without")
	}
	refuseWindowSwitch(f)
	c.sameLayers(f, 0, c.readRope(f, 10000))
}

// readMistral: the window is 4096 where config.json does not mention it
// (MistralConfig). With layer_types it is transformers' ministral.
func readMistral(c *Config, f *jsontree.Fields) {
	c.readHeadDim(f)
	refuseBias(f, c.ModelType)
	window := readWindow(f)
	refuseWindowSwitch(f)
	c.sameLayers(f, window, c.readRope(f, 10000))
}

func readQwen2(c *Config, f *jsontree.Fields) {
	c.readHeadDim(f)
	refuseBias(f, c.ModelType)
	c.readQwenLayers(f)
}

func readQwen3(c *Config, f *jsontree.Fields) {
	c.readHeadDim(f)
	c.readBias(f)
	c.readQwenLayers(f)
}

// readQwenLayers: sliding_window says nothing until use_sliding_window switches it on,
// for the layers from max_window_layers on.
func (c *Config) readQwenLayers(f *jsontree.Fields) {
	window, first := 0, f.Int("max_window_layers", 28, 0, maxLayers)
	if f.Bool("use_sliding_window", false) {
		window = readWindow(f)
	}
	rope := c.readRope(f, 10000)
	c.layers(f, window, func(i int) bool { return window > 0 && i >= first }, func(int, bool) Rope { return rope })
}

// readSmolLM3: every fourth layer is not rotated, and has the window if there is one.
func readSmolLM3(c *Config, f *jsontree.Fields) {
	c.readHeadDim(f)
	c.readBias(f)
	interval := f.Int("no_rope_layer_interval", 4, 1, maxLayers)
	rotated := f.Integers("no_rope_layers", 0, 1) // 1: rotated
	if rotated != nil && len(rotated) < c.NumHiddenLayers {
		f.Mistake("no_rope_layers has %d entries, want num_hidden_layers (%d)", len(rotated), c.NumHiddenLayers)
	}
	rotates := func(i int) bool {
		if i < len(rotated) {
			return rotated[i] == 1
		}
		return (i+1)%interval != 0
	}
	window := 0
	if f.Bool("use_sliding_window", false) {
		window = f.Int("sliding_window", 0, 1, maxPosition)
	}
	rope := c.readRope(f, 2000000)
	c.layers(f, window, func(i int) bool { return window > 0 && !rotates(i) }, func(i int, _ bool) Rope {
		if rotates(i) {
			return rope
		}
		return Rope{}
	})
}

// readGranite: LLaMA with four multipliers.
func readGranite(c *Config, f *jsontree.Fields) {
	readLlama(c, f)
	c.EmbeddingScale = f.Positive("embedding_multiplier", 1)
	c.AttentionScale = f.Positive("attention_multiplier", 1)
	c.ResidualScale = f.Positive("residual_multiplier", 1)
	c.LogitsDivisor = f.Positive("logits_scaling", 1)
}

// readOlmo3: three layers with the window and a rope that is never stretched, then one
// without.
func readOlmo3(c *Config, f *jsontree.Fields) {
	c.readHeadDim(f)
	c.readBias(f)
	window := readWindow(f)
	if window == 0 {
		f.Wrong("sliding_window", "a number for model_type "+c.ModelType)
	}
	full, near := c.readRopes(f, 500000, 500000)
	c.layers(f, window, func(i int) bool { return (i+1)%4 != 0 }, func(_ int, sliding bool) Rope {
		if sliding {
			return near
		}
		return full
	})
}

// readExaone4: with a window, the layers that do not have it are not rotated.
func readExaone4(c *Config, f *jsontree.Fields) {
	c.readHeadDim(f)
	refuseBias(f, c.ModelType)
	window, rope, pattern := readWindow(f), c.readRope(f, 10000), 4
	if !f.Has("layer_types") { // else it may be a word, LLLG
		pattern = f.Int("sliding_window_pattern", pattern, 1, maxLayers)
	}
	c.layers(f, window, func(i int) bool { return window > 0 && (i+1)%pattern != 0 }, func(_ int, sliding bool) Rope {
		if window > 0 && !sliding {
			return Rope{}
		}
		return rope
	})
}

// readGemma1: LLaMA with another embedding. Its first files call the activation gelu, and
// mean the tanh approximation.
func readGemma1(c *Config, f *jsontree.Fields) {
	readLlama(c, f)
	c.EmbeddingScale = math.Sqrt(float64(c.HiddenSize))
	if act := f.Text("hidden_act", "gelu"); act != "gelu" && act != "gelu_pytorch_tanh" {
		f.Wrong("hidden_act", `"gelu_pytorch_tanh"`)
	}
}

// readGemma2: every other layer has the window, from the first on.
func readGemma2(c *Config, f *jsontree.Fields) {
	c.readGemma(f)
	c.AttentionCap = readCap(f, "attn_logit_softcapping", 50)
	c.LogitsCap = readCap(f, "final_logit_softcapping", 30)
	window, rope := readWindow(f), c.readRope(f, 10000)
	c.layers(f, window, func(i int) bool { return window > 0 && i%2 == 0 }, func(int, bool) Rope { return rope })
}

// readGemma3: five layers with the window and a rope of their own, then one without.
func readGemma3(c *Config, f *jsontree.Fields) {
	c.readGemma(f)
	c.LogitsCap = readCap(f, "final_logit_softcapping", 0)
	window, pattern := readWindow(f), f.Int("sliding_window_pattern", 6, 1, maxLayers)
	full, near := c.readRopes(f, 1000000, 10000)
	c.layers(f, window, func(i int) bool { return window > 0 && (i+1)%pattern != 0 }, func(_ int, sliding bool) Rope {
		if sliding {
			return near
		}
		return full
	})
}

// readGemma reads what the later Gemmas have. The embedding is multiplied by √C in the type that
// a model computes in: here float32, whatever its weights are stored in.
func (c *Config) readGemma(f *jsontree.Fields) {
	c.readHeadDim(f)
	c.readBias(f)
	c.EmbeddingScale = math.Sqrt(float64(c.HiddenSize))
	c.AttentionScale = 1 / math.Sqrt(f.Positive("query_pre_attn_scalar", 256))
}

// readCap reads the limit of a soft cap: null is none.
func readCap(f *jsontree.Fields, key string, usual float64) float64 {
	if f.Absent(key) {
		return usual
	}
	return f.Positive(key, 0)
}

// readWindow reads sliding_window: 4096 where it is absent, none where it is null.
func readWindow(f *jsontree.Fields) int {
	usual := 0
	if f.Absent("sliding_window") {
		usual = 4096
	}
	return f.Int("sliding_window", usual, 1, maxPosition)
}

// readPhi3: fused projections, and ropes that may rotate a part of a head and depend on
// the length.
func readPhi3(c *Config, f *jsontree.Fields) {
	c.readHeadDim(f)
	refuseBias(f, c.ModelType)
	window, rope := f.Int("sliding_window", 0, 1, maxPosition), c.readRope(f, 10000)
	if rope.Type == "longrope" {
		f.Need("original_max_position_embeddings")
	}
	c.sameLayers(f, window, rope)
}

// readHeadDim reads head_dim; where neither config.json nor the family has one it is
// hidden_size/num_attention_heads.
func (c *Config) readHeadDim(f *jsontree.Fields) {
	if c.HiddenSize == 0 || c.NumAttentionHeads == 0 {
		return // a mistake already
	}
	even := c.HiddenSize / c.NumAttentionHeads
	if c.HeadDim > 0 {
		even = c.HeadDim
	} else if !f.Has("head_dim") && c.HiddenSize%c.NumAttentionHeads != 0 {
		f.Wrong("hidden_size", fmt.Sprintf("a multiple of num_attention_heads (%d), or a head_dim", c.NumAttentionHeads))
	}
	c.HeadDim = f.Int("head_dim", even, 2, maxHeadDim)
}

// readBias reads attention_bias, which is on q, k, v and o.
func (c *Config) readBias(f *jsontree.Fields) {
	bias := f.Bool("attention_bias", false)
	c.QKVBias, c.OBias = bias, bias
}

func refuseBias(f *jsontree.Fields, modelType string) {
	if f.Bool("attention_bias", false) {
		f.Wrong("attention_bias", "false for model_type "+modelType)
	}
}

func refuseWindowSwitch(f *jsontree.Fields) {
	if f.Bool("use_sliding_window", false) {
		f.Wrong("use_sliding_window", "false: this model_type has no such switch")
	}
}

// sameLayers makes all layers alike, but for those that layer_types takes the window from.
func (c *Config) sameLayers(f *jsontree.Fields, window int, rope Rope) {
	c.layers(f, window, func(int) bool { return window > 0 }, func(int, bool) Rope { return rope })
}

// layers makes the layers, with a window where layer_types says sliding_attention; without
// layer_types where slides does.
func (c *Config) layers(f *jsontree.Fields, window int, slides func(i int) bool, rope func(i int, sliding bool) Rope) {
	types := f.Texts("layer_types")
	if types != nil && len(types) != c.NumHiddenLayers {
		f.Mistake("layer_types has %d entries, want num_hidden_layers (%d)", len(types), c.NumHiddenLayers)
		return
	}
	c.Layers = make([]LayerConfig, c.NumHiddenLayers)
	for i := range c.Layers {
		sliding := slides(i)
		if types != nil {
			sliding = types[i] == "sliding_attention"
			if !sliding && types[i] != "full_attention" {
				f.Mistake("layer_types[%d] is %q, want full_attention or sliding_attention", i, types[i])
			}
		}
		c.Layers[i].Rope = rope(i, sliding)
		if !sliding {
			continue
		}
		if c.Layers[i].Window = window; window == 0 {
			f.Mistake("layer_types[%d] is %q, but the model has no sliding_window (or use_sliding_window is false)", i, "sliding_attention")
			return
		}
	}
}
