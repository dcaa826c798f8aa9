package gguf

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/model"
)

// An architecture is how llama.cpp calls a family and what it asks of the weights.
type architecture struct {
	name     string
	permuted bool // rows of q and k, see doc.go
}

// architectures are those that are written, by model_type.
var architectures = map[string]architecture{
	"llama":   {"llama", true},
	"mistral": {"llama", true},
	"qwen2":   {"qwen2", false},
	"qwen3":   {"qwen3", false},
}

// architectureOf returns that of a model.
func architectureOf(c *model.Config) (architecture, error) {
	a, ok := architectures[c.ModelType]
	if !ok {
		return a, refused("model_type %s is not written as GGUF, only %s", c.ModelType, strings.Join(slices.Sorted(maps.Keys(architectures)), ", "))
	}
	return a, nil
}

// refused returns an error with a way to a file all the same.
func refused(format string, args ...any) error {
	return hint.New(fmt.Errorf(format, args...), "finetune merge writes a folder that llama.cpp's convert_hf_to_gguf.py reads")
}

// leaves are the names of a block's parts there, by those in transformers.
var leaves = map[string]string{
	"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
	"self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
	"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
	"mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}

// outside are the names of tensors that belong to no block.
var outside = map[string]string{
	"model.embed_tokens.weight": "token_embd.weight",
	"model.norm.weight":         "output_norm.weight",
	"lm_head.weight":            "output.weight",
}

// nameOf returns the name of a tensor there.
func nameOf(tensor string) (string, error) {
	if name, ok := outside[tensor]; ok {
		return name, nil
	}
	rest, ok := strings.CutPrefix(tensor, "model.layers.")
	layer, rest, _ := strings.Cut(rest, ".")
	at := strings.LastIndexByte(rest, '.')
	if ok && at > 0 {
		if leaf, ok := leaves[rest[:at]]; ok {
			return "blk." + layer + "." + leaf + rest[at:], nil
		}
	}
	return "", fmt.Errorf("tensor %s has no name in GGUF", tensor)
}

// heads returns how many heads the rows of a tensor are cut into where they change
// places, else 0.
func (a architecture) heads(c *model.Config, tensor string) int {
	switch {
	case !a.permuted:
	case strings.Contains(tensor, ".q_proj."):
		return c.NumAttentionHeads
	case strings.Contains(tensor, ".k_proj."):
		return c.NumKeyValueHeads
	}
	return 0
}

// source returns which row of a tensor becomes row i of one whose rows are cut into heads:
// of D rows of a head the first half and the second are interleaved.
func source(i, rows, heads int) int {
	if heads == 0 {
		return i
	}
	d := rows / heads
	head, j := i/d, i%d
	return head*d + j%2*(d/2) + j/2
}
