package sweep

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/finetune/train/rundir"
)

var update = flag.Bool("update", false, "rewrite the scripts and manifests in testdata")

// TestScripts holds what engines are given to files, which the study of both engines has
// run (see the README of scripts/).
func TestScripts(t *testing.T) {
	f, err := read(t, base+`
slurm: {partition: cpu, account: "a b", cpus: 4, options: [--nice=100]}
kubernetes: {image: "registry.example/finetune:1", claim: work, cpu: 1500m, queue: team, namespace: ml}
`)
	if err != nil {
		t.Fatal(err)
	}
	task := Task{
		Program: "/opt/finetune", File: "sweeps/My sweep.yaml", Dir: "/home/u/it's", Runs: []int{0, 1, 2, 5, 7, 8}, Of: 9,
		Jobs: 2, Bytes: 1_500_000_000, Seconds: 1000,
	}
	golden(t, "array.sbatch", f.Slurm.Script(task, "runs/logs"))
	manifest, err := f.Manifest(task)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "job.yaml", manifest)
	task.Yes = true
	if manifest, err = f.Manifest(task); err != nil || !strings.Contains(manifest, `--threads, "2", --yes]`) {
		t.Errorf("%v\n%s", err, manifest)
	}
	task.Yes, task.PerTask, task.Jobs = false, 4, 0
	golden(t, "chunks.sbatch", new(Slurm).Script(task, "runs/logs"))
	if _, err := new(Kubernetes).Manifest(task); err == nil {
		t.Error("a manifest without an image")
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || got != string(want) {
		t.Errorf("%s (%v) is now\n%s", name, err, got)
	}
}

func TestCores(t *testing.T) {
	for text, want := range map[string]int{"1": 1, "1500m": 2, "0.5": 1, "4": 4, "-1": 0, "x": 0, "NaN": 0} {
		if n, err := cores(text); n != want || (err != nil) != (want == 0) {
			t.Errorf("%s: %d, %v", text, n, err)
		}
	}
}

// Forms of sbatch(1), and how long before the limit a task is warned.
func TestTimeLimits(t *testing.T) {
	for text, want := range map[string][2]time.Duration{
		"1":             {time.Minute, 20 * time.Second},
		"90":            {90 * time.Minute, 2 * time.Minute},
		"1:30":          {90 * time.Second, 30 * time.Second},
		"02:00:30":      {2*time.Hour + 30*time.Second, 2 * time.Minute},
		"1-2":           {26 * time.Hour, 2 * time.Minute},
		"1-02:03":       {26*time.Hour + 3*time.Minute, 2 * time.Minute},
		"1-02:03:04":    {26*time.Hour + 3*time.Minute + 4*time.Second, 2 * time.Minute},
		"0":             {},
		"":              {},
		"1h":            {},
		"-1":            {},
		"1:2:3:4":       {},
		"1-2:3:4:5":     {},
		"9999999999999": {},
		"UNLIMITED":     {},
	} {
		d := timeLimit(text)
		if got := [2]time.Duration{d, stopBefore(d)}; got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	_, err := read(t, base+"slurm: {time: 1h}\n")
	if err == nil || !strings.Contains(err.Error(), `slurm: time is "1h", want minutes`) {
		t.Error(err)
	}
	f, err := read(t, base+"slurm: {time: 1}\n")
	if err != nil {
		t.Fatal(err)
	}
	if script := f.Slurm.Script(Task{Runs: []int{0}, Of: 1}, "logs"); !strings.Contains(script, "#SBATCH --signal=B:USR1@20\n") {
		t.Errorf("a limit of a minute:\n%s", script)
	}
}

func TestRungs(t *testing.T) {
	h := &Halving{Keep: 0.5, At: []float64{0.25, 0.5}}
	for _, c := range []struct{ rung, steps, every, want int }{{0, 40, 4, 8}, {1, 40, 4, 20}, {0, 41, 10, 10}, {0, 12, 4, 0}, {0, 12, 0, 0}} {
		if step, err := h.Rung(c.rung, c.steps, c.every); step != c.want || (err != nil) != (c.want == 0) {
			t.Errorf("%+v: step %d, %v", c, step, err)
		}
	}
	losses := map[int][]float64{0: {3, 1}, 1: {1.5, 1.5}, 2: {2}, 3: {}, 4: {2}}
	if kept := better(losses, 0.5); !slices.Equal(kept, []int{1, 0, 2}) {
		t.Errorf("kept %v", kept)
	}
	if kept := better(losses, 0.01); !slices.Equal(kept, []int{1}) {
		t.Errorf("kept %v", kept)
	}
}

func TestLossAtARung(t *testing.T) {
	loss := func(x float64) *float64 { return &x }
	s := Status{Metrics: []rundir.Metric{{Step: 0, EvalLoss: loss(3)}, {Step: 3, Loss: loss(9)}, {Step: 4, EvalLoss: loss(2)}}}
	if v, ok := s.at(4); v != 2 || !ok {
		t.Errorf("at its step: %v, %v", v, ok)
	}
	if v, ok := s.at(8); ok {
		t.Errorf("before it: %v", v)
	}
	s.Finished = new(rundir.Summary)
	if v, ok := s.at(8); v != 2 || !ok {
		t.Errorf("finished early: %v, %v", v, ok)
	}
}
