package files

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A lock is one process's, and of one open file within it; it ends when that is closed.
func TestTryLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	first, second := open(), open()
	if err := TryLock(first, 0); errors.Is(err, ErrNoLocks) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	if err := TryLock(second, 0); !errors.Is(err, ErrHeld) {
		t.Errorf("a second lock: %v, want %v", err, ErrHeld)
	}
	first.Close()
	if err := TryLock(second, 0); err != nil {
		t.Errorf("after the first: %v", err)
	}
}
