package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// kills is how often TestKilledSweep kills a sweep: of four runs, or of 24 above eight.
var kills = flag.Int("kills", 8, "times that a sweep is killed")

// A builtProgram is this test's program under the name of ours, as which it runs main.
type builtProgram struct{ path, dir string }

func newProgram(t *testing.T) *builtProgram {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &builtProgram{filepath.Join(t.TempDir(), "finetune"), t.TempDir()}
	from, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.OpenFile(p.path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *builtProgram) command(args ...string) *exec.Cmd {
	c := exec.Command(p.path, args...)
	c.Dir = p.dir
	return c
}

// killAfter starts a sweep and kills it with all its runs after a while. over says that it
// was done before.
func (p *builtProgram) killAfter(t *testing.T, d time.Duration, args ...string) (over bool) {
	t.Helper()
	c := p.command(args...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return true
	case <-time.After(d):
	}
	runs := children(c.Process.Pid)
	_ = c.Process.Kill() // the sweep first: it notes nothing of what follows
	for _, pid := range append(runs, children(c.Process.Pid)...) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-ended
	return false
}

// children lists the processes that a process has started.
func children(pid int) (list []int) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil
	}
	var text []byte
	for _, path := range tasks {
		part, _ := os.ReadFile(path) // of a thread that is gone there is none
		text = append(append(text, part...), ' ')
	}
	for _, word := range strings.Fields(string(text)) {
		if child, err := strconv.Atoi(word); err == nil {
			list = append(list, child)
		}
	}
	return list
}

// sweepText is two runs for each seed, which save every second step.
func sweepText(t *testing.T, dir string, seeds int) string {
	t.Helper()
	demo, err := filepath.Abs("demo")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`base: {model: %q, data: %q, max_steps: 8, eval_steps: 4, save_steps: 2}
output_dir: %s
variants: {one: {}, two: {init: lora, optimizer: adamw}}
seeds: [%s]
`, filepath.Join(demo, "model"), filepath.Join(demo, "data"), dir, strings.Join(strings.Split("1 2 3 4 5 6 7 8 9 10 11 12", " ")[:seeds], ", "))
}

// results returns what the runs of a sweep have come to, without the times: adapters, rows
// and the report.
func (p *builtProgram) results(t *testing.T, dir string, runs int) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, name := range []string{"adapter_model.safetensors", "heldout.jsonl"} {
		paths, err := filepath.Glob(filepath.Join(p.dir, dir, "*", name))
		if err != nil || len(paths) != runs {
			t.Fatalf("%s: %v, %v", name, paths, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			found[filepath.Base(filepath.Dir(path))+"/"+name] = string(text)
		}
	}
	out, err := p.command("report", dir, "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(out) {
		var run map[string]any
		if err := json.Unmarshal(line, &run); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"dir", "seconds", "tokens_per_second", "allocated_bytes"} {
			delete(run, key)
		}
		found[run["name"].(string)] = fmt.Sprint(run)
	}
	return found
}

// TestKilledSweep kills a sweep at random with all that it runs, and types it again: the
// results are those of one that was left alone, one run at a time and four.
func TestKilledSweep(t *testing.T) {
	if testing.Short() {
		t.Skip("some thirty runs")
	}
	seeds := 2
	if *kills > 8 {
		seeds = 12
	}
	p := newProgram(t)
	file := func(dir string) string {
		name := dir + ".yaml"
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(sweepText(t, dir, seeds)), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	if out, err := p.command("sweep", file("whole"), "--jobs", "2").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := p.results(t, "whole", 2*seeds)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, jobs := range []string{"1", "4"} {
		name := file("killed" + jobs)
		killed := 0
		for ; killed < *kills; killed++ {
			if p.killAfter(t, time.Duration(300+rng.IntN(2500))*time.Millisecond, "sweep", name, "--jobs", jobs) {
				break
			}
		}
		if out, err := p.command("sweep", name, "--jobs", jobs).CombinedOutput(); err != nil {
			t.Fatalf("after %d kills: %v\n%s", killed, err, out)
		}
		t.Logf("jobs %s: killed %d times", jobs, killed)
		got := p.results(t, "killed"+jobs, 2*seeds)
		if len(got) != len(want) {
			t.Errorf("%d results, want %d", len(got), len(want))
		}
		for key, text := range want {
			if got[key] != text {
				t.Errorf("jobs %s, %d kills: %s differs", jobs, killed, key)
			}
		}
	}
}

// A sweep that is interrupted saves what is running, and its exit says so.
func TestInterruptedSweep(t *testing.T) {
	p := newProgram(t)
	text := strings.Replace(sweepText(t, "runs", 2), "max_steps: 8", "max_steps: 400", 1)
	if err := os.WriteFile(filepath.Join(p.dir, "sweep.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c := p.command("sweep", "sweep.yaml", "--jobs", "2")
	var out bytes.Buffer
	c.Stderr = &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	begun := func() bool {
		paths, err := filepath.Glob(filepath.Join(p.dir, "runs", "*", "checkpoints", "step-*"))
		return err == nil && len(paths) > 1
	}
	for range 600 {
		if begun() {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := c.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted || !strings.Contains(out.String(), "Resume with: ") {
		t.Fatalf("%v\n%s", err, out.String())
	}
	status, err := p.command("sweep", "sweep.yaml", "--status").CombinedOutput()
	if err != nil || !strings.Contains(string(status), "4 runs: 2 paused, 2 waiting") {
		t.Errorf("%v\n%s", err, status)
	}
}
