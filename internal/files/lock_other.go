//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package files

import "os"

// TryLock locks nothing: there is no flock here.
func TryLock(*os.File, int64) error { return ErrNoLocks }
