package rundir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
)

// expect fails unless err contains want and carries this hint.
func expect(t *testing.T, what string, err error, want, advice string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s:\n got %v\nwant %s", what, err, want)
		return
	}
	if got := hint.Of(err); got != advice {
		t.Errorf("%s: hint %q, want %q", what, got, advice)
	}
}

func put(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t testing.TB, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestLockOfADeadProcess(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, lockFile)
	put(t, path, `{"pid":1,"host":"gone","since":"2020-01-01T00:00:00Z"}`)
	if err := Busy(dir); err != nil {
		t.Error(err)
	}
	l, err := lockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := Busy(dir); !errors.Is(err, files.ErrHeld) {
		t.Errorf("%v, want %v", err, files.ErrHeld)
	}
	l.release()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lock file stays: %v", err)
	}
	if err := Busy(dir); err != nil {
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
	expect(t, "no name", Busy(dir), dir+" is in use by another process: ", "wait for that run to end, or name another folder with --output-dir")
}
