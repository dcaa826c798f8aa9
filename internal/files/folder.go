package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"example.com/finetune/internal/hint"
)

// A FolderDraft is a new folder under a hidden name beside its own. Exactly one of Commit
// and Abort ends it; Abort after Commit does nothing.
type FolderDraft struct {
	Dir  string // the hidden folder: what is written goes there
	path string
	done bool
}

// CreateFolder makes a hidden folder that is to become path, and the folders above it.
// What an interrupted process left under the hidden name is removed. Something at path is
// an error, unless it is an empty folder.
func CreateFolder(path string) (*FolderDraft, error) {
	path = filepath.Clean(path)
	if err := free(path); err != nil {
		return nil, err
	}
	parent, name := filepath.Split(path)
	if parent == "" {
		parent = "."
	}
	if err := MkdirAll(filepath.Clean(parent)); err != nil {
		return nil, err
	}
	d := &FolderDraft{Dir: filepath.Join(parent, "."+name+".new"), path: path}
	if err := os.RemoveAll(d.Dir); err != nil {
		return nil, err
	}
	return d, os.Mkdir(d.Dir, 0o777)
}

// free returns an error where path is taken.
func free(path string) error {
	switch info, err := os.Stat(path); {
	case filepath.Base(path) == "." || filepath.Base(path) == ".." || filepath.Dir(path) == path:
		return fmt.Errorf("%s: not a name for a new folder", path)
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s: a link that leads nowhere", path)
		}
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s: a file, want a new folder", path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return hint.New(fmt.Errorf("%s: there is a folder already, and it is not empty", path), "name a new one, or remove it first")
	}
	return nil
}

// Commit gives the folder its name. Its files are flushed by those who write them, as
// [Write] does. After an error the hidden folder is gone, unless it was the last flush
// that failed.
func (d *FolderDraft) Commit() error {
	if d.done {
		return fmt.Errorf("%s: committed or aborted before", d.path)
	}
	err := SyncDir(d.Dir)
	if err == nil {
		err = free(d.path) // somebody may have been there meanwhile
	}
	if err == nil {
		if e := os.Remove(d.path); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = e
		}
	}
	if err == nil {
		err = os.Rename(d.Dir, d.path)
	}
	if err != nil {
		d.Abort()
		return err
	}
	d.done = true
	return SyncDir(filepath.Dir(d.path))
}

// Abort removes the hidden folder.
func (d *FolderDraft) Abort() {
	if d.done {
		return
	}
	d.done = true
	_ = os.RemoveAll(d.Dir) // what stays is removed by the next CreateFolder
}
