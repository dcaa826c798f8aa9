package infile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Open opens a regular file for reading and follows links.
func Open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, err
	}
	return regular(path, f)
}

// OpenMember opens a regular file for reading as a member of its folder: a link out
// of the folder is an error, unless it stays in a repository of the Hub's cache.
func OpenMember(path string) (*os.File, error) {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	base, name := dir, filepath.Base(path)
	if repo := repository(dir); repo != "" {
		base, name = repo, filepath.Join("snapshots", filepath.Base(dir), name)
	}
	root, err := os.OpenRoot(base)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.OpenFile(name, os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, memberError(path, base, err)
	}
	return regular(path, f)
}

// repository returns the folder of the repository whose snapshot dir is, in a Hub
// cache (…/models--ORG--NAME/snapshots/COMMIT); "" where it is none.
func repository(dir string) string {
	snapshots := filepath.Dir(dir)
	repo := filepath.Dir(snapshots)
	if filepath.Base(snapshots) != "snapshots" || !strings.HasPrefix(filepath.Base(repo), "models--") {
		return ""
	}
	return repo
}

// memberError says what is wrong in the words of the path that was given.
func memberError(path, base string, err error) error {
	target, e := filepath.EvalSymlinks(path)
	if e == nil {
		if inside, e := filepath.Rel(base, target); e != nil || !filepath.IsLocal(inside) {
			return hintError{fmt.Errorf("%s: a link to %s, out of its folder: refused", path, target), "put a copy of the file in place of the link"}
		}
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		return &fs.PathError{Op: "open", Path: path, Err: p.Err}
	}
	return err
}

// regular passes a file on if it is a regular one, and closes it otherwise.
func regular(path string, f *os.File) (*os.File, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = fmt.Errorf("%s: a folder, want a file", path)
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s: not a regular file", path)
	default:
		return f, nil
	}
	f.Close()
	return nil, err
}

// SHA256 returns the hash of a file opened by [Open], in hexadecimal.
func SHA256(path string) (string, error) {
	f, err := Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Read returns the content of a file opened by [Open], of at most this many bytes.
func Read(path string, most int64) ([]byte, error) { return read(Open, path, most) }

// ReadMember returns the content of a file opened by [OpenMember], of at most this
// many bytes.
func ReadMember(path string, most int64) ([]byte, error) { return read(OpenMember, path, most) }

func read(open func(string) (*os.File, error), path string, most int64) ([]byte, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > most {
		return nil, fmt.Errorf("%s: %d bytes, want at most %d", path, info.Size(), most)
	}
	data := make([]byte, info.Size())
	if n, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("%s: read %d of %d bytes: %w", path, n, len(data), err)
	}
	return data, nil
}
