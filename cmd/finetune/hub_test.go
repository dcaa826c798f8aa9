package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"example.com/finetune/model/hub/hubtest"
)

// TestHub runs the scripts of the commands that use the network, each with a Hub of its
// own at $HF_ENDPOINT. $HF_TOKEN is not set; $TOKEN is one that may do all.
func TestHub(t *testing.T) {
	scripts, err := filepath.Glob(filepath.Join("testdata", "hub", "*.txtar"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	model, err := filepath.Abs(filepath.Join("demo", "model"))
	if err != nil {
		t.Fatal(err)
	}
	type server struct{}
	testscript.Run(t, testscript.Params{
		Files:               scripts,
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			s := hubtest.New(t)
			if err := putModels(s, model); err != nil {
				return err
			}
			e.Values[server{}] = s
			e.Setenv("DATA", filepath.Join(filepath.Dir(model), "data"))
			e.Setenv("HF_ENDPOINT", s.URL)
			e.Setenv("HF_HOME", filepath.Join(e.WorkDir, "hf"))
			e.Setenv("TOKEN", hubtest.Token)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits,
			// fault MATCH cut|flip|STATUS N makes something go wrong.
			"fault": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(addFault(ts.Value(server{}).(*hubtest.Server), args))
			},
			// eventually MATCH N waits for that many requests.
			"eventually": func(ts *testscript.TestScript, _ bool, args []string) {
				want, err := strconv.Atoi(args[1])
				ts.Check(err)
				for range 600 {
					if ts.Value(server{}).(*hubtest.Server).Count(args[0]) >= want {
						return
					}
					time.Sleep(50 * time.Millisecond)
				}
				ts.Fatalf("fewer than %d requests of %q within 30 s", want, args[0])
			},
			// requests MATCH N wants that many requests so far.
			"requests": func(ts *testscript.TestScript, _ bool, args []string) {
				if got := ts.Value(server{}).(*hubtest.Server).Count(args[0]); strconv.Itoa(got) != args[1] {
					ts.Fatalf("%d requests of %q, want %s", got, args[0], args[1])
				}
			},
		},
	})
}

// putModels makes org/tiny, the demo's model with weights that nobody needs beside it,
// a gated one, and one that is called org/tiny now.
func putModels(s *hubtest.Server, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	content := map[string][]byte{"README.md": []byte("# tiny\n"), "pytorch_model.bin": make([]byte, 5000)}
	for _, e := range entries {
		if content[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	s.Put("org/tiny", &hubtest.Repo{Files: content})
	s.Put("org/gated", &hubtest.Repo{Files: content, Gated: true})
	s.Put("org/old", &hubtest.Repo{RenamedTo: "org/tiny"})
	return nil
}

func addFault(s *hubtest.Server, args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: fault match what times")
	}
	times, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	f := hubtest.Fault{Match: strings.ReplaceAll(args[0], "_", " "), Times: times}
	switch args[1] {
	case "cut":
		f.Cut = 100_000
	case "flip":
		f.Flip = true
	default:
		if f.Status, err = strconv.Atoi(args[1]); err != nil {
			return err
		}
	}
	s.Fault(f)
	return nil
}
