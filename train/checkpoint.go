package train

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"example.com/finetune/loraone"
	"example.com/finetune/model/atomicfile"
	"example.com/finetune/model/safetensors"
)

// The files of a checkpoint. The manifest holds the checksums of the others and is
// written last: a folder without one was never finished.
const (
	stateFile    = "state.json"
	tensorsFile  = "state.safetensors"
	manifestFile = "manifest.json"
)

// A manifest maps file names to SHA-256 sums.
type manifest map[string]string

// tensors lists what a checkpoint keeps: parameters, moments and the best adapter.
// best may be nil.
func tensors(o *optimizer, best [][]float32) []safetensors.Entry {
	var list []safetensors.Entry
	add := func(name string, l *loraone.Layer, a, bt []float32) {
		list = append(list,
			safetensors.Entry{Name: name + l.Name + ".lora_A", Shape: []int{l.R, l.In}, Data: a},
			safetensors.Entry{Name: name + l.Name + ".lora_Bt", Shape: []int{l.R, l.Out}, Data: bt})
	}
	for i, l := range o.layers {
		add("", l, l.A, l.Bt)
		add("m.", l, o.m[2*i], o.m[2*i+1])
		add("v.", l, o.v[2*i], o.v[2*i+1])
		if best != nil {
			add("best.", l, best[2*i], best[2*i+1])
		}
	}
	return list
}

// writeCheckpoint writes dir/step-000120 in one piece and returns its path.
func writeCheckpoint(dir string, st *state, o *optimizer, best [][]float32) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(dir, ".step-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := safetensors.Write(filepath.Join(tmp, tensorsFile), tensors(o, best), nil); err != nil {
		return "", err
	}
	if err := writeJSON(filepath.Join(tmp, stateFile), st); err != nil {
		return "", err
	}
	sums := manifest{}
	for _, name := range []string{tensorsFile, stateFile} {
		if sums[name], err = hashFile(filepath.Join(tmp, name)); err != nil {
			return "", err
		}
	}
	if err := writeJSON(filepath.Join(tmp, manifestFile), sums); err != nil {
		return "", err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, fmt.Sprintf("step-%06d", st.Step))
	if err := os.RemoveAll(path); err != nil { // of a run that went back to an older one
		return "", err
	}
	if err := os.Rename(tmp, path); err != nil {
		return "", err
	}
	return path, atomicfile.SyncDir(dir)
}

// checkpoints lists the finished-looking checkpoints of dir, newest first.
func checkpoints(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	steps := map[int]string{}
	for _, e := range entries {
		if number, ok := strings.CutPrefix(e.Name(), "step-"); ok && e.IsDir() {
			if n, err := strconv.Atoi(number); err == nil {
				steps[n] = filepath.Join(dir, e.Name())
			}
		}
	}
	var list []string
	for _, n := range slices.Backward(slices.Sorted(maps.Keys(steps))) {
		list = append(list, steps[n])
	}
	return list, nil
}

// prune removes all but the newest keep checkpoints, and what an interrupted write
// has left.
func prune(dir string, keep int) error {
	list, err := checkpoints(dir)
	if err != nil {
		return err
	}
	left, err := filepath.Glob(filepath.Join(dir, ".step-*"))
	if err != nil {
		return err
	}
	for _, path := range append(left, list[min(keep, len(list)):]...) {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// verify reads a checkpoint's state after checking every file against the
// manifest.
func verify(path string) (*state, error) {
	var sums manifest
	if err := readJSON(filepath.Join(path, manifestFile), &sums); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	for _, name := range []string{tensorsFile, stateFile} {
		sum, err := hashFile(filepath.Join(path, name))
		if err != nil {
			return nil, fmt.Errorf("checkpoint: %w", err)
		}
		if sum != sums[name] {
			return nil, fmt.Errorf("checkpoint: %s: its checksum is not the one in %s", filepath.Join(path, name), manifestFile)
		}
	}
	var st state
	if err := readJSON(filepath.Join(path, stateFile), &st); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if st.Version != stateVersion {
		return nil, fmt.Errorf("checkpoint: %s: layout %d, this version reads %d", path, st.Version, stateVersion)
	}
	if st.Step < 0 || st.Step > st.Total || st.Evaluated < -1 || st.Evaluated > st.Step || st.Metrics < 0 {
		return nil, fmt.Errorf("checkpoint: %s: step %d of %d, evaluated at %d, %d bytes of metrics: not a state of a run", path, st.Step, st.Total, st.Evaluated, st.Metrics)
	}
	return &st, nil
}
