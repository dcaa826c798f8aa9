// Package data turns files of rows into token sequences with a mask of what is
// trained. It knows rows, the tokenizer and chat templates; it does not know
// losses, optimizers or flags.
//
// The way of a row: [Find] names the files, [ReadFile] yields rows that are
// verified line by line, [Split] keeps some for validation, [Encode] renders,
// tokenises, masks and cuts them.
//
// Decisions:
//
//   - The keys of a file's first good row decide its format, and every other row
//     must have it: a mixed file is a mistake more often than a wish.
//   - All mistakes of a file are found before reading fails, so that one run shows
//     them all.
//   - A row is known by the digest of its JSON text. What the validation split
//     takes depends on that and the seed alone, so adding rows moves no other row,
//     and equal rows never stand on both sides.
package data
