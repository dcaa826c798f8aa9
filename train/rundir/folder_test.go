package rundir

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestLook: what lies in a folder, by the files in it.
func TestLook(t *testing.T) {
	adapter := []string{AdapterConfig, AdapterWeights}
	for what, x := range map[string]struct {
		files    []string
		kind     Kind
		settings string
		steps    []int
	}{
		"nothing":                    {nil, Empty, "", nil},
		"somebody's files":           {[]string{"notes.txt", "README.md"}, Empty, "", nil},
		"a run that saved nothing":   {[]string{SettingsFile, MetricsFile}, Empty, SettingsFile, nil},
		"half an adapter":            {[]string{AdapterWeights}, Empty, "", nil},
		"an adapter":                 {adapter, Finished, "", nil},
		"a run in the middle":        {[]string{SettingsFile, "checkpoints/step-000002/x", "checkpoints/step-000010/x", "checkpoints/.step-new/x"}, Unfinished, SettingsFile, []int{10, 2}},
		"a finished run":             {append([]string{SettingsFile, "checkpoints/step-000010/x"}, adapter...), Finished, SettingsFile, []int{10}},
		"a run over an adapter":      {append([]string{SettingsFile, unfinishedFile, "checkpoints/step-000010/x"}, adapter...), Unfinished, SettingsFile, []int{10}},
		"a run that takes over":      {append([]string{SettingsFile, beginningFile, "checkpoints/step-000010/x"}, adapter...), Unfinished, beginningFile, nil},
		"a run that took over a run": {[]string{SettingsFile, beginningFile, "checkpoints/step-000010/x"}, Empty, beginningFile, nil},
	} {
		dir := t.TempDir()
		for _, name := range x.files {
			path := filepath.Join(dir, filepath.FromSlash(name))
			mkdir(t, filepath.Dir(path))
			put(t, path, "x")
		}
		f, err := Look(dir)
		if err != nil {
			t.Fatal(err)
		}
		var steps []int
		for _, c := range f.Checkpoints {
			steps = append(steps, c.Step)
		}
		settings := ""
		if x.settings != "" {
			settings = filepath.Join(dir, x.settings)
		}
		if f.Kind != x.kind || f.Settings != settings || !slices.Equal(steps, x.steps) {
			t.Errorf("%s: kind %d, settings %q, steps %v, want %d, %q, %v", what, f.Kind, f.Settings, steps, x.kind, settings, x.steps)
		}
	}
	if f, err := Look(filepath.Join(t.TempDir(), "absent")); err != nil || f.Kind != Empty {
		t.Errorf("no folder: %+v, %v", f, err)
	}
}

// TestPublish: pages take their places together, before the adapter, and none does
// where one cannot be written.
func TestPublish(t *testing.T) {
	path := t.TempDir()
	put(t, filepath.Join(path, AdapterConfig), "old")
	put(t, filepath.Join(path, AdapterWeights), "old")
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Begin([]byte("seed: 1\n")); err != nil {
		t.Fatal(err)
	}
	if f, err := Look(path); err != nil || f.Kind != Unfinished {
		t.Errorf("begun over an adapter: %+v, %v", f, err)
	}
	placed := 0
	place := func() error {
		placed++
		if text, err := os.ReadFile(d.Path("a")); err != nil || string(text) != "1" {
			t.Errorf("placed before its page: %q, %v", text, err)
		}
		return nil
	}
	if err := d.Publish([]Page{{"a", []byte("0")}, {"no/such/folder", nil}}, place); err == nil || placed > 0 {
		t.Errorf("a page that cannot be written: %v, placed %d times", err, placed)
	}
	if list, _ := filepath.Glob(d.Path("*a*")); slices.Contains(list, d.Path("a")) {
		t.Errorf("some pages are there: %v", list)
	}
	failed := errors.New("no")
	if err := d.Publish([]Page{{"a", []byte("1")}}, func() error { return failed }); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
	if f, err := Look(path); err != nil || f.Kind != Unfinished {
		t.Errorf("where the adapter failed: %+v, %v", f, err)
	}
	if err := d.Publish([]Page{{"a", []byte("1")}}, place); err != nil || placed != 1 {
		t.Errorf("%v, placed %d times", err, placed)
	}
	if f, err := Look(path); err != nil || f.Kind != Finished {
		t.Errorf("published: %+v, %v", f, err)
	}
}
