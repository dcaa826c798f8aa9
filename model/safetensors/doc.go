// Package safetensors maps weight files into memory and writes them, tensor by tensor. It does
// not know which tensors a model has, nor converts a number.
//
// The format is https://github.com/huggingface/safetensors: 8 bytes of header
// length, a JSON header of dtype, shape and offsets per tensor, and the data.
// nlpodyssey/safetensors reads and writes it; here is what it leaves open: header
// rules that it takes lightly (a key twice, spaces before the brace, invalid UTF-8),
// errors that name the tensor, views that cannot grow into the map, alignment,
// metadata, sharded models, and files that shrink while they are mapped.
//
// # Whom a folder is trusted
//
// A header and an index are not trusted: nothing is allocated by their word before
// it is compared with the file's size, and an index names files of its own folder
// only, by their bare names. Links in the folder are its owner's and are followed.
//
// # Files that change under the map
//
// A fault becomes an error that names the file, see [Set.Guard]; so does a change of
// the file that makes no fault.
package safetensors
