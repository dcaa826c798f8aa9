package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An unfinished demo is replaced; files of others never are, nor what they are
// mixed with.
func TestUnpackDemo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	unpack := func(want string) {
		t.Helper()
		err := unpackDemo(dir)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Fatalf("got %v, want %q", err, want)
		}
	}
	unpack("")
	write("adapter/metrics.jsonl", "half a run")
	unpack("")
	if _, err := os.Stat(filepath.Join(dir, "adapter", "metrics.jsonl")); !os.IsNotExist(err) {
		t.Errorf("the half run is still there: %v", err)
	}
	write("adapter/metrics.jsonl", "a run")
	if err := sealDemo(dir); err != nil {
		t.Fatal(err)
	}
	unpack("")
	write("adapter/metrics.jsonl", "a run")
	if err := sealDemo(dir); err != nil {
		t.Fatal(err)
	}
	write("adapter/metrics.jsonl", "another run")
	unpack(filepath.Join("adapter", "metrics.jsonl"))
	write("adapter/metrics.jsonl", "a run")
	write("mine.txt", "x")
	write("mine2.txt", "x")
	unpack("mine.txt and 1 more: not written by the demo")
	for _, name := range []string{"mine.txt", "mine2.txt", demoManifest} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	unpack("not written by the demo")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	unpack("a file, where the demo wants its folder")
}

func TestIndent(t *testing.T) {
	got := indent("one two  three four", "  ", 10)
	if want := "  one two\n  three\n  four\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
