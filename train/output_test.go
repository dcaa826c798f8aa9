package train

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/finetune/loraone"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

// described are the adapter and what describes it.
var described = []string{"adapter_config.json", "adapter_model.safetensors", "finetune.json", "README.md", "loss.svg"}

// snapshot returns the content of those files.
func snapshot(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range described {
		files[name] = content(t, filepath.Join(dir, name))
	}
	return files
}

// TestOverwriteKeepsTheOldUntilTheNewIsThere: an interruption and errors of several
// kinds leave the old adapter whole.
func TestOverwriteKeepsTheOldUntilTheNewIsThere(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	dir := t.TempDir()
	fresh := o.config(filepath.Join(dir, "fresh"))
	fresh.Seed = 7
	o.run(t, fresh)
	c := o.config(filepath.Join(dir, "out"))
	o.run(t, c)
	old := snapshot(t, c.OutputDir)
	kept := func(what string) {
		t.Helper()
		for name, text := range snapshot(t, c.OutputDir) {
			if text != old[name] {
				t.Errorf("%s: %s has changed", what, name)
			}
		}
	}
	c.Overwrite = true
	diverging := c
	diverging.Optimizer, diverging.LearningRate = "adamw", 1e30
	o.fails(t, diverging)
	kept("a diverging run")

	c.Seed = 7
	stopped := o.stop(t, c, func(e any) bool { _, ok := e.(InitProgress); return ok })
	if stopped.Step != 0 {
		t.Errorf("%+v", stopped)
	}
	kept("interrupted in the start")
	o.stop(t, c, func(e any) bool { s, ok := e.(Stepped); return ok && s.Step == 8 })
	kept("interrupted in the middle")
	c.Overwrite = false
	_, err := look(t, c)
	expect(t, "no flag", err, "holds an unfinished run", "--resume resumes it, --overwrite replaces it")

	c.Resume = true
	if found, err := look(t, c); err != nil || !found.Resumes() {
		t.Errorf("%v, %v", found, err)
	}
	o.run(t, c)
	checkNames(t, c.OutputDir)
	sameFile(t, "resumed", fresh.OutputDir, c.OutputDir, "adapter_model.safetensors")
	sameFile(t, "resumed", fresh.OutputDir, c.OutputDir, "metrics.jsonl")
	finishing(t, o.session(t, c), Already)
}

// TestKilledWhileTakingOver stops an overwriting run while it clears the folder: it
// goes on as the new one, and the old adapter stands.
func TestKilledWhileTakingOver(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	dir := t.TempDir()
	fresh := o.config(filepath.Join(dir, "fresh"))
	fresh.Seed = 7
	o.run(t, fresh)
	c := o.config(filepath.Join(dir, "out"))
	o.run(t, c)
	old := snapshot(t, c.OutputDir)
	c.Seed = 7
	text, err := resolved(t, c).YAML()
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(c.OutputDir, ".run.yaml.new"), string(text))
	if err := os.RemoveAll(filepath.Join(c.OutputDir, "checkpoints", "step-000014")); err != nil {
		t.Fatal(err)
	}
	_, err = look(t, c)
	expect(t, "no flag", err, "holds an unfinished run", "--resume resumes it, --overwrite replaces it")
	c.Resume = true
	if got, err := rundir.Look(c.OutputDir); err != nil || filepath.Base(got.Settings) != ".run.yaml.new" {
		t.Errorf("settings from %+v, %v", got, err)
	}
	o.stop(t, c, func(e any) bool { s, ok := e.(Stepped); return ok && s.Step == 2 })
	for name, text := range snapshot(t, c.OutputDir) {
		if text != old[name] {
			t.Errorf("%s has changed", name)
		}
	}
	o.run(t, c)
	checkNames(t, c.OutputDir)
	sameFile(t, "taken over", fresh.OutputDir, c.OutputDir, "adapter_model.safetensors")
}

// TestFailedVerification: the file holds what A is, the training form what it was
// when it was last told. The old adapter stays, and what failed can be finished.
func TestFailedVerification(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.config(filepath.Join(t.TempDir(), "out"))
	c.Data, c.MaxSteps = filepath.Join(o.data, "train.jsonl"), 4 // no validation: no best one is put back
	o.run(t, c)
	old := snapshot(t, c.OutputDir)
	c.Overwrite = true
	s := o.session(t, c)
	dir, err := rundir.Open(c.OutputDir)
	if err != nil {
		t.Fatal(err)
	}
	r := s.newRun(dir)
	s.Report = func(e any) {
		if saved, ok := e.(Saved); ok && saved.Step == 4 {
			r.adapters.Modules[1].(*loraone.Layer).A[5]++ // and no Sync
		}
	}
	_, err = r.train(context.Background(), new(Found))
	expect(t, "another adapter", err, "saving the adapter: reading back: logits of up to ", "nothing is lost: --resume finishes the run from its last checkpoint")
	if err := dir.Close(); err != nil {
		t.Fatal(err)
	}
	for name, text := range snapshot(t, c.OutputDir) {
		if text != old[name] {
			t.Errorf("%s has changed", name)
		}
	}
	c.Overwrite, c.Resume = false, true
	o.finishes(t, c)
	sameText(t, "finished", old["adapter_model.safetensors"], content(t, filepath.Join(c.OutputDir, "adapter_model.safetensors")))
	checkNames(t, c.OutputDir)
}

// finishes resumes c and wants neither a step nor an evaluation.
func (o *office) finishes(t testing.TB, c recipe.Config) {
	t.Helper()
	s := o.session(t, c)
	s.Report = func(e any) {
		switch e.(type) {
		case Stepped, Evaluated, InitProgress, Saved:
			t.Errorf("%T, though only the end was left to do", e)
		}
	}
	if _, err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func sameText(t testing.TB, what, want, got string) {
	t.Helper()
	if want != got {
		t.Errorf("%s: another content (%d and %d bytes)", what, len(got), len(want))
	}
}

// TestHalfFinished removes what a run that was killed between two files of its end
// has not written yet.
func TestHalfFinished(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	dir := t.TempDir()
	whole := o.config(filepath.Join(dir, "whole"))
	o.run(t, whole)
	for _, missing := range []string{
		"adapter_config.json", "adapter_model.safetensors", "adapter_config.json adapter_model.safetensors",
		"adapter_config.json adapter_model.safetensors finetune.json README.md loss.svg",
	} {
		c := o.config(filepath.Join(dir, missing))
		if err := os.CopyFS(c.OutputDir, os.DirFS(whole.OutputDir)); err != nil {
			t.Fatal(err)
		}
		for name := range strings.FieldsSeq(missing) {
			if err := os.Remove(filepath.Join(c.OutputDir, name)); err != nil {
				t.Fatal(err)
			}
		}
		c.Resume = true
		o.finishes(t, c)
		checkNames(t, c.OutputDir)
		for _, name := range []string{"adapter_config.json", "adapter_model.safetensors", "loss.svg"} {
			sameFile(t, "without "+missing, whole.OutputDir, c.OutputDir, name)
		}
	}
}

// TestGoingBack takes an older checkpoint of a finished run, and one of another
// folder's.
func TestGoingBack(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	dir := t.TempDir()
	c := o.config(filepath.Join(dir, "out"))
	o.run(t, c)
	want := content(t, filepath.Join(c.OutputDir, "adapter_model.safetensors"))
	back := c
	back.ResumeFrom = filepath.Join(c.OutputDir, "checkpoints", "step-000012")
	o.stop(t, back, func(e any) bool { s, ok := e.(Stepped); return ok && s.Step == 13 })
	sameText(t, "on the way", want, content(t, filepath.Join(c.OutputDir, "adapter_model.safetensors")))
	c.Resume = true
	o.run(t, c)
	sameText(t, "again", want, content(t, filepath.Join(c.OutputDir, "adapter_model.safetensors")))

	other := back
	other.ResumeFrom = filepath.Join(c.OutputDir, "checkpoints", "step-000013")
	other.OutputDir = filepath.Join(dir, "other")
	o.run(t, other)
	sameText(t, "elsewhere", want, content(t, filepath.Join(other.OutputDir, "adapter_model.safetensors")))
	err := o.fails(t, other)
	expect(t, "over another run", err, "holds an adapter already", "--output-dir names another folder; --overwrite loses what is there")
}

// TestNothingIsWrittenThroughLinks plants links under every name of a run.
func TestNothingIsWrittenThroughLinks(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.config(filepath.Join(t.TempDir(), "out"))
	mkdir(t, filepath.Join(c.OutputDir, "checkpoints"))
	victim := filepath.Join(t.TempDir(), "victim")
	put(t, victim, "mine")
	for _, name := range append([]string{
		".lock", "run.yaml", "metrics.jsonl", "unfinished.txt", ".adapter.new", "checkpoints/step-000003", "checkpoints/.step-new", "checkpoints/.step-gone",
	}, described...) {
		if name == "README.md" { // would be the user's own
			continue
		}
		if err := os.Symlink(victim, filepath.Join(c.OutputDir, filepath.FromSlash(name))); err != nil {
			t.Skip(err)
		}
	}
	c.Resume = true // from the beginning, with checkpoints/ as it is
	o.run(t, c)
	checkNames(t, c.OutputDir)
	sameText(t, "the link's target", "mine", content(t, victim))
	for _, name := range described {
		if info, err := os.Lstat(filepath.Join(c.OutputDir, name)); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}
