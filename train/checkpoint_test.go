package train

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/simd"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

// checkpoint saves a state in the folder of a run.
func checkpoint(t testing.TB, out string, st *state, o *updater, best [][]float32) string {
	t.Helper()
	dir, err := rundir.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	path, err := dir.Save(st.Step, st, tensors(o, best), 2)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckpointComesBack(t *testing.T) {
	p := simd.NewPool(1)
	defer p.Close()
	c := recipe.Default()
	first := updaterOf(t, &c, p, layer("a"), layer("b"))
	for range 3 {
		if _, _, err := first.step(0, 1); err != nil {
			t.Fatal(err)
		}
	}
	best := [][]float32{{1, 2, 3, 4, 5, 6, 7, 8}, {9, 8, 7, 6, 5, 4}, make([]float32, 8), make([]float32, 6)}
	dir := t.TempDir()
	path := checkpoint(t, dir, &state{Layout: stateLayout, Step: 3, Total: 10, Losses: rundir.Losses{Best: 0.1}, Recipe: c.Recipe}, first, best)
	st, err := readState(path)
	if err != nil || st.Step != 3 || st.Best != 0.1 {
		t.Fatalf("%+v, %v", st, err)
	}
	second := updaterOf(t, &c, p, layer("a"), layer("b"))
	back, err := loadTensors(path, second, true)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range values(first) {
		if !slices.Equal(x, values(second)[i]) || !slices.Equal(best[i], back[i]) {
			t.Errorf("parameter %d is not what was saved", i)
		}
	}
	for i, x := range first.optimizer.State() {
		if y := second.optimizer.State()[i]; y.Name != x.Name || !slices.Equal(x.Value, y.Value) {
			t.Errorf("%s is not what was saved", x.Name)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "checkpoints", ".step-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	other := updaterOf(t, &c, p, layer("c"))
	_, err = loadTensors(path, other, false)
	expect(t, "another layer", err, "no tensor c.lora_A", "")
	wide := loraone.NewLayer(model.Projection{Name: "a", Out: 3, In: 5}, 2, 1)
	_, err = loadTensors(path, updaterOf(t, &c, p, wide), false)
	expect(t, "another shape", err, "a.lora_A is F32 [2 4], want F32 [2 5]", "")
}

// FuzzCheckpoint reads states and tensors whose checksums are right.
func FuzzCheckpoint(f *testing.F) {
	p := simd.NewPool(1)
	f.Cleanup(p.Close)
	c := recipe.Default()
	o := updaterOf(f, &c, p, layer("a"))
	path := checkpoint(f, f.TempDir(), &state{Layout: stateLayout, Step: 3, Total: 10, Recipe: c.Recipe}, o, nil)
	good, err := os.ReadFile(filepath.Join(path, "state.json"))
	if err != nil {
		f.Fatal(err)
	}
	tensors, err := os.ReadFile(filepath.Join(path, "state.safetensors"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, tensors)
	f.Add([]byte(`{"version": 1, "step": -1}`), tensors[:40])
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text, tensors []byte) {
		put(t, filepath.Join(dir, "state.json"), string(text))
		put(t, filepath.Join(dir, "state.safetensors"), string(tensors))
		seal(t, dir)
		st, err := readState(dir)
		if err == nil && (st.Step < 0 || st.Step > st.Total) {
			t.Fatalf("step %d of %d", st.Step, st.Total)
		}
		if err == nil {
			_ = c.Resumes(&st.Recipe) // any answer, but no panic
		}
		if _, err := loadTensors(dir, o, false); err != nil && err.Error() == "" {
			t.Fatal("an error without words")
		}
	})
}
