package files

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"example.com/finetune/internal/hint"
)

// A Draft is a file under its temporary name. Exactly one of Commit and Abort ends
// it; Abort after Commit does nothing, so that it can be deferred.
type Draft struct {
	*os.File
	path string
	done bool
}

// Create opens a new file that is to become path. A link at path will be replaced,
// not followed.
func Create(path string) (*Draft, error) {
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
		if failed := (*fs.PathError)(nil); errors.As(err, &failed) {
			failed.Path = path // nobody knows of the temporary name
		}
		if err != nil {
			return nil, explained(err, path)
		}
		return &Draft{File: f, path: path}, nil
	}
}

// CreateLarge is [Create] for a file as large as a disk may miss: it removes the temporary
// files of the same name that killed processes have left. A lock tells them from one that
// another process is writing, where the file system has locks; else they stay.
func CreateLarge(path string) (*Draft, error) {
	for {
		f, err := Create(path)
		if err != nil {
			return nil, err
		}
		err = TryLock(f.File, lockedByte)
		if err == nil {
			if there, e := os.Lstat(f.Name()); e != nil || !same(f.File, there) {
				err = ErrHeld
			}
		}
		switch {
		case errors.Is(err, ErrHeld): // another process has taken it for left behind
			f.Abort()
			continue
		case err == nil:
			removeLeft(f)
		}
		return f, nil
	}
}

// lockedByte of a file is locked on Windows: one beyond what any file holds.
const lockedByte = 1 << 62

func same(f *os.File, info fs.FileInfo) bool {
	own, err := f.Stat()
	return err == nil && os.SameFile(own, info)
}

// removeLeft removes the temporary files of a draft's name that no process has locked. What
// cannot be removed stays: the draft does not need its place.
func removeLeft(d *Draft) {
	dir, name := filepath.Split(d.path)
	entries, err := os.ReadDir(filepath.Dir(d.Name()))
	if err != nil {
		return
	}
	for _, e := range entries {
		left := filepath.Join(dir, e.Name())
		if !strings.HasPrefix(e.Name(), "."+name+".tmp-") || !temporary.MatchString(e.Name()) || !e.Type().IsRegular() || left == d.Name() {
			continue
		}
		f, err := os.OpenFile(left, os.O_WRONLY, 0)
		if err != nil {
			continue
		}
		nobodys := TryLock(f, lockedByte) == nil
		if nobodys {
			err = os.Remove(left) // while it is locked: nobody begins with it meanwhile
		}
		f.Close()
		if nobodys && err != nil { // Windows removes no file that is open, whoever has it
			_ = os.Remove(left)
		}
	}
}

// Write writes to the file. Its error has the name that the file is to have, and advice
// where the disk is full.
func (f *Draft) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, explained(err, f.path)
}

// explained is an error of a draft in words of the file that it is to become.
func explained(err error, path string) error {
	if e := new(fs.PathError); errors.As(err, &e) {
		e.Path = path
	}
	if errors.Is(err, syscall.ENOSPC) {
		return hint.New(err, "make room, or choose a folder on another disk")
	}
	return err
}

// Commit gives the file its name. After an error the temporary file is gone and
// path is as it was, unless it was the last flush of the folder that failed.
func (f *Draft) Commit() error {
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
func (f *Draft) Abort() {
	if f.done {
		return
	}
	f.done = true
	f.Close()
	os.Remove(f.Name())
}

// Write makes data the content of path.
func Write(path string, data []byte) error {
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
