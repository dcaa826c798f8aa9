//go:build linux || darwin

package files

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestPipesAndDevices: what is no file is refused, and at once.
func TestPipesAndDevices(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Skip(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, path := range []string{pipe, "/dev/zero"} {
			_, err := Open(path)
			wantError(t, path, err, path, "not a regular file")
			_, err = Read(path, 1<<20)
			wantError(t, path, err, path, "not a regular file")
		}
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		// A writer lets the reader go, so that the test can end.
		if f, err := os.OpenFile(pipe, os.O_RDWR, 0); err == nil {
			f.Close()
		}
		t.Fatal("still waiting for a pipe")
	}
}
