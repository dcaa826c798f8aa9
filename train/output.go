package train

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
)

// What a run puts into its output folder. PEFT reads the first two.
const (
	adapterConfigFile  = "adapter_config.json"
	adapterWeightsFile = "adapter_model.safetensors"
	cardFile           = "README.md"
	settingsFile       = "run.yaml"
	metricsFile        = "metrics.jsonl"
	provenanceFile     = "finetune.json"
	plotFile           = "loss.svg"
	checkpointsDir     = "checkpoints"
)

// unfinishedFile stands beside the adapter of an earlier run while the run that is
// to replace it is on its way.
const (
	unfinishedFile = "unfinished.txt"
	unfinishedText = "The adapter in this folder is that of an earlier run.\n" +
		"The run that is to replace it has not finished: \"finetune train -o FOLDER --resume\" goes on with it.\n"
)

// beginningFile holds the settings of a run that has taken the folder over and not
// cleared it yet: what else is there, but for an adapter, is of the run before. It
// becomes run.yaml.
const beginningFile = ".run.yaml.new"

// SettingsFile returns the path of the settings of the run in an output folder.
func SettingsFile(dir string) string {
	if has(dir, beginningFile) {
		return filepath.Join(dir, beginningFile)
	}
	return filepath.Join(dir, settingsFile)
}

// A Found says what the output folder holds.
type Found int

// What CheckOutput finds.
const (
	Nothing    Found = iota // of a run: it starts from the beginning
	Checkpoint              // to go on from
	Finished                // a finished run of the same settings, asked to resume
)

// CheckOutput says what a run with these settings would find in its output folder.
// A run that stands there is an error unless overwrite or resume is set, and one
// that is at work there always is. It opens neither data nor weights, and writes
// nothing.
func CheckOutput(c *Config) (Found, error) {
	if err := checkLock(c.OutputDir); err != nil {
		return Nothing, err
	}
	return findRun(c)
}

// findRun is CheckOutput for the run that holds the lock.
func findRun(c *Config) (Found, error) {
	info, err := os.Stat(c.OutputDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return checkResumeFrom(c)
	case err != nil:
		return Nothing, fmt.Errorf("output_dir: %w", err)
	case !info.IsDir():
		return Nothing, fmt.Errorf("output_dir: %s is not a folder", c.OutputDir)
	}
	list, err := runCheckpoints(c.OutputDir)
	if err != nil {
		return Nothing, err
	}
	whole := has(c.OutputDir, adapterConfigFile) && has(c.OutputDir, adapterWeightsFile)
	finished := whole && !has(c.OutputDir, unfinishedFile) && !has(c.OutputDir, beginningFile)
	switch {
	case c.Overwrite:
		return Nothing, nil
	case c.ResumeFrom != "" && ownCheckpoint(c.OutputDir, c.ResumeFrom):
		return checkResumeFrom(c)
	case finished && c.Resume:
		return Finished, sameRun(c)
	case finished:
		return Nothing, hint.New(fmt.Errorf("%s holds an adapter already", c.OutputDir), "--overwrite replaces it, --output-dir names another folder")
	case !whole && len(list) == 0:
		return checkResumeFrom(c)
	case !c.Resume:
		return Nothing, hint.New(fmt.Errorf("%s holds an unfinished run", c.OutputDir), "--resume goes on with it, --overwrite replaces it")
	case len(list) == 0:
		return Nothing, nil
	}
	return Checkpoint, nil
}

// ownCheckpoint reports whether a checkpoint is one of the run in dir.
func ownCheckpoint(dir, checkpoint string) bool {
	theirs, err := os.Stat(RunFolder(checkpoint))
	if err != nil {
		return false
	}
	ours, err := os.Stat(dir)
	return err == nil && os.SameFile(ours, theirs) && strings.HasPrefix(filepath.Base(checkpoint), stepPrefix)
}

// RunFolder returns the output folder of the run that a checkpoint is of.
func RunFolder(checkpoint string) string {
	return filepath.Dir(filepath.Dir(filepath.Clean(checkpoint))) // output_dir/checkpoints/step-…
}

// checkResumeFrom verifies the checkpoint that is named, if one is.
func checkResumeFrom(c *Config) (Found, error) {
	if c.ResumeFrom == "" {
		return Nothing, nil
	}
	st, err := verify(c.ResumeFrom)
	if err != nil {
		return Nothing, err
	}
	return Checkpoint, sameSettings(c.resolved(), st.Settings)
}

// sameRun returns an error unless the finished run in the output folder had these
// settings.
func sameRun(c *Config) error {
	p, err := ReadProvenance(c.OutputDir)
	if err != nil {
		return hint.New(fmt.Errorf("%s holds an adapter of another program: %w", c.OutputDir, err), "--output-dir names another folder")
	}
	return sameSettings(c.resolved(), p.Settings)
}

func has(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

// keepAdapter marks an adapter that stands in the folder as that of an earlier run:
// it stays until the new one takes its place. A half of one is removed. kept says
// whether there is one.
func keepAdapter(dir string) (kept bool, err error) {
	if has(dir, adapterConfigFile) && has(dir, adapterWeightsFile) {
		return true, files.Write(filepath.Join(dir, unfinishedFile), []byte(unfinishedText))
	}
	return false, removeFrom(dir, adapterConfigFile, adapterWeightsFile, provenanceFile, unfinishedFile)
}

// clearOutput removes what an earlier run has left, but for an adapter that is kept
// and what describes it.
func clearOutput(dir string, kept bool) error {
	stale := []string{checkpointsDir, metricsFile}
	if !kept {
		stale = append(stale, plotFile)
		if ownCard(dir) {
			stale = append(stale, cardFile)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("output_dir: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), nonFinitePrefix) {
			stale = append(stale, e.Name())
		}
	}
	return removeFrom(dir, stale...)
}

func removeFrom(dir string, names ...string) error {
	for _, name := range names {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("output_dir: %w", err)
		}
	}
	return nil
}
