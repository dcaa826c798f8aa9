// Package loraone holds the low-rank adapters of a frozen model: the modules, one for
// each adapted projection, and the table of methods that choose and start them. It does
// not know text, the training loop, or what a base model is called. Its folder spectrum
// computes the initial gradient and its leading singular triples; peft and its siblings
// are the files that carry adapters elsewhere.
//
// Letters are PEFT's: y = W·x + s·B·A·x with W Out×In, A R×In, B Out×R.
//
// # A method is a row
//
// [Methods] lists them, each in a file of its own: what its start is made from (nothing,
// the weights, the initial gradient), its scale, ranks, module and start. Events follow
// each other so, in [Start]: gradient → spectrum → ranks → modules → start. A module is
// started as soon as what it needs is there, which is then let go: gradients are never in
// memory longer than they serve.
//
// LoRA-One (arXiv 2502.01235) is one row. The others are its neighbours, as their authors'
// code has them: each file names its source, and what differs from it. Some start where
// the base is, because B is zero ([LoRA], [LoRAPlus]) or because the start is subtracted
// ([PiSSA], [OLoRA], [LoRAGA]), or because ΔW is ([AdaRankGrad]). The others move the model ([LoRAOne], [LoRASB], [GoRA]),
// and such a start must not be worse than the base on the sequences that it came from: it
// is halved until it is not.
//
// A finished adapter is trained on without a start: [Continue].
//
// # A module is what is trained
//
// A [Module] is the adapter that an engine of package model calls, and a list of named
// arrays: [Param]. Optimizers and checkpoints go by these names and groups, and nowhere by
// "A and B". Every module has a rank and a scale of its own. Files get its [LowRank] form,
// exactly s·B·A: a method that subtracts its start, so that the model begins where the
// base is, keeps it as a frozen offset and has twice the rank there. [AdaRankGrad] alone
// trains more than a low rank holds, and says what its file leaves out: [Truncator].
//
// Modules belong to no model: [Adapters.Attach] gives them to an engine, and one mapped
// model serves any number of engines.
package loraone
