package rundir

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"example.com/finetune/model/safetensors"
)

// A state stands for that of the loop.
type state struct {
	Loss float64 `json:"loss"`
}

var some = []safetensors.Entry{{Name: "a", Shape: []int{2, 3}, Data: []float32{1, 2, 3, 4, 5, 6}}}

func TestPruneKeepsTheNewest(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"step-000002", "step-000010", "step-1000000", "step-000009", "step-000010.old", ".step-gone", ".step-new", "other"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := prune(dir, 2); err != nil {
		t.Fatal(err)
	}
	var names []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"other", "step-000010", "step-1000000"}; !slices.Equal(names, want) {
		t.Errorf("left %v, want %v", names, want)
	}
}

// TestEveryDamageIsSeen flips bits all over a checkpoint and cuts every
// file short at many places.
func TestEveryDamageIsSeen(t *testing.T) {
	t.Parallel()
	path, err := write(t.TempDir(), 3, state{0.1}, some)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) != 3 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, e := range entries {
		file := filepath.Join(path, e.Name())
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		spoiled := func(what string, at int, bad []byte) {
			put(t, file, string(bad))
			if err := ReadState(path, new(state)); !errors.As(err, new(DamagedError)) {
				t.Errorf("%s, %s at %d: %v", e.Name(), what, at, err)
			}
		}
		each := 1 + len(good)/400
		for i := 0; i < len(good); i += each {
			bad := slices.Clone(good)
			bad[i] ^= 1 << (i % 8)
			spoiled("a bit", i, bad)
		}
		for n := 0; n < len(good)-1; n += 7 * each { // the manifest's last byte is its line's end
			spoiled("cut", n, good[:n])
		}
		put(t, file, string(good))
	}
	if err := ReadState(path, new(state)); err != nil {
		t.Error(err)
	}
}

// TestReplacingACheckpoint stops between the two renames: the one that was to be
// replaced is found, and gets its name back.
func TestReplacingACheckpoint(t *testing.T) {
	write := func(dir string, step int, loss float64) string {
		path, err := write(dir, step, state{loss}, some)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	for what, after := range map[string]func(path string){
		"nothing in its place":     func(string) {},
		"something bad in it":      func(path string) { mkdir(t, path) },
		"a newer one that is torn": func(path string) { mkdir(t, filepath.Join(filepath.Dir(path), "step-000004")) },
	} {
		out := t.TempDir()
		dir := filepath.Join(out, CheckpointsDir)
		write(dir, 2, 0.2)
		path := write(dir, 3, 0.3)
		if err := makeWay(path); err != nil {
			t.Fatal(err)
		}
		after(path)
		folder, err := Look(out)
		if err != nil {
			t.Fatal(err)
		}
		var st state
		from, _, err := Newest(folder.Checkpoints, func(path string) error { return ReadState(path, &st) })
		if err != nil || st.Loss != 0.3 {
			t.Fatalf("%s: %s, %+v, %v", what, from, st, err)
		}
		if err := restart(dir, from, 3); err != nil {
			t.Fatal(err)
		}
		all, err := list(dir)
		if err != nil || len(all) != 2 || all[0].Path != path {
			t.Errorf("%s: %+v, %v", what, all, err)
		}
		write(dir, 3, 0.4) // in place of the first
		if err := prune(dir, 2); err != nil {
			t.Fatal(err)
		}
		if all, err = list(dir); err != nil || len(all) != 2 || all[0].Path != path {
			t.Errorf("%s, replaced: %+v, %v", what, all, err)
		}
		if err := ReadState(path, &st); err != nil || st.Loss != 0.4 {
			t.Errorf("%s, replaced: %+v, %v", what, st, err)
		}
	}
}
