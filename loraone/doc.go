// Package loraone holds low-rank adapters for a frozen model: the LoRA layers,
// their spectral start from one full-batch gradient (LoRA-One, arXiv 2502.01235),
// and the preconditioner of their gradients. It does not know text, nor the
// training loop. Its folder peft reads and writes adapter files.
//
// Letters are PEFT's: y = W·x + s·B·A·x with W Out×In, A R×In, B Out×R, and
// s = α/√R, always. The authors of LoRA-One write A·B, so their A is our B; where
// their README and code differ, the code (run_exp.py at 01bba05) is followed.
//
// # Two ways to the start
//
// The gradient G of a projection is what a recorder, set in place of the adapter,
// sums up as dyᵀ·x. G is formed, 512 MB of it in a pass over the sequences or less under
// a memory budget, where all of them take 1 GB at most. Else only products with thin
// matrices are kept: Y = GΩ in one pass, QᵀG in the next, some rounds of it. Which way
// is taken depends on the shapes alone: the first is exact, and takes fewer passes than
// the second where it is taken. W is not changed by the start: the model itself moves,
// by a step of steepest descent.
package loraone
