// Package ollama writes a Modelfile, with a chat template that Ollama can run where one
// can be proved. It does not know Jinja: the model's own template is a function.
//
// Without a TEMPLATE, Ollama guesses one from its list by the distance of two texts, and
// so loses, for example, a default system message (ollama at fb307609). A TEMPLATE is
// Go's text/template. So one is made from what the model's own renders: the texts before,
// between and behind the contents of a few chats. It is then run on a dozen others; only
// where every byte is the model's own it is written.
//
// Adapter and base are GGUF files: Ollama's own conversion of safetensors permutes the
// wrong matrix of an adapter and loses the pre-tokenizer of some models.
package ollama
