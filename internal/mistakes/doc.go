// Package mistakes collects what is wrong with a file, to be told at once. It does not
// know what the file is.
//
// Whoever mends a file wants all of its mistakes in one error, and not a thousand lines
// of the same one: the first ten are told, and how many there are.
package mistakes
