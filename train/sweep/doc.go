// Package sweep makes many runs of one file: a base, and what varies over it. It knows
// which runs there are, in which folder each is, how far it has come, and how to start
// what is missing as processes of this program. What a run does is train's; here it is
// a command that can be typed again.
//
// A configuration is a recipe apart from its seed; a run is a configuration with a seed.
// A [File] is read, its runs expanded and resolved, before anything starts.
//
// Decisions:
//
//   - The folders are the only state. A run's folder is named by what differs and by a
//     hash of its recipe, by which it is found: values can be added to the file and taken
//     out, and nothing moves; what is changed is another run. "train --resume" in a folder
//     can be typed any number of times, so a sweep that was interrupted, however, is typed
//     again.
//   - Every configuration has the same seeds, and the same validation rows, so that
//     differences are paired: the plan of a run, which may choose how many rows to evaluate
//     on, chooses nothing here.
//   - Nothing is decided by time or by the order in which runs end: drawn values come
//     from a counter, and a rung of [Halving] waits for all of its runs. A configuration is
//     judged by those that come to it, and which did not is kept and told.
package sweep
