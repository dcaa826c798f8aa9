package train

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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

// A Found says what the output folder holds.
type Found int

// What CheckOutput finds.
const (
	Nothing    Found = iota // of a run: it starts from the beginning
	Checkpoint              // to go on from
	Finished                // a finished run of the same settings, asked to resume
)

// CheckOutput says what a run with these settings would find in its output folder.
// A run that stands there is an error unless overwrite or resume is set. It opens
// neither data nor weights.
func CheckOutput(c *Config) (Found, error) {
	info, err := os.Stat(c.OutputDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return checkResumeFrom(c)
	case err != nil:
		return Nothing, fmt.Errorf("output_dir: %w", err)
	case !info.IsDir():
		return Nothing, fmt.Errorf("output_dir: %s is not a folder", c.OutputDir)
	}
	finished := has(c.OutputDir, adapterConfigFile) && has(c.OutputDir, adapterWeightsFile)
	list, err := checkpoints(filepath.Join(c.OutputDir, checkpointsDir))
	switch {
	case err != nil:
		return Nothing, err
	case c.Overwrite:
		return Nothing, nil
	case c.ResumeFrom != "":
		return checkResumeFrom(c)
	case finished && c.Resume:
		return Finished, sameRun(c)
	case finished:
		return Nothing, hint(fmt.Errorf("%s holds an adapter already", c.OutputDir), "--overwrite replaces it, --output-dir names another folder")
	case len(list) > 0 && c.Resume:
		return Checkpoint, nil
	case len(list) > 0:
		return Nothing, hint(fmt.Errorf("%s holds an unfinished run", c.OutputDir), "--resume goes on with it, --overwrite replaces it")
	}
	return Nothing, nil
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
		return hint(fmt.Errorf("%s holds an adapter of another program: %w", c.OutputDir, err), "--output-dir names another folder")
	}
	return sameSettings(c.resolved(), p.Settings)
}

func has(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

// prepareOutput makes the folder and removes what an earlier run has left: the
// adapter first, so that at no time an old one stands beside new files.
func prepareOutput(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("output_dir: %w", err)
	}
	stale := []string{adapterConfigFile, adapterWeightsFile, provenanceFile, plotFile, metricsFile, checkpointsDir}
	if ownCard(dir) {
		stale = append(stale, cardFile)
	}
	for _, name := range stale {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("output_dir: %w", err)
		}
	}
	return nil
}

// removeAdapter takes away a finished run's adapter before its run goes on.
func removeAdapter(dir string) error {
	for _, name := range []string{adapterConfigFile, adapterWeightsFile, provenanceFile} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("output_dir: %w", err)
		}
	}
	return nil
}
