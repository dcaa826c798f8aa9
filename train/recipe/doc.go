// Package recipe holds the settings of a run: what they are called, what they may be,
// and how they are read and written. It opens no file but files of settings, and does
// not know what a setting does.
//
// A [Config] has four parts. The [Recipe] is what decides the result: two runs of one
// recipe over the same files have the same bits, a resumed run must have the recipe it
// began with, and a batch of runs varies nothing else. [Where] names the files,
// [Machine] says how this computer is used and what is told besides the adapter, and [Start] what this one start does with
// the folder it finds.
//
// Decisions:
//
//   - [Config.Set] is the one way in: flags, files and batches of runs all give a name
//     and a text. It knows the names that other programs have for the same thing, and
//     answers those that mean something else with a sentence.
//   - A choice between words is a type that parses and prints itself. Nobody else
//     compares the words.
//   - A recipe that was saved and lacks a setting is older than the setting, and reads
//     as what that version did, see saved.go.
package recipe
