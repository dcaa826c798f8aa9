package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
	"example.com/finetune/train/sweep"
)

// A Run is one of those compared: its folder, and what its files say.
type Run struct {
	Dir           string
	Name          string // of the folder
	Configuration string // the label: runs of one configuration differ in the seed alone
	Variant       string
	Recipe        recipe.Recipe
	Begun         bool // Recipe is what the run has, but for the seed, which is always known
	Status        sweep.Status
	StoppedAt     int // the step of the rung that stopped it, 0 for none
	Provenance    *rundir.Provenance
	HeldOut       []rundir.HeldOutRow
}

// Finished reports whether the run has a result.
func (r *Run) Finished() bool { return r.Provenance != nil }

// Loss is what a finished run is judged by: that of the validation rows with the saved
// adapter, or the training loss of the last report where there are none.
func (r *Run) Loss() float64 {
	if r.Provenance.Validated {
		return r.Provenance.Best
	}
	return r.Provenance.TrainLoss
}

// Runs are those of some folders.
type Runs struct {
	List     []*Run
	Baseline []string // labels of the configurations that the others are compared to; none where no sweep names them
}

// ReadRuns reads the runs in folders: those of a sweep, that of a run, or all runs in the
// folders below.
func ReadRuns(dirs []string) (*Runs, error) {
	all := new(Runs)
	loose := false
	for _, dir := range dirs {
		record, err := sweep.ReadRecord(dir)
		if err != nil {
			return nil, err
		}
		if record != nil {
			err = all.readSweep(dir, record)
		} else {
			loose = true
			err = all.readLoose(dir)
		}
		if err != nil {
			return nil, err
		}
	}
	if loose || len(dirs) > 1 { // no one file has named the configurations
		all.label()
	}
	return all, nil
}

func (a *Runs) readSweep(dir string, record *sweep.Record) error {
	for _, run := range record.Runs {
		r, err := readRun(filepath.Join(dir, run.Name))
		if err != nil {
			return err
		}
		r.Configuration, r.Variant, r.Recipe.Seed = run.Label(), run.Variant, run.Seed
		if r.StoppedAt = record.Stopped[run.Name]; r.Finished() {
			r.StoppedAt = 0
		} else if r.StoppedAt > 0 {
			r.Status.State = sweep.Stopped
		}
		if slices.Contains(record.Baseline, run.Configuration) && !slices.Contains(a.Baseline, r.Configuration) {
			a.Baseline = append(a.Baseline, r.Configuration)
		}
		a.List = append(a.List, r)
	}
	return nil
}

// readLoose reads a run's folder, or the runs in the folders below.
func (a *Runs) readLoose(dir string) error {
	folders := []string{dir}
	if !isRun(dir) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		folders = nil
		for _, e := range entries {
			if path := filepath.Join(dir, e.Name()); e.IsDir() && isRun(path) {
				folders = append(folders, path)
			}
		}
	}
	if len(folders) == 0 {
		return hint.New(fmt.Errorf("%s: neither a run, nor a sweep, nor a folder of runs", dir), "a run's folder holds run.yaml, a sweep's "+sweep.RecordFile)
	}
	for _, path := range folders {
		r, err := readRun(path)
		if err != nil {
			return err
		}
		a.List = append(a.List, r)
	}
	return nil
}

// isRun reports whether a folder is that of a run.
func isRun(dir string) bool {
	for _, name := range []string{rundir.SettingsFile, rundir.ProvenanceFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

func readRun(dir string) (*Run, error) {
	r := &Run{Dir: dir, Name: filepath.Base(filepath.Clean(dir))}
	var err error
	if r.Status, err = sweep.Look(dir); err != nil {
		return nil, err
	}
	if r.Status.State == sweep.Finished {
		if r.Provenance, err = rundir.ReadProvenance(dir); err != nil {
			return nil, err
		}
		r.Recipe, r.Begun = r.Provenance.Recipe, true
		r.HeldOut, err = rundir.ReadHeldOut(dir)
		return r, err
	}
	c := recipe.Default()
	err = c.ReadYAML(filepath.Join(dir, rundir.SettingsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	r.Recipe, r.Begun = c.Recipe, err == nil
	return r, nil
}

// label names the configurations by the settings that differ.
func (a *Runs) label() {
	keys := a.differing()
	for _, r := range a.List {
		var parts []string
		for _, key := range keys {
			parts = append(parts, key+"="+r.text(key))
		}
		if r.Configuration = strings.Join(parts, ","); len(parts) == 0 {
			r.Configuration = "all"
		}
	}
	a.Baseline = nil
}

// text is a setting of the run.
func (r *Run) text(key string) string {
	c := recipe.Config{Recipe: r.Recipe}
	return c.Text(key)
}

// differing lists the settings of the recipe, apart from seed and date, that not all runs
// have alike.
func (a *Runs) differing() (keys []string) {
	var begun []*Run
	for _, r := range a.List {
		if r.Begun {
			begun = append(begun, r)
		}
	}
	for _, key := range recipe.Keys() {
		if !recipe.Decides(key) || key == "seed" || key == "date" {
			continue
		}
		for _, r := range begun {
			if r.text(key) != begun[0].text(key) {
				keys = append(keys, key)
				break
			}
		}
	}
	return keys
}
