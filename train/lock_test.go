package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestTwoRunsInOneFolder starts a second run while the first is at work.
func TestTwoRunsInOneFolder(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.config(filepath.Join(t.TempDir(), "out"))
	c.MaxSteps = 3
	second := c
	second.Resume = true
	by := fmt.Sprintf("%s is in use by process %d on ", c.OutputDir, os.Getpid())
	advice := "wait for that run to end, or name another folder with --output-dir"
	s := o.session(t, c)
	s.Report = func(e any) {
		if step, ok := e.(Stepped); ok && step.Step == 1 {
			_, err := o.session(t, second).Run(context.Background())
			expect(t, "a second run", err, by, advice, false)
			second.Resume, second.Overwrite = false, true
			_, err = CheckOutput(&second)
			expect(t, "overwriting", err, by, advice, false)
			_, err = lockFolder(c.OutputDir)
			expect(t, "past the first check", err, by, advice, false)
		}
	}
	if _, err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	checkNames(t, c.OutputDir)
}

func TestLockOfADeadProcess(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, lockFile)
	put(t, path, `{"pid":1,"host":"gone","since":"2020-01-01T00:00:00Z"}`)
	if err := checkLock(dir); err != nil {
		t.Error(err)
	}
	l, err := lockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkLock(dir); !errors.Is(err, errHeld) {
		t.Errorf("%v, want %v", err, errHeld)
	}
	l.release()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lock file stays: %v", err)
	}
	if err := checkLock(dir); err != nil {
		t.Error(err)
	}
	if l, err = lockFolder(dir); err != nil {
		t.Fatal(err)
	}
	l.release()
}

func TestAHolderWithoutAName(t *testing.T) {
	dir := t.TempDir()
	l, err := lockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.release()
	if err := l.f.Truncate(0); err != nil { // as where the disk was full
		t.Fatal(err)
	}
	expect(t, "no name", checkLock(dir), dir+" is in use by another process: ", "wait for that run to end, or name another folder with --output-dir", false)
}
