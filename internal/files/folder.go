package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"example.com/finetune/internal/hint"
)

// A FolderDraft is a new folder under a hidden name: beside its own, or in it, where an
// empty folder is there already. Exactly one of Commit and Abort ends it; Abort after
// Commit does nothing.
type FolderDraft struct {
	Dir   string // the hidden folder: what is written goes there
	path  string
	there bool // the folder of that name is to be filled
	done  bool
}

// hiddenWithin is the name of a draft in the folder that it is to fill.
const hiddenWithin = ".finetune.new"

// CreateFolder makes a hidden folder that is to become path, and the folders above it.
// What an interrupted process left under the hidden name is removed. Something at path is
// an error, unless it is an empty folder. That one stays what it is: the end of a link,
// another disk's root, the only folder here that may be written.
func CreateFolder(path string) (*FolderDraft, error) {
	path = filepath.Clean(path)
	there, err := free(path)
	if err != nil {
		return nil, err
	}
	d := &FolderDraft{Dir: filepath.Join(path, hiddenWithin), path: path, there: there}
	if !there {
		d.Dir = filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
		if err := MkdirAll(filepath.Dir(path)); err != nil {
			return nil, err
		}
	}
	if err := os.RemoveAll(d.Dir); err != nil {
		return nil, err
	}
	return d, os.Mkdir(d.Dir, 0o777)
}

// free returns an error where path is taken, and otherwise whether an empty folder is
// there. One with a draft in it is empty.
func free(path string) (there bool, err error) {
	switch info, err := os.Stat(path); {
	case filepath.Base(path) == "." || filepath.Base(path) == ".." || filepath.Dir(path) == path:
		return false, fmt.Errorf("%s: not a name for a new folder", path)
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(path); err == nil {
			return false, fmt.Errorf("%s: a link that leads nowhere", path)
		}
		return false, nil
	case err != nil:
		return false, err
	case !info.IsDir():
		return false, fmt.Errorf("%s: a file, want a new folder", path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return false, err
	}
	if len(entries) > 1 || len(entries) == 1 && entries[0].Name() != hiddenWithin {
		return false, hint.New(fmt.Errorf("%s: there is a folder already, and it is not empty", path), "name a new one, or remove it first")
	}
	return true, nil
}

// Commit gives the folder its name, or fills the one that is there, the file called last
// behind all others: without that one nobody takes the folder for whole. The files are
// flushed by those who write them, as [Write] does. After an error the hidden folder is
// gone, unless it was the last flush that failed.
func (d *FolderDraft) Commit(last string) error {
	if d.done {
		return fmt.Errorf("%s: committed or aborted before", d.path)
	}
	err := SyncDir(d.Dir)
	if err == nil {
		_, err = free(d.path) // somebody may have been there meanwhile
	}
	switch {
	case err != nil:
	case d.there:
		err = d.fill(last)
	default:
		if e := os.Remove(d.path); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = e
			break
		}
		err = os.Rename(d.Dir, d.path)
	}
	if err != nil {
		d.Abort()
		return err
	}
	d.done = true
	if d.there {
		return SyncDir(d.path)
	}
	return SyncDir(filepath.Dir(d.path))
}

// fill moves what is in the draft into the folder around it. After an error that is empty
// again.
func (d *FolderDraft) fill(last string) error {
	entries, err := os.ReadDir(d.Dir)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		if e.Name() != last {
			names = append(names, e.Name())
		}
	}
	for i, name := range append(names, last) {
		if name == last {
			err = SyncDir(d.path)
		}
		if err == nil {
			err = os.Rename(filepath.Join(d.Dir, name), filepath.Join(d.path, name))
		}
		if err != nil {
			for _, moved := range names[:i] {
				_ = os.RemoveAll(filepath.Join(d.path, moved))
			}
			return err
		}
	}
	return os.Remove(d.Dir)
}

// Abort removes the hidden folder.
func (d *FolderDraft) Abort() {
	if d.done {
		return
	}
	d.done = true
	_ = os.RemoveAll(d.Dir) // what stays is removed by the next CreateFolder
}
