package model

import (
	"slices"
	"strings"

	"example.com/finetune/internal/jsontree"
)

// moeKeys are settings of mixture-of-experts models.
var moeKeys = []string{
	"num_local_experts", "num_experts", "num_experts_per_tok", "n_routed_experts",
	"n_shared_experts", "moe_intermediate_size", "shared_expert_intermediate_size",
}

// offKeys are settings that must be absent, null or neutral, except for a family that
// understands them: any other value changes what the model computes. After the key: the
// neutral value.
var offKeys = [][2]string{
	{"mlp_bias", "false"},
	{"rope_interleaved", "false"},
	{"is_encoder_decoder", "false"},
	{"add_cross_attention", "false"},
	{"use_qk_norm", "false"},
	{"lm_head_bias", "false"},
	{"use_bidirectional_attention", "false"},
	{"attn_logit_softcapping", "null"},
	{"final_logit_softcapping", "null"},
	{"clip_qkv", "null"},
	{"query_pre_attn_scalar", "null"},
	{"no_rope_layers", "null"},
	{"embedding_multiplier", "1"},
	{"attention_multiplier", "null"},
	{"residual_multiplier", "1"},
	{"logits_scaling", "1"},
}

// refuseUnknown notes settings that change the mathematics and are not understood.
func refuseUnknown(f *jsontree.Fields, family family) {
	key, act := "hidden_act", "silu"
	if family.base.Activation == GELUTanh {
		key, act = "hidden_activation", "gelu_pytorch_tanh"
	}
	if f.Text(key, act) != act {
		f.Wrong(key, `"`+act+`"`)
	}
	for _, k := range []string{"quantization_config", "quantization"} { // the second is mlx's
		if f.Has(k) {
			f.Wrong(k, "none: the model is quantised, and a base in F32, F16 or BF16 is needed")
		}
	}
	for _, k := range moeKeys {
		if f.Has(k) {
			f.Wrong(k, "none: mixtures of experts are not supported")
		}
	}
	for _, k := range offKeys {
		raw := f.Raw(k[0])
		if f.Has(k[0]) && !slices.Contains(family.understands, k[0]) && raw != k[1] && raw != k[1]+".0" {
			f.Wrong(k[0], k[1])
		}
	}
	for _, a := range f.Texts("architectures") {
		if !strings.EqualFold(a, family.architecture) { // LLaMAForCausalLM in old conversions
			f.Wrong("architectures", `["`+family.architecture+`"]`)
			return
		}
	}
}
