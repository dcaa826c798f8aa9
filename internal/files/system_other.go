//go:build !unix

package files

const noWait = 0

// SyncDir does nothing: a folder cannot be flushed here.
func SyncDir(string) error { return nil }
