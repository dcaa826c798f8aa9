package train

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone"
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
			safetensors.Entry{Name: name + l.Name + ".lora_A", Shape: []int{len(a) / l.In, l.In}, Data: a},
			safetensors.Entry{Name: name + l.Name + ".lora_Bt", Shape: []int{len(bt) / l.Out, l.Out}, Data: bt})
	}
	for i, l := range o.layers {
		add("", l, l.A, l.Bt)
		add("m.", l, o.m[2*i], o.m[2*i+1])
		add("v.", l, o.v[2*i], o.v[2*i+1]) // 1×n by feature
		if best != nil {
			add("best.", l, best[2*i], best[2*i+1])
		}
	}
	return list
}

// Names in the folder of checkpoints: step-000120, step-000120.old while another
// takes its place, and hidden ones for what is being written or removed.
const (
	stepPrefix  = "step-"
	oldSuffix   = ".old"
	workPrefix  = ".step-"
	writingName = workPrefix + "new"
	goingName   = workPrefix + "gone"
)

func stepName(step int) string { return fmt.Sprintf("%s%06d", stepPrefix, step) }

// writeCheckpoint writes dir/step-000120 in one piece and returns its path. At no
// time is there none of the two where it replaces another.
func writeCheckpoint(dir string, st *state, o *optimizer, best [][]float32) (string, error) {
	if err := files.MkdirAll(dir); err != nil {
		return "", err
	}
	tmp := filepath.Join(dir, writingName)
	if err := os.RemoveAll(tmp); err != nil {
		return "", err
	}
	if err := os.Mkdir(tmp, 0o777); err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := safetensors.Write(filepath.Join(tmp, tensorsFile), tensors(o, best), nil); err != nil {
		return "", err
	}
	if err := writeJSON(filepath.Join(tmp, stateFile), st); err != nil {
		return "", err
	}
	if err := seal(tmp); err != nil {
		return "", err
	}
	path := filepath.Join(dir, stepName(st.Step))
	if err := makeWay(path); err != nil {
		return "", err
	}
	if err := os.Rename(tmp, path); err != nil {
		return "", err
	}
	return path, files.SyncDir(dir)
}

// seal writes the manifest of a checkpoint.
func seal(dir string) (err error) {
	sums := manifest{}
	for _, name := range []string{tensorsFile, stateFile} {
		if sums[name], err = files.SHA256(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return writeJSON(filepath.Join(dir, manifestFile), sums)
}

// makeWay gives a checkpoint that stands at path its other name. What is no folder
// is removed.
func makeWay(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return os.Remove(path)
	}
	if err := os.RemoveAll(path + oldSuffix); err != nil {
		return err
	}
	return os.Rename(path, path+oldSuffix)
}

// A saved is a checkpoint's folder, by its name.
type saved struct {
	step int
	old  bool // replaced, or about to be
	path string
}

// checkpoints lists the finished-looking checkpoints of dir, newest first.
func checkpoints(dir string) ([]saved, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []saved
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), stepPrefix)
		number, old := strings.CutSuffix(number, oldSuffix)
		if n, err := strconv.Atoi(number); ok && e.IsDir() && err == nil {
			list = append(list, saved{n, old, filepath.Join(dir, e.Name())})
		}
	}
	slices.SortFunc(list, func(a, b saved) int {
		if a.step != b.step {
			return b.step - a.step
		}
		return strings.Compare(a.path, b.path) // the replaced one comes second
	})
	return list, nil
}

// prune removes all but the newest keep checkpoints, those that were replaced, and
// what an interrupted write has left. The best adapter so far lies within each.
func prune(dir string, keep int) error {
	list, err := checkpoints(dir)
	if err != nil {
		return err
	}
	for _, c := range list {
		if !c.old && keep > 0 {
			keep--
			continue
		}
		if err := removeCheckpoint(dir, c.path); err != nil {
			return err
		}
	}
	return errors.Join(os.RemoveAll(filepath.Join(dir, writingName)), os.RemoveAll(filepath.Join(dir, goingName)))
}

// settle makes the checkpoint that a run goes on from the newest of dir and the only
// one of its step: those beyond it are damaged or were gone back from. One that was
// being replaced gets its name back.
func settle(dir, from string, step int) error {
	list, err := checkpoints(dir)
	if err != nil {
		return err
	}
	back := filepath.Base(from) == stepName(step)+oldSuffix
	for _, c := range list {
		if c.step > step || c.step == step && c.old != back {
			if err := removeCheckpoint(dir, c.path); err != nil {
				return err
			}
		}
	}
	if path := filepath.Join(dir, stepName(step)); back && has(path+oldSuffix, manifestFile) {
		return os.Rename(path+oldSuffix, path)
	}
	return nil
}

// removeCheckpoint takes the name off a checkpoint first: none is ever half there.
func removeCheckpoint(dir, path string) error {
	gone := filepath.Join(dir, goingName)
	if err := os.RemoveAll(gone); err != nil {
		return err
	}
	if err := os.Rename(path, gone); err != nil {
		return err
	}
	return os.RemoveAll(gone)
}

// A damagedError is a checkpoint that is not what was written.
type damagedError struct{ error }

func (e damagedError) Unwrap() error { return e.error }

func damaged(format string, args ...any) error {
	return damagedError{fmt.Errorf("checkpoint: "+format, args...)}
}

// verify reads a checkpoint's state after checking every file against the
// manifest. Where it is damaged the error is a damagedError.
func verify(path string) (*state, error) {
	var sums manifest
	if err := readPart(path, manifestFile, &sums); err != nil {
		return nil, err
	}
	for _, name := range []string{tensorsFile, stateFile} {
		sum, err := files.SHA256(filepath.Join(path, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, damaged("%w", err)
		}
		if err != nil {
			return nil, fmt.Errorf("checkpoint: %w", err)
		}
		if sum != sums[name] {
			return nil, damaged("%s: its checksum is not the one in %s", filepath.Join(path, name), manifestFile)
		}
	}
	st := new(state)
	if err := readPart(path, stateFile, st); err != nil {
		return nil, err
	}
	if st.Version == 2 && st.Settings["optimizer"] == preconditionedAdamW {
		st.Version, st.Settings["optimizer"] = stateVersion, scaledAdamW // its name in layout 2
	}
	if st.Version == 2 {
		st.Version = stateVersion
	}
	if st.Version != stateVersion {
		return nil, hint.New(fmt.Errorf("checkpoint: %s: layout %d, this version reads %d", path, st.Version, stateVersion), "it is of another version of finetune, which can go on with it")
	}
	if st.Step < 0 || st.Step > st.Total || st.Evaluated < -1 || st.Evaluated > st.Step || st.Metrics < 0 {
		return nil, damaged("%s: step %d of %d, evaluated at %d, %d bytes of metrics: not a state of a run", path, st.Step, st.Total, st.Evaluated, st.Metrics)
	}
	return st, nil
}

// readPart reads a JSON file of a checkpoint.
func readPart(path, name string, v any) error {
	err := readJSON(filepath.Join(path, name), v)
	var disk *fs.PathError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &disk) && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("checkpoint: %w", err) // it may be whole
	}
	return damaged("%w", err)
}
