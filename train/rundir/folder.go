package rundir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example.com/finetune/internal/files"
)

// What a run puts into its folder.
const (
	AdapterConfig  = "adapter_config.json"
	AdapterWeights = "adapter_model.safetensors"
	CardFile       = "README.md"
	SettingsFile   = "run.yaml"
	MetricsFile    = "metrics.jsonl"
	ProvenanceFile = "finetune.json"
	HeldOutFile    = "heldout.jsonl"
	PlotFile       = "loss.svg"
	CheckpointsDir = "checkpoints"
)

// unfinishedFile stands beside the adapter of an earlier run while the run that is
// to replace it is on its way.
const (
	unfinishedFile = "unfinished.txt"
	unfinishedText = "The adapter in this folder is that of an earlier run.\n" +
		"The run that is to replace it has not finished: \"finetune train -o FOLDER --resume\" resumes it.\n"
)

// beginningFile holds the settings of a run that has taken the folder over and has not
// cleared it yet: what else is there, but for an adapter, is of the run before. It
// becomes run.yaml.
const beginningFile = ".run.yaml.new"

// nonFinitePrefix begins the names of files with the rows of a batch whose loss was not
// finite.
const nonFinitePrefix = "nonfinite-step-"

// NonFiniteFile is the file for the rows of such a batch.
func NonFiniteFile(step int) string { return fmt.Sprintf("%s%06d.jsonl", nonFinitePrefix, step) }

// CardMark is a line of every model card that a run writes, and PEFT too: a README.md
// without it is somebody's own.
const CardMark = "library_name: peft"

// A Kind is what a folder holds.
type Kind int

// The kinds.
const (
	Empty      Kind = iota // of a run: nothing, or no folder at all
	Unfinished             // a run that can be resumed, if only from its beginning
	Finished               // an adapter, and no run that is to replace it
)

// A Folder is what [Look] has found.
type Folder struct {
	Kind        Kind
	Settings    string       // path of the settings of the run to resume; "" where there are none
	Checkpoints []Checkpoint // of that run, newest first; their content is not looked at
}

// Look says what is in a folder. It changes nothing.
func Look(dir string) (*Folder, error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return new(Folder), nil
	case err != nil:
		return nil, fmt.Errorf("output_dir: %w", err)
	case !info.IsDir():
		return nil, fmt.Errorf("output_dir: %s is not a folder", dir)
	}
	f := new(Folder)
	beginning := has(dir, beginningFile)
	for _, name := range []string{beginningFile, SettingsFile} {
		if has(dir, name) {
			f.Settings = filepath.Join(dir, name)
			break
		}
	}
	if !beginning {
		if f.Checkpoints, err = list(filepath.Join(dir, CheckpointsDir)); err != nil {
			return nil, err
		}
	}
	whole := HasAdapter(dir)
	switch {
	case whole && !beginning && !has(dir, unfinishedFile):
		f.Kind = Finished
	case whole || len(f.Checkpoints) > 0:
		f.Kind = Unfinished
	}
	return f, nil
}

// HasAdapter reports whether an adapter lies in a folder.
func HasAdapter(dir string) bool { return has(dir, AdapterConfig) && has(dir, AdapterWeights) }

func has(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

// A Dir is a folder that this process alone writes to.
type Dir struct {
	path    string
	lock    *lock // nil where the file system has none
	metrics *metrics
	events  *os.File  // nil for none
	started time.Time // of the events
}

// Open makes the folder where it is not there, locks it, and removes what interrupted
// writes have left. An error that another run holds it says which.
func Open(path string) (*Dir, error) {
	if err := files.MkdirAll(path); err != nil {
		return nil, fmt.Errorf("output_dir: %w", err)
	}
	d := &Dir{path: path}
	var err error
	if d.lock, err = lockFolder(path); errors.Is(err, files.ErrNoLocks) {
		err = nil
	}
	if err == nil {
		err = files.Sweep(path)
	}
	if err != nil {
		d.lock.release()
		return nil, fmt.Errorf("output_dir: %w", err)
	}
	return d, nil
}

// Locked reports whether a second run is kept out; the file system may have no locks.
func (d *Dir) Locked() bool { return d.lock != nil }

// Path returns the path of a file in the folder.
func (d *Dir) Path(name string) string { return filepath.Join(d.path, name) }

// Close ends the figures and gives the folder up.
func (d *Dir) Close() error {
	var err error
	if d.metrics != nil {
		err = errors.Join(d.metrics.sync(), d.metrics.close())
	}
	if d.events != nil {
		err = errors.Join(err, d.events.Close())
	}
	d.lock.release()
	return err
}

// Begin makes the folder that of a new run with these settings, which take it over in
// one step, whatever of the run before is still there. Its adapter stays.
func (d *Dir) Begin(settings []byte) error {
	if err := d.Write(beginningFile, settings); err != nil {
		return err
	}
	kept, err := d.keepAdapter()
	if err != nil {
		return err
	}
	if err := d.clear(kept); err != nil {
		return err
	}
	if err := os.Rename(d.Path(beginningFile), d.Path(SettingsFile)); err != nil {
		return err
	}
	_, err = d.openMetrics(0)
	return err
}

// Resume makes the folder that of the run which the checkpoint at path is of, with the
// size of its figures, and returns the path that the checkpoint then has: "" where it
// lies in another folder. At most keep checkpoints stay. short reports that figures
// are missing.
func (d *Dir) Resume(path string, step, keep int, size int64, settings []byte) (own string, short bool, err error) {
	if _, err := d.keepAdapter(); err != nil {
		return "", false, err
	}
	dir := d.Path(CheckpointsDir)
	if err := restart(dir, path, step); err != nil {
		return "", false, err
	}
	if err := prune(dir, keep); err != nil { // what an interruption has left
		return "", false, err
	}
	if OwnCheckpoint(d.path, path) {
		own = filepath.Join(dir, stepName(step))
	}
	if err := d.Write(SettingsFile, settings); err != nil {
		return "", false, err
	}
	if err := d.remove(beginningFile, EventsFile); err != nil {
		return "", false, err
	}
	short, err = d.openMetrics(size)
	return own, short, err
}

// keepAdapter marks an adapter in the folder as that of an earlier run: it stays until
// the new one takes its place. A half of one is removed. kept says whether there is one.
func (d *Dir) keepAdapter() (kept bool, err error) {
	if HasAdapter(d.path) {
		return true, d.Write(unfinishedFile, []byte(unfinishedText))
	}
	return false, d.remove(AdapterConfig, AdapterWeights, ProvenanceFile, HeldOutFile, unfinishedFile)
}

// clear removes what an earlier run has left, but for an adapter that is kept and what
// describes it.
func (d *Dir) clear(kept bool) error {
	stale := []string{CheckpointsDir, MetricsFile, EventsFile}
	if !kept {
		stale = append(stale, PlotFile)
		if d.ownCard() {
			stale = append(stale, CardFile)
		}
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return fmt.Errorf("output_dir: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), nonFinitePrefix) {
			stale = append(stale, e.Name())
		}
	}
	return d.remove(stale...)
}

// ownCard reports whether the folder's README.md is a model card.
func (d *Dir) ownCard() bool {
	text, err := os.ReadFile(d.Path(CardFile))
	return err == nil && bytes.Contains(text, []byte(CardMark))
}

// ForeignCard reports whether the folder's README.md is somebody's own.
func (d *Dir) ForeignCard() bool { return has(d.path, CardFile) && !d.ownCard() }

// Write writes a file of the folder in one piece.
func (d *Dir) Write(name string, text []byte) error { return files.Write(d.Path(name), text) }

func (d *Dir) remove(names ...string) error {
	for _, name := range names {
		if err := os.RemoveAll(d.Path(name)); err != nil {
			return fmt.Errorf("output_dir: %w", err)
		}
	}
	return nil
}
