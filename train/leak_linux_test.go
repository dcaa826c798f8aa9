package train

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestNothingLeaks counts goroutines, open files and maps of the model before and
// after runs of one session: finished, interrupted and failed.
func TestNothingLeaks(t *testing.T) {
	o := newOffice(t)
	c := o.config(filepath.Join(t.TempDir(), "out"))
	c.MaxSteps, c.Overwrite = 3, true
	s := o.session(t, c)
	c.Optimizer, c.LearningRate = "adamw", 1e30
	bad := o.session(t, c)
	all := func() {
		t.Helper()
		if _, err := s.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		s.Report = func(e any) {
			if _, ok := e.(Stepped); ok {
				cancel()
			}
		}
		if out, err := s.Run(ctx); err != nil || out.Ending != Interrupted {
			t.Fatal(out, err)
		}
		s.Report = func(any) {}
		if _, err := bad.Run(context.Background()); err == nil {
			t.Fatal("no error at a rate of 1e30")
		}
	}
	all()
	before := counts(t)
	all()
	all()
	var after [3]int
	for range 50 { // goroutines end a little later
		if after = counts(t); after == before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("goroutines, open files, maps of files: %v, then %v", before, after)
}

func counts(t *testing.T) [3]int {
	t.Helper()
	runtime.GC()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Skip(err)
	}
	return [3]int{runtime.NumGoroutine(), len(files), strings.Count(string(maps), ".safetensors")}
}
