// Package files reads files that others wrote and writes files that others read. It
// does not know what is in them.
//
// # Reading
//
// Only regular files are opened: a pipe or a device in a file's place would block, or
// never end. How much is read is bounded before memory is asked for. Links are
// followed wherever they lead: a model's folder may keep its weights on another disk
// or in the Hub's shared store. A link that leads nowhere is an error and not a file
// that is missing: what is optional may be left out, but somebody put the link there.
//
// # Writing
//
// A file is replaced as one step: whoever opens it sees the old content or the new,
// whole, also after a crash. The new content goes to a temporary file in the same
// folder (a rename does not cross file systems), is flushed to the disk, and takes the
// name; then the folder is flushed, without which the rename itself may be lost.
// Temporary names begin with a dot and never end as the file does: no reader of
// *.safetensors picks up what an interrupted run left behind. [Sweep] removes it from a
// folder that is one process's, and [CreateLarge] what is left of a file of its name.
//
// A new folder takes its name in one step too. An empty one that is there is filled, with
// the file that makes it whole the last.
//
// # Locking
//
// [TryLock] is the system's own lock of a file, which ends with the process that has it,
// and does not wait.
package files
