//go:build linux || darwin || freebsd

package hub

import (
	"os"

	"golang.org/x/sys/unix"
)

// freeSpace returns the bytes that a user may still write to the disk of a folder.
func freeSpace(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}
