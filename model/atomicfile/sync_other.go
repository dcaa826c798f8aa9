//go:build !unix

package atomicfile

// SyncDir does nothing: a folder cannot be flushed here.
func SyncDir(string) error { return nil }
