// Package model is a frozen LLaMA-style decoder: weights mapped from
// safetensors, a forward pass, and a backward pass that reaches the adapters and
// nothing else. It does not know LoRA (an [Engine] calls the [Adapter] that it
// holds for a projection) nor text (it sees token ids). A [Model] is weights and
// never changes: any number of engines compute on one, each with its own adapters.
//
// Shape letters, used in all comments: T tokens of a micro-batch, C hidden_size,
// H query heads, KV key/value heads, D head_dim, F intermediate_size, V
// vocabulary.
//
// # Families are data
//
// What differs from model_type to model_type is read once, by the reader of its row
// in families.go, into a [Config]: sizes, facts of the block, and layers, each with
// its window and rotation. Everything behind it reads these and asks for no name.
// [Config.Linears] is the one list of projections and their shapes, which the
// loader, adapters and plans of memory share.
//
// To add a family:
//
//  1. Read transformers' configuration_X.py for the settings and their defaults, and
//     modeling_X.py for what each of them does.
//  2. Add a row to families in families.go, under its model_type: transformers' class
//     as architecture; in base the facts of all its models (see Config) and the defaults
//     that are not LLaMA's, as config.json leaves out what is a default; and a reader.
//  3. Take a reader that is there (readLlama for one without windows) or write one of a
//     few lines from the pieces below it: readHeadDim, readBias or refuseBias, readRope
//     with the family's θ, and layers or sameLayers, which read layer_types.
//  4. Name in understands what it takes in and others refuse (offKeys in
//     config_refuse.go). What it does not understand stays an error: a setting of its own
//     that changes the mathematics and that no list has yet goes into offKeys.
//  5. Only where transformers computes what no Config says: a new fact there, whose zero
//     is LLaMA's, read in block.go or attention.go, forward and backward side by side, and
//     counted in TrainingBytes if it keeps anything.
//  6. Add a case with odd sizes to CASES of scripts/golden_families.py, run
//     scripts/golden.sh and scripts/families.sh CASE, and copy the case to testdata/golden.
//
// family_test.go does steps 2 to 4 for a toy, whose layers all differ.
//
// # Ragged micro-batches
//
// A micro-batch is whole sequences laid end to end. Linear layers see one tall
// matrix, attention goes sequence by sequence, positions restart at 0. There is
// no padding, hence no pad mask and no wasted product. Every row's result is the
// same whatever lies beside it (see package simd), so neither the size of a
// micro-batch nor its composition shows in a result.
//
// # Shared prefixes
//
// Sequences of a batch that begin with the same tokens share them: a batch is a tree, and a
// [Pass] computes each node of it once. The nodes below attend to its keys and values, whose
// gradients are the sums over them. A token from which several sequences train is not
// shared, so that every row has one target at most; nor is a beginning that saves some
// dozen tokens only. Both follow from the tokens alone. A sequence longer than those whose
// rotary angles are the same at all lengths (longrope, dynamic) shares nothing.
//
// Nodes are laid in one order: children before their parent, in the order of the sequences.
// Gradients add up in it, wherever micro-batches end, and sequences that share nothing have
// the order of the batch. What a micro-batch has before its nodes and not in it is the
// [Engine]'s prefix, always the beginning of one text: keys and values are computed with the
// first micro-batch that needs them, their gradients add up there, and the tokens have their
// forward and backward pass with the last one. Nothing else of them is kept in between.
//
// In the last block only rows that predict a target have queries and what follows from
// them; the others have keys and values alone.
//
// # What is kept for the backward pass
//
// Per block: its input, the input of its MLP half, q, k and v after rotation,
// the attention output with the maxima and sums of its softmax, gate and up.
// Attention probabilities are computed again, and so are norms and SiLU products
// where an adapter reads them. No gradient goes below the lowest adapted projection. lm_head runs only for tokens that are
// trained, some hundred at a time: T×V logits never exist. A [Layout] can trade
// time for memory: smaller micro-batches, and blocks computed again from their
// inputs. No bit changes.
package model
