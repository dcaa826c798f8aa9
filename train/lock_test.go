package train

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"example.com/finetune/train/rundir"
)

// TestTwoRunsInOneFolder starts a second run while the first is at work.
func TestTwoRunsInOneFolder(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.config(filepath.Join(t.TempDir(), "out"))
	c.MaxSteps = 3
	second := c
	second.Resume = true
	by := fmt.Sprintf("%s is in use by process %d on ", c.OutputDir, os.Getpid())
	advice := "wait for that run to end, or name another folder with --output-dir"
	s := o.session(t, c)
	s.Report = func(e any) {
		if step, ok := e.(Stepped); ok && step.Step == 1 {
			err := o.fails(t, second)
			expect(t, "a second run", err, by, advice)
			second.Resume, second.Overwrite = false, true
			_, err = look(t, second)
			expect(t, "overwriting", err, by, advice)
			_, err = rundir.Open(c.OutputDir)
			expect(t, "past the first check", err, by, advice)
		}
	}
	if _, err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	checkNames(t, c.OutputDir)
}
