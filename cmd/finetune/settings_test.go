package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/finetune/internal/hint"
	"example.com/finetune/train/recipe"
)

// Every setting has its words, and no words are left over.
func TestSettingsAreDescribed(t *testing.T) {
	words := settings()
	for _, key := range recipe.Keys() {
		if words[key].help == "" || words[key].group == "" {
			t.Errorf("setting %s has no help", key)
		}
		delete(words, key)
	}
	for key := range words {
		t.Errorf("%s is no setting", key)
	}
}

// No command has a flag twice, aliases included.
func TestFlagsAreUnique(t *testing.T) {
	parser, err := newParser(new(commandLine))
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range parser.Model.Children {
		seen := map[string]bool{}
		for _, f := range slices.Concat(parser.Model.Flags, node.Flags) {
			names := append([]string{f.Name}, f.Aliases...)
			if f.Short != 0 {
				names = append(names, string(f.Short))
			}
			for _, name := range names {
				if seen[name] {
					t.Errorf("%s: duplicate flag %s", node.Name, name)
				}
				seen[name] = true
			}
		}
	}
}

func TestNormalise(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"train --lora_r 4 --max_steps=2 --data=a_b", "train --lora-r 4 --max-steps=2 --data=a_b"},
		{"generate --prompt a_b -- --c_d", "generate --prompt a_b -- --c_d"},
		{"help train", "train --help"},
		{"help", "--help"},
		{"--version", "version"},
	} {
		if got := strings.Join(normalise(strings.Fields(c.in)), " "); got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
		}
	}
}

// A resumed run sees the date of its first start, and evaluates as it did.
func TestAsBefore(t *testing.T) {
	dir := t.TempDir()
	c := recipe.Default()
	c.OutputDir, c.Resume = dir, true
	fresh := c
	if err := asBefore(&fresh); err != nil || len(fresh.Date) != len("2026-01-02") || fresh.EvalSteps != recipe.Chosen || fresh.EvalSamples != recipe.Chosen {
		t.Fatalf("fresh: %q, %v, %v, %v", fresh.Date, fresh.EvalSteps, fresh.EvalSamples, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "run.yaml"), []byte("date: \"2001-02-03\"\neval_steps: 7\neval_samples: 9\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	other := c
	other.OutputDir, other.ResumeFrom = "elsewhere", filepath.Join(dir, "checkpoints", "step-000003")
	if err := os.MkdirAll(other.ResumeFrom, 0o755); err != nil {
		t.Fatal(err)
	}
	given := c
	given.Date, given.EvalSamples = "1999-01-01", 20
	for _, test := range []struct {
		config recipe.Config
		date   string
		rows   recipe.AutoCount
	}{{c, "2001-02-03", 9}, {other, "2001-02-03", 9}, {given, "1999-01-01", 20}} {
		if err := asBefore(&test.config); err != nil || test.config.Date != test.date || test.config.EvalSamples != test.rows || test.config.EvalSteps != 7 {
			t.Errorf("got %q, %v steps, %v rows, %v, want %s, 7 and %v", test.config.Date, test.config.EvalSteps, test.config.EvalSamples, err, test.date, test.rows)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0}, {errors.New("x"), 1}, {errHelp, 2}, {hint.Usagef("x"), 2}, {errInterrupted, 130},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
	}
}

func TestFail(t *testing.T) {
	var stderr bytes.Buffer
	u := newUI(nil, nil, &stderr)
	u.set(true, "info")
	u.warnf("not said")
	u.fail(hint.New(errors.New("a:1: x\na:2: y"), "do this"))
	want := "finetune: error: a:1: x\n                 a:2: y\nfinetune: hint: do this\n"
	if got := stderr.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// Every name that a file of settings takes is a flag of train too.
func TestFlagsTakeWhatFilesTake(t *testing.T) {
	parser, err := newParser(new(commandLine))
	if err != nil {
		t.Fatal(err)
	}
	flags := map[string]bool{}
	for _, node := range parser.Model.Children {
		for _, f := range node.Flags {
			for _, name := range append([]string{f.Name}, f.Aliases...) {
				flags[node.Name+" "+name] = true
			}
		}
	}
	names := slices.Concat(recipe.Keys(), recipe.Foreign())
	for _, key := range recipe.Keys() {
		names = append(names, recipe.Alternatives(key)...)
	}
	for _, name := range names {
		if flag := "train " + strings.ReplaceAll(name, "_", "-"); !flags[flag] {
			t.Errorf("no flag for %s", name)
		}
	}
}
