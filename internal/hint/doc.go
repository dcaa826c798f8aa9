// Package hint gives an error advice for the person who reads it, and marks mistakes
// of usage. It does not know how either is shown.
//
// Advice is a sentence beside the error, not in it: a program prints it on a line of
// its own, and errors keep composing with %w. An error that only says what is wrong
// needs none. A mistake of usage is one in a flag or a setting, which the command line
// answers with another exit code; it may carry advice like any other error.
package hint
