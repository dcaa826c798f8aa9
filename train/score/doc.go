// Package score compares what a model answers with the answer that a row of data has. It
// knows texts and no models: the package train asks the questions.
//
// A [Score] is a kind and its settings: exact, contains, number, json, regex, or choice.
// Each kind reads the same thing from both texts (a number, the keys of an object, a group
// of an expression) and compares what it has read. A row from whose own answer nothing can
// be read (no number, none of the keys, an empty group) is no question, and counts for
// nobody. What cannot be read from a model's answer is wrong.
//
// Of numbers and expressions the last one counts: answers that reason end with the result.
package score
