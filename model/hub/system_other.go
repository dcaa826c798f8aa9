//go:build !(linux || darwin || freebsd || windows)

package hub

import (
	"errors"
	"os"
)

// tryLock locks nothing: there is no flock here.
func tryLock(*os.File) error { return errNoLocks }

// freeSpace is not known here.
func freeSpace(string) (int64, error) { return 0, errors.ErrUnsupported }
