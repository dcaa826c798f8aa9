package data

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example.com/finetune/internal/files"
)

// A storage is where an index is written, and read from when it is settled: a file
// in the cache folder, a temporary file, or memory.
type storage struct {
	name string // for errors
	in   io.ReaderAt
	size int64

	out    io.Writer
	settle func() error // makes what was written ready to be read; nil when it is
	drop   func()       // throws away what is not settled
	file   *os.File     // to be closed; nil for memory
	remove bool         // the file, when it is closed
}

// A storageError is of a disk, not of the data.
type storageError struct{ error }

func (e *storageError) Unwrap() error { return e.error }

func (s *storage) Write(b []byte) (int, error) {
	n, err := s.out.Write(b)
	s.size += int64(n)
	if err != nil {
		err = &storageError{err}
	}
	return n, err
}

func (s *storage) finish() error {
	if err := s.settle(); err != nil {
		return &storageError{err}
	}
	s.settle = nil
	return nil
}

// abort throws away what was not finished.
func (s *storage) abort() {
	if s.settle != nil && s.drop != nil {
		s.drop()
	}
}

// close may be called more than once.
func (s *storage) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.remove {
		_ = os.Remove(s.file.Name()) // often gone already
	}
	s.file = nil
	return err
}

func newMemory() *storage {
	s, buf := &storage{name: "in memory"}, new(bytes.Buffer)
	s.out = buf
	s.settle = func() error {
		s.in = bytes.NewReader(buf.Bytes())
		return nil
	}
	return s
}

func newTemporary() (*storage, error) {
	f, err := os.CreateTemp("", "finetune-*"+indexExtension)
	if err != nil {
		return nil, &storageError{err}
	}
	_ = os.Remove(f.Name()) // where a system allows it, nothing is left whatever happens
	s := &storage{name: f.Name(), out: f, file: f, remove: true}
	s.settle = func() error {
		s.in = f
		return nil
	}
	s.drop = func() { _ = s.close() }
	return s, nil
}

// The names in the cache folder begin with the layout and end with this.
const indexExtension = ".tokens"

// unusedFor is how long an index stays in the cache folder after its last use.
const unusedFor = 30 * 24 * time.Hour

// cacheFolder returns the folder of indexes: FINETUNE_CACHE_DIR/tokens, else
// finetune/tokens in the user's cache folder. Only the user can read it.
func cacheFolder() (string, error) {
	dir := os.Getenv("FINETUNE_CACHE_DIR")
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(user, "finetune")
	}
	dir = filepath.Join(dir, "tokens")
	return dir, os.MkdirAll(dir, 0o700)
}

func indexPath(folder string, key indexKey) string {
	return filepath.Join(folder, fmt.Sprintf("%s-%x%s", strings.ToLower(indexMagic), key[:16], indexExtension))
}

// openCached opens an index of the cache folder and notes that it was used.
func openCached(folder string, key indexKey) (*storage, error) {
	f, err := os.Open(indexPath(folder, key))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	now := time.Now()
	_ = os.Chtimes(f.Name(), now, now) // a cache that cannot be written is of use too
	return &storage{name: f.Name(), in: f, size: info.Size(), file: f}, nil
}

// newCached begins an index in the cache folder. It takes its name when it is whole,
// so that whoever opens it sees all of it or nothing.
func newCached(folder string, key indexKey) (*storage, error) {
	path := indexPath(folder, key)
	f, err := files.Create(path)
	if err != nil {
		return nil, err
	}
	s := &storage{name: path, out: f, drop: f.Abort}
	s.settle = func() error {
		if err := f.Commit(); err != nil {
			return err
		}
		sweep(folder)
		s.file, err = os.Open(path)
		s.in = s.file
		return err
	}
	return s, nil
}

// sweep removes indexes that have not been used for long, those of another layout,
// and what interrupted runs left behind. What cannot be removed stays.
func sweep(folder string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		age := time.Since(info.ModTime())
		ours := strings.HasSuffix(e.Name(), indexExtension)
		current := strings.HasPrefix(e.Name(), strings.ToLower(indexMagic)+"-")
		half := strings.HasPrefix(e.Name(), ".") && strings.Contains(e.Name(), indexExtension+".tmp-")
		if ours && (!current || age > unusedFor) || half && age > 24*time.Hour {
			_ = os.Remove(filepath.Join(folder, e.Name()))
		}
	}
}
