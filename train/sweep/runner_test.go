package sweep

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

// A process that dies without a word did not die of what an earlier one said.
func TestAFailureIsThatOfTheLastProcess(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no sh")
	}
	t.Chdir(t.TempDir())
	f, runs := expand(t, "")
	s, err := Open(f, runs, "2026-11-29", false)
	if err == nil {
		err = s.Take()
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ script, want string }{
		{"echo 'finetune: error: the first\nfinetune: hint: advice' >&2; exit 1", "the first; advice"},
		{"exit 1", "see " + filepath.Join("runs", "logs", runs[0].Name+".log")},
		{"echo 'finetune: error: the second' >&2; exit 1", "the second"},
	} {
		got := ""
		r := &Runner{
			Sweep: s, Jobs: 1, Retry: true,
			Command: func(*Run, string) *exec.Cmd { return exec.Command("sh", "-c", c.script) },
			Report: func(event any) {
				if e, ok := event.(Ended); ok {
					got = e.Error.Error()
				}
			},
		}
		if result, err := r.Run(t.Context()); err != nil || len(result.Failed) != 1 {
			t.Fatalf("%+v, %v", result, err)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.script, got, c.want)
		}
	}
}

// A rung judges a configuration by the runs that have come to it, and says which have not.
func TestARungSaysWhichRunsItMissed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no sh")
	}
	t.Chdir(t.TempDir())
	f, runs := expand(t, "grid: {lora_r: [4, 8, 16, 32]}\nseeds: [1, 2]\nstop: {rule: halving, keep: 0.5, at: [0.5]}")
	s, err := Open(f, runs, "2026-11-29", false)
	if err == nil {
		err = s.Take()
	}
	if err != nil {
		t.Fatal(err)
	}
	// Rank 4 is good and loses a seed, 8 bad and loses one, 16 whole, 32 loses both.
	script := map[string]string{
		"lora_r=4 1": "1", "lora_r=4 2": "", "lora_r=8 1": "", "lora_r=8 2": "3",
		"lora_r=16 1": "1", "lora_r=16 2": "2", "lora_r=32 1": "", "lora_r=32 2": "",
	}
	var judged []string
	r := &Runner{
		Sweep: s, Jobs: 1, Length: func(*Run) (int, int) { return 10, 5 },
		Command: func(run *Run, _ string) *exec.Cmd {
			loss := script[fmt.Sprintf("%s %d", run.Label(), run.Seed)]
			if loss == "" {
				return exec.Command("sh", "-c", "exit 1")
			}
			return exec.Command("sh", "-c", fmt.Sprintf(`mkdir -p "$0" && echo '{"step":5,"eval_loss":%s}' >"$0/metrics.jsonl"; exit 130`, loss), run.Dir())
		},
		Report: func(event any) {
			if _, ok := event.(Judged); ok {
				for _, j := range s.Record.PartlyJudged() {
					judged = append(judged, j.String())
				}
			}
		},
	}
	out, err := r.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Failed) != 4 {
		t.Errorf("%d runs have failed, want 4, each told once", len(out.Failed))
	}
	want := []string{
		"lora_r=4 was kept on 1 of its 2 seeds", "lora_r=8 was stopped on 1 of its 2 seeds", "lora_r=32 was stopped on 0 of its 2 seeds",
	}
	if !slices.Equal(judged, want) {
		t.Errorf("%q, want %q", judged, want)
	}
	record, err := ReadRecord(f.OutputDir)
	if err != nil || len(record.PartlyJudged()) != 3 || len(record.Missing) != 4 {
		t.Errorf("%+v, %v", record, err)
	}
	if st, err := s.Status(runs[2]); err != nil || st.State != Failed { // of rank 8: it was not stopped
		t.Errorf("%+v, %v", st, err)
	}
}

// The figures of a run at work are read as they grow, and again where a process that took over
// has cut them.
func TestFiguresAsTheyGrow(t *testing.T) {
	t.Chdir(t.TempDir())
	_, runs := expand(t, "")
	run := runs[0]
	if err := os.MkdirAll(run.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	line := func(step int, loss float64) string {
		return fmt.Sprintf(`{"step":%d,"eval_loss":%g}`+"\n", step, loss)
	}
	for _, c := range []struct {
		text        string
		step, lines int
	}{
		{"", 0, 0},
		{line(1, 3), 1, 1},
		{line(1, 3) + line(2, 2.5) + `{"step":3,`, 2, 2},
		{line(1, 3) + line(2, 2.5) + line(3, 2), 3, 3},
		{line(1, 3), 1, 1}, // cut
		{line(1, 3.25) + line(2, 2.125) + line(3, 1), 3, 3}, // cut, and longer by now
	} {
		if err := os.WriteFile(filepath.Join(run.Dir(), "metrics.jsonl"), []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		st, err := run.Figures()
		if err != nil || st.Step != c.step || len(st.Metrics) != c.lines {
			t.Errorf("%q: step %d of %d lines, %v", c.text, st.Step, len(st.Metrics), err)
		}
	}
	if err := os.RemoveAll(run.Dir()); err != nil {
		t.Fatal(err)
	}
	if st, err := run.Figures(); err != nil || st.Step != 0 {
		t.Errorf("without a folder: %+v, %v", st, err)
	}
}
