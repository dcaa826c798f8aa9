package peft

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"example.com/finetune/loraone"
	"example.com/finetune/model/safetensors"
)

// TestReplace: another adapter takes the place, of the same shapes or of others, and
// other files of the folder stay.
func TestReplace(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []loraone.Config{someTargets, someTargets, {R: 2, Alpha: 1, TargetModules: []string{"o_proj"}}, someTargets} {
		m := small(t)
		a := attached(t, m, c)
		a.Layers[0].A[0] = float32(c.R)
		mustSave(t, dir, a)
		b, err := Load(dir, m)
		if err != nil || b.Config.R != c.R || b.Layers[0].A[0] != float32(c.R) {
			t.Errorf("%+v: %v", c, err)
		}
		if got := files(t, dir); !slices.Equal(got, []string{"README.md", configName, weightsName}) {
			t.Errorf("files %v", got)
		}
	}
}

// TestInterruptedReplace stops between any two steps: the folder then holds the old
// adapter, the new one, or none, never a mixture; and the next run gets over it.
func TestInterruptedReplace(t *testing.T) {
	m := small(t)
	for _, next := range []loraone.Config{
		{R: 2, Alpha: 1, TargetModules: []string{"o_proj"}},
		{R: 2, Alpha: 1, TargetModules: someTargets.TargetModules, BaseModel: "org/name"},
		{R: 4, Alpha: 1, TargetModules: someTargets.TargetModules, BaseModel: "org/name"}, // the same configuration
	} {
		for n := 0; ; n++ {
			dir := t.TempDir()
			mustSave(t, dir, attached(t, m, someTargets))
			a := attached(t, m, next)
			a.Layers[0].A[0] = 77
			tensors, err := fold(a)
			if err != nil {
				t.Fatal(err)
			}
			config, err := configJSON(a)
			if err != nil {
				t.Fatal(err)
			}
			if err := prepare(dir, tensors, config); err != nil {
				t.Fatal(err)
			}
			steps := publish(dir, config)
			for _, step := range steps[:n] {
				if err := step(); err != nil {
					t.Fatal(err)
				}
			}
			got, err := Load(dir, m)
			_, gone := os.Stat(filepath.Join(dir, configName))
			switch {
			case err == nil && (got.Config.R == next.R && got.Layers[0].A[0] == 77 || n < 3 && got.Config.R == someTargets.R):
			case gone != nil && n > 0 && n < len(steps)-1:
			default:
				t.Errorf("%+v, after step %d: %v", next, n, err)
			}
			mustSave(t, dir, attached(t, m, someTargets))
			if got := files(t, dir); !slices.Equal(got, []string{configName, weightsName}) {
				t.Errorf("files %v", got)
			}
			if n == len(steps) {
				break
			}
		}
	}
}

func TestFailedSaveKeepsTheOld(t *testing.T) {
	dir, m := t.TempDir(), small(t)
	mustSave(t, dir, attached(t, m, someTargets))
	// A folder stands where the new configuration is to be written.
	if err := os.Mkdir(filepath.Join(dir, pending(configName)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, pending(configName), "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Save(dir, attached(t, m, loraone.Config{R: 2, Alpha: 1, TargetModules: []string{"o_proj"}})); err == nil {
		t.Fatal("no error")
	}
	if a, err := Load(dir, m); err != nil || a.Config.R != 4 {
		t.Errorf("the old adapter is gone: %v", err)
	}
	if got := files(t, dir); !slices.Equal(got, []string{pending(configName), configName, weightsName}) {
		t.Errorf("files %v", got)
	}
}

func TestVerifySeesEveryDifference(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	good := []safetensors.Entry{{Name: "a", Shape: []int{2}, Data: []float32{1, 0}}, {Name: "b", Shape: []int{1}, Data: []float32{2}}}
	if err := safetensors.Write(path, good, nil); err != nil {
		t.Fatal(err)
	}
	if err := verify(path, good); err != nil {
		t.Error(err)
	}
	zero := float32(math.Copysign(0, -1))
	for what, want := range map[string][]safetensors.Entry{
		"bit":   {{Name: "a", Shape: []int{2}, Data: []float32{1, zero}}, good[1]},
		"shape": {{Name: "a", Shape: []int{2, 1}, Data: []float32{1, 0}}, good[1]},
		"name":  {{Name: "c", Shape: []int{2}, Data: []float32{1, 0}}, good[1]},
		"count": good[:1],
	} {
		if verify(path, want) == nil {
			t.Errorf("another %s: no error", what)
		}
	}
	var notThere *os.PathError
	if err := verify(path+"x", good); !errors.As(err, &notThere) {
		t.Error(err)
	}
}
