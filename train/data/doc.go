// Package data turns files of rows into token sequences with a loss mask, and says what
// is odd about them. It knows rows, the tokenizer and chat templates; it does not know
// losses, optimizers or flags.
//
// # The way of a row
//
//	find.go      which files a data argument names
//	source.go    a file into raw rows: lines and JSON lists; table.go CSV and Parquet, text.go plain text
//	format.go    a raw row into the JSON tree, once, and which format its columns are (columns.go: their names)
//	messages.go  a chat out of its messages or turns; prompts.go out of prompts and answers
//	render.go    what the template makes of a chat; encode.go tokens, loss mask, and what endangers a run
//	read.go      all rows of a file, a few megabytes at once on all threads
//	index.go     their tokens as one file; open.go where it lies, made or found
//	set.go       sequences for a run, and which are for validation; stats.go counts and notes
//	check.go     the same reading for a report (report.go)
//
// # Decisions
//
// The keys of a file's first good row decide its format, and every other row must
// have it: a mixed file is a mistake more often than a wish. All mistakes of a file
// are found before reading it fails, so that one run shows them all.
//
// Nothing is skipped in silence: a name in the rows that their format has no place for,
// and that the template does not mention, is counted and told, as is what endangers a
// run. [Stats] counts it, and [Note] says it, the same for check, plan and train.
//
// A key that is null is a key that is not there, at any depth: tables of lists and
// structs have each key in every row. Only the items of lists are left alone.
//
// A row is known by the digest of its JSON text. What the validation split takes
// depends on that and the seed alone, so adding rows moves no other row, and equal
// rows never stand on both sides. Two rows are the same to a model when their tokens
// and masks are: a second digest, of those, finds duplicates and rows of two files.
//
// The tokens of a small file stay in memory; of a larger one, nothing does but four
// bytes a row. Its index lies in the user's cache folder (or FINETUNE_CACHE_DIR) under
// a digest of all that the tokens depend on, and can be thrown away at any time; the
// oldest go when all together are too large. It is read, not mapped: a file that is cut
// short is an error then and not a fault, its pages do not count as the program's
// memory, and one way of reading serves files and memory.
package data
