//go:build unix

package infile

import "syscall"

// noWait opens a pipe at once, without waiting for its other end.
const noWait = syscall.O_NONBLOCK
