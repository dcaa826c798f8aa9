package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/finetune/internal/hint"
)

func write(t *testing.T, content string, path ...string) string {
	t.Helper()
	file := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func link(t *testing.T, target string, path ...string) string {
	t.Helper()
	file := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, file); err != nil {
		t.Skip(err)
	}
	return file
}

func wantError(t *testing.T, what string, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %q, want %q in it", what, err, w)
		}
	}
}

func TestReadIsBounded(t *testing.T) {
	path := write(t, "12345", t.TempDir(), "x")
	if data, err := Read(path, 5); err != nil || string(data) != "12345" {
		t.Errorf("%q, %v", data, err)
	}
	_, err := Read(path, 4)
	wantError(t, "too large", err, path, "5 bytes, want at most 4")
	_, err = Read(path+"y", 5)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	wantError(t, "no file", err, path+"y")
	_, err = Read(filepath.Dir(path), 5)
	wantError(t, "folder", err, "a folder, want a file")
}

func TestSize(t *testing.T) {
	path := write(t, "12345", t.TempDir(), "x")
	if Size(path) != 5 || Size(link(t, path, t.TempDir(), "y")) != 5 || Size(path+"z") != 0 {
		t.Error("Size")
	}
}

// TestLinksAreFollowed: to another folder, another disk, the Hub's blobs, over one
// link or several, also where the folder is a link itself.
func TestLinksAreFollowed(t *testing.T) {
	top := t.TempDir()
	blob := write(t, "x", top, "store", "blobs", "abc")
	link(t, blob, top, "models--a--b", "blobs", "abc")
	link(t, "../../blobs/abc", top, "models--a--b", "snapshots", "0123", "file")
	for name, path := range map[string]string{
		"absolute":      link(t, blob, top, "model", "absolute"),
		"relative":      link(t, "../store/blobs/abc", top, "model", "relative"),
		"of a link":     filepath.Join(top, "models--a--b", "snapshots", "0123", "file"),
		"linked folder": filepath.Join(link(t, "models--a--b/snapshots/0123", top, "mine"), "file"),
	} {
		if data, err := Read(path, 10); err != nil || string(data) != "x" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}

// TestLinksToNothing: the error names the link and the end that is missing, and is
// not taken for a file that was left out.
func TestLinksToNothing(t *testing.T) {
	dir := t.TempDir()
	model, disk := filepath.Join(dir, "model"), filepath.Join(dir, "disk", "weights")
	for _, test := range []struct{ name, target, end string }{
		{"relative", "nothing", filepath.Join(model, "nothing")},
		{"upwards", "../nothing", filepath.Join(dir, "nothing")},
		{"absolute", disk, disk},
		{"over two", "absolute", disk},
	} {
		name, path := test.name, link(t, test.target, model, test.name)
		_, err := Open(path)
		wantError(t, name, err, path+": a link to "+test.end+", which is not there")
		if errors.Is(err, fs.ErrNotExist) || hint.Of(err) == "" {
			t.Errorf("%s: %v is like a missing file, or has no hint", name, err)
		}
	}
	path := link(t, "circle", dir, "circle")
	_, err := Open(path)
	wantError(t, "circle", err, path)
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file, no link: %v", err)
	}
}

func TestSHA256(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	const want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // FIPS 180-4
	if got, err := SHA256(path); got != want || err != nil {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	if _, err := SHA256(filepath.Dir(path)); err == nil {
		t.Error("no error for a folder")
	}
}

func TestHome(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	for path, want := range map[string]string{
		"~": home, "~/a/b": filepath.Join(home, "a", "b"), "~user/a": "~user/a", "a/~/b": "a/~/b", "": "", "/x": "/x",
	} {
		if got := Home(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}
