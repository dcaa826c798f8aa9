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
// A new family is a reader and a row, as family_test.go shows. The reader sets
// HeadDim, Layers (one [LayerConfig] for each of num_hidden_layers) and the facts;
// what it takes in that others refuse stands in the row's understands. A setting
// that changes the mathematics and that no reader understands is an error.
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
// dozen tokens only. Both follow from the tokens alone.
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
// Norms, SiLU products and attention probabilities are computed again. No gradient
// goes below the lowest adapted projection. lm_head runs only for tokens that are
// trained, some hundred at a time: T×V logits never exist. A [Layout] can trade
// time for memory: smaller micro-batches, and blocks computed again from their
// inputs. No bit changes.
package model
