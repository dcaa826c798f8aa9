package opened

import (
	"fmt"
	"os"
	"path/filepath"

	"example.com/finetune/model/hub"
	"example.com/finetune/train/rundir"
)

// OtherBase says in words that the adapter was trained on another base than this one,
// as far as the digests of its making tell; "" where nothing says so. It reads weight
// files as a whole only where they are not those that lay there when the adapter was
// written, and no blob of a Hub cache. The weights are loaded.
func (m *Model) OtherBase() (string, error) {
	if m.Origin == nil || len(m.Origin.Base.Files) == 0 || m.untouched() {
		return "", nil
	}
	then := map[string]string{}
	for _, f := range m.Origin.Base.Files {
		then[f.Name] = f.SHA256
	}
	for _, path := range m.Weights.Files() {
		name := filepath.Base(path)
		now, err := m.digest(path)
		if err != nil {
			return "", err
		}
		switch was, known := then[name]; {
		case !known:
			return fmt.Sprintf("%s was trained on %s, whose weights lay in other files (%s %.12s): the base here, %s, has %s with SHA-256 %.12s",
				m.adapter, m.Origin.BaseRef().Label(), m.Origin.Base.Files[0].Name, m.Origin.Base.Files[0].SHA256, m.Label(), name, now), nil
		case was != now:
			return fmt.Sprintf("%s was trained on %s, and the base here is another, %s: its %s has SHA-256 %.12s, that one had %.12s",
				m.adapter, m.Origin.BaseRef().Label(), m.Label(), name, now, was), nil
		}
	}
	return "", nil
}

// untouched reports whether the weight files lie where the adapter was trained on them
// and are older than it.
func (m *Model) untouched() bool {
	here, err := filepath.Abs(m.Dir)
	made, e := os.Stat(filepath.Join(m.adapter, rundir.ProvenanceFile))
	if err != nil || e != nil || here != m.Origin.Base.Dir {
		return false
	}
	for _, path := range m.Weights.Files() {
		if info, err := os.Stat(path); err != nil || info.ModTime().After(made.ModTime()) {
			return false
		}
	}
	return true
}

// digest returns the SHA-256 of a weight file.
func (m *Model) digest(path string) (string, error) {
	if digest := hub.Digest(path); digest != "" {
		return digest, nil
	}
	list, err := rundir.Hash([]string{path}, m.Pool)
	if err != nil {
		return "", err
	}
	return list[0].SHA256, nil
}
