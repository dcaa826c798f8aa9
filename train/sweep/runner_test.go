package sweep

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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
