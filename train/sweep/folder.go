package sweep

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/train/rundir"
)

// What a sweep puts into its folder, beside the folders of its runs.
const (
	RecordFile  = "sweep.json"
	SettingsDir = "settings" // of each run, as train reads them
	LogsDir     = "logs"     // what each run said
)

// A Record is sweep.json: what the runs in a folder have to do with each other, for
// whoever reads them without the sweep's file.
type Record struct {
	File     string         `json:"file"` // the sweep's, from the folder
	Date     string         `json:"date"` // what chat templates of all runs see
	Baseline []int          `json:"baseline"`
	Runs     []RecordedRun  `json:"runs"`
	Stopped  map[string]int `json:"stopped,omitempty"` // at which step a rung has stopped a run
	Missing  map[string]int `json:"missing,omitempty"` // at which step a rung has judged a configuration without this run of it
}

// State is that of a run whose folder says so, or that a rung has stopped it.
func (r *Record) State(run string, found State) State {
	if _, stopped := r.Stopped[run]; stopped && (found == Paused || found == Waiting) {
		return Stopped
	}
	return found
}

// A RecordedRun is a run of a sweep.
type RecordedRun struct {
	Name          string    `json:"name"`
	Configuration int       `json:"configuration"`
	Variant       string    `json:"variant,omitempty"`
	Settings      []Setting `json:"settings"`
	Seed          uint64    `json:"seed"`
}

// Label names the run's configuration.
func (r *RecordedRun) Label() string { return label(r.Variant, r.Settings) }

// ReadRecord reads the sweep.json of a folder, nil where there is none.
func ReadRecord(dir string) (*Record, error) {
	path := filepath.Join(dir, RecordFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := new(Record)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// A Sweep is a file with its runs and its folder.
type Sweep struct {
	*File
	Runs   []*Run
	Record *Record
}

// Open looks into the sweep's folder and writes nothing: [Sweep.Take] does. A folder of
// another sweep, or of a run, is an error; adopt takes one over whose file was renamed. today
// is the date for a sweep that begins.
func Open(f *File, runs []*Run, today string, adopt bool) (*Sweep, error) {
	if run, err := rundir.Look(f.OutputDir); err != nil {
		return nil, err
	} else if run.Kind != rundir.Empty || run.Settings != "" {
		return nil, hint.New(fmt.Errorf("output_dir: %s is the folder of a run", f.OutputDir), "a sweep's folder holds one folder a run: name another")
	}
	record, err := ReadRecord(f.OutputDir)
	if err != nil {
		return nil, err
	}
	from, err := fromFolder(f)
	if err != nil {
		return nil, err
	}
	if record == nil {
		record = &Record{File: from, Date: today}
	}
	if record.File != from && !adopt {
		return nil, hint.New(fmt.Errorf("output_dir: %s holds the runs of another sweep, %s", f.OutputDir, filepath.Join(f.OutputDir, filepath.FromSlash(record.File))),
			"output_dir names another folder; --yes takes this one over, where the file was renamed")
	}
	if err := keepFolders(f.OutputDir, runs); err != nil {
		return nil, err
	}
	record.File, record.Baseline, record.Runs = from, f.Baseline(runs), nil
	for _, r := range runs {
		record.Runs = append(record.Runs, RecordedRun{r.Name, r.Configuration, r.Variant, r.Settings, r.Seed})
	}
	return &Sweep{f, runs, record}, nil
}

// keepFolders gives runs the folders that they have by another name: what differs is told in
// other words once a value is added or taken out, or a variant is renamed, and the recipe is
// the same.
func keepFolders(dir string, runs []*Run) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	there := map[string]string{} // by the hash at the end of the name
	for _, e := range entries {
		if e.IsDir() {
			there[hashIn(e.Name())] = e.Name()
		}
	}
	for _, r := range runs {
		name, ok := there[hashIn(r.Name)]
		if _, err := os.Lstat(r.Dir()); ok && errors.Is(err, fs.ErrNotExist) {
			r.Name, r.Config.OutputDir = name, filepath.Join(dir, name)
		}
	}
	return nil
}

// Take makes the folder that of the sweep: what is in sweep.json is in the folder from then
// on, and all runs see its date. Tasks of one sweep may take it at the same time.
func (s *Sweep) Take() error {
	first, err := ReadRecord(s.OutputDir)
	if err == nil && first == nil {
		first, err = begin(s.OutputDir, s.Record)
	}
	if err != nil {
		return err
	}
	s.Record.Date = first.Date
	for _, r := range s.Runs {
		if r.Config.Date == "" {
			r.Config.Date = s.Record.Date
		}
	}
	return s.save()
}

// fromFolder is the file's path from the sweep's folder.
func fromFolder(f *File) (string, error) {
	dir, err := filepath.Abs(f.OutputDir)
	if err != nil {
		return "", err
	}
	path, err := filepath.Abs(f.Path)
	if err != nil {
		return "", err
	}
	if rel, err := filepath.Rel(dir, path); err == nil {
		path = rel
	}
	return filepath.ToSlash(path), nil
}

// begin writes the first record of a folder, or returns the one that another task was
// faster to write: a link never replaces a file.
func begin(dir string, r *Record) (*Record, error) {
	if err := files.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("output_dir: %w", err)
	}
	text, err := rundir.EncodeJSON(r)
	if err != nil {
		return nil, err
	}
	draft, err := files.Create(filepath.Join(dir, RecordFile))
	if err != nil {
		return nil, err
	}
	defer draft.Abort()
	if _, err := draft.Write(text); err != nil {
		return nil, err
	}
	if err := draft.Sync(); err != nil {
		return nil, err
	}
	err = os.Link(draft.Name(), filepath.Join(dir, RecordFile))
	if errors.Is(err, fs.ErrExist) {
		return ReadRecord(dir)
	}
	if err != nil { // a file system without links: two first starts at midnight are not kept apart
		return r, draft.Commit()
	}
	return r, files.SyncDir(dir)
}

func (s *Sweep) save() error {
	text, err := rundir.EncodeJSON(s.Record)
	if err != nil {
		return err
	}
	return files.Write(filepath.Join(s.OutputDir, RecordFile), text)
}

// Strangers lists folders of runs that no longer belong to the sweep: those of values
// that were taken out, or of a base that has changed.
func (s *Sweep) Strangers() ([]string, error) {
	entries, err := os.ReadDir(s.OutputDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []string
	for _, e := range entries {
		own := e.Name() == SettingsDir || e.Name() == LogsDir || slices.ContainsFunc(s.Runs, func(r *Run) bool { return r.Name == e.Name() })
		if !e.IsDir() || own {
			continue
		}
		if run, err := rundir.Look(filepath.Join(s.OutputDir, e.Name())); err == nil && (run.Kind != rundir.Empty || run.Settings != "") {
			list = append(list, e.Name())
		}
	}
	return list, nil
}

// Prepare writes a run's settings for train and returns their path.
func (s *Sweep) Prepare(r *Run) (string, error) {
	text, err := r.Config.YAML()
	if err != nil {
		return "", err
	}
	for _, dir := range []string{SettingsDir, LogsDir} {
		if err := files.MkdirAll(filepath.Join(s.OutputDir, dir)); err != nil {
			return "", err
		}
	}
	path := filepath.Join(s.OutputDir, SettingsDir, r.Name+".yaml")
	return path, files.Write(path, text)
}

// Log is the file of what a run says.
func (s *Sweep) Log(r *Run) string { return filepath.Join(s.OutputDir, LogsDir, r.Name+".log") }
