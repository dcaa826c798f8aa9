package train

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"example.com/finetune/internal/hint"
	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
)

// free are the settings that a resumed run may change: where things are, how they
// are shown and kept. model, data, map, chat_template and date are held by the
// digests of weights and sequences instead.
var free = []string{
	"model", "data", "output_dir", "map", "chat_template", "date", "threads", "memory", "profile", "packing", "progress",
	"logging_steps", "save_steps", "save_total_limit",
}

// findCheckpoint returns the checkpoint that the settings ask to go on from: the
// given one, or the newest that is whole; "" for none. The damaged ones that were
// passed over are returned as errors.
func findCheckpoint(c *Config) (path string, st *state, passed []error, err error) {
	if c.ResumeFrom != "" {
		st, err = verify(c.ResumeFrom)
		return c.ResumeFrom, st, nil, err
	}
	if !c.Resume {
		return "", nil, nil, nil
	}
	list, err := runCheckpoints(c.OutputDir)
	if err != nil {
		return "", nil, nil, err
	}
	for _, found := range list {
		st, err := verify(found.path)
		var damage damagedError
		switch {
		case err == nil:
			return found.path, st, passed, nil
		case !errors.As(err, &damage):
			return "", nil, nil, hint.Newf(err, "--resume-from names another checkpoint in %s", filepath.Dir(found.path))
		}
		passed = append(passed, err)
	}
	return "", nil, passed, nil
}

// runCheckpoints lists the checkpoints of the run in an output folder, newest first.
func runCheckpoints(dir string) ([]saved, error) {
	if has(dir, beginningFile) {
		return nil, nil
	}
	return checkpoints(filepath.Join(dir, checkpointsDir))
}

// sameInputs returns an error that names what has changed since a checkpoint was
// made: a weight file, a file of rows, or how rows become tokens.
func sameInputs(path string, then, now *state) error {
	if name := changed(then.Base, now.Base); name != "" {
		return hint.New(fmt.Errorf("%s of the base model is not the file that %s was made with", name, path), "put the old file back, or begin again with --overwrite")
	}
	if then.Data == now.Data && then.Total == now.Total {
		return nil
	}
	if name := changed(then.Files, now.Files); name != "" {
		return hint.New(fmt.Errorf("%s is not the file that %s was made from", name, path), "put the old file back, or begin again with --overwrite")
	}
	return hint.New(fmt.Errorf("the rows have other tokens than those that %s was made from", path), "tokenizer, chat_template, map and date must be as they were; --overwrite begins again")
}

// changed returns the name of the first file that differs between two lists, "" for
// none.
func changed(then, now []fileHash) string {
	for i, f := range now {
		if i >= len(then) || f != then[i] {
			return f.Name
		}
	}
	if len(then) > len(now) {
		return then[len(now)].Name
	}
	return ""
}

// settings returns the settings by key, as run.yaml holds them.
func (c *Config) settings() (map[string]any, error) {
	text, err := c.YAML()
	if err != nil {
		return nil, err
	}
	var m map[string]any
	err = yaml.Unmarshal(text, &m)
	return m, err
}

// sameSettings returns an error for the first setting, in the table's order, that
// differs from the checkpoint's and shows in the result.
func sameSettings(c *Config, then map[string]any) error {
	now, err := c.settings()
	if err != nil {
		return err
	}
	for _, key := range Keys() {
		a, b := normal(then[key]), normal(now[key])
		if !slices.Contains(free, key) && !reflect.DeepEqual(a, b) {
			return hint.Newf(fmt.Errorf("%s was %s when this run started and is %s now", key, shown(a), shown(b)),
				"start with --%s %s to go on, or with --overwrite to begin again", strings.ReplaceAll(key, "_", "-"), shown(a))
		}
	}
	return nil
}

// normal makes numbers comparable that JSON and YAML read as different types.
func normal(v any) any {
	switch v := v.(type) {
	case uint64:
		return float64(v)
	case int64:
		return float64(v)
	case int:
		return float64(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = normal(v[i])
		}
		return list
	}
	return v
}

// shown is a value as a flag takes it.
func shown(v any) string {
	list, ok := v.([]any)
	if !ok {
		return fmt.Sprint(v)
	}
	parts := make([]string, len(list))
	for i := range list {
		parts[i] = fmt.Sprint(list[i])
	}
	return strings.Join(parts, ",")
}

// loadTensors sets parameters, moments and the best adapter from a checkpoint.
// hasBest says whether it holds one.
func loadTensors(path string, o *optimizer, hasBest bool) (best [][]float32, err error) {
	f, err := safetensors.Open(filepath.Join(path, tensorsFile))
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	defer f.Close()
	if hasBest {
		for _, x := range parameters(o.layers) {
			best = append(best, make([]float32, len(x)))
		}
	}
	err = f.Guard(func() error {
		for _, e := range tensors(o, best) {
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
	if err != nil {
		return nil, err
	}
	for _, l := range o.layers {
		l.Sync()
	}
	return best, nil
}
