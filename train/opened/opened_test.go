package opened

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/finetune/internal/hint"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

// demo is the model of finetune demo.
var demo = filepath.Join("..", "..", "cmd", "finetune", "demo", "model")

// folder returns a copy of the demo's model.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"} {
		text, err := os.ReadFile(filepath.Join(demo, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// open opens and loads a model.
func open(t *testing.T, o Options) *Model {
	t.Helper()
	o.Threads = 1
	m, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	if err := m.Load(); err != nil {
		t.Fatal(err)
	}
	return m
}

// The recipe is the default one, as it was adjusted; weights come last.
func TestOpen(t *testing.T) {
	dir := folder(t)
	m := open(t, Options{Model: dir, Adjust: func(c *recipe.Config, origin *rundir.Provenance) error {
		if origin != nil {
			t.Error("there is an origin without an adapter")
		}
		c.MaxLength = 77
		return nil
	}})
	if m.Dir != dir || m.Label() != dir || m.Recipe.MaxLength != 77 || m.Recipe.LoraR != recipe.Default().LoraR || m.Template != nil || m.Adapters != nil {
		t.Errorf("%+v", m)
	}
	if got := m.Engine().Model(); got != m.Weights {
		t.Error("the engine is on other weights")
	}
	if err := os.Remove(filepath.Join(dir, "model.safetensors")); err != nil {
		t.Fatal(err)
	}
	other, err := Open(Options{Model: dir})
	if err != nil {
		t.Fatalf("small files alone: %v", err)
	}
	defer other.Close()
	if err := other.Load(); err == nil {
		t.Error("no weights, no error")
	}
}

// trained returns a model whose adapter, if it had one, was trained on weight files with
// these hashes, in a folder.
func trained(t *testing.T, m *Model, base string, files ...rundir.FileHash) {
	t.Helper()
	m.adapter = t.TempDir()
	if err := os.WriteFile(filepath.Join(m.adapter, rundir.ProvenanceFile), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	m.Origin = new(rundir.Provenance)
	m.Origin.Base.Name, m.Origin.Base.Dir, m.Origin.Base.Files = base, base, files
}

// Another base is told by its digests, which are read only where need be.
func TestOtherBase(t *testing.T) {
	dir := folder(t)
	m := open(t, Options{Model: dir})
	here, err := rundir.Hash(m.Weights.Files(), m.Pool)
	if err != nil {
		t.Fatal(err)
	}
	wrong := rundir.FileHash{Name: here[0].Name, SHA256: strings.Repeat("0", 64)}
	moved := rundir.FileHash{Name: "model-00001-of-00002.safetensors", SHA256: wrong.SHA256}
	hour := time.Now().Add(time.Hour)
	for _, c := range []struct {
		what    string
		base    string
		files   []rundir.FileHash
		touched bool // after the adapter was made
		want    []string
	}{
		{"the same weights elsewhere", "/gone", here, false, nil},
		{"others elsewhere", "/gone", []rundir.FileHash{wrong}, false, []string{"/gone", here[0].SHA256[:12], "000000000000"}},
		{"others by name", "org/base", []rundir.FileHash{wrong}, false, []string{"trained on org/base", dir}},
		{"other files", "/gone", []rundir.FileHash{moved}, false, []string{moved.Name, here[0].SHA256[:12], "000000000000"}},
		{"nothing known", "/gone", nil, false, nil},
		{"where it was, untouched: not read", dir, []rundir.FileHash{wrong}, false, nil},
		{"where it was, written to since", dir, []rundir.FileHash{wrong}, true, []string{here[0].SHA256[:12]}},
		{"where it was, touched", dir, here, true, nil},
	} {
		trained(t, m, c.base, c.files...)
		if c.touched {
			if err := os.Chtimes(m.Weights.Files()[0], hour, hour); err != nil {
				t.Fatal(err)
			}
		}
		got, err := m.OtherBase()
		if err != nil || (got == "") != (c.want == nil) || slices.ContainsFunc(c.want, func(part string) bool { return !strings.Contains(got, part) }) {
			t.Errorf("%s: %q, %v", c.what, got, err)
		}
	}
}

// Another program's adapter tells its base by its name alone.
func TestOtherBaseByName(t *testing.T) {
	for _, c := range []struct {
		named, id string
		want      bool
	}{
		{"org/base", "org/instruct", true},
		{"org/base", "org/base", false},
		{"Org/Base", "org/base", false},
		{"org/base", "", false}, // a folder may hold anything
		{"", "org/base", false},
		{"/home/me/base", "org/base", false},
		{"base", "org/base", false},
	} {
		m := &Model{adapter: "theirs", named: c.named}
		m.ID = c.id
		got, err := m.OtherBase()
		if err != nil || (got != "") != c.want || c.want && (!strings.Contains(got, c.named) || !strings.Contains(got, c.id)) {
			t.Errorf("%q on %q: %q, %v", c.named, c.id, got, err)
		}
	}
}

// An adapter's id on the Hub is no folder here: the hint says how it becomes one.
func TestAdapterOfTheHub(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := Open(Options{Model: "x", Adapter: "org/adapter"}); !strings.Contains(hint.Of(err), "finetune download org/adapter") {
		t.Errorf("%v (%s)", err, hint.Of(err))
	}
	if err := os.MkdirAll("org/adapter", 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Model: "x", Adapter: "org/adapter"}); err == nil || strings.Contains(hint.Of(err), "download") {
		t.Errorf("a folder: %v (%s)", err, hint.Of(err))
	}
}
