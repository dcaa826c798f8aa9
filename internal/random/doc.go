// Package random makes reproducible random numbers that depend on what they are for
// and on nothing drawn before. It does not know what is drawn.
//
// A stream is splitmix64 over a counter (Steele, Lea and Flood, "Fast splittable
// pseudorandom number generators", 2014): number n of a stream is a hash of its key
// and n. The key is a hash of the seed and of the stream's purpose, so that a new
// purpose, a step more or a thread more changes no other number. Every operation is
// exact, hence the same on every machine.
//
// Finished runs and unfinished ones depend on these bits: the tests pin them.
package random
