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
	if err := d.Commit("x"); err != nil {
		t.Fatal(err)
	}
	d.Abort()
	if text, _ := os.ReadFile(filepath.Join(path, "x")); string(text) != "x" {
		t.Errorf("x holds %q", text)
	}
	if _, err := os.Stat(hidden); err == nil {
		t.Error("the hidden folder is still there")
	}
	if d.Commit("x") == nil {
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
	if err := d.Commit("x"); err == nil {
		t.Error("a folder that is no longer empty was replaced")
	}
	if _, err := os.Stat(d.Dir); err == nil {
		t.Error("the hidden folder is still there")
	}
}

// TestFolderDraftFillsAnEmptyFolder: which may be the end of a link or another disk's root,
// and is never replaced.
func TestFolderDraftFillsAnEmptyFolder(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.MkdirAll(filepath.Join(real, hiddenWithin, "left"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", link); err != nil {
		t.Skip(err)
	}
	before, err := os.Stat(real)
	if err != nil {
		t.Fatal(err)
	}
	write := func(last string) error {
		d, err := CreateFolder(link)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Abort()
		for _, name := range []string{"a", "config", "z"} {
			if err := os.WriteFile(filepath.Join(d.Dir, name), []byte(name), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		return d.Commit(last)
	}
	if err := write("none"); err == nil {
		t.Error("committed without its last file")
	}
	if list, _ := os.ReadDir(real); len(list) != 0 {
		t.Errorf("after an error the folder holds %v", list)
	}
	if err := write("config"); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(link, "config")); string(text) != "config" {
		t.Errorf("config holds %q, %v", text, err)
	}
	if list, _ := os.ReadDir(real); len(list) != 3 {
		t.Errorf("the folder holds %v", list)
	}
	if _, err := os.Readlink(link); err != nil {
		t.Errorf("the link was replaced: %v", err)
	}
	if after, err := os.Stat(real); err != nil || !os.SameFile(before, after) {
		t.Errorf("the folder was replaced: %v", err)
	}
}
