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
	Begun         bool         // Recipe is what the run has, but for the seed, which is always known
	Where         recipe.Where // likewise
	Status        sweep.Status
	Provenance    *rundir.Provenance
	HeldOut       []rundir.HeldOutRow

	byTraining bool // it is compared to runs without validation rows
}

// Finished reports whether the run has a result.
func (r *Run) Finished() bool { return r.Provenance != nil }

// Loss is what a finished run is judged by: that of the validation rows with the saved
// adapter, or the training loss of the last report where not all runs have such rows.
func (r *Run) Loss() float64 {
	if r.Provenance.Validated && !r.byTraining {
		return r.Provenance.Best
	}
	return r.Provenance.TrainLoss
}

// Runs are those of some folders.
type Runs struct {
	List     []*Run
	Baseline []string // labels of the configurations that the others are compared to; none where no sweep names them
	Unread   []error  // of runs that are left out: each names its file

	judged []string        // what was judged at a rung without some of its runs
	read   map[string]bool // folders
}

// ReadRuns reads the runs in folders: those of a sweep, that of a run, or all runs and sweeps
// in the folders below. A run that is reached in two ways is read once, and one that cannot be
// read is left out, see [Runs.Damage]; where there is no other, it is the error.
func ReadRuns(dirs []string) (*Runs, error) {
	all := &Runs{read: map[string]bool{}}
	sweeps, loose := 0, false
	for _, dir := range dirs {
		if all.seen(dir) {
			continue
		}
		record, err := sweep.ReadRecord(dir)
		switch {
		case err != nil:
			all.Unread = append(all.Unread, err)
		case record != nil:
			sweeps++
			all.readSweep(dir, record)
		default:
			loose = true
			if err := all.readLoose(dir); err != nil {
				return nil, err
			}
		}
	}
	if len(all.List) == 0 && len(all.Unread) > 0 {
		return nil, all.Damage()
	}
	if loose || sweeps > 1 { // no one file has named the configurations
		all.label()
	}
	return all, nil
}

// Damage is the error of what could not be read, nil where all was.
func (a *Runs) Damage() error {
	if len(a.Unread) == 0 {
		return nil
	}
	const shown = 10
	var lines []string
	for _, err := range a.Unread[:min(len(a.Unread), shown)] {
		lines = append(lines, err.Error())
	}
	if more := len(a.Unread) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return hint.New(fmt.Errorf("%d of %s cannot be read\n%s", len(a.Unread), Many(len(a.List)+len(a.Unread), "run"), strings.Join(lines, "\n")),
		"bring the file back from a copy; or move the run's folder away, and its sweep or train command makes it again")
}

// seen reports whether a folder was read before, by whatever path.
func (a *Runs) seen(dir string) bool {
	path := dir
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		path = real
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	was := a.read[path]
	a.read[path] = true
	return was
}

func (a *Runs) readSweep(dir string, record *sweep.Record) {
	for _, j := range record.PartlyJudged() {
		a.judged = append(a.judged, j.String())
	}
	for _, run := range record.Runs {
		path := filepath.Join(dir, run.Name)
		if a.seen(path) {
			continue
		}
		r := a.add(path)
		if r == nil {
			continue
		}
		r.Configuration, r.Variant, r.Recipe.Seed = run.Label(), run.Variant, run.Seed
		r.Status.State = record.State(run.Name, r.Status.State)
		if slices.Contains(record.Baseline, run.Configuration) && !slices.Contains(a.Baseline, r.Configuration) {
			a.Baseline = append(a.Baseline, r.Configuration)
		}
	}
}

// readLoose reads a run's folder, or the runs and sweeps in the folders below.
func (a *Runs) readLoose(dir string) error {
	if isRun(dir) {
		a.add(dir)
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	found := false
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !isFolder(path) {
			continue
		}
		record, err := sweep.ReadRecord(path)
		switch {
		case err != nil:
			a.Unread = append(a.Unread, err)
		case record != nil:
			a.readSweep(path, record)
		case isRun(path) && !a.seen(path):
			a.add(path)
		case !isRun(path):
			continue
		}
		found = true
	}
	if !found {
		return hint.New(fmt.Errorf("%s: neither a run, nor a sweep, nor a folder of them", dir), "a run's folder holds run.yaml, a sweep's "+sweep.RecordFile)
	}
	return nil
}

// add reads the run of a folder, and returns nil where it cannot be read.
func (a *Runs) add(dir string) *Run {
	r, err := readRun(dir)
	if err != nil {
		a.Unread = append(a.Unread, err)
		return nil
	}
	a.List = append(a.List, r)
	return r
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
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
	c := recipe.Default()
	err = c.ReadYAML(filepath.Join(dir, rundir.SettingsFile))
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return nil, err
	}
	r.Recipe, r.Where, r.Begun = c.Recipe, c.Where, !missing
	if r.Status.State != sweep.Finished {
		return r, nil
	}
	if r.Provenance, err = rundir.ReadProvenance(dir); err != nil {
		return nil, err
	}
	r.Recipe, r.Begun = r.Provenance.Recipe, true
	r.HeldOut, err = rundir.ReadHeldOut(dir)
	return r, err
}

// label names the configurations by the settings, and the files they are made from, that
// differ.
func (a *Runs) label() {
	keys := a.differing()
	names := a.origins()
	for _, r := range a.List {
		var parts []string
		for _, key := range keys {
			parts = append(parts, key+"="+r.text(key))
		}
		if parts = append(parts, names[r]...); len(parts) == 0 {
			parts = []string{"all"}
		}
		r.Configuration = strings.Join(parts, ",")
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

// madeFrom are the settings that say what a run is made from.
var madeFrom = []string{"model", "data", "adapter"}

// An origin is what a run is made from: its path, and the digests of its files, "" before the
// run is finished.
type origin struct{ path, digest string }

// origin returns that of one of the settings in madeFrom.
func (r *Run) origin(key string) (o origin) {
	c := recipe.Config{Where: r.Where}
	o.path = c.Text(key)
	p := r.Provenance
	if p == nil {
		return o
	}
	hashes := p.Base.Files
	switch key {
	case "data":
		hashes = nil
		for _, f := range p.Data.Files {
			hashes = append(hashes, rundir.FileHash{SHA256: f.SHA256})
		}
	case "adapter":
		if hashes = nil; p.Adapter != nil {
			hashes = p.Adapter.Files
		}
	}
	for _, h := range hashes {
		o.digest += h.SHA256
	}
	return o
}

// origins says of each run what it is made from, where not all are made from the same: by the
// path, with the beginning of the digest where the files of one path have changed.
func (a *Runs) origins() map[*Run][]string {
	names := map[*Run][]string{}
	for _, key := range madeFrom {
		digests := map[string]map[string]bool{} // by path
		all := map[string]bool{}
		for _, r := range a.List {
			o := r.origin(key)
			if digests[o.path] == nil {
				digests[o.path] = map[string]bool{}
			}
			if r.Finished() {
				digests[o.path][o.digest], all[o.digest] = true, true
			}
		}
		if len(all) < 2 { // unfinished ones are not compared
			continue
		}
		for _, r := range a.List {
			o := r.origin(key)
			text := key + "=" + o.path
			if len(digests[o.path]) > 1 && o.digest != "" {
				text += "@" + o.digest[:min(8, len(o.digest))]
			}
			names[r] = append(names[r], text)
		}
	}
	return names
}
