// Package merge writes a model folder whose weights hold an adapter: W + s·B·A in place
// of W. It does not know text, nor how a model is found.
//
// # The same folder
//
// The new folder has the base's files: shards, names, order, metadata, configuration,
// tokenizer. What is not adapted is copied byte for byte. Each adapted weight is computed
// in float32 and rounded once, to the nearest, ties to even, as PEFT's merge_and_unload
// does; PEFT's safe_merge rounds twice. Rows pass a few megabytes at a time, and weights
// are read where they are mapped, so that memory does not grow with the model.
//
// # Nothing is believed
//
// The folder is written under a hidden name and read back: every tensor's name, type and
// shape, every byte of what is not adapted, a sample of each adapted matrix against the
// same sum in float64, and the logits of the merged model against those of base and
// adapter. Only then it takes its name. Rounding is what makes the logits differ, so
// their bound depends on the type; bf16 keeps eight bits of a weight, and an adapter that
// moves little may vanish in it: [Report] says how many weights stayed as they were.
package merge
