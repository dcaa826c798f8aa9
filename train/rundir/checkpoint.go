package rundir

import (
	"cmp"
	"encoding/json"
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
	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
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

// A Checkpoint is everything that a run is resumed from, in a folder of its own.
type Checkpoint struct {
	Step int
	Path string
	old  bool // replaced, or about to be
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

// Save writes a checkpoint of a step in one piece, removes all but the newest keep, and
// returns its path. At no time is there none of the two where it replaces another.
func (d *Dir) Save(step int, state any, tensors []safetensors.Entry, keep int) (string, error) {
	dir := d.Path(CheckpointsDir)
	path, err := write(dir, step, state, tensors)
	if err != nil {
		return "", err
	}
	return path, prune(dir, keep)
}

// write writes dir/step-000120.
func write(dir string, step int, state any, tensors []safetensors.Entry) (string, error) {
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
	if err := safetensors.Write(filepath.Join(tmp, tensorsFile), tensors, nil); err != nil {
		return "", err
	}
	if err := writeJSON(filepath.Join(tmp, stateFile), state); err != nil {
		return "", err
	}
	if err := seal(tmp); err != nil {
		return "", err
	}
	path := filepath.Join(dir, stepName(step))
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

// list returns the finished-looking checkpoints in dir, newest first.
func list(dir string) ([]Checkpoint, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []Checkpoint
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), stepPrefix)
		number, old := strings.CutSuffix(number, oldSuffix)
		if n, err := strconv.Atoi(number); ok && e.IsDir() && err == nil {
			list = append(list, Checkpoint{n, filepath.Join(dir, e.Name()), old})
		}
	}
	slices.SortFunc(list, func(a, b Checkpoint) int {
		if a.Step != b.Step {
			return b.Step - a.Step
		}
		return strings.Compare(a.Path, b.Path) // the replaced one comes second
	})
	return list, nil
}

// prune removes all but the newest keep checkpoints, those that were replaced, and
// what an interrupted write has left. The best adapter so far lies within each.
func prune(dir string, keep int) error {
	all, err := list(dir)
	if err != nil {
		return err
	}
	for _, c := range all {
		if !c.old && keep > 0 {
			keep--
			continue
		}
		if err := removeCheckpoint(dir, c.Path); err != nil {
			return err
		}
	}
	return errors.Join(os.RemoveAll(filepath.Join(dir, writingName)), os.RemoveAll(filepath.Join(dir, goingName)))
}

// restart makes the checkpoint that a run is resumed from the newest of dir and the
// only one of its step: those beyond it are damaged or were gone back from. One that
// was being replaced gets its name back.
func restart(dir, from string, step int) error {
	all, err := list(dir)
	if err != nil {
		return err
	}
	back := filepath.Base(from) == stepName(step)+oldSuffix
	for _, c := range all {
		if c.Step > step || c.Step == step && c.old != back {
			if err := removeCheckpoint(dir, c.Path); err != nil {
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

// LooksLikeCheckpoint returns an error where no checkpoint lies at path. Its advice is the
// newest one in or beside it, if there is any.
func LooksLikeCheckpoint(path string) error {
	if has(path, manifestFile) || strings.HasPrefix(filepath.Base(path), stepPrefix) && has(path, "") {
		return nil // if a damaged one
	}
	err := fmt.Errorf("%s is no checkpoint: it has no %s", path, manifestFile)
	if !has(path, "") {
		err = fmt.Errorf("%s is not there", path)
	}
	for _, dir := range []string{path, filepath.Join(path, CheckpointsDir), filepath.Dir(path)} {
		all, _ := list(dir) // none where it is no folder
		if i := slices.IndexFunc(all, func(c Checkpoint) bool { return has(c.Path, manifestFile) }); i >= 0 {
			return hint.Newf(err, "--resume-from %s is the newest there", all[i].Path)
		}
	}
	return err
}

// OwnCheckpoint reports whether a checkpoint is one of the run in dir.
func OwnCheckpoint(dir, checkpoint string) bool {
	theirs, err := os.Stat(OfCheckpoint(checkpoint))
	if err != nil {
		return false
	}
	ours, err := os.Stat(dir)
	return err == nil && os.SameFile(ours, theirs) && strings.HasPrefix(filepath.Base(checkpoint), stepPrefix)
}

// OfCheckpoint returns the folder of the run that a checkpoint is of.
func OfCheckpoint(path string) string {
	return filepath.Dir(filepath.Dir(filepath.Clean(path))) // output_dir/checkpoints/step-…
}

// A DamagedError is a checkpoint that is not what was written.
type DamagedError struct{ error }

func (e DamagedError) Unwrap() error { return e.error }

// Damaged makes a DamagedError.
func Damaged(format string, args ...any) error {
	return DamagedError{fmt.Errorf("checkpoint: "+format, args...)}
}

// Newest returns the first of some checkpoints that read takes. Those that it finds
// damaged are skipped and returned as errors; any other error of it is final.
func Newest(all []Checkpoint, read func(path string) error) (path string, skipped []error, err error) {
	for _, c := range all {
		err := read(c.Path)
		switch {
		case err == nil:
			return c.Path, skipped, nil
		case !errors.As(err, new(DamagedError)):
			return "", nil, hint.Newf(err, "--resume-from names another checkpoint in %s", filepath.Dir(c.Path))
		}
		skipped = append(skipped, err)
	}
	return "", skipped, nil
}

// ReadState reads the state of the checkpoint at path after checking every file against
// the manifest. Where one is not what was written the error is a DamagedError. A state
// that was written and cannot be read is one of another version: no damage, so that
// nobody begins again over it.
func ReadState(path string, state any) error {
	var sums manifest
	if err := readPart(path, manifestFile, &sums); err != nil {
		return err
	}
	for _, name := range []string{tensorsFile, stateFile} {
		sum, err := files.SHA256(filepath.Join(path, name))
		if errors.Is(err, fs.ErrNotExist) {
			return Damaged("%w", err)
		}
		if err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
		if sum != sums[name] {
			return Damaged("%s: its checksum is not the one in %s", filepath.Join(path, name), manifestFile)
		}
	}
	if err := readJSON(filepath.Join(path, stateFile), state); err != nil {
		return hint.New(fmt.Errorf("checkpoint: %w", err), hint.Of(err))
	}
	return nil
}

// ReadTensors fills the data of entries from the checkpoint at path.
func ReadTensors(path string, entries []safetensors.Entry) error {
	f, err := safetensors.Open(filepath.Join(path, tensorsFile))
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	defer f.Close()
	return f.Guard(func() error {
		for _, e := range entries {
			t, ok := f.Tensor(e.Name)
			if !ok {
				return fmt.Errorf("checkpoint: %s: no tensor %s", path, e.Name)
			}
			if t.DType != "F32" || !slices.Equal(t.Shape, e.Shape) {
				return fmt.Errorf("checkpoint: %s: %s is %s %v, want F32 %v", path, e.Name, t.DType, t.Shape, e.Shape)
			}
			simd.Convert(e.Data, t.Data, simd.F32)
		}
		return nil
	})
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
	return Damaged("%w", err)
}

func writeJSON(path string, v any) error {
	text, err := EncodeJSON(v)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return files.Write(path, text)
}

func readJSON(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	err = json.Unmarshal(text, v)
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		err = fmt.Errorf("%s is of the kind %s, which it cannot be", cmp.Or(wrong.Field, "all of it"), wrong.Value)
	}
	if err != nil {
		return hint.New(fmt.Errorf("%s: %w", path, err), hint.Of(err))
	}
	return nil
}
