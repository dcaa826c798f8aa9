package sweep

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/finetune/internal/hint"
)

// read reads a sweep's file with this content.
func read(t *testing.T, text string) (*File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sweep.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return Read(path)
}

const base = "base: {model: m, data: d}\n"

// expand returns the runs of a file.
func expand(t *testing.T, text string) (*File, []*Run) {
	t.Helper()
	f, err := read(t, base+text)
	if err != nil {
		t.Fatal(err)
	}
	runs, err := f.Runs()
	if err != nil {
		t.Fatal(err)
	}
	if f.Count() != len(runs) {
		t.Errorf("counted %d runs, made %d", f.Count(), len(runs))
	}
	return f, runs
}

// A folder under base would be skipped: it is the sweep's. In a base that is a file it is
// that of the run whose settings they are.
func TestFolderUnderBase(t *testing.T) {
	_, err := read(t, "base: {model: m, data: d, output_dir: x}\ngrid: {lora_r: [8]}")
	const want = ":1: base: output_dir is the sweep's, and no setting of its runs"
	if err == nil || !strings.Contains(err.Error(), want) || hint.Of(err) != "write it beside base: it holds a folder for each run" || !hint.IsUsage(err) {
		t.Errorf("%v (%s), want %s", err, hint.Of(err), want)
	}
	path := filepath.Join(t.TempDir(), "run.yaml")
	if err := os.WriteFile(path, []byte("model: m\ndata: d\noutput_dir: x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if f, err := read(t, "base: "+path+"\ngrid: {lora_r: [8]}"); err != nil || f.OutputDir != "runs" {
		t.Errorf("of a file: %v", err)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	for name, c := range map[string]struct{ text, want, advice string }{
		"unknown key":      {"grids: {lora_r: [8]}", `:2: unknown key "grids"`, "did you mean grid?"},
		"setting outside":  {"lora_r: 8", `:2: unknown key "lora_r"`, "a setting belongs under base"},
		"unknown setting":  {"grid: {lora_rr: [8]}", `:2: grid: unknown setting "lora_rr"`, "did you mean lora_r?"},
		"empty grid":       {"grid: {lora_r: []}", ":2: grid: lora_r has no values", ""},
		"no list":          {"grid: {lora_r: 8}", ":2: grid: lora_r: want a list of values", ""},
		"twice":            {"grid: {lora_r: [8, 8]}", ":2: grid: lora_r has 8 twice", ""},
		"bad value":        {"grid: {lora_r: [8, many]}", `:2: grid: lora_r is "many", want a whole number`, ""},
		"seed":             {"grid: {seed: [1, 2]}", ":2: grid: seed is no setting to vary", "seeds: [1, 2, 3] gives"},
		"machine":          {"grid: {threads: [1, 2]}", ":2: grid: threads is the same for all runs", "write it under base"},
		"grid and variant": {"grid: {lora_r: [8]}\nvariants: {a: {rank: 4}}", "lora_r varies in grid and in variants: a", ""},
		"grid and random":  {"grid: {lora_r: [8]}\nrandom: {samples: 2, lora_r: {uniform: [4, 8]}}", "lora_r varies in grid and in random", ""},
		"no samples":       {"random: {lora_r: {uniform: [4, 8]}}", ":2: random: samples: how many", ""},
		"log of zero":      {"random: {samples: 2, weight_decay: {log: [0, 1]}}", ":2: random: weight_decay: want two numbers, the smaller first, both above 0", ""},
		"too many samples": {"random: {samples: 7, lora_r: {uniform: [4, 6]}, optimizer: {choice: [adamw, scaled-adamw]}}", ":2: random: samples is 7, and there are 6 different ones", "grid takes every combination once"},
		"no seeds":         {"seeds: []", ":2: seeds: want a list", ""},
		"bad seed":         {"seeds: [1, -1]", `:2: seeds: seed is "-1"`, ""},
		"rule":             {"stop: {rule: asha, at: [0.5]}", `:2: stop: rule is "asha", want halving`, ""},
		"rungs":            {"stop: {at: [0.5, 0.25]}", ":2: stop: at: want rising shares", ""},
		"keep":             {"stop: {at: [0.5], keep: 2}", ":2: stop: keep is 2", ""},
		"key twice":        {"base: {}", `:2: mapping key "base" already defined`, ""},
		"variant twice":    {"variants: {a: {}, a: {}}", `:2: mapping key "a" already defined`, ""},
		"slurm":            {"slurm: {queue: a}", `:2: slurm: unknown key "queue"`, ""},
		"kubernetes":       {"kubernetes: {cpu: lots}", ":2: kubernetes: cpu is \"lots\"", ""},
		"key by two names": {"variants: {a: {lr: 0.1, learning_rate: 0.2}}", ":2: variants: a: duplicate key learning_rate, here as learning_rate", ""},
		"baseline's name":  {"baseline: lora", ":2: baseline: want {variant: NAME}, or settings", ""},
		"no mapping":       {"grid: [8]", ":2: grid: want settings with lists of values", ""},
	} {
		_, err := read(t, base+c.text+"\n")
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(hint.Of(err), c.advice) || !hint.IsUsage(err) {
			t.Errorf("%s: %v (%s), want %q (%q)", name, err, hint.Of(err), c.want, c.advice)
		}
	}
}

// Runs that come to the same are told, and are runs all the same.
func TestRunsThatAreOne(t *testing.T) {
	for text, want := range map[string]string{
		"grid: {max_steps: [2], num_train_epochs: [1, 3]}":                               "max_steps=2,num_train_epochs=3 comes out as max_steps=2,num_train_epochs=1 does: what differs changes nothing there",
		"grid: {num_train_epochs: [1, 3]}":                                               "",
		"variants: {a: {}, b: {init: lora}}\ngrid: {init_gamma: [64, 128]}":              "b,init_gamma=128 comes out as b,init_gamma=64 does: what differs changes nothing there",
		"variants: {a: {}, b: {optimizer: scaled-adamw}}\ngrid: {lora_r: [4, 8]}":        "",
		"grid: {precondition_reg: [0.1, 0.2], optimizer: [scaled-adamw]}\nseeds: [1, 2]": "",
	} {
		var notes []string
		_, runs := expand(t, text)
		for _, r := range runs {
			for _, n := range r.Config.Notes {
				if strings.Contains(n, "comes out as") {
					notes = append(notes, n)
				}
			}
		}
		if got := strings.Join(notes, "\n"); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestMistakesAreToldTogether(t *testing.T) {
	_, err := read(t, base+"grid: {lora_r: []}\nseeds: 3\nnothing: 1\n")
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("%v, want three lines", err)
	}
}

func TestBaseIsNotResumed(t *testing.T) {
	if _, err := read(t, "base: {resume: true, model: m, data: d}"); err == nil || !strings.Contains(err.Error(), "base: resume and overwrite") {
		t.Errorf("%v", err)
	}
}

func TestMistakesInRecipes(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"baseline": {"variants: {a: {}, b: {lora_r: 4}}\nbaseline: {variant: c}", "baseline: no run has variant=c"},
		"same":     {"variants: {a: {}, b: {lora_r: 8}}", "the same run as a"},
		"refused":  {"grid: {lora_r: [0, 8]}", "lora_r=0: lora_r is 0, want at least 1"},
	} {
		f, err := read(t, base+c.text+"\n")
		if err == nil {
			_, err = f.Runs()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// The names are written down: another name is another run, and all that is there would be
// trained again.
func TestNamesStay(t *testing.T) {
	_, runs := expand(t, `
grid: {lora_r: [4, 8], target_modules: [all-linear, [q_proj, v_proj]]}
variants:
  one: {}
  two: {init: lora, optimizer: adamw, lr: [0.002, 1e-2]}
seeds: [1, 2]
baseline: {variant: two}
`)
	var names []string
	for _, r := range runs {
		names = append(names, r.Name)
	}
	golden(t, "names.txt", strings.Join(names, "\n")+"\n")
	if r := runs[len(runs)-1]; r.Configuration != 11 || r.Seed != 2 || r.Config.LearningRate != 0.01 || r.Config.LoraR != 8 || r.Config.Init != "lora" {
		t.Errorf("the last run is %+v", r)
	}
}

func TestMoreValuesMoveNothing(t *testing.T) {
	_, few := expand(t, "grid: {lora_r: [8]}\nrandom: {samples: 3, weight_decay: {log: [1e-4, 1e-1]}}\nseeds: [1]")
	_, many := expand(t, "grid: {lora_r: [4, 8]}\nrandom: {samples: 5, weight_decay: {log: [1e-4, 1e-1]}}\nseeds: [1, 2]")
	for _, r := range few {
		if !slices.ContainsFunc(many, func(m *Run) bool { return m.Name == r.Name }) {
			t.Errorf("%s is gone", r.Name)
		}
	}
}

func TestDrawnValues(t *testing.T) {
	_, runs := expand(t, "random: {samples: 200, lora_r: {uniform: [4, 6]}, weight_decay: {log: [1e-4, 1e-1]}, init: {choice: [lora, loraone]}, optimizer: {choice: [adamw]}}")
	ranks, starts, small := map[int]int{}, map[string]int{}, 0
	for _, r := range runs {
		ranks[r.Config.LoraR]++
		starts[string(r.Config.Init)]++
		if d := r.Config.WeightDecay; d < 1e-4 || d > 1e-1 {
			t.Errorf("weight decay %g", d)
		} else if d < 3.16e-3 { // the middle of the logarithms
			small++
		}
	}
	if len(ranks) != 3 || len(starts) != 2 || small < 70 || small > 130 {
		t.Errorf("ranks %v, starts %v, %d of 200 small", ranks, starts, small)
	}
}

// Samples that three digits do not tell apart get more, and choices are drawn again: as many
// as there are can be had, and those before stay as they are.
func TestDrawnValuesAreDifferent(t *testing.T) {
	_, runs := expand(t, "random: {samples: 600, weight_decay: {log: [1e-2, 2e-2]}}")
	short := 0
	for _, r := range runs {
		if len(r.Settings[0].Text) <= len("0.0123") {
			short++
		}
		if !strings.HasPrefix(r.Name, "weight_decay="+r.Settings[0].Text+",") {
			t.Errorf("%s is named %s", r.Settings[0].Text, r.Name)
		}
	}
	if short < 90 || short > 101 { // of 101 with three digits
		t.Errorf("%d of %d have three digits", short, len(runs))
	}
	_, fewer := expand(t, "random: {samples: 500, weight_decay: {log: [1e-2, 2e-2]}}")
	for i, r := range fewer {
		if r.Name != runs[i].Name {
			t.Errorf("sample %d of fewer is %s, of more %s", i, r.Name, runs[i].Name)
		}
	}
	if _, all := expand(t, "random: {samples: 90, lora_r: {uniform: [1, 30]}, optimizer: {choice: [adamw, scaled-adamw, preconditioned-adamw]}}"); len(all) != 90 {
		t.Errorf("%d of 90 combinations", len(all))
	}
	f, err := read(t, base+"random: {samples: 60, lora_r: {log: [1, 1e9]}, gradient_accumulation_steps: {log: [1, 1.0000001]}}")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.Runs(); err != nil {
		t.Errorf("rare values: %v", err)
	}
	f.random.samples, f.random.axes = 3, []drawnAxis{{key: "lora_r", lo: 1, hi: 2}}
	if _, err = f.Runs(); err == nil || !strings.Contains(err.Error(), "random: sample 3 of 3 comes out as one before it") || !hint.IsUsage(err) || !strings.Contains(hint.Of(err), "samples: 2,") {
		t.Errorf("three of two: %v (%s)", err, hint.Of(err))
	}
}

func TestBaseline(t *testing.T) {
	f, runs := expand(t, "variants: {a: {}, b: {lora_r: [4, 16]}}\nseeds: [1, 2]\nbaseline: {variant: b}")
	if got := f.Baseline(runs); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("the baseline is %v", got)
	}
	f, runs = expand(t, "grid: {lora_r: [4, 8]}\nbaseline: {rank: 8}")
	if got := f.Baseline(runs); !slices.Equal(got, []int{1}) {
		t.Errorf("the baseline is %v", got)
	}
	f, runs = expand(t, "grid: {lora_r: [4, 8]}")
	if got := f.Baseline(runs); !slices.Equal(got, []int{0}) {
		t.Errorf("the baseline is %v", got)
	}
}

func TestFolders(t *testing.T) {
	t.Chdir(t.TempDir())
	open := func(name, text string, adopt bool) (*Sweep, error) {
		if err := os.WriteFile(name, []byte(base+text), 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := Read(name)
		if err != nil {
			t.Fatal(err)
		}
		runs, err := f.Runs()
		if err != nil {
			t.Fatal(err)
		}
		return Open(f, runs, "2026-11-29", adopt)
	}
	s, err := open("a.yaml", "grid: {lora_r: [4, 8]}", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("runs"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("looking at it has made the folder: %v", err)
	}
	if err := s.Take(); err != nil || s.Runs[0].Config.Date != "2026-11-29" {
		t.Fatal(err)
	}
	if _, err := open("b.yaml", "", false); err == nil || !strings.Contains(err.Error(), "runs holds the runs of another sweep, a.yaml") {
		t.Errorf("another sweep: %v", err)
	}
	if s, err := open("b.yaml", "", true); err != nil || s.Take() != nil {
		t.Errorf("taken over: %v", err)
	}
	if err := os.MkdirAll(filepath.Join("runs", s.Runs[0].Name, "checkpoints", "step-000001"), 0o755); err != nil {
		t.Fatal(err)
	}
	s, err = open("b.yaml", "grid: {lora_r: [8]}", false)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := s.Strangers(); err != nil || len(list) != 1 || !strings.HasPrefix(list[0], "lora_r=4,") {
		t.Errorf("strangers: %v, %v", list, err)
	}
	// One value goes without saying, of two each is named: the folder stays.
	old := s.Runs[0].Name
	if err := os.MkdirAll(filepath.Join("runs", old), 0o755); err != nil {
		t.Fatal(err)
	}
	s, err = open("b.yaml", "variants: {more: {lora_r: [8, 16]}}", false)
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Runs[0]; r.Name != old || r.Dir() != filepath.Join("runs", old) || s.Record.Runs[0].Name != old || r.Label() != "more,lora_r=8" {
		t.Errorf("%s has the folder %s, and the record %s, want %s", r.Label(), r.Dir(), s.Record.Runs[0].Name, old)
	}
	if r := s.Runs[1]; !strings.HasPrefix(r.Name, "more,lora_r=16,") {
		t.Errorf("%s has the folder %s", r.Label(), r.Name)
	}
	if err := os.WriteFile(filepath.Join("runs", "run.yaml"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := open("b.yaml", "", false); err == nil || !strings.Contains(err.Error(), "is the folder of a run") {
		t.Errorf("a run's folder: %v", err)
	}
}

func TestTheRateOfTheBaseIsRemarked(t *testing.T) {
	for text, want := range map[string]int{
		"variants: {a: {}, b: {optimizer: adamw}}":                       1,
		"variants: {a: {}, b: {optimizer: adamw, learning_rate: 0.001}}": 0,
		"grid: {optimizer: [adamw, scaled-adamw], lr: [0.1]}":            0,
	} {
		f, err := read(t, "base: {model: m, data: d, learning_rate: 0.02}\n"+text)
		if err != nil || len(f.Base.Notes) != want {
			t.Errorf("%s: %q, %v", text, f.Base.Notes, err)
		}
	}
}
