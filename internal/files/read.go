package files

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

	"example.com/finetune/internal/hint"
)

// Home replaces a leading ~ by the home folder, as a shell does.
func Home(path string) string {
	if path != "~" && !strings.HasPrefix(path, "~/") && !strings.HasPrefix(path, "~"+string(filepath.Separator)) {
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return path
	}
	return filepath.Join(home, path[1:])
}

// Open opens a regular file for reading and follows links. Its error is fs.ErrNotExist
// only where nothing is at path, not even a link.
func Open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|noWait, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing(path, err)
	}
	if err != nil {
		return nil, err
	}
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

// missing returns err, which says that nothing is at path, or an error that names the
// end of the links which begin there.
func missing(path string, err error) error {
	const most = 40 // links, as Linux follows them
	end := path
	for range most {
		target, e := os.Readlink(end)
		if e != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(end), target)
		}
		end = target
	}
	if end == path {
		return err
	}
	return hint.New(fmt.Errorf("%s: a link to %s, which is not there", path, end),
		"the file was moved or removed, or its disk is not mounted: put it back, or replace the link")
}

// Read returns the content of a file opened by [Open], of at most this many bytes.
func Read(path string, most int64) ([]byte, error) {
	f, err := Open(path)
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

// Size returns the bytes of a file, 0 for one that cannot be asked: whoever reads it
// says why.
func Size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
