package model

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/finetune/internal/jsontree"
)

// baseConfig is a small llama's config.json.
func baseConfig() map[string]any {
	return map[string]any{
		"model_type": "llama", "architectures": []string{"LlamaForCausalLM"}, "hidden_act": "silu",
		"hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 3,
		"num_key_value_heads": 1, "vocab_size": 30, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
		"torch_dtype": "float32", "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": false,
	}
}

type drop struct{} // as a value: the key is taken out

// changed is baseConfig with some keys set or dropped.
func changed(changes map[string]any) map[string]any {
	c := baseConfig()
	if t, ok := changes["model_type"].(string); ok && t != "" {
		delete(c, "architectures")
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == drop{} })
	return c
}

func parsed(t *testing.T, changes map[string]any) (*Config, error) {
	t.Helper()
	data, err := json.Marshal(changed(changes))
	if err != nil {
		t.Fatal(err)
	}
	f, err := jsontree.ParseFields("config.json", string(data))
	if err != nil {
		t.Fatal(err)
	}
	return parseConfig(f)
}

var theta10000 = Rope{Type: "default", Theta: 10000}

// windows reports whether every layer of c has this window.
func windows(c *Config, window int) bool {
	return len(c.Layers) == c.NumHiddenLayers && !slices.ContainsFunc(c.Layers, func(l LayerConfig) bool { return l.Window != window })
}

func TestConfigValues(t *testing.T) {
	c, err := parsed(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		ModelType: "llama", HiddenSize: 12, IntermediateSize: 20, NumHiddenLayers: 2, NumAttentionHeads: 3,
		NumKeyValueHeads: 1, HeadDim: 4, VocabSize: 30, MaxPositionEmbeddings: 64, RMSNormEps: 1e-5,
		Layers: []LayerConfig{{Rope: theta10000}, {Rope: theta10000}}, BOS: 1, EOS: []int{2}, DType: "float32",
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got\n%+v, want\n%+v", c, want)
	}
}

// What each family makes of the smallest config.json, where it is not what LLaMA does.
func TestFamilies(t *testing.T) {
	type m = map[string]any
	smollm3 := make([]LayerConfig, 5)
	for i := range smollm3 {
		smollm3[i].Rope = Rope{Type: "default", Theta: 2000000}
	}
	smollm3[3] = LayerConfig{Window: 7}
	plain, local := Rope{Type: "default", Theta: 10000}, Rope{Type: "default", Theta: 10000}
	global := Rope{Type: "linear", Theta: 1000000, Factor: 8}
	long := LongRope{Short: []float64{1}, Long: []float64{2}}
	for _, test := range []struct {
		changes m
		want    func(c *Config)
	}{
		{m{"model_type": "smollm3", "num_hidden_layers": 5, "use_sliding_window": true, "sliding_window": 7, "tie_word_embeddings": drop{}}, func(c *Config) {
			c.TieWordEmbeddings, c.NumHiddenLayers, c.Layers = true, 5, smollm3
		}},
		{m{"model_type": "smollm3", "no_rope_layers": []int{0, 1}}, func(c *Config) {
			c.Layers = []LayerConfig{{}, smollm3[0]}
		}},
		{m{"model_type": "olmo2", "rms_norm_eps": drop{}}, func(c *Config) {
			c.NormPlaces, c.QKNorm, c.QKNormAcross = NormsAfter, true, true
		}},
		{m{"model_type": "olmo3", "rms_norm_eps": drop{}, "rope_theta": 7, "rope_scaling": m{"rope_type": "linear", "factor": 8}, "sliding_window": 3, "num_hidden_layers": 4}, func(c *Config) {
			c.NormPlaces, c.QKNorm, c.QKNormAcross, c.NumHiddenLayers = NormsAfter, true, true, 4
			near := LayerConfig{Window: 3, Rope: Rope{Type: "default", Theta: 500000}} // transformers' rope_theta is that of the others alone
			c.Layers = []LayerConfig{near, near, near, {Rope: Rope{Type: "linear", Theta: 7, Factor: 8}}}
		}},
		{m{"model_type": "exaone4", "rms_norm_eps": drop{}, "sliding_window": 3, "sliding_window_pattern": 2}, func(c *Config) {
			c.NormPlaces, c.QKNorm = NormsAfter, true
			c.Layers = []LayerConfig{{Window: 3, Rope: plain}, {}}
		}},
		{m{"model_type": "exaone4", "sliding_window": 3, "sliding_window_pattern": "LG", "layer_types": []string{"full_attention", "sliding_attention"}}, func(c *Config) {
			c.NormPlaces, c.QKNorm = NormsAfter, true
			c.Layers = []LayerConfig{{}, {Window: 3, Rope: plain}}
		}},
		{m{"model_type": "exaone4", "sliding_window": nil, "sliding_window_pattern": nil, "layer_types": []string{"full_attention", "full_attention"}}, func(c *Config) {
			c.NormPlaces, c.QKNorm = NormsAfter, true
		}},
		{m{"model_type": "granite", "embedding_multiplier": 12, "attention_multiplier": 0.5, "residual_multiplier": 0.25, "logits_scaling": 8}, func(c *Config) {
			c.EmbeddingScale, c.AttentionScale, c.ResidualScale, c.LogitsDivisor = 12, 0.5, 0.25, 8
		}},
		{m{"model_type": "qwen2", "use_sliding_window": true, "sliding_window": 5, "max_window_layers": 1}, func(c *Config) {
			c.QKVBias, c.Layers = true, []LayerConfig{{Rope: plain}, {Window: 5, Rope: plain}}
		}},
		{m{"model_type": "ministral", "sliding_window": 5, "layer_types": []string{"full_attention", "sliding_attention"}}, func(c *Config) {
			c.Layers = []LayerConfig{{Rope: plain}, {Window: 5, Rope: plain}}
		}},
		{m{"model_type": "gemma", "head_dim": 4, "hidden_act": "gelu", "tie_word_embeddings": drop{}}, func(c *Config) {
			c.NormsPlusOne, c.Activation, c.TieWordEmbeddings, c.EmbeddingScale = true, GELUTanh, true, math.Sqrt(12)
		}},
		{m{"model_type": "gemma2", "head_dim": 4, "hidden_act": drop{}, "tie_word_embeddings": drop{}}, func(c *Config) {
			gemmaFacts(c)
			c.AttentionCap, c.LogitsCap = 50, 30
			c.Layers = []LayerConfig{{Window: 4096, Rope: plain}, {Rope: plain}}
		}},
		{m{"model_type": "gemma2", "head_dim": 4, "attn_logit_softcapping": nil, "final_logit_softcapping": 2, "sliding_window": nil, "tie_word_embeddings": drop{}}, func(c *Config) {
			gemmaFacts(c)
			c.LogitsCap = 2
		}},
		{m{"model_type": "gemma3_text", "head_dim": 4, "rope_scaling": m{"rope_type": "linear", "factor": 8}, "sliding_window": 3, "sliding_window_pattern": 2, "tie_word_embeddings": drop{}}, func(c *Config) {
			gemmaFacts(c)
			c.QKNorm, c.Layers = true, []LayerConfig{{Window: 3, Rope: local}, {Rope: global}}
		}},
		{m{"model_type": "gemma3_text", "head_dim": 4, "rope_parameters": m{"full_attention": m{"rope_type": "linear", "factor": 8}}, "sliding_window": 3, "layer_types": []string{"sliding_attention", "full_attention"}, "tie_word_embeddings": drop{}}, func(c *Config) {
			gemmaFacts(c)
			c.QKNorm, c.Layers = true, []LayerConfig{{Window: 3, Rope: local}, {Rope: global}}
		}},
		{m{"model_type": "phi3", "partial_rotary_factor": 0.5, "original_max_position_embeddings": 4, "rope_scaling": m{"type": "su", "short_factor": []int{1}, "long_factor": []int{2}}}, func(c *Config) {
			c.Fused = true
			r := Rope{Type: "longrope", Theta: 10000, Partial: 0.5, Factor: 16, AttentionFactor: math.Sqrt(3), OriginalMaxPositionEmbeddings: 4, Long: &long}
			c.Layers = []LayerConfig{{Rope: r}, {Rope: r}}
		}},
	} {
		c, err := parsed(t, test.changes)
		if err != nil {
			t.Errorf("%v: %v", test.changes, err)
			continue
		}
		want, err := parsed(t, nil)
		if err != nil {
			t.Fatal(err)
		}
		want.ModelType = c.ModelType
		test.want(want)
		if !reflect.DeepEqual(c, want) {
			t.Errorf("%v:\n%+v, want\n%+v", test.changes, c, want)
		}
	}
}

// TestTextPart: the text part of a gemma3 has its own settings, names of its own, and end
// tokens of the whole.
func TestTextPart(t *testing.T) {
	type m = map[string]any
	text := m{"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text", "num_hidden_layers": 34, "rope_scaling": m{"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024}
	read := func(config m) (*Config, error) {
		data, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		f, err := jsontree.ParseFields("config.json", string(data))
		if err != nil {
			t.Fatal(err)
		}
		return parseConfig(f)
	}
	whole := m{"model_type": "gemma3", "architectures": []string{"Gemma3ForConditionalGeneration"}, "eos_token_id": []int{1, 106}, "text_config": text, "torch_dtype": "bfloat16", "vision_config": m{"hidden_size": 1152}}
	c, err := read(whole)
	if err != nil {
		t.Fatal(err)
	}
	if p := c.Linears()[7]; p.Name != "model.language_model.layers.1.self_attn.q_proj" || p.Stored != "language_model.model.layers.1.self_attn.q_proj" {
		t.Errorf("the second layer's first projection is %s, stored as %s", p.Name, p.Stored)
	}
	if c.ModelType != "gemma3" || !c.TieWordEmbeddings || !slices.Equal(c.EOS, []int{1, 106}) || c.VocabSize != 262208 || c.Layers[5].Window != 0 || c.Layers[6].Window != 1024 || c.DType != "bfloat16" {
		t.Errorf("got %+v", c)
	}
	delete(whole, "text_config")
	if _, err := read(whole); err == nil || !strings.Contains(err.Error(), "text_config is missing") {
		t.Errorf("without text_config: %v", err)
	}
	whole["text_config"] = m{"model_type": "gemma2"}
	if _, err := read(whole); err == nil || !strings.Contains(err.Error(), `text_config.model_type is "gemma2", want "gemma3_text"`) {
		t.Errorf("another text: %v", err)
	}
	text["use_bidirectional_attention"], whole["text_config"] = true, text
	if _, err := read(whole); err == nil || !strings.Contains(err.Error(), "text_config.use_bidirectional_attention is true") {
		t.Errorf("a setting that changes what is computed: %v", err)
	}
}

// gemmaFacts are what TestFamilies' Gemmas share.
func gemmaFacts(c *Config) {
	c.HeadDim, c.TieWordEmbeddings, c.NormPlaces, c.NormsPlusOne, c.Activation = 4, true, NormsAround, true, GELUTanh
	c.EmbeddingScale, c.AttentionScale = math.Sqrt(12), 1/math.Sqrt(256)
}

// The other spellings and settings that are taken: changes to the base, and what
// they must lead to.
func TestConfigTaken(t *testing.T) {
	type m = map[string]any
	llama3 := m{"rope_type": "llama3", "factor": 8, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
	want3 := Rope{Type: "llama3", Theta: 500000, Factor: 8, LowFreqFactor: 1, HighFreqFactor: 4, OriginalMaxPositionEmbeddings: 32}
	both := maps.Clone(llama3)
	both["rope_theta"] = 500000.0
	rope := func(want Rope) func(*Config) bool {
		return func(c *Config) bool { return c.Layers[0].Rope == want && c.Layers[1].Rope == want }
	}
	for name, test := range map[string]struct {
		changes m
		ok      func(c *Config) bool
	}{
		"heads without kv":        {m{"num_key_value_heads": drop{}}, func(c *Config) bool { return c.NumKeyValueHeads == 3 }},
		"kv null":                 {m{"num_key_value_heads": nil}, func(c *Config) bool { return c.NumKeyValueHeads == 3 }},
		"head_dim":                {m{"head_dim": 8}, func(c *Config) bool { return c.HeadDim == 8 }},
		"head_dim null":           {m{"head_dim": nil}, func(c *Config) bool { return c.HeadDim == 4 }},
		"uneven with head_dim":    {m{"hidden_size": 13, "head_dim": 6}, func(c *Config) bool { return c.HeadDim == 6 }},
		"tied":                    {m{"tie_word_embeddings": true}, func(c *Config) bool { return c.TieWordEmbeddings }},
		"attention bias":          {m{"attention_bias": true}, func(c *Config) bool { return c.QKVBias && c.OBias }},
		"dtype of transformers 5": {m{"torch_dtype": drop{}, "dtype": "bfloat16"}, func(c *Config) bool { return c.DType == "bfloat16" }},
		"no dtype":                {m{"torch_dtype": drop{}}, func(c *Config) bool { return c.DType == "" }},
		"no tokens":               {m{"bos_token_id": nil, "eos_token_id": nil}, func(c *Config) bool { return c.BOS == -1 && c.EOS == nil }},
		"several ends":            {m{"eos_token_id": []int{2, 5}}, func(c *Config) bool { return slices.Equal(c.EOS, []int{2, 5}) }},
		"old architecture name":   {m{"architectures": []string{"LLaMAForCausalLM"}}, func(*Config) bool { return true }},
		"no act":                  {m{"hidden_act": drop{}}, func(*Config) bool { return true }},
		"neutral settings": {m{
			"mlp_bias": false, "pretraining_tp": 1, "rope_interleaved": false, "is_llama_config": true,
			"quantization_config": nil, "partial_rotary_factor": 1.0, "attention_dropout": 0.0, "use_cache": true, "num_experts": nil, "residual_multiplier": 1.0,
		}, func(*Config) bool { return true }},

		"theta":                  {m{"rope_theta": 100000}, rope(Rope{Type: "default", Theta: 100000})},
		"scaling null":           {m{"rope_scaling": nil}, rope(Rope{Type: "default", Theta: 10000})},
		"scaling empty":          {m{"rope_scaling": m{}, "rope_theta": 5.0}, rope(Rope{Type: "default", Theta: 5})},
		"linear, old word":       {m{"rope_scaling": m{"type": "linear", "factor": 2}}, rope(Rope{Type: "linear", Theta: 10000, Factor: 2})},
		"linear, both words":     {m{"rope_scaling": m{"type": "linear", "rope_type": "linear", "factor": 2}}, rope(Rope{Type: "linear", Theta: 10000, Factor: 2})},
		"llama3, transformers 4": {m{"rope_theta": 500000.0, "rope_scaling": llama3}, rope(want3)},
		"llama3, transformers 5": {m{"rope_parameters": both}, rope(want3)},
		"both, agreeing":         {m{"rope_parameters": both, "rope_scaling": llama3}, rope(want3)},
		"parameters, no type":    {m{"rope_parameters": m{"rope_theta": 5}}, rope(Rope{Type: "default", Theta: 5})},

		"mistral without a word": {m{"model_type": "mistral"}, func(c *Config) bool { return windows(c, 4096) }},
		"mistral null":           {m{"model_type": "mistral", "sliding_window": nil}, func(c *Config) bool { return windows(c, 0) }},
		"mistral 12": {
			m{"model_type": "mistral", "sliding_window": 12, "layer_types": []string{"sliding_attention", "sliding_attention"}},
			func(c *Config) bool { return windows(c, 12) },
		},
		"qwen2": {m{
			"model_type": "qwen2", "use_sliding_window": false, "sliding_window": 4096, "max_window_layers": 28,
			"layer_types": []string{"full_attention", "full_attention"},
		}, func(c *Config) bool { return c.QKVBias && !c.OBias && windows(c, 0) }},
		"qwen3":           {m{"model_type": "qwen3"}, func(c *Config) bool { return c.QKNorm && !c.QKVBias && c.HeadDim == 128 }},
		"qwen3 with bias": {m{"model_type": "qwen3", "attention_bias": true, "head_dim": 4}, func(c *Config) bool { return c.QKVBias && c.OBias && c.HeadDim == 4 }},
	} {
		c, err := parsed(t, test.changes)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !test.ok(c) {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// One line for each rule: changes to the base, and what the error must say.
func TestConfigRefused(t *testing.T) {
	type m = map[string]any
	llama3 := func(key string, value any) m {
		r := m{"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 32, key: value}
		maps.DeleteFunc(r, func(_ string, v any) bool { return v == drop{} })
		return m{"rope_scaling": r}
	}
	linear := func(key string, value any) m {
		return m{"rope_theta": 5.0, "rope_scaling": m{"type": "linear", "factor": 2, key: value}}
	}
	for _, test := range []struct {
		changes m
		want    string
	}{
		{m{"model_type": "mamba"}, `model_type is "mamba", want one of exaone4, gemma`},
		{m{"model_type": drop{}}, `model_type is null, want one of`},
		{m{"model_type": 3}, `model_type is 3, want a string`},
		{m{"hidden_act": "gelu"}, `hidden_act is "gelu", want "silu"`},
		{m{"architectures": []string{"LlamaForSequenceClassification"}}, `want ["LlamaForCausalLM"]`},
		{m{"architectures": "LlamaForCausalLM"}, `architectures is "LlamaForCausalLM", want a list of strings`},
		{m{"quantization_config": m{"bits": 4}}, `quantization_config is {"bits":4}, want none`},
		{m{"quantization": m{"bits": 4}}, `quantization is {"bits":4}, want none: the model is quantised`},
		{m{"num_local_experts": 8}, `num_local_experts is 8, want none`},
		{m{"num_experts": 8}, `num_experts is 8, want none`},
		{m{"n_routed_experts": 8}, `n_routed_experts is 8, want none`},
		{m{"moe_intermediate_size": 8}, `moe_intermediate_size is 8, want none`},
		{m{"mlp_bias": true}, `mlp_bias is true, want false`},
		{m{"rope_interleaved": true}, `rope_interleaved is true, want false`},
		{m{"final_logit_softcapping": 30.0}, `final_logit_softcapping is 30, want null`},
		{m{"attn_logit_softcapping": 50.5}, `attn_logit_softcapping is 50.5, want null`},
		{m{"residual_multiplier": 0.2}, `residual_multiplier is 0.2, want 1`},
		{m{"partial_rotary_factor": 0.5}, `partial_rotary_factor is 0.5, want 1`},
		{m{"partial_rotary_factor": "1"}, `partial_rotary_factor is "1", want a number`},

		{m{"hidden_size": drop{}}, `hidden_size is missing`},
		{m{"intermediate_size": nil}, `intermediate_size is missing`},
		{m{"num_hidden_layers": drop{}}, `num_hidden_layers is missing`},
		{m{"num_attention_heads": drop{}}, `num_attention_heads is missing`},
		{m{"vocab_size": drop{}}, `vocab_size is missing`},
		{m{"max_position_embeddings": drop{}}, `max_position_embeddings is missing`},
		{m{"hidden_size": 0}, `hidden_size is 0, want an integer from 1 to 131072`},
		{m{"hidden_size": -12}, `hidden_size is -12, want an integer`},
		{m{"hidden_size": 12.5}, `hidden_size is 12.5, want an integer`},
		{m{"hidden_size": json.RawMessage("12.0")}, `hidden_size is 12.0, want an integer`},
		{m{"hidden_size": "12"}, `hidden_size is "12", want an integer`},
		{m{"hidden_size": true}, `hidden_size is true, want an integer`},
		{m{"hidden_size": 1 << 20}, `hidden_size is 1048576, want an integer from 1 to 131072`},
		{m{"intermediate_size": 1 << 30}, `intermediate_size is 1073741824, want`},
		{m{"num_hidden_layers": 100000}, `num_hidden_layers is 100000, want`},
		{m{"num_attention_heads": json.RawMessage("99999999999999999999")}, `num_attention_heads is 99999999999999999999, want`},
		{m{"vocab_size": int64(1) << 40}, `vocab_size is 1099511627776, want`},
		{m{"max_position_embeddings": json.RawMessage("1e5")}, `max_position_embeddings is 1e5, want an integer`},
		{m{"num_hidden_layers": 1_000_000_000}, `num_hidden_layers is 1000000000, want an integer from 1 to 1024`},
		{m{"num_attention_heads": int64(1) << 40}, `num_attention_heads is 1099511627776, want an integer from 1 to 4096`},
		{m{"num_key_value_heads": int64(1) << 40}, `num_key_value_heads is 1099511627776, want an integer from 1 to 4096`},
		{m{"head_dim": int64(1) << 40}, `head_dim is 1099511627776, want an integer from 2 to 4096`},
		{m{"head_dim": int64(math.MaxInt64)}, `head_dim is 9223372036854775807, want an integer from 2 to 4096`},
		{m{"num_attention_heads": 4096, "num_key_value_heads": 4096, "head_dim": 4096}, `num_attention_heads × head_dim is 16777216, want at most 131072`},
		{m{"max_position_embeddings": int64(1) << 40}, `max_position_embeddings is 1099511627776, want`},
		{m{"hidden_size": json.RawMessage("1e300")}, `hidden_size is 1e300, want an integer`},
		{m{"rms_norm_eps": json.RawMessage("1e400")}, `rms_norm_eps is 1e400, want a number`},
		{m{"rope_theta": json.RawMessage("1e400")}, `rope_theta is 1e400, want a number`},
		{m{"rope_theta": "NaN"}, `rope_theta is "NaN", want a number`},
		{m{"hidden_size": []int{12}}, `hidden_size is [12], want an integer`},
		{m{"rope_scaling": []any{1, m{"a": []any{nil}}}}, `rope_scaling is [1,{"a":[null]}], want an object`},
		{m{"hidden_size": 13}, `hidden_size is 13, want a multiple of num_attention_heads (3)`},
		{m{"hidden_size": 15}, `head_dim is 5, want an even number`},
		{m{"head_dim": 7}, `head_dim is 7, want an even number`},
		{m{"head_dim": 0}, `head_dim is 0, want an integer from 2`},
		{m{"num_key_value_heads": 2}, `num_attention_heads is 3, want a multiple of num_key_value_heads (2)`},
		{m{"num_key_value_heads": 0}, `num_key_value_heads is 0, want an integer from 1`},
		{m{"rms_norm_eps": 0}, `rms_norm_eps is 0, want a number between 0 and 1`},
		{m{"rms_norm_eps": "1e-5"}, `rms_norm_eps is "1e-5", want a number`},
		{m{"rms_norm_eps": -1e-5}, `rms_norm_eps is -0.00001, want a number between 0 and 1`},
		{m{"tie_word_embeddings": 1}, `tie_word_embeddings is 1, want true or false`},
		{m{"torch_dtype": 16}, `torch_dtype is 16, want a string`},
		{m{"bos_token_id": 30}, `bos_token_id is 30, want an integer from 0 to 29`},
		{m{"eos_token_id": -1}, `eos_token_id is -1, want an integer from 0 to 29, or a list`},
		{m{"eos_token_id": []any{2, "3"}}, `eos_token_id is [2,"3"], want`},
		{m{"eos_token_id": []any{2, nil}}, `eos_token_id is [2,null], want`},

		{m{"model_type": "mistral", "attention_bias": true}, `attention_bias is true, want false for model_type mistral`},
		{m{"model_type": "qwen2", "attention_bias": true}, `attention_bias is true, want false for model_type qwen2`},
		{m{"use_sliding_window": true}, `use_sliding_window is true, want false`},
		{m{"model_type": "qwen2", "use_sliding_window": true, "sliding_window": nil, "max_window_layers": 0, "layer_types": []string{"full_attention", "sliding_attention"}}, `layer_types[1] is "sliding_attention", but the model has no sliding_window`},
		{m{"sliding_window": 4096}, `sliding_window is 4096, want null for model_type llama: transformers trains it without a window and writes text with one, and null in config.json makes both do without`},
		{m{"model_type": "mistral", "sliding_window": 0}, `sliding_window is 0, want an integer from 1`},
		{m{"model_type": "qwen3", "layer_types": []string{"full_attention", "sliding_attention"}}, `layer_types[1] is "sliding_attention", but the model has no sliding_window`},
		{m{"model_type": "mistral", "sliding_window": 8, "layer_types": []string{"sliding_attention", "chunked_attention"}}, `layer_types[1] is "chunked_attention", want full_attention or sliding_attention`},
		{m{"layer_types": []string{"full_attention"}}, `layer_types has 1 entries, want num_hidden_layers (2)`},
		{m{"layer_types": 2}, `layer_types is 2, want a list of strings`},

		{m{"rope_scaling": m{"type": "proportional", "factor": 2}}, `the rope type is "proportional", want one of default, dynamic, linear, llama3, longrope, yarn`},
		{m{"rope_scaling": m{"rope_type": "yarn", "mscale": "x"}}, `rope_scaling.factor is missing`},
		{m{"model_type": "phi3", "rope_scaling": m{"rope_type": "longrope", "short_factor": []int{1, 1}, "long_factor": []int{1, 2}}}, `original_max_position_embeddings is missing`},
		{m{"model_type": "phi3", "partial_rotary_factor": 0.3}, `leaves 1 of 4 values of a head to rotate`},
		{m{"model_type": "phi3", "attention_bias": true}, `attention_bias is true, want false for model_type phi3`},
		{m{"model_type": "gemma2", "hidden_activation": "gelu"}, `hidden_activation is "gelu", want "gelu_pytorch_tanh"`},
		{m{"model_type": "gemma", "hidden_act": "relu"}, `hidden_act is "relu", want "gelu_pytorch_tanh"`},
		{m{"model_type": "gemma", "final_logit_softcapping": 30}, `final_logit_softcapping is 30, want null`},
		{m{"model_type": "olmo3", "sliding_window": nil}, `sliding_window is null, want a number for model_type olmo3`},
		{m{"model_type": "exaone4", "sliding_window_pattern": "LG"}, `sliding_window_pattern is "LG", want an integer from 1`},
		{m{"model_type": "exaone4", "sliding_window_pattern": 0}, `sliding_window_pattern is 0, want an integer from 1`},
		{m{"model_type": "exaone4", "attention_bias": true}, `attention_bias is true, want false for model_type exaone4`},
		{m{"model_type": "gemma2", "final_logit_softcapping": -1}, `final_logit_softcapping is -1, want a number above 0`},
		{m{"model_type": "gemma3_text", "attn_logit_softcapping": 50}, `attn_logit_softcapping is 50, want null`},
		{m{"model_type": "gemma3_text", "use_bidirectional_attention": true}, `use_bidirectional_attention is true, want false`},
		{m{"model_type": "gemma3_text", "rope_parameters": m{"rope_theta": 5}}, `rope_parameters.rope_theta is 5, want full_attention and sliding_attention alone`},
		{m{"model_type": "granite", "residual_multiplier": 0}, `residual_multiplier is 0, want a number above 0`},
		{m{"model_type": "smollm3", "no_rope_layers": []int{1}}, `no_rope_layers has 1 entries, want num_hidden_layers (2)`},
		{m{"model_type": "smollm3", "no_rope_layers": []int{1, 2}}, `no_rope_layers is [1,2], want an integer from 0 to 1`},
		{m{"attention_multiplier": 0.5}, `attention_multiplier is 0.5, want null`},
		{m{"lm_head_bias": true}, `lm_head_bias is true, want false`},
		{m{"rope_scaling": m{"rope_type": "longrope", "long_factor": []int{1, 2}}}, `rope_scaling.short_factor is missing`},
		{m{"rope_scaling": m{"rope_type": "longrope", "short_factor": []int{1, 1}, "long_factor": []int{1, 2, 3}}}, `long_factor has 3 numbers, want 2`},
		{m{"rope_scaling": m{"rope_type": "longrope", "short_factor": []int{1, 0}, "long_factor": []int{1, 2}}}, `rope_scaling.short_factor is [1,0], want numbers above 0`},
		{m{"rope_scaling": m{"factor": 2}}, `the rope type is ""`},
		{m{"rope_scaling": "linear"}, `rope_scaling is "linear", want an object`},
		{m{"rope_scaling": m{"type": "linear"}}, `rope_scaling.factor is missing`},
		{m{"rope_theta": 0}, `rope_theta is 0, want a number above 0`},
		{linear("factor", -2), `rope_scaling.factor is -2, want a number above 0`},
		{linear("factor", "2"), `rope_scaling.factor is "2", want a number`},
		{linear("rope_type", "default"), `rope_scaling.type is "linear", want the same as rope_type`},
		{linear("beta_fast", 32), `rope_scaling.beta_fast is 32, want no such key`},
		{linear("rope_theta", 6), `rope_theta is 5, and another one is 6`},
		{linear("partial_rotary_factor", 0.5), `partial_rotary_factor is 0.5, want 1`},
		{llama3("factor", drop{}), `rope_scaling.factor is missing`},
		{llama3("low_freq_factor", drop{}), `rope_scaling.low_freq_factor is missing`},
		{llama3("high_freq_factor", drop{}), `rope_scaling.high_freq_factor is missing`},
		{llama3("original_max_position_embeddings", drop{}), `rope_scaling.original_max_position_embeddings is missing`},
		{llama3("original_max_position_embeddings", 32.5), `original_max_position_embeddings is 32.5, want an integer`},
		{llama3("low_freq_factor", 4), `rope_scaling.high_freq_factor is 4, want more than low_freq_factor`},
		{m{"rope_scaling": m{"type": "linear", "factor": 2}, "rope_parameters": m{"rope_type": "linear", "factor": 3}}, `contradict each other`},
		{m{"rope_parameters": m{"full_attention": m{"rope_type": "default"}}}, `rope_parameters.full_attention is`},
	} {
		t.Run(test.want, func(t *testing.T) {
			_, err := parsed(t, test.changes)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "config.json: ") {
				t.Errorf("%v: %v, want %s", test.changes, err, test.want)
			}
		})
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	_, err := parsed(t, map[string]any{"hidden_act": "gelu", "vocab_size": drop{}, "rope_theta": "x"})
	if err == nil || strings.Count(err.Error(), "config.json: ") != 3 {
		t.Errorf("want three mistakes: %v", err)
	}
}

func TestReadConfigFiles(t *testing.T) {
	plain, err := json.Marshal(baseConfig())
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		config, generation, want string
		eos                      []int
		bos                      int
	}{
		"no generation_config": {string(plain), "", "", []int{2}, 1},
		"its ends come first":  {string(plain), `{"eos_token_id": [3, 4], "bos_token_id": 9}`, "", []int{3, 4}, 1},
		"it has none":          {string(plain), `{"temperature": 0.6}`, "", []int{2}, 1},
		"it begins":            {strings.Replace(string(plain), `"bos_token_id":1`, `"bos_token_id":null`, 1), `{"bos_token_id": 9}`, "", []int{2}, 9},
		"it is broken":         {string(plain), `{"eos_token_id": [`, "generation_config.json: line 1", nil, 0},
		"its end is too large": {string(plain), `{"eos_token_id": 30}`, "generation_config.json: eos_token_id is 30", nil, 0},
		"nested too deep":      {`{"a": ` + strings.Repeat(`[`, 20000), "", "config.json: line 1, byte 10006: more than 10000 lists", nil, 0},
		"half a file":          {string(plain)[:100], "", "config.json: line 1, byte 93: a string is not closed", nil, 0},
		"not UTF-8":            {"{\n\"model_type\": \"ll\xffama\"}", "", "config.json: line 2, byte 20: invalid UTF-8", nil, 0},
		"NaN":                  {`{"rms_norm_eps": NaN}`, "", "config.json: line 1, byte 18: found \"NaN\", want a value", nil, 0},
		"UTF-16":               {"\xff\xfe{\x00}\x00", "", "config.json: line 1, byte 1: invalid UTF-8", nil, 0},
		"a list":               {`[1, 2]`, "", "config.json: a list, want an object", nil, 0},
		"a web page":           {"<!DOCTYPE html>", "", "config.json: line 1, byte 1: found \"<!DOCTYPE\", want a value", nil, 0},
		"two objects":          {string(plain) + string(plain), "", "config.json: line 1, byte 344: more text after the value", nil, 0},
		"its ends are words":   {string(plain), `{"eos_token_id": ["</s>"]}`, `generation_config.json: eos_token_id is ["</s>"], want`, nil, 0},
		"its start is huge":    {string(plain), `{"bos_token_id": 99999999999999999999}`, "generation_config.json: bos_token_id is 99999999999999999999", nil, 0},
		"it has a key twice":   {string(plain), `{"eos_token_id": 1, "eos_token_id": 2}`, `generation_config.json: line 1, byte 21: duplicate key "eos_token_id"`, nil, 0},
		"it is deep":           {string(plain), `{"a":` + strings.Repeat(`{"a":`, 20000), "generation_config.json: line 1, byte 50001: more than 10000 lists", nil, 0},
		"key twice":            {"{\"a\": 1,\n\"a\": 2}", "", `config.json: line 2, byte 10: duplicate key "a"`, nil, 0},
		"empty file":           {"", "", "config.json: line 1, byte 1: the text ends, want a value", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, "config.json", test.config)
			if test.generation != "" {
				put(t, dir, "generation_config.json", test.generation)
			}
			c, err := ReadConfig(dir)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) || c != nil {
					t.Errorf("%v, want %s", err, test.want)
				}
				return
			}
			if err != nil || !slices.Equal(c.EOS, test.eos) || c.BOS != test.bos {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
}

func put(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestReadConfigHugeFile: its size is looked at before it is read.
func TestReadConfigHugeFile(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "config.json", "{}")
	if err := os.Truncate(filepath.Join(dir, "config.json"), 1<<33); err != nil {
		t.Skip(err)
	}
	_, err := ReadConfig(dir)
	if err == nil || !strings.Contains(err.Error(), "config.json: 8589934592 bytes, want at most 16777216") {
		t.Error(err)
	}
}

func TestReadConfigOfTheWrongFolder(t *testing.T) {
	dir := t.TempDir()
	_, err := ReadConfig(dir)
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "no config.json") {
		t.Errorf("empty folder: %v", err)
	}
	_, err = ReadConfig(filepath.Join(dir, "none"))
	if err == nil || !strings.Contains(err.Error(), "not a folder") {
		t.Errorf("no folder: %v", err)
	}
	put(t, dir, "adapter_config.json", "{}")
	_, err = ReadConfig(dir)
	var hint interface{ Hint() string }
	if !errors.As(err, &hint) || !strings.Contains(hint.Hint(), "base model") {
		t.Errorf("adapter's folder: %v", err)
	}
}

func FuzzConfig(f *testing.F) {
	for _, changes := range []map[string]any{
		nil,
		{"rope_scaling": map[string]any{"type": "linear", "factor": 2}},
		{"model_type": "mistral", "sliding_window": 3, "eos_token_id": []int{1, 2}},
		{"model_type": "qwen3", "num_attention_heads": 0},
		{"num_key_value_heads": 0, "head_dim": 1},
	} {
		data, err := json.Marshal(changed(changes))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fields, err := jsontree.ParseFields("config.json", string(data))
		if err != nil {
			return
		}
		c, err := parseConfig(fields)
		if err != nil {
			return
		}
		if c.HeadDim%2 != 0 || c.HeadDim < 2 || c.NumAttentionHeads%c.NumKeyValueHeads != 0 || c.HiddenSize < 1 || c.NumAttentionHeads*c.HeadDim > maxHidden || c.NumHiddenLayers > maxLayers ||
			c.VocabSize < 1 || c.NumHiddenLayers < 1 || c.IntermediateSize < 1 || len(c.Layers) != c.NumHiddenLayers || !(c.RMSNormEps > 0) || c.BOS >= c.VocabSize {
			t.Fatalf("taken: %+v", c)
		}
	})
}
