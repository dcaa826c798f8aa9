package main

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata/script")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"finetune": main,
	})
}

// TestScript runs the scripts. $MODEL and $DATA are the demo's, $CHECK has rows with
// mistakes and a chat template, $BEFORE folders of runs as the version of 2026-11-28
// left them.
func TestScript(t *testing.T) {
	model, err := filepath.Abs(filepath.Join("demo", "model"))
	if err != nil {
		t.Fatal(err)
	}
	check, err := filepath.Abs(filepath.Join("testdata", "check"))
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob(filepath.Join("testdata", "script", "*.txtar"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	hangup := make(chan os.Signal, 1) // under nohup the scripts' programs would begin with SIGHUP ignored
	signal.Notify(hangup, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(hangup) })
	before, err := filepath.Abs(filepath.Join("testdata", "before"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Files:               scripts,
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("MODEL", model)
			e.Setenv("DATA", filepath.Join(filepath.Dir(model), "data"))
			e.Setenv("CHECK", check)
			e.Setenv("BEFORE", before)
			e.Setenv("HF_HUB_CACHE", filepath.Join(e.WorkDir, "hub"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":    exits,
			"damage":   damage,
			"eventual": eventual,
			"typed":    typedCommands,
		},
		Condition: func(cond string) (bool, error) {
			return cond == "short" && testing.Short(), nil
		},
	})
}

// exits CODE PROGRAM ARG… runs a program that must end with that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code program arg…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// damage FILE BYTE overwrites the last four bytes of a file with a byte in hexadecimal:
// of weights in float32, ff makes one NaN and 00 makes it zero.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: damage file byte")
	}
	b, err := strconv.ParseUint(args[1], 16, 8)
	ts.Check(err)
	text := []byte(ts.ReadFile(args[0]))
	for i := range 4 {
		text[len(text)-1-i] = byte(b)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o644))
}

// eventual FILE PATTERN waits until the file matches.
func eventual(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: eventual file pattern")
	}
	pattern := regexp.MustCompile(args[1])
	for range 600 {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && pattern.Match(text) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("%s does not match %s within 30 s", args[0], args[1])
}

// word is a part of a printed command: quoted, or without spaces.
var word = regexp.MustCompile(`"[^"]*"|\S+`)

// typedCommands FILE N runs the N commands that a file tells the user to type.
func typedCommands(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: typed file count")
	}
	ran := 0
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		words := word.FindAllString(strings.TrimSpace(line), -1)
		if len(words) == 0 || words[0] != "finetune" {
			continue
		}
		for i := range words {
			words[i] = strings.Trim(words[i], `"`)
		}
		ts.Logf("typed: %s", line)
		ts.Check(ts.Exec(words[0], words[1:]...))
		ran++
	}
	if want := args[1]; strconv.Itoa(ran) != want {
		ts.Fatalf("%d commands printed, want %s", ran, want)
	}
}
