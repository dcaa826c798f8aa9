package data

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
)

// Paths are the files of a data argument; those that are not there are "".
type Paths struct{ Train, Valid, Test string }

// validNames are the names a validation file may have.
var validNames = []string{"valid", "validation", "val", "dev", "eval"}

// Find resolves a data argument: a file is the training file; a folder holds
// train, one of valid, validation, val, dev and eval, and test, each of any kind
// that is read.
func Find(path string) (Paths, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Paths{}, hint.New(fmt.Errorf("%s: no such file or folder", path), missingHint(path))
	case err != nil:
		return Paths{}, fmt.Errorf("opening the data: %w", err)
	case !info.IsDir():
		return Paths{Train: path}, nil
	}
	names, err := fileNames(path)
	if err != nil {
		return Paths{}, err
	}
	var p Paths
	for _, split := range []struct {
		path  *string
		names []string
	}{{&p.Train, []string{"train"}}, {&p.Valid, validNames}, {&p.Test, []string{"test"}}} {
		if *split.path, err = pick(path, names, split.names); err != nil {
			return Paths{}, err
		}
	}
	if p == (Paths{}) {
		return p, hint.Newf(fmt.Errorf("%s: no train, valid or test file in this folder; found %s", path, listed(names, "no file")),
			"name them train.jsonl, valid.jsonl and test.jsonl (or %s), or name one file", strings.Join(extensions[1:], ", "))
	}
	return p, nil
}

// fileNames returns the names of the files in a folder, sorted.
func fileNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the data: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// pick returns the one file of dir that has one of these names before its
// extension.
func pick(dir string, files, names []string) (string, error) {
	var found []string
	var refused error
	for _, name := range files {
		path := filepath.Join(dir, name)
		if !slices.Contains(names, strings.TrimSuffix(name, filepath.Ext(name))) {
			continue
		}
		if slices.Contains(extensions, extension(name)) {
			found = append(found, path)
		} else if err := checkExtension(path); hint.Of(err) != "" { // data of a kind that is known
			refused = err
		}
	}
	switch {
	case len(found) == 0:
		return "", refused
	case len(found) > 1:
		return "", fmt.Errorf("%s and %s are both there: which of them is meant?", found[0], found[1])
	}
	return found[0], nil
}

// missingHint is advice for data that is not there: where its name could be one of the
// Hub, how to get the rows.
func missingHint(path string) string {
	owner, name, found := strings.Cut(path, "/")
	if _, err := os.Stat(owner); found && err != nil && owner != "" && owner[0] != '.' && owner[0] != '~' && name != "" && !strings.Contains(name, "/") && filepath.Ext(name) == "" {
		return fmt.Sprintf(`data sets are not fetched; in Python: datasets.load_dataset(%q, split="train").to_json("rows.jsonl")`, path)
	}
	return `data is a file with one JSON object a line, such as {"prompt": "2+2=", "completion": "4"}`
}
