// Package optim holds the arithmetic of the optimizers: how a mean, clipped
// gradient becomes an update of an adapter's factors. It does not know models,
// batches, schedules or files.
//
// Letters: X is one factor, A [r×in] or Bᵀ [r×out], and Y the other one; n is the
// length of X's rows; g is X's gradient; ρ is the learning rate of the step.
//
// Everything r×r is computed in float64 in one order, each product and sum
// rounded by itself, so that every CPU gives the same bits.
package optim
