// Package atomicfile replaces a file as one step: whoever opens it sees the old
// content or the new, whole, also after a crash. It does not know what is written.
//
// The new content goes to a temporary file in the same folder (a rename does not
// cross file systems), is flushed to the disk, and takes the name; then the folder
// is flushed, without which the rename itself may be lost. Temporary names begin
// with a dot and never end as the file does: no reader of *.safetensors picks up
// what an interrupted run left behind. [Sweep] removes it.
package atomicfile
