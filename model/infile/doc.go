// Package infile opens files that others wrote. It does not know what is in them.
//
// Only regular files are opened: a pipe or a device in a file's place would block, or
// never end. How much is read is bounded before memory is asked for.
//
// # Links
//
// A file that a user names may be a link to anywhere. A member of a model's or an
// adapter's folder is a name that came with the folder, maybe from elsewhere: a link
// there may lead to another member, or, in a snapshot of the Hub's cache, to a file
// of the same repository (the cache keeps contents in blobs and links to them).
package infile
