package atomicfile

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

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

func TestMkdirAll(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	for range 2 {
		if err := MkdirAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := WriteFile(filepath.Join(dir, "file"), nil); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"file", filepath.Join("file", "c")} {
		if err := MkdirAll(filepath.Join(dir, path)); err == nil {
			t.Errorf("%s: no error though a file is in the way", path)
		}
	}
}
