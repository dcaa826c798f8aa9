// Package strictjson reads the small JSON files of a model or adapter folder and
// misses nothing in them: a key twice at any depth, invalid UTF-8, a number of the
// wrong kind. It does not know what the keys mean.
//
// encoding/json keeps the last of two equal keys, matches struct fields without
// regard to case and reads 8.0 into no integer but 1e3 into a float without a word;
// a configuration read like that can differ from what another program reads. So
// values are taken one by one from a [Fields], which collects every mistake, each
// with what was found and what was wanted.
package strictjson
