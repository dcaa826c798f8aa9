package main

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAgrees: ids have to be the same, logits as near as the bound says.
func TestAgrees(t *testing.T) {
	texts, ids := []string{"a", "b"}, [][]int32{{1}, {2, 3}}
	ours := [][]float32{{1, 4, -8}, {3, 2, 1}}
	for _, test := range []struct {
		name  string
		given answer
		want  string // of the error; "": agrees
	}{
		{"the same", answer{IDs: ids, Logits: [][]float64{{1, 4, -8}, {3, 2, 1}}}, ""},
		{"near, without ids", answer{Logits: [][]float64{{1, 4.007, -8}, {3, 2, 1, -99}}}, ""},
		{"other ids", answer{IDs: [][]int32{{1}, {2}}, Logits: [][]float64{{1, 4, -8}, {3, 2, 1}}}, `reads "b" as the tokens [2], want [2 3]`},
		{"too far", answer{Logits: [][]float64{{1, 4, -8}, {3, 3.5, 1}}}, "answers otherwise: the next token of 1 of 2 texts is the same, logits differ by at most 1.5, the largest is 8; want at most 0.008"},
		{"no number", answer{Logits: [][]float64{{1, math.NaN(), -8}, {3, 2, 1}}}, "answers otherwise"},
		{"too few", answer{Logits: [][]float64{{1, 4}, {3, 2, 1}}}, "has 2 logits, want 3"},
		{"a text less", answer{Logits: [][]float64{{1, 4, -8}}}, "1 texts read, want 2"},
	} {
		words, err := test.given.agrees(texts, ids, ours, 1e-3)
		if test.want == "" && (err != nil || !strings.Contains(words, "of 2 texts is the same, logits differ by at most")) {
			t.Errorf("%s: %q, %v", test.name, words, err)
		}
		if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

// TestAFolderIsNoConsumer: Python takes any folder here that is called like a module for one.
func TestAFolderIsNoConsumer(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip(err)
	}
	const to, module = "nowhere", "finetune_exports_nowhere"
	consumers[to] = consumer{name: "nothing", module: module}
	defer delete(consumers, to)
	t.Chdir(t.TempDir())
	if err := os.Mkdir(module, 0o777); err != nil {
		t.Fatal(err)
	}
	if c, err := findConsumer(to); err == nil {
		t.Errorf("%s is said to have it", c.python)
	}
	if err := os.WriteFile(filepath.Join(module, "__init__.py"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := findConsumer(to); err != nil {
		t.Errorf("a module: %v", err)
	}
}
