package train

import (
	"fmt"
	"path/filepath"

	"example.com/finetune/internal/files"
	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
)

// A fileHash is a file's name and SHA-256, which for a weight file of the Hub is the
// one shown there.
type fileHash struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// hashBase puts the hashes of the weight files into the state.
func (r *run) hashBase() error {
	paths, err := weightFiles(r.s.Model.Dir)
	if err == nil {
		r.st.Base, err = hashFiles(paths, r.s.Pool)
	}
	return err
}

// weightFiles lists the weight files of a model folder.
func weightFiles(dir string) ([]string, error) {
	set, err := safetensors.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	return set.Files(), set.Close()
}

// hashFiles hashes files side by side.
func hashFiles(paths []string, p *simd.Pool) ([]fileHash, error) {
	list, errs := make([]fileHash, len(paths)), make([]error, len(paths))
	p.Run(len(paths), func(_, i int) {
		list[i].Name = filepath.Base(paths[i])
		list[i].SHA256, errs[i] = files.SHA256(paths[i])
	})
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("hashing the model: %w", err)
		}
	}
	return list, nil
}

// A changedError is a weight file that was written to while it is mapped: the numbers
// change under the run.
type changedError struct{ error }

// unchanged returns a changedError if a weight file was written to since it was
// mapped. What is computed before counts only where it returns nil.
func (r *run) unchanged() error {
	if err := r.s.Model.Unchanged(); err != nil {
		return changedError{err}
	}
	return nil
}
