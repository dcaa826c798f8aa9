package files

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFolderDraft(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b")
	hidden := filepath.Join(dir, "a", ".b.new")
	if err := os.MkdirAll(filepath.Join(hidden, "left"), 0o777); err != nil {
		t.Fatal(err)
	}
	d, err := CreateFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	if list, _ := os.ReadDir(d.Dir); len(list) != 0 || d.Dir != hidden {
		t.Errorf("%s holds %v", d.Dir, list)
	}
	if err := os.WriteFile(filepath.Join(d.Dir, "x"), []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("visible before Commit")
	}
	if err := d.Commit(); err != nil {
		t.Fatal(err)
	}
	d.Abort()
	if text, _ := os.ReadFile(filepath.Join(path, "x")); string(text) != "x" {
		t.Errorf("x holds %q", text)
	}
	if _, err := os.Stat(hidden); err == nil {
		t.Error("the hidden folder is still there")
	}
	if d.Commit() == nil {
		t.Error("committed twice")
	}
}

func TestFolderDraftAbort(t *testing.T) {
	dir := t.TempDir()
	d, err := CreateFolder(filepath.Join(dir, "b"))
	if err != nil {
		t.Fatal(err)
	}
	d.Abort()
	if list, _ := os.ReadDir(dir); len(list) != 0 {
		t.Errorf("left %v", list)
	}
}

// TestFolderDraftKeepsWhatIsThere: also what appears between CreateFolder and Commit.
func TestFolderDraftKeepsWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	full, file, link := filepath.Join(dir, "full"), filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.Mkdir(full, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(full, "x"), file} {
		if err := os.WriteFile(path, []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "none"), link); err != nil {
		t.Skip(err)
	}
	for path, want := range map[string]string{full: "not empty", file: "a file", link: "leads nowhere", dir + "/..": "not empty", "..": "not a name", "/": "not a name"} {
		if _, err := CreateFolder(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	late := filepath.Join(dir, "late")
	if err := os.Mkdir(late, 0o777); err != nil { // an empty one is taken
		t.Fatal(err)
	}
	d, err := CreateFolder(late)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(late, "x"), []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(); err == nil {
		t.Error("a folder that is no longer empty was replaced")
	}
	if _, err := os.Stat(d.Dir); err == nil {
		t.Error("the hidden folder is still there")
	}
}
