package train

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/finetune/internal/files"
	"example.com/finetune/model"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

// TestResumedRunIsTheSame interrupts a run at many places; going on gives the
// bits of a run that was never interrupted.
func TestResumedRunIsTheSame(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	o.run(t, o.config(whole))
	at := func(step int) func(any) bool {
		return func(e any) bool { s, ok := e.(Stepped); return ok && s.Step == step }
	}
	after := func(earlier func(any) bool) func(any) bool { // an evaluation after something else
		seen := false
		return func(e any) bool {
			seen = seen || earlier(e)
			_, ok := e.(EvalProgress)
			return ok && seen
		}
	}
	started := func(e any) bool { _, ok := e.(InitProgress); return ok }
	for name, c := range map[string]struct {
		when func(any) bool
		step int // of the checkpoint; -1: none
	}{
		"in the initial gradient":    {started, -1},
		"in the first evaluation":    {after(started), 0},
		"at step 1":                  {at(1), 1},
		"where an evaluation is due": {at(4), 4},
		"in an evaluation":           {after(at(8)), 8},
		"after an epoch":             {at(7), 7},
		"at the end":                 {at(14), 14},
	} {
		cfg := o.config(filepath.Join(dir, name))
		stopped := o.interrupt(t, cfg, c.when)
		want := fmt.Sprintf("step-%06d", c.step)
		if c.step < 0 {
			want = "."
		}
		if stopped.Step != max(0, c.step) || filepath.Base(stopped.Checkpoint) != want {
			t.Errorf("%s: %+v, want step %d", name, stopped, c.step)
		}
		cfg.Resume = true
		if found, err := look(t, cfg); err != nil || found.Resumes() != (c.step >= 0) {
			t.Errorf("%s: found %v, %v", name, found, err)
		}
		o.run(t, cfg)
		sameFile(t, name, whole, cfg.OutputDir, "adapter_model.safetensors")
		sameFile(t, name, whole, cfg.OutputDir, "metrics.jsonl")
		sameFile(t, name, whole, cfg.OutputDir, "loss.svg")
		sameFile(t, name, whole, cfg.OutputDir, "heldout.jsonl")
	}
}

// TestDamagedMetrics: the adapter does not depend on the report, which goes on behind
// what is whole of it.
func TestDamagedMetrics(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	o.run(t, o.config(whole))
	for what, c := range map[string]struct {
		harm func(path string) error
		want string
	}{
		"cut":     {func(path string) error { return os.Truncate(path, 300) }, "metrics.jsonl is shorter than the checkpoint says: lines are missing"},
		"gone":    {os.Remove, "metrics.jsonl is shorter than the checkpoint says: lines are missing"},
		"damaged": {func(path string) error { return os.WriteFile(path, make([]byte, 5000), 0o644) }, "loss.svg is not drawn: "},
	} {
		config := o.config(filepath.Join(dir, what))
		o.interrupt(t, config, func(e any) bool { s, ok := e.(Stepped); return ok && s.Step == 5 })
		path := filepath.Join(config.OutputDir, "metrics.jsonl")
		if err := c.harm(path); err != nil {
			t.Fatal(err)
		}
		config.Resume = true
		s := o.session(t, config)
		var warned []string
		s.Report = func(e any) {
			if w, ok := e.(Warning); ok {
				warned = append(warned, w.Text)
			}
		}
		if _, err := s.Run(context.Background()); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if len(warned) != 1 || !strings.HasPrefix(warned[0], c.want) {
			t.Errorf("%s: warned %q, want %q", what, warned, c.want)
		}
		sameFile(t, what, whole, config.OutputDir, "adapter_model.safetensors")
		if _, err := rundir.ReadMetrics(path); err != nil && what != "damaged" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestEarlyStoppingComesBack: the count of evaluations without improvement, the best
// adapter and the watch over the loss are a part of the state.
func TestEarlyStoppingComesBack(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	put(t, filepath.Join(o.data, "valid.jsonl"), `{"prompt": "ab", "completion": "QZJ"}`+"\n") // what is learned is no help
	dir := t.TempDir()
	config := func(name string) recipe.Config {
		c := o.config(filepath.Join(dir, name))
		c.LearningRate, c.LRSchedulerType, c.MaxSteps, c.EvalSteps, c.EarlyStopping = 0.02, "constant", 60, 1, 4
		return c
	}
	whole := o.run(t, config("whole"))
	if !whole.StoppedEarly || whole.Steps < 4 {
		t.Fatalf("%+v", whole)
	}
	c := config("stopped")
	for step := 1; step < whole.Steps; step += 2 {
		o.interrupt(t, c, func(e any) bool { s, ok := e.(Evaluated); return ok && s.Step == step })
		c.Resume = true
	}
	if result := o.run(t, c); result.Steps != whole.Steps || result.BestStep != whole.BestStep || result.Best != whole.Best {
		t.Errorf("%+v, want %+v", result, whole)
	}
	sameFile(t, "interrupted", filepath.Join(dir, "whole"), c.OutputDir, "adapter_model.safetensors")
	sameFile(t, "interrupted", filepath.Join(dir, "whole"), c.OutputDir, "metrics.jsonl")
}

func TestInterruptedBeforeAnythingIsSaved(t *testing.T) {
	o := newOffice(t)
	o.layout = model.Layout{MicroBatch: 1, Logits: 64}
	c := o.config(filepath.Join(t.TempDir(), "out"))
	stopped := o.interrupt(t, c, func(e any) bool { p, ok := e.(EvalProgress); return ok && p.Done < p.Total })
	if stopped.Checkpoint != "" || stopped.Step != 0 {
		t.Errorf("%+v", stopped)
	}
	c.Resume = true // one command for a loop: it starts from the beginning
	if result := o.run(t, c); result.Steps != 14 {
		t.Errorf("%+v", result)
	}
}

func TestResumePassesOverDamage(t *testing.T) {
	t.Parallel()
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
		found, err := rundir.Look(c.OutputDir)
		if err != nil || len(found.Checkpoints) != 2 {
			t.Fatalf("%s: checkpoints %v, %v", name, found, err)
		}
		if err := damage(found.Checkpoints[0].Path); err != nil {
			t.Fatal(err)
		}
		c.Resume = true
		s := o.session(t, c)
		warned, from := false, ""
		s.Report = func(e any) {
			switch e := e.(type) {
			case Warning:
				warned = warned || strings.Contains(e.Text, "skipped: checkpoint: ")
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
	refused := func(what string, c recipe.Config, want, hint string) {
		t.Helper()
		expect(t, what, o.fails(t, c), want, hint)
	}
	refused("no resume", c, "holds an unfinished run", "--resume resumes it, --overwrite replaces it")
	c.Resume = true
	other := c
	other.LearningRate = 1e-4
	refused("another rate", other, "learning_rate was 0.005 when this run started and is 0.0001 now", "resume with --learning-rate 0.005, or begin again with --overwrite")
	other = c
	other.TargetModules = recipe.Names{"q_proj"}
	refused("other modules", other, "target_modules was q_proj,v_proj when this run started and is q_proj now", "resume with --target-modules q_proj,v_proj, or begin again with --overwrite")
	other = c
	other.MaxLength = 63
	refused("another length", other, "max_length was 64", "resume with --max-length 64, or begin again with --overwrite")
	other = c
	other.Model = tinyModel(t, 2)
	refused("another model", other, "model.safetensors of the base model is not the file that ", "put the old file back, or begin again with --overwrite")
	other = c
	other.Data = t.TempDir()
	put(t, filepath.Join(other.Data, "train.jsonl"), strings.Repeat(`{"text": "the"}`+"\n", 27))
	put(t, filepath.Join(other.Data, "valid.jsonl"), `{"text": "the"}`+"\n")
	refused("other rows", other, "train.jsonl is not the file that ", "put the old file back, or begin again with --overwrite")
	other = c
	other.Map = recipe.Columns{"prompt": "completion", "completion": "prompt"}
	refused("other tokens", other, "the rows have other tokens than those that ", "tokenizer, chat_template, map and date must be as they were; --overwrite begins again")
	other = c
	other.Resume, other.ResumeFrom = false, filepath.Join(dir, "absent")
	refused("no such checkpoint", other, "holds an unfinished run", "--resume resumes it, --overwrite replaces it")
	other.OutputDir = filepath.Join(dir, "another")
	refused("no such checkpoint", other, "resume_from: "+other.ResumeFrom+" is not there", "")
	checkpoints := filepath.Join(c.OutputDir, "checkpoints")
	newest := "--resume-from " + filepath.Join(checkpoints, "step-000002") + " is the newest there"
	other.ResumeFrom = checkpoints
	refused("their folder", other, "resume_from: "+checkpoints+" is no checkpoint: it has no manifest.json", newest)
	other.ResumeFrom = c.OutputDir
	refused("the run's folder", other, "is no checkpoint", newest)
	other.ResumeFrom = filepath.Join(checkpoints, "step-000009")
	refused("one that is gone", other, "is not there", newest)
	state := filepath.Join(c.OutputDir, "checkpoints", "step-000002", "state.json")
	text := strings.Replace(content(t, state), fmt.Sprintf(`"version": %d`, stateLayout), `"version": 99`, 1)
	put(t, state, text)
	seal(t, filepath.Dir(state))
	refused("another layout", c, "step-000002: layout 99, this version reads 2 to 4", "--resume-from names another checkpoint in "+filepath.Join(c.OutputDir, "checkpoints"))
}

// seal writes the manifest of a checkpoint anew.
func seal(t testing.TB, dir string) {
	t.Helper()
	sums := map[string]string{}
	for _, name := range []string{"state.json", "state.safetensors"} {
		sum, err := files.SHA256(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		sums[name] = sum
	}
	text, err := json.Marshal(sums)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "manifest.json"), string(text))
}

func content(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestResumeBeginsWhereNothingIsGood: one command in a loop is enough.
func TestResumeBeginsWhereNothingIsGood(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	o.run(t, o.config(whole))
	for name, made := range map[string]func(c recipe.Config){
		"nothing":       func(recipe.Config) {},
		"empty folders": func(c recipe.Config) { mkdir(t, filepath.Join(c.OutputDir, "checkpoints")) },
		"half a start": func(c recipe.Config) {
			mkdir(t, filepath.Join(c.OutputDir, "checkpoints", ".step-new"))
			put(t, filepath.Join(c.OutputDir, "metrics.jsonl"), `{"step":`)
			put(t, filepath.Join(c.OutputDir, ".run.yaml.tmp-0123abcd"), "model")
		},
		"half an adapter": func(c recipe.Config) {
			mkdir(t, filepath.Join(c.OutputDir, ".adapter.new"))
			put(t, filepath.Join(c.OutputDir, "adapter_model.safetensors"), "torn")
		},
		"damage alone": func(c recipe.Config) {
			o.interrupt(t, c, func(e any) bool { s, ok := e.(Stepped); return ok && s.Step == 2 })
			if err := os.Remove(filepath.Join(c.OutputDir, "checkpoints", "step-000002", "manifest.json")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		c := o.config(filepath.Join(dir, name))
		made(c)
		c.Resume = true
		o.run(t, c)
		checkNames(t, c.OutputDir)
		sameFile(t, name, whole, c.OutputDir, "adapter_model.safetensors")
		sameFile(t, name, whole, c.OutputDir, "metrics.jsonl")
	}
}

func mkdir(t testing.TB, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestSettingsThatShowInNoResultMayChange(t *testing.T) {
	t.Parallel()
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
	err := o.fails(t, c)
	expect(t, "again", err, "holds an adapter already", "--output-dir names another folder; --overwrite loses what is there")
	again := c
	again.Resume = true
	second := finishing(t, o.session(t, again), Already)
	if second.Best != first.Best || second.Steps != 3 {
		t.Errorf("resumed: %+v, first %+v", second, first)
	}
	again.LoraR = 2
	err = o.fails(t, again)
	expect(t, "other settings", err, "lora_r was 4 when this run started and is 2 now", "resume with --lora-r 4, or begin again with --overwrite")
	c.Overwrite, c.MaxSteps = true, 2
	if third := o.run(t, c); third.Steps != 2 {
		t.Errorf("overwritten: %+v", third)
	}
	put(t, filepath.Join(c.OutputDir, "finetune.json"), "{")
	again = c
	again.Overwrite, again.Resume = false, true
	err = o.fails(t, again)
	expect(t, "a damaged file", err, "finetune.json: unexpected end of JSON input", "bring the file back from a copy; --overwrite without --resume makes the run again")
	if strings.Contains(err.Error(), "another program") {
		t.Errorf("a damaged file is taken for another program's: %v", err)
	}
	if err := os.Remove(filepath.Join(c.OutputDir, "finetune.json")); err != nil {
		t.Fatal(err)
	}
	again = c
	again.Overwrite, again.Resume = false, true
	err = o.fails(t, again)
	expect(t, "an adapter of others", err, "holds an adapter of another program", "--output-dir names another folder")
}

func TestOutputFolderMustBeOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	put(t, path, "")
	_, err := rundir.Look(path)
	expect(t, "a file", err, "is not a folder", "")
}
