// Package spectrum computes the initial gradient G = ∂L/∂W of frozen projections, and
// its leading singular triples: what LoRA-One, LoRA-GA, LoRA-SB and GoRA start from. It
// knows no adapter and no method: [Each] hands one [Gradient] after the other to a
// function, and lets go of it. [Leading] decomposes any matrix that is in memory.
//
// Decisions:
//
//   - G is summed up as dyᵀ·x by a recorder that an engine holds in the place of an
//     adapter. As many G as fit into a limit are materialised in one pass over the
//     sequences. Where all of them together take more than 1 GB none is, unless they are
//     asked for: only products with thin matrices are kept then, GΩ in one pass and QᵀG
//     in the next, for some rounds. Which way is taken depends on the shapes alone, never
//     on a memory budget, so that a budget changes no result.
//   - Everything that is random (Ω) follows from the seed and the projection's name. The
//     result is the same for any number of threads and any size of micro-batch.
package spectrum
