package files

import "errors"

// What TryLock returns where there is no lock to be had.
var (
	ErrHeld    = errors.New("another process holds the lock")
	ErrNoLocks = errors.New("the file system has no locks")
)
