//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package files

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// TryLock locks a file, without waiting, until it is closed; however the process ends,
// the system lets go of it. The number is the byte that Windows locks, which others then cannot
// read; elsewhere all of the file is locked and can be read. The error is ErrHeld where
// another process has it, ErrNoLocks where there is nothing of the kind.
func TryLock(f *os.File, _ int64) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			return ErrHeld
		case errors.Is(err, unix.ENOLCK), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOSYS):
			return ErrNoLocks
		}
		return err
	}
}
