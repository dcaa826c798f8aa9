package gguf

import (
	"fmt"
	"strings"

	"example.com/finetune/model"
)

// leaves are the names of a block's parts there, by those in transformers.
var leaves = map[string]string{
	"input_layernorm": "attn_norm", "post_attention_layernorm": "post_attention_norm",
	"pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm",
	"self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
	"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
	"self_attn.qkv_proj": "attn_qkv",
	"mlp.gate_proj":      "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
	"mlp.gate_up_proj": "ffn_up",
}

// outside are the names of tensors that belong to no block.
var outside = map[string]string{
	"model.embed_tokens.weight": "token_embd.weight",
	"model.norm.weight":         "output_norm.weight",
	"lm_head.weight":            "output.weight",
}

// nameOf returns the name there of a tensor, or of a module's weight.
func nameOf(c *model.Config, tensor string) (string, error) {
	plain := tensor
	if c.Part != "" { // of a larger model, whose other parts have files of their own there
		plain = strings.Replace(tensor, c.Part+".", "", 1)
	}
	if name, ok := outside[plain]; ok {
		return name, nil
	}
	rest, ok := strings.CutPrefix(plain, "model.layers.")
	layer, rest, _ := strings.Cut(rest, ".")
	at := strings.LastIndexByte(rest, '.')
	if ok && at > 0 {
		leaf, ok := leaves[rest[:at]]
		if rest[:at] == "post_attention_layernorm" && c.NormPlaces == model.NormsBefore {
			leaf = "ffn_norm" // attention's output is the MLP's input
		}
		if ok {
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
