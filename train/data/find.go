package data

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Paths are the files of a data argument; those that are not there are "".
type Paths struct{ Train, Valid, Test string }

// validNames are the names a validation file may have.
var validNames = []string{"valid", "validation", "val", "dev", "eval"}

// Find resolves a data argument: a file is the training file; a folder holds
// train, one of valid, validation, val, dev and eval, and test, as .jsonl or .json.
func Find(path string) (Paths, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Paths{}, hint(fmt.Errorf("%s: no such file or folder", path), `data is a file with one JSON object a line, such as {"prompt": "2+2=", "completion": "4"}`)
	case err != nil:
		return Paths{}, fmt.Errorf("opening the data: %w", err)
	case !info.IsDir():
		return Paths{Train: path}, nil
	}
	var p Paths
	if p.Train, err = pick(path, "train"); err != nil {
		return Paths{}, err
	}
	if p.Valid, err = pick(path, validNames...); err != nil {
		return Paths{}, err
	}
	if p.Test, err = pick(path, "test"); err != nil {
		return Paths{}, err
	}
	if p == (Paths{}) {
		return p, fmt.Errorf("%s: no train.jsonl, valid.jsonl or test.jsonl in this folder", path)
	}
	return p, nil
}

// pick returns the one file of dir with one of these names.
func pick(dir string, names ...string) (string, error) {
	var found, refused []string
	for _, name := range names {
		list, err := filepath.Glob(filepath.Join(escapeGlob(dir), name+".*"))
		if err != nil {
			return "", fmt.Errorf("%s: %w", dir, err)
		}
		for _, path := range list {
			switch strings.ToLower(filepath.Ext(path)) {
			case ".jsonl", ".json", ".ndjson":
				found = append(found, path)
			case ".csv", ".tsv", ".txt", ".parquet":
				refused = append(refused, path)
			}
		}
	}
	switch {
	case len(found) == 0 && len(refused) > 0:
		return "", checkExtension(refused[0])
	case len(found) == 0:
		return "", nil
	case len(found) > 1:
		return "", fmt.Errorf("%s and %s are both there: which of them is meant?", found[0], found[1])
	}
	return found[0], nil
}

// escapeGlob makes the special characters of a folder's name stand for themselves.
func escapeGlob(dir string) string {
	if os.PathSeparator == '\\' { // Match knows no escapes there
		return dir
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}
