// Package model is a frozen LLaMA-style decoder: weights mapped from
// safetensors, a forward pass, and a backward pass that reaches the adapters and
// nothing else. It does not know LoRA (an [Adapter] is called where one is set)
// nor text (it sees token ids).
//
// Shape letters, used in all comments: T tokens of a micro-batch, C hidden_size,
// H query heads, KV key/value heads, D head_dim, F intermediate_size, V
// vocabulary.
//
// # Ragged micro-batches
//
// A micro-batch is whole sequences laid end to end. Linear layers see one tall
// matrix, attention goes sequence by sequence, positions restart at 0. There is
// no padding, hence no pad mask and no wasted product. Every row's result is the
// same whatever lies beside it (see package simd), so neither the size of a
// micro-batch nor its composition shows in a result.
//
// # What is kept for the backward pass
//
// Per block: its input, the input of its MLP half, q, k and v after rotation,
// the attention output with the maxima and sums of its softmax, gate and up.
// Norms, SiLU products and attention probabilities are computed again. No gradient
// goes below the lowest adapted projection. lm_head runs only for tokens that are
// trained, some hundred at a time: T×V logits never exist. A [Layout] can trade
// time for memory: smaller micro-batches, and blocks computed again from their
// inputs. No bit changes.
package model
