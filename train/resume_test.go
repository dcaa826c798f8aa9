package train

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestResumedRunIsTheSame interrupts a run at many places; going on gives the
// bits of a run that was never interrupted.
func TestResumedRunIsTheSame(t *testing.T) {
	o := newOffice(t)
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	o.run(t, o.config(whole))
	at := func(step int) func(any) bool {
		return func(e any) bool { s, ok := e.(Stepped); return ok && s.Step == step }
	}
	for name, c := range map[string]struct {
		when func(any) bool
		step int
	}{
		"in the initial gradient":    {func(e any) bool { _, ok := e.(InitProgress); return ok }, 0},
		"at step 1":                  {at(1), 1},
		"where an evaluation is due": {at(4), 4},
		"in an evaluation": {func() func(any) bool {
			seen := false
			return func(e any) bool {
				if s, ok := e.(Stepped); ok && s.Step == 8 {
					seen = true
				}
				_, ok := e.(EvalProgress)
				return ok && seen
			}
		}(), 8},
		"after an epoch": {at(7), 7},
		"at the end":     {at(14), 14},
	} {
		cfg := o.config(filepath.Join(dir, name))
		stopped := o.interrupt(t, cfg, c.when)
		if stopped.Step != c.step || filepath.Base(stopped.Path) != fmt.Sprintf("step-%06d", c.step) {
			t.Errorf("%s: %+v, want step %d", name, stopped, c.step)
		}
		cfg.Resume = true
		if found, err := CheckOutput(&cfg); err != nil || found != Checkpoint {
			t.Errorf("%s: found %v, %v", name, found, err)
		}
		o.run(t, cfg)
		sameFile(t, name, whole, cfg.OutputDir, "adapter_model.safetensors")
		sameFile(t, name, whole, cfg.OutputDir, "metrics.jsonl")
		sameFile(t, name, whole, cfg.OutputDir, "loss.svg")
	}
}

func TestInterruptedBeforeAnythingIsSaved(t *testing.T) {
	o := newOffice(t)
	o.micro = 1
	c := o.config(filepath.Join(t.TempDir(), "out"))
	stopped := o.interrupt(t, c, func(e any) bool { p, ok := e.(EvalProgress); return ok && p.Done < p.Total })
	if stopped.Path != "" || stopped.Step != 0 {
		t.Errorf("%+v", stopped)
	}
	c.Resume = true // one command for a loop: it starts from the beginning
	if result := o.run(t, c); result.Steps != 14 {
		t.Errorf("%+v", result)
	}
}

func TestResumePassesOverDamage(t *testing.T) {
	o := newOffice(t)
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	o.run(t, o.config(whole))
	for name, damage := range map[string]func(path string) error{
		"a changed byte":  func(path string) error { return flip(filepath.Join(path, "state.safetensors")) },
		"a changed state": func(path string) error { return flip(filepath.Join(path, "state.json")) },
		"no manifest":     func(path string) error { return os.Remove(filepath.Join(path, "manifest.json")) },
		"no tensors":      func(path string) error { return os.Remove(filepath.Join(path, "state.safetensors")) },
	} {
		c := o.config(filepath.Join(dir, name))
		o.interrupt(t, c, func(e any) bool { s, ok := e.(Stepped); return ok && s.Step == 11 })
		list, err := checkpoints(filepath.Join(c.OutputDir, "checkpoints"))
		if err != nil || len(list) != 2 {
			t.Fatalf("%s: checkpoints %v, %v", name, list, err)
		}
		if err := damage(list[0]); err != nil {
			t.Fatal(err)
		}
		c.Resume = true
		s := o.session(t, c)
		warned, from := false, ""
		s.Report = func(e any) {
			switch e := e.(type) {
			case Warning:
				warned = warned || strings.Contains(e.Text, "passed over: checkpoint: ")
			case Planned:
				from = filepath.Base(e.ResumedFrom)
			}
		}
		if _, err := s.Run(context.Background()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !warned || from != "step-000009" {
			t.Errorf("%s: warned %v, went on from %q", name, warned, from)
		}
		sameFile(t, name, whole, c.OutputDir, "adapter_model.safetensors")
		sameFile(t, name, whole, c.OutputDir, "metrics.jsonl")
	}
}

// flip changes one byte in the middle of a file.
func flip(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text[len(text)/2] ^= 1
	return os.WriteFile(path, text, 0o644)
}

func TestResumeRefusesAnotherRun(t *testing.T) {
	o := newOffice(t)
	dir := t.TempDir()
	c := o.config(filepath.Join(dir, "out"))
	o.interrupt(t, c, func(e any) bool { s, ok := e.(Stepped); return ok && s.Step == 2 })
	refused := func(what string, c Config, want, hint string) {
		t.Helper()
		_, err := o.session(t, c).Run(context.Background())
		expect(t, what, err, want, hint, false)
	}
	refused("no resume", c, "holds an unfinished run", "--resume goes on with it, --overwrite replaces it")
	c.Resume = true
	other := c
	other.LearningRate = 1e-4
	refused("another rate", other, "learning_rate was 0.005 when this run started and is 0.0001 now", "start with --learning-rate 0.005 to go on, or with --overwrite to begin again")
	other = c
	other.TargetModules = Names{"q_proj"}
	refused("other modules", other, "target_modules was q_proj,v_proj when this run started and is q_proj now", "start with --target-modules q_proj,v_proj to go on, or with --overwrite to begin again")
	other = c
	other.MaxLength = 63
	refused("another length", other, "max_length was 64", "start with --max-length 64 to go on, or with --overwrite to begin again")
	other = c
	other.Model = tinyModel(t, 2)
	refused("another model", other, "the weights in ", "--overwrite begins again")
	other = c
	other.Data = t.TempDir()
	put(t, filepath.Join(other.Data, "train.jsonl"), strings.Repeat(`{"text": "the"}`+"\n", 27))
	put(t, filepath.Join(other.Data, "valid.jsonl"), `{"text": "the"}`+"\n")
	refused("other rows", other, "the rows are not those that ", "data, map and chat_template must be as they were; --overwrite begins again")
	for _, name := range []string{"step-000000", "step-000002"} {
		if err := os.RemoveAll(filepath.Join(c.OutputDir, "checkpoints", name, "manifest.json")); err != nil {
			t.Fatal(err)
		}
	}
	refused("nothing good", c, "no good checkpoint among 1: checkpoint: ", "--overwrite starts again from the beginning")
	other = c
	other.Resume, other.ResumeFrom = false, filepath.Join(dir, "absent")
	refused("no such checkpoint", other, "checkpoint: open ", "")
}

func TestSettingsThatShowInNoResultMayChange(t *testing.T) {
	o := newOffice(t)
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	o.run(t, o.config(whole))
	c := o.config(filepath.Join(dir, "out"))
	o.interrupt(t, c, func(e any) bool { s, ok := e.(Stepped); return ok && s.Step == 5 })
	c.ResumeFrom = filepath.Join(c.OutputDir, "checkpoints", "step-000003") // an older one
	c.Threads, c.SaveSteps, c.SaveTotalLimit, c.Progress = 1, 2, 7, "none"
	o.threads = 1
	o.run(t, c)
	sameFile(t, "other threads and saving", whole, c.OutputDir, "adapter_model.safetensors")
}

func TestFinishedRuns(t *testing.T) {
	o := newOffice(t)
	c := o.config(filepath.Join(t.TempDir(), "out"))
	c.MaxSteps = 3
	first := o.run(t, c)
	_, err := o.session(t, c).Run(context.Background())
	expect(t, "again", err, "holds an adapter already", "--overwrite replaces it, --output-dir names another folder", false)
	again := c
	again.Resume = true
	second := o.run(t, again)
	if !second.Finished || second.BestLoss != first.BestLoss || second.Steps != 3 {
		t.Errorf("resumed: %+v, first %+v", second, first)
	}
	again.LoraR = 2
	_, err = o.session(t, again).Run(context.Background())
	expect(t, "other settings", err, "lora_r was 4 when this run started and is 2 now", "start with --lora-r 4 to go on, or with --overwrite to begin again", false)
	c.Overwrite, c.MaxSteps = true, 2
	if third := o.run(t, c); third.Steps != 2 || third.Finished {
		t.Errorf("overwritten: %+v", third)
	}
	if err := os.Remove(filepath.Join(c.OutputDir, "finetune.json")); err != nil {
		t.Fatal(err)
	}
	again = c
	again.Overwrite, again.Resume = false, true
	_, err = o.session(t, again).Run(context.Background())
	expect(t, "an adapter of others", err, "holds an adapter of another program", "--output-dir names another folder", false)
}

func TestOutputFolderMustBeOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	put(t, path, "")
	_, err := CheckOutput(&Config{OutputDir: path})
	expect(t, "a file", err, "is not a folder", "", false)
}
