// Package tokenizer turns text into token ids and back as Hugging Face
// `tokenizers` does. It reads tokenizer.json, and from the files beside it which tokens
// begin and end a text and which are added to the others; it does not know models,
// floats, conversations (package chat does), or what a training row looks like.
//
// # The way of a text
//
//	text ─ added tokens ─ normalizers ─ added tokens ─ pre-tokenizers ─ BPE ─ post-processor
//
// Everything between text and ids is a [piece]: a stretch of normalized text with
// the range of the original behind each of its bytes. An added token is cut out
// of the text before normalization, or after it where the file says
// "normalized"; a pre-tokenizer hands pieces on one at a time; BPE merges the
// symbols of one piece. Where ByteLevel comes last, its byte alphabet is applied
// to the vocabulary once instead of to every word.
//
// # Decisions
//
// A component, option or model type that is not known is an error that names
// it. Skipping one gives plausible text and wrong ids.
//
// Offsets are bytes of the original text and are never trimmed: the trim_offsets
// of ByteLevel post-processors is not applied, because a mask must see the space
// that a token joins to its word. A token made of some bytes of a character has
// the range of the whole character, as in Hugging Face.
//
// The file's truncation and padding, and add_bos_token of tokenizer_config.json,
// are not applied: transformers too ignores them where there is a tokenizer.json,
// whose post-processor alone says what is added.
//
// Decoding and streaming are one chain of stages, so that a stream gives the text
// of the whole by construction.
//
// What a character is, letter or digit or punctuation, goes by the Unicode version of
// the library behind each component in Hugging Face (unicodeversions.go), and
// patterns are Oniguruma's (regex.go). The vocabulary and the merges are read by a
// scanner of our own: they are nearly all of a file of many megabytes.
package tokenizer
