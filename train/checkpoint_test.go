package train

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"example.com/finetune/internal/files"
	"example.com/finetune/loraone"
	"example.com/finetune/simd"
)

func TestCheckpointComesBack(t *testing.T) {
	p := simd.NewPool(1)
	defer p.Close()
	c := Default()
	first := newOptimizer(&c, 10, []*loraone.Layer{layer("a"), layer("b")}, p)
	for range 3 {
		if _, _, err := first.step(0, 1); err != nil {
			t.Fatal(err)
		}
	}
	best := [][]float32{{1, 2, 3, 4, 5, 6, 7, 8}, {9, 8, 7, 6, 5, 4}, make([]float32, 8), make([]float32, 6)}
	dir := t.TempDir()
	path, err := writeCheckpoint(dir, &state{Version: stateVersion, Step: 3, Total: 10, BestLoss: 0.1}, first, best)
	if err != nil {
		t.Fatal(err)
	}
	st, err := verify(path)
	if err != nil || st.Step != 3 || st.BestLoss != 0.1 {
		t.Fatalf("%+v, %v", st, err)
	}
	second := newOptimizer(&c, 10, []*loraone.Layer{layer("a"), layer("b")}, p)
	back, err := loadTensors(path, second, true)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range parameters(first.layers) {
		if !slices.Equal(x, parameters(second.layers)[i]) || !slices.Equal(first.m[i], second.m[i]) || !slices.Equal(first.v[i], second.v[i]) || !slices.Equal(best[i], back[i]) {
			t.Errorf("tensor %d is not what was saved", i)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".step-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	other := newOptimizer(&c, 10, []*loraone.Layer{layer("c")}, p)
	_, err = loadTensors(path, other, false)
	expect(t, "another layer", err, "no tensor c.lora_A", "", false)
	wide := loraone.NewLayer("a", 5, 3, 2, 1)
	_, err = loadTensors(path, newOptimizer(&c, 10, []*loraone.Layer{wide}, p), false)
	expect(t, "another shape", err, "a.lora_A is F32 [2 4], want F32 [2 5]", "", false)
}

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
	p := simd.NewPool(1)
	defer p.Close()
	c := Default()
	o := newOptimizer(&c, 10, []*loraone.Layer{layer("a")}, p)
	path, err := writeCheckpoint(t.TempDir(), &state{Version: stateVersion, Step: 3, Total: 10}, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) != 3 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, e := range entries {
		file := filepath.Join(path, e.Name())
		good := []byte(content(t, file))
		spoiled := func(what string, at int, bad []byte) {
			put(t, file, string(bad))
			var damage damagedError
			if _, err := verify(path); !errors.As(err, &damage) {
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
	if _, err := verify(path); err != nil {
		t.Error(err)
	}
}

// TestReplacingACheckpoint stops between the two renames: the one that was to be
// replaced is found, and gets its name back.
func TestReplacingACheckpoint(t *testing.T) {
	p := simd.NewPool(1)
	defer p.Close()
	c := Default()
	o := newOptimizer(&c, 10, []*loraone.Layer{layer("a")}, p)
	write := func(dir string, step int, loss float64) string {
		path, err := writeCheckpoint(dir, &state{Version: stateVersion, Step: step, Total: 10, BestLoss: loss}, o, nil)
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
		dir := filepath.Join(out, checkpointsDir)
		write(dir, 2, 0.2)
		path := write(dir, 3, 0.3)
		if err := makeWay(path); err != nil {
			t.Fatal(err)
		}
		after(path)
		from, st, _, err := findCheckpoint(&Config{OutputDir: out, Resume: true})
		if err != nil || st == nil || st.BestLoss != 0.3 {
			t.Fatalf("%s: %s, %+v, %v", what, from, st, err)
		}
		if err := settle(dir, from, st.Step); err != nil {
			t.Fatal(err)
		}
		list, err := checkpoints(dir)
		if err != nil || len(list) != 2 || list[0].path != path {
			t.Errorf("%s: %+v, %v", what, list, err)
		}
		write(dir, 3, 0.4) // in place of the first
		if err := prune(dir, 2); err != nil {
			t.Fatal(err)
		}
		if list, err = checkpoints(dir); err != nil || len(list) != 2 || list[0].path != path {
			t.Errorf("%s, replaced: %+v, %v", what, list, err)
		}
		if st, err := verify(path); err != nil || st.BestLoss != 0.4 {
			t.Errorf("%s, replaced: %+v, %v", what, st, err)
		}
	}
}

// FuzzCheckpoint reads states and tensors whose checksums are right.
func FuzzCheckpoint(f *testing.F) {
	p := simd.NewPool(1)
	f.Cleanup(p.Close)
	c := Default()
	o := newOptimizer(&c, 10, []*loraone.Layer{layer("a")}, p)
	path, err := writeCheckpoint(f.TempDir(), &state{Version: stateVersion, Step: 3, Total: 10}, o, nil)
	if err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(path, stateFile))
	if err != nil {
		f.Fatal(err)
	}
	tensors, err := os.ReadFile(filepath.Join(path, tensorsFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, tensors)
	f.Add([]byte(`{"version": 1, "step": -1}`), tensors[:40])
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text, tensors []byte) {
		sums := manifest{}
		for name, content := range map[string][]byte{stateFile: text, tensorsFile: tensors} {
			path := filepath.Join(dir, name)
			put(t, path, string(content))
			if sums[name], err = files.SHA256(path); err != nil {
				t.Fatal(err)
			}
		}
		if err := writeJSON(filepath.Join(dir, manifestFile), sums); err != nil {
			t.Fatal(err)
		}
		st, err := verify(dir)
		if err == nil && (st.Step < 0 || st.Step > st.Total) {
			t.Fatalf("step %d of %d", st.Step, st.Total)
		}
		if err == nil {
			_ = sameSettings(&c, st.Settings) // any answer, but no panic
		}
		if _, err := loadTensors(dir, o, false); err != nil && err.Error() == "" {
			t.Fatal("an error without words")
		}
	})
}
