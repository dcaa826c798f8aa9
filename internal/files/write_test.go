package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"example.com/finetune/internal/hint"
)

// only fails unless the folder holds just the named file, with that content.
func only(t *testing.T, path, content string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Errorf("the folder holds %v, want %s alone", entries, filepath.Base(path))
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != content {
		t.Errorf("content %q (%v), want %q", got, err, content)
	}
}

func TestWriteReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	for _, content := range []string{"first", "second, longer", ""} {
		if err := Write(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		only(t, path, content)
	}
}

// TestErrorsNameTheFile: by the name that was asked for, and not by the temporary one.
func TestErrorsNameTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "a.json")
	err := Write(path, nil)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), " "+path+": ") {
		t.Errorf("no folder: %v", err)
	}
	full := explained(&fs.PathError{Op: "write", Path: ".a.tmp-1", Err: syscall.ENOSPC}, path)
	if !errors.Is(full, syscall.ENOSPC) || !strings.HasPrefix(full.Error(), "write "+path+": ") || hint.Of(full) == "" {
		t.Errorf("a full disk: %v (%s)", full, hint.Of(full))
	}
}

func TestAbortLeavesTheOldContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	if err := Write(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(f.Name(), ".safetensors") {
		t.Errorf("temporary file %s looks like an adapter", f.Name())
	}
	if _, err := f.WriteString("new"); err != nil {
		t.Fatal(err)
	}
	f.Abort()
	f.Abort()
	only(t, path, "old")
	if err := f.Commit(); err == nil {
		t.Error("Commit after Abort: no error")
	}
	only(t, path, "old")
}

func TestAbortAfterCommitDoesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("new"); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	f.Abort()
	only(t, path, "new")
}

func TestWriteErrors(t *testing.T) {
	dir := t.TempDir()
	if err := Write(filepath.Join(dir, "none", "a"), nil); err == nil || !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), ".tmp-") {
		t.Errorf("in a folder that is not there: %v", err)
	}
	if err := Write(dir, nil); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("writing over a folder: %v", err)
	}
	f, err := Create(filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	f.Close() // as where the disk fails: nothing can be flushed
	if err := f.Commit(); err == nil {
		t.Error("no error where the content cannot be flushed")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestLinkIsReplacedNotFollowed(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.WriteFile(target, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
	if err := Write(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(target); string(got) != "old" {
		t.Errorf("the link's target was changed to %q", got)
	}
}

func TestSweepTakesWhatACrashHasLeft(t *testing.T) {
	dir := t.TempDir()
	f, err := Create(filepath.Join(dir, "a.json")) // neither committed nor aborted
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	for _, name := range []string{"a.json", ".a.tmp-notes", ".tmp-01234567", "b.tmp-01234567"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := Sweep(dir); err != nil {
		t.Fatal(err)
	}
	var names []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{".a.tmp-notes", ".tmp-01234567", "a.json", "b.tmp-01234567"}; !slices.Equal(names, want) {
		t.Errorf("left %v, want %v", names, want)
	}
	if err := Sweep(filepath.Join(dir, "none")); err != nil {
		t.Error(err)
	}
	if err := Sweep(filepath.Join(dir, "a.json")); err == nil {
		t.Error("no error for a file")
	}
}

// A large file's draft removes what killed processes have left of that file, and nothing that
// is being written, nor anything of other names.
func TestCreateLargeTakesWhatACrashHasLeft(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.gguf")
	for _, name := range []string{".a.gguf.tmp-01234567", ".a.gguf.tmp-notes", ".b.gguf.tmp-01234567", "a.gguf"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	alive, err := CreateLarge(path)
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Abort()
	if err := TryLock(alive.File, lockedByte); errors.Is(err, ErrNoLocks) {
		t.Skip(err)
	}
	left := func() (names []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	others := []string{".a.gguf.tmp-notes", ".b.gguf.tmp-01234567", "a.gguf"}
	if got, want := left(), append([]string{filepath.Base(alive.Name())}, others...); !slices.Equal(sorted(got), sorted(want)) {
		t.Errorf("left %v, want %v", got, want)
	}
	second, err := CreateLarge(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Write([]byte("new")); err != nil {
		t.Fatal(err)
	}
	if err := second.Commit(); err != nil {
		t.Fatal(err)
	}
	if got, want := left(), append([]string{filepath.Base(alive.Name())}, others...); !slices.Equal(sorted(got), sorted(want)) {
		t.Errorf("beside a draft at work: left %v, want %v", got, want)
	}
	if text, err := os.ReadFile(path); string(text) != "new" {
		t.Errorf("%q, %v", text, err)
	}
}

func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }

func TestMkdirAll(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	for range 2 {
		if err := MkdirAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := Write(filepath.Join(dir, "file"), nil); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"file", filepath.Join("file", "c")} {
		if err := MkdirAll(filepath.Join(dir, path)); err == nil {
			t.Errorf("%s: no error though a file is in the way", path)
		}
	}
}
