package main

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
)

// demoFiles are the model (stories260K, MIT) and the rows of the demo.
//
//go:embed demo/data/*.jsonl
//go:embed demo/model/LICENSE demo/model/README.md demo/model/*.json demo/model/model.safetensors
var demoFiles embed.FS

// demoManifest names every file that the demo wrote, so that a second demo
// replaces those and nothing else.
const demoManifest = "demo.json"

// A manifest is the content of demo.json.
type manifest struct {
	Complete bool              `json:"complete"` // until then any file below adapter/ is the demo's
	Files    map[string]string `json:"files"`    // SHA-256 by path with slashes
}

// unpackDemo writes model and data into dir, in place of an earlier demo's. Files
// that the demo did not write, or that were changed since, are an error.
func unpackDemo(dir string) error {
	old, err := ownFiles(dir)
	if err != nil {
		return err
	}
	for _, name := range old {
		if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			return err
		}
	}
	content, m := map[string][]byte{}, manifest{Files: map[string]string{}}
	err = fs.WalkDir(demoFiles, "demo", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := strings.TrimPrefix(p, "demo/")
		content[name], err = demoFiles.ReadFile(p)
		m.Files[name] = digest(content[name])
		return err
	})
	if err != nil {
		return err
	}
	if err := m.write(dir); err != nil {
		return err
	}
	for name, data := range content {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := files.Write(file, data); err != nil {
			return err
		}
	}
	return nil
}

// sealDemo notes all files that are there as the demo's.
func sealDemo(dir string) error {
	m := manifest{Complete: true, Files: map[string]string{}}
	err := walkFiles(dir, func(name string, _ fs.DirEntry) error {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		m.Files[name] = digest(data)
		return err
	})
	if err != nil {
		return err
	}
	return m.write(dir)
}

// ownFiles lists the files of dir. It is an error if one is not the demo's.
func ownFiles(dir string) ([]string, error) {
	var own, foreign []string
	m := manifest{}
	text, err := os.ReadFile(filepath.Join(dir, demoManifest))
	if err == nil && json.Unmarshal(text, &m) != nil {
		m = manifest{}
	}
	err = walkFiles(dir, func(name string, d fs.DirEntry) error {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		running := !m.Complete && m.Files != nil && strings.HasPrefix(name, "adapter/")
		if d.Type().IsRegular() && (running || m.Files[name] == digest(data)) {
			own = append(own, name)
		} else {
			foreign = append(foreign, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(foreign) > 0 {
		slices.Sort(foreign)
		more := ""
		if n := len(foreign) - 1; n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		return nil, hint.New(fmt.Errorf("%s%s: not written by the demo, or changed since", filepath.Join(dir, foreign[0]), more),
			"move "+dir+" away, or run the demo in another folder")
	}
	return own, nil
}

// walkFiles calls f for each file below dir but the manifest. A folder that is
// not there has none.
func walkFiles(dir string, f func(name string, d fs.DirEntry) error) error {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s: a file, where the demo wants its folder", dir)
	}
	return filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, p)
		if name = filepath.ToSlash(name); err != nil || name == demoManifest {
			return err
		}
		return f(path.Clean(name), d)
	})
}

func (m manifest) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return files.Write(filepath.Join(dir, demoManifest), append(text, '\n'))
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
