// Package optim holds the optimizers: how mean, clipped gradients become an update of
// parameters. It does not know models, batches, schedules or files.
//
// An optimizer is a row of [Kinds]: its name, what it chooses where settings do not, and
// a constructor of a [Rule], which updates one module of package loraone after the other.
// A rule sees named parameters; one that needs to know which two of them are the factors
// of B·A asks the module for them. What it remembers between steps is a list of named
// arrays, which a checkpoint keeps and gives back by name. A step begins with what is the
// same for all modules; then a rule prepares all of them, and only then changes any: a step
// that fails changes nothing.
//
// Letters: X is one factor, A [r×in] or Bᵀ [r×out], and Y the other one; n is the
// length of X's rows; g is X's gradient; ρ is the learning rate of the step.
//
// Everything r×r is computed in float64 in one order, each product and sum
// rounded by itself, so that every CPU gives the same bits.
package optim
