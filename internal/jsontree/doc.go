// Package jsontree reads JSON once, strictly, into one ordered tree. It does not know
// what the keys mean.
//
// Readers of JSON disagree about what they let pass: encoding/json keeps the last of
// two equal keys, replaces half a surrogate pair and invalid UTF-8, and matches struct
// fields without regard to case. A configuration or a row read like that can differ
// from what another program reads. Here a duplicate key, half a surrogate pair,
// invalid UTF-8 and more text after the value are errors, as is all that RFC 8259 does
// not allow: each an [Error] with its place and its cause.
//
// A [Value] keeps what the text says: the order of keys, numbers as they are written,
// its own text and where that begins. [Fields] reads an object's members one by one
// and collects what is wrong with them.
//
// # The tree
//
// The values of a text lie in one slice, each before its members, 20 bytes for one;
// texts are substrings of what was parsed. So a value costs no allocation, and a row
// of data as little as its scan.
package jsontree
