//go:build unix

package files

import (
	"errors"
	"os"
	"syscall"
)

// noWait opens a pipe at once, without waiting for its other end.
const noWait = syscall.O_NONBLOCK

// SyncDir flushes a folder's list of names to the disk.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil // some network file systems cannot
	}
	return err
}
