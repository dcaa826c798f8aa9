package peft

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	for _, c := range []loraone.Config{someTargets, someTargets, settings(2, 1, "o_proj"), someTargets} {
		a := made(t, small, c)
		layers(a)[0].A[0] = float32(c.R)
		mustSave(t, dir, a)
		b, err := Load(dir, small)
		if err != nil || rank(b) != c.R || layers(b)[0].A[0] != float32(c.R) {
			t.Errorf("%+v: %v", c, err)
		}
		if got := fileNames(t, dir); !slices.Equal(got, []string{"README.md", configName, weightsName}) {
			t.Errorf("files %v", got)
		}
	}
}

// TestInterruptedReplace stops between any two steps: the folder then holds the old
// adapter, the new one, or none, never a mixture; and the next run gets over it.
func TestInterruptedReplace(t *testing.T) {
	for _, next := range []loraone.Config{
		settings(2, 1, "o_proj"),
		settings(2, 1, someTargets.TargetModules...),
		settings(4, 1, someTargets.TargetModules...), // the same configuration
	} {
		for n := 0; ; n++ {
			dir := t.TempDir()
			mustSave(t, dir, made(t, small, someTargets))
			a := made(t, small, next)
			layers(a)[0].A[0] = 77
			p, err := Prepare(dir, a, baseName)
			if err != nil {
				t.Fatal(err)
			}
			steps := p.steps()
			for _, step := range steps[:n] {
				if err := step(); err != nil {
					t.Fatal(err)
				}
			}
			got, err := Load(dir, small)
			_, gone := os.Stat(filepath.Join(dir, configName))
			switch {
			case err == nil && (rank(got) == next.R && layers(got)[0].A[0] == 77 || n < 3 && rank(got) == someTargets.R):
			case gone != nil && n > 0 && n < len(steps)-1:
			default:
				t.Errorf("%+v, after step %d: %v", next, n, err)
			}
			if got := fileNames(t, dir); n >= len(steps)-1 && len(got) != 2 {
				t.Errorf("%+v, after step %d: files %v", next, n, got)
			}
			mustSave(t, dir, made(t, small, someTargets))
			if got := fileNames(t, dir); !slices.Equal(got, []string{configName, weightsName}) {
				t.Errorf("files %v", got)
			}
			if n == len(steps) {
				break
			}
		}
	}
}

// TestFailedVerificationKeepsTheOld spoils what was written before it is read back.
func TestFailedVerificationKeepsTheOld(t *testing.T) {
	next := settings(2, 1, "o_proj")
	for want, spoil := range map[string]func(dir string) error{
		"read back, tensor ":                        func(dir string) error { return flip(filepath.Join(dir, weightsName), -1) },
		"reading back: ":                            func(dir string) error { return flip(filepath.Join(dir, weightsName), 0) },
		configName + ": read back, it is not what ": func(dir string) error { return flip(filepath.Join(dir, configName), 9) },
		"reading back: open ":                       func(dir string) error { return os.Remove(filepath.Join(dir, configName)) },
	} {
		dir := t.TempDir()
		mustSave(t, dir, made(t, small, someTargets))
		_, err := prepare(dir, made(t, small, next), baseName, func(dir string) {
			if err := spoil(dir); err != nil {
				t.Fatal(err)
			}
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if a, err := Load(dir, small); err != nil || rank(a) != 4 {
			t.Errorf("%s: the old adapter is gone: %v", want, err)
		}
		if got := fileNames(t, dir); !slices.Equal(got, []string{configName, weightsName}) {
			t.Errorf("%s: files %v", want, got)
		}
	}
}

// flip changes a bit of a file, at an offset from its start or, below zero, its end.
func flip(path string, at int) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if at < 0 {
		at += len(text)
	}
	text[at] ^= 1
	return os.WriteFile(path, text, 0o644)
}

// TestPendingIsNoAdapterYet: until Publish the old one stands, and Load reads both.
func TestPendingIsNoAdapterYet(t *testing.T) {
	dir := t.TempDir()
	mustSave(t, dir, made(t, small, someTargets))
	elsewhere := t.TempDir()
	if err := os.Symlink(elsewhere, filepath.Join(dir, pendingDir)); err != nil {
		t.Skip(err)
	}
	p, err := Prepare(dir, made(t, small, settings(2, 1, "o_proj")), baseName)
	if err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]int{dir: 4, p.Dir(): 2} {
		if a, err := Load(from, small); err != nil || rank(a) != want {
			t.Errorf("%s: %v", from, err)
		}
	}
	p.Discard()
	if got := fileNames(t, dir); !slices.Equal(got, []string{configName, weightsName}) {
		t.Errorf("files %v", got)
	}
	if got := fileNames(t, elsewhere); len(got) != 0 {
		t.Errorf("written through a link: %v", got)
	}
}

func TestVerifySeesEveryDifference(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	good := []safetensors.Entry{{Name: "a", Shape: []int{2}, Data: []float32{1, 0}}, {Name: "b", Shape: []int{1}, Data: []float32{2}}}
	if err := safetensors.Write(path, good, nil); err != nil {
		t.Fatal(err)
	}
	if err := safetensors.Verify(path, good); err != nil {
		t.Error(err)
	}
	zero := float32(math.Copysign(0, -1))
	for what, want := range map[string][]safetensors.Entry{
		"bit":   {{Name: "a", Shape: []int{2}, Data: []float32{1, zero}}, good[1]},
		"shape": {{Name: "a", Shape: []int{2, 1}, Data: []float32{1, 0}}, good[1]},
		"name":  {{Name: "c", Shape: []int{2}, Data: []float32{1, 0}}, good[1]},
		"count": good[:1],
	} {
		if safetensors.Verify(path, want) == nil {
			t.Errorf("another %s: no error", what)
		}
	}
	var notThere *os.PathError
	if err := safetensors.Verify(path+"x", good); !errors.As(err, &notThere) {
		t.Error(err)
	}
}
