package infile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	for _, read := range []func(string, int64) ([]byte, error){Read, ReadMember} {
		if data, err := read(path, 5); err != nil || string(data) != "12345" {
			t.Errorf("%q, %v", data, err)
		}
		_, err := read(path, 4)
		wantError(t, "too large", err, path, "5 bytes, want at most 4")
		_, err = read(path+"y", 5)
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("no file: %v", err)
		}
		wantError(t, "no file", err, path+"y")
		_, err = read(filepath.Dir(path), 5)
		wantError(t, "folder", err, "a folder, want a file")
	}
}

// TestMembersStayInTheirFolder: links, and whether they are followed.
func TestMembersStayInTheirFolder(t *testing.T) {
	top := t.TempDir()
	write(t, "x", top, "outside")
	write(t, "x", top, "model", "inside")
	write(t, "x", top, "model-2", "inside")
	repo := filepath.Join(top, "models--org--name")
	write(t, "x", repo, "blobs", "abc")
	for _, test := range []struct {
		folder, target string
		taken          bool
	}{
		{"model", "inside", true},
		{"model", "./inside", true},
		{"model", "../outside", false},
		{"model", "../model-2/inside", false},
		{"model", filepath.Join(top, "outside"), false},
		{"model", "../models--org--name/blobs/abc", false},
		{"models--org--name/snapshots/0123", "../../blobs/abc", true},
		{"models--org--name/snapshots/0123", "../../../outside", false},
		{"models--org--name/snapshots/0123", "../../../model/inside", false},
		{"models--org--name/other/0123", "../../blobs/abc", false},
		{"name/snapshots/0123", "../../../outside", false},
	} {
		path := link(t, test.target, top, filepath.FromSlash(test.folder), "link")
		data, err := ReadMember(path, 10)
		switch {
		case test.taken && (err != nil || string(data) != "x"):
			t.Errorf("%s -> %s: %q, %v", path, test.target, data, err)
		case !test.taken:
			wantError(t, path+" -> "+test.target, err, path, "out of its folder: refused")
			var hint interface{ Hint() string }
			if !errors.As(err, &hint) {
				t.Errorf("%v: no hint", err)
			}
		}
		if data, err = Read(path, 10); err != nil || string(data) != "x" {
			t.Errorf("a file the user names: %q, %v", data, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFolderMayBeALink(t *testing.T) {
	top := t.TempDir()
	write(t, "x", top, "models--a--b", "blobs", "abc")
	link(t, "../../blobs/abc", top, "models--a--b", "snapshots", "0123", "file")
	dir := link(t, filepath.Join("models--a--b", "snapshots", "0123"), top, "mine")
	if data, err := ReadMember(filepath.Join(dir, "file"), 10); err != nil || string(data) != "x" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestLinksToNothing(t *testing.T) {
	dir := t.TempDir()
	for name, target := range map[string]string{"nowhere": "nothing", "circle": "circle"} {
		path := link(t, target, dir, name)
		_, err := OpenMember(path)
		wantError(t, name, err, path)
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
