// Package data turns files of rows into token sequences with a mask of what is
// trained, and says what is odd about them. It knows rows, the tokenizer and chat
// templates; it does not know losses, optimizers or flags.
//
// # The way of a row
//
// [Find] names the files. A source takes one apart into raw rows: lines, the
// elements of a JSON list, the records of a table, the blocks of a plain text. A
// walk parses and verifies them, renders, tokenises, masks and cuts them, a few
// megabytes at once. [Open] writes what comes out to an index, from which a [Set]
// reads single sequences; a [Checker] counts what comes by.
//
// # Decisions
//
// The keys of a file's first good row decide its format, and every other row must
// have it: a mixed file is a mistake more often than a wish. All mistakes of a file
// are found before reading it fails, so that one run shows them all.
//
// A row is known by the digest of its JSON text. What the validation split takes
// depends on that and the seed alone, so adding rows moves no other row, and equal
// rows never stand on both sides.
//
// The tokens of a small file stay in memory; of a larger one, nothing does but four
// bytes a row. Its index lies in the user's cache folder (or FINETUNE_CACHE_DIR) under
// a digest of all that the tokens depend on, and can be thrown away at any time. It is
// read, not mapped: a file that is cut short is an error then and not a fault, its
// pages do not count as the program's memory, and one way of reading serves files and
// memory.
package data
