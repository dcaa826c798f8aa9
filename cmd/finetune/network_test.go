package main

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNetwork: of the program's packages only model/hub opens connections. No other
// imports a package that could, and of others' only the progress bar does, for a server
// that it starts when asked to (StartHTTPServer), which is never.
func TestNetwork(t *testing.T) {
	const format = `{{if not .Standard}}{{.ImportPath}} {{join .Imports " "}}{{end}}`
	out, err := exec.Command("go", "list", "-deps", "-f", format, "example.com/finetune/cmd/finetune").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	harmless := []string{"net/url", "net/netip"}
	var found []string
	packages := 0
	for line := range strings.Lines(string(out)) {
		paths := strings.Fields(line)
		if len(paths) == 0 {
			continue
		}
		packages++
		for _, p := range paths[1:] {
			if (p == "net" || strings.HasPrefix(p, "net/")) && !slices.Contains(harmless, p) {
				found = append(found, paths[0]+" imports "+p)
			}
		}
	}
	slices.Sort(found)
	want := []string{
		"example.com/finetune/model/hub imports net/http",
		"github.com/schollz/progressbar/v3 imports net/http",
	}
	if !slices.Equal(found, want) {
		t.Errorf("found %q\nwant %q", found, want)
	}
	if packages < 20 {
		t.Errorf("go list names %d packages", packages)
	}
}

// TestWhoAsksTheHub: a client of the Hub is made in one place, and that is used by the
// commands that say so.
func TestWhoAsksTheHub(t *testing.T) {
	found := map[string][]string{}
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, call := range []string{"hub.NewClient(", "hub.Client{", "newHub(u)"} {
			if bytes.Contains(text, []byte(call)) {
				found[call] = append(found[call], filepath.Base(path))
			}
		}
		return err
	})
	want := map[string][]string{"hub.NewClient(": {"download.go"}, "newHub(u)": {"download.go", "fetch.go", "upload.go"}}
	if err != nil || !maps.EqualFunc(found, want, slices.Equal) {
		t.Errorf("%v, %v, want %v", found, err, want)
	}
}

// TestNoServer: nothing of ours starts the progress bar's server.
func TestNoServer(t *testing.T) {
	files := 0
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte("StartHTTPServer")) {
			t.Errorf("%s names StartHTTPServer", path)
		}
		return err
	})
	if err != nil || files < 50 {
		t.Errorf("%d files, %v", files, err)
	}
}
