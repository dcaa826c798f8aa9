package train

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// TestWeightsChangedUnderTheRun touches and cuts the mapped file in the middle of a
// run: an error that names it, the state saved, and the same bits once it is back.
func TestWeightsChangedUnderTheRun(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	dir := t.TempDir()
	whole := o.config(filepath.Join(dir, "whole"))
	o.run(t, whole)
	file := filepath.Join(o.model, "model.safetensors")
	weights := content(t, file)
	for what, c := range map[string]struct {
		harm func() error
		want string
	}{
		"touched": {func() error { later := time.Now().Add(time.Hour); return os.Chtimes(file, later, later) }, "model.safetensors: was written to while in use; saved after step 5"},
		"cut":     {func() error { return os.Truncate(file, 4096) }, "it was changed while in use; saved after step 5"},
	} {
		if what == "cut" && runtime.GOOS != "linux" {
			continue // not everywhere can a mapped file be cut
		}
		config := o.config(filepath.Join(dir, what))
		s := o.session(t, config)
		s.Report = func(e any) {
			if step, ok := e.(Stepped); ok && step.Step == 5 {
				if err := c.harm(); err != nil {
					t.Error(err)
				}
			}
		}
		out, err := s.Run(context.Background())
		if out.Ending != Lost || out.Step != 5 || filepath.Base(out.Checkpoint) != "step-000005" {
			t.Errorf("%s: %+v", what, out)
		}
		expect(t, what, err, c.want, "--resume resumes the run once the file is as it was")
		noAdapter(t, config.OutputDir)
		config.Resume = true
		if what == "cut" {
			put(t, file, weights[:4096]+"another"+weights[4103:])
			err := o.fails(t, config)
			expect(t, what, err, "model.safetensors of the base model is not the file that ", "put the old file back, or begin again with --overwrite")
		}
		if err := os.Remove(file); err != nil { // it may be mapped still
			t.Fatal(err)
		}
		put(t, file, weights)
		o.run(t, config)
		sameFile(t, what, whole.OutputDir, config.OutputDir, "adapter_model.safetensors")
		sameFile(t, what, whole.OutputDir, config.OutputDir, "metrics.jsonl")
	}
}

func TestWeightsReplacedUnderTheRun(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	dir := t.TempDir()
	whole := o.config(filepath.Join(dir, "whole"))
	o.run(t, whole)
	c := o.config(filepath.Join(dir, "out"))
	s := o.session(t, c)
	s.Report = func(e any) {
		if step, ok := e.(Stepped); ok && step.Step == 5 { // as a download does
			put(t, filepath.Join(o.model, "new"), "not even a model")
			if err := os.Rename(filepath.Join(o.model, "new"), filepath.Join(o.model, "model.safetensors")); err != nil {
				t.Skip(err) // a mapped file may not be replaced here
			}
		}
	}
	if _, err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	sameFile(t, "replaced", whole.OutputDir, c.OutputDir, "adapter_model.safetensors")
}
