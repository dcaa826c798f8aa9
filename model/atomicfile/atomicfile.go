package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// A File is a file under its temporary name. Exactly one of Commit and Abort ends
// it; Abort after Commit does nothing, so that it can be deferred.
type File struct {
	*os.File
	path string
	done bool
}

// Create opens a new file that is to become path. A link at path will be replaced,
// not followed.
func Create(path string) (*File, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s: is a folder", path)
	}
	dir, name := filepath.Split(path)
	for {
		tmp := filepath.Join(dir, fmt.Sprintf(".%s.tmp-%08x", name, rand.Uint32()))
		f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return &File{File: f, path: path}, nil
	}
}

// Commit gives the file its name. After an error the temporary file is gone and
// path is as it was, unless it was the last flush of the folder that failed.
func (f *File) Commit() error {
	if f.done {
		return fmt.Errorf("%s: committed or aborted before", f.path)
	}
	if err := f.Sync(); err != nil {
		f.Abort()
		return err
	}
	f.done = true
	err := f.Close()
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	return SyncDir(filepath.Dir(f.path))
}

// Abort throws the new content away.
func (f *File) Abort() {
	if f.done {
		return
	}
	f.done = true
	f.Close()
	os.Remove(f.Name())
}

// WriteFile makes data the content of path.
func WriteFile(path string, data []byte) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Commit()
}
