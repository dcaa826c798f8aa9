package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// put writes the file of a sweep into the folder of the program.
func (p *builtProgram) put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// same compares the results of a sweep with those of one that was left alone.
func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d results, want %d", len(got), len(want))
	}
	for key, text := range want {
		if got[key] != text {
			t.Errorf("%s differs", key)
		}
	}
}

// Tasks of one run that start together, as those of an array that was submitted twice: one
// trains, the others leave it to that, and none of them fails.
func TestTasksOfOneRun(t *testing.T) {
	p := newProgram(t)
	p.put(t, "sweep.yaml", strings.Replace(sweepText(t, "runs", 1), "max_steps: 8", "max_steps: 100", 1))
	type result struct {
		out []byte
		err error
	}
	ended := make(chan result)
	const tasks = 4
	for range tasks {
		go func() {
			out, err := p.command("sweep", "sweep.yaml", "--index", "0", "--threads", "1").CombinedOutput()
			ended <- result{out, err}
		}()
	}
	for range tasks {
		if r := <-ended; r.err != nil {
			t.Errorf("%v\n%s", r.err, r.out)
		}
	}
	if notes, err := filepath.Glob(filepath.Join(p.dir, "runs", "*", "failed.json")); err != nil || len(notes) > 0 {
		t.Errorf("%v, %v", notes, err)
	}
	status, err := p.command("sweep", "sweep.yaml", "--status").CombinedOutput()
	if err != nil || !strings.Contains(string(status), "2 runs: 1 finished, 1 waiting") {
		t.Errorf("%v\n%s", err, status)
	}
}

// A disk that fills up in the middle of a sweep: what could not be written is named, and done
// when there is room again, to the same bytes.
func TestSweepOnAFullDisk(t *testing.T) {
	p := newProgram(t)
	p.put(t, "whole.yaml", sweepText(t, "whole", 2))
	if out, err := p.command("sweep", "whole.yaml").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := p.results(t, "whole", 4)
	disk := filepath.Join(p.dir, "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	resize := func(size string, flags uintptr) error { return unix.Mount("tmpfs", disk, "tmpfs", flags, "size="+size) }
	if err := resize("1m", 0); err != nil {
		t.Skipf("a small file system wants root: %v", err)
	}
	defer unix.Unmount(disk, unix.MNT_DETACH)
	for _, kB := range []int{4, 64, 160, 300} { // a run has about 100 kB
		if err := resize(fmt.Sprintf("%dk", kB), unix.MS_REMOUNT); err != nil {
			t.Fatal(err)
		}
		p.put(t, "sweep.yaml", sweepText(t, "disk/runs", 2))
		out, err := p.command("sweep", "sweep.yaml", "--jobs", "2").CombinedOutput()
		if text := string(out); err == nil || !strings.Contains(text, "finetune: error: ") || !strings.Contains(text, "no space left on device") {
			t.Errorf("%d kB: %v\n%s", kB, err, text)
		}
		if err := resize("4m", unix.MS_REMOUNT); err != nil {
			t.Fatal(err)
		}
		if out, err := p.command("sweep", "sweep.yaml", "--retry").CombinedOutput(); err != nil {
			t.Fatalf("%d kB, then more: %v\n%s", kB, err, out)
		}
		same(t, p.results(t, "disk/runs", 4), want)
		if err := os.RemoveAll(filepath.Join(disk, "runs")); err != nil {
			t.Fatal(err)
		}
	}
}

// startWithoutFlock starts a program for which the system has no flock, as on file systems
// that are mounted without locks.
func startWithoutFlock(c *exec.Cmd) error {
	filter := []unix.SockFilter{ // of the call's number, which comes first in struct seccomp_data
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 0, Jf: 1, K: unix.SYS_FLOCK},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOLCK)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its filter
		err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		if err == nil {
			err = unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
		}
		if err == nil {
			err = c.Start()
		}
		started <- err
	}()
	return <-started
}

// Where the file system has no locks, engines are refused unless that is meant, and a sweep
// on one machine goes on.
func TestSweepWithoutLocks(t *testing.T) {
	p := newProgram(t)
	p.put(t, "sweep.yaml", sweepText(t, "runs", 1))
	run := func(args ...string) (string, error) {
		var out strings.Builder
		c := p.command(append([]string{"sweep", "sweep.yaml"}, args...)...)
		c.Stdout, c.Stderr = &out, &out
		if err := startWithoutFlock(c); err != nil {
			t.Skipf("no seccomp: %v", err)
		}
		err := c.Wait()
		return out.String(), err
	}
	for _, args := range [][]string{{"--index", "0"}, {"--engine", "slurm", "--print"}} {
		out, err := run(args...)
		if err == nil || !strings.Contains(out, "output_dir: the file system of runs has no locks") || !strings.Contains(out, "--yes goes without") {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	if out, err := run("--engine", "slurm", "--print", "--yes"); err != nil || !strings.Contains(out, `"$SLURM_CPUS_PER_TASK" --yes &`) {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := run("--index", "0", "--yes"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := run(); err != nil || !strings.Contains(out, "2 runs: 1 finished, 1 waiting") {
		t.Errorf("%v\n%s", err, out)
	}
}

// Times of files tell a sweep nothing: one whose machine lost its clock goes on to the same
// bytes.
func TestSweepWithALostClock(t *testing.T) {
	p := newProgram(t)
	p.put(t, "whole.yaml", sweepText(t, "whole", 1))
	if out, err := p.command("sweep", "whole.yaml").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p.put(t, "sweep.yaml", sweepText(t, "runs", 1))
	for i, when := range []time.Time{time.Unix(0, 0), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if p.killAfter(t, 1500*time.Millisecond, "sweep", "sweep.yaml") {
			t.Logf("done before kill %d", i)
		}
		err := filepath.Walk(filepath.Join(p.dir, "runs"), func(path string, info os.FileInfo, err error) error {
			if err != nil {
				return err
			}
			return os.Chtimes(path, when, when)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if out, err := p.command("sweep", "sweep.yaml").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	same(t, p.results(t, "runs", 2), p.results(t, "whole", 2))
}
