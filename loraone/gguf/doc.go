// Package gguf writes what llama.cpp and those that build on it read: an adapter, and a
// whole model with or without an adapter in its weights. It does not know how a text
// becomes tokens; what it needs of that it is given as a function.
//
// The format is version 3 of https://github.com/ggml-org/ggml/blob/master/docs/gguf.md;
// names, keys and their values are those of llama.cpp's convert_lora_to_gguf.py and
// convert_hf_to_gguf.py at 0c1e5709.
//
// # Rows that move
//
// The architectures llama, granite and smollm3 there rotate neighbours, where transformers
// rotates halves. So the rows of q and k change places within each head: of the weights, of
// their biases, and of B alone in an adapter, whose A is on the other side. A file without
// that loads and answers, a little wrong. The other architectures rotate halves there too.
//
// # What a file cannot say
//
// Much of a model is in the code of llama.cpp and not in a file: which layers have a
// window or are not rotated, what scores are multiplied by, whether o has a bias.
// architectures has a row for each family with what its code does, and a whole model
// of which that is not true is refused. One thing is bent: where the code has no windows,
// the context is cut to the window, within which it makes no difference. An adapter alone
// goes with whatever base it is loaded beside.
//
// # One alpha
//
// An adapter file holds one alpha, and each module's scale is alpha over its own rank; an
// alpha of 0 means a scale of 1. Where alpha = s·r is the same for all modules it is
// written as it is, else alpha is a rank and B holds the rest, rounded once.
//
// # Tokens
//
// llama.cpp splits text by rules of its own, one set for each kind of tokenizer, and a
// file names the set: tokenizer.ggml.pre. The official scripts choose it by the hash of
// one text's ids, which a missing beginning-of-text token already changes. Here the
// structure of tokenizer.json decides, and the hash is a second opinion. The scores of a
// vocabulary in SentencePiece's manner fall with the rank of the merge that makes a token:
// llama.cpp merges by score. That the tokens of Phi-3 take the spaces behind them it knows
// from general.name alone, which therefore names that model where the tokens do, and else
// does not.
//
// # Read back
//
// A file is read as llama.cpp reads it, by its own rules, and every key and every row
// compared, before it takes its name.
package gguf
