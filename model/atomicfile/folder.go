package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// temporary matches the names that Create gives.
var temporary = regexp.MustCompile(`^\..+\.tmp-[0-9a-f]{8}$`)

// Sweep removes the temporary files that a process which was killed has left in
// dir. Nobody else may be writing there. A folder that is not there holds none.
func Sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() || !temporary.MatchString(e.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// MkdirAll makes dir, with the permissions of the user's umask, and flushes the
// name of every folder it has made to the disk.
func MkdirAll(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent == dir {
		return os.Mkdir(dir, 0o777)
	}
	if err := MkdirAll(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o777); err != nil {
		if info, e := os.Stat(dir); e != nil || !info.IsDir() { // else somebody was faster
			return err
		}
	}
	return SyncDir(parent)
}
