package sweep

import (
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
