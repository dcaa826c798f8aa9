package opened

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"example.com/finetune/model/hub"
	"example.com/finetune/train/rundir"
)

// OtherBase says in words that the adapter was trained on another base than this one,
// as far as the digests of its making tell, or, for another program's, the ids of both;
// "" where nothing says so. It reads weight
// files as a whole only where they are not those that lay there when the adapter was
// written, and no blob of a Hub cache. The weights are loaded.
func (m *Model) OtherBase() (string, error) {
	if m.Origin == nil {
		return m.otherName(), nil
	}
	if len(m.Origin.Base.Files) == 0 || m.untouched() {
		return "", nil
	}
	for _, path := range m.Weights.Files() {
		now, err := m.digest(path)
		if err != nil {
			return "", err
		}
		file := rundir.FileHash{Name: filepath.Base(path), SHA256: now}
		if words := m.Origin.OtherBase(m.adapter, m.Label(), file); words != "" {
			return words, nil
		}
	}
	return "", nil
}

// otherName says that the adapter names another base, where both have ids on the Hub.
func (m *Model) otherName() string {
	if m.ID == "" || !hub.IsID(m.named) || !strings.Contains(m.named, "/") || strings.EqualFold(m.named, m.ID) {
		return ""
	}
	return fmt.Sprintf("%s was trained on %s, as it says, and the base here is %s", m.adapter, m.named, m.ID)
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
