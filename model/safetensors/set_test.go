package safetensors

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/jsontree"
)

// sharded writes two shards and their index: a in s1, b and c in s2.
func sharded(t *testing.T) (dir string, of map[string]string) {
	t.Helper()
	dir = t.TempDir()
	for shard, names := range map[string][]string{"s1": {"a"}, "s2": {"b", "c"}} {
		var entries []Entry
		for _, n := range names {
			entries = append(entries, Entry{n, []int{1}, []float32{float32(n[0])}})
		}
		if err := Write(filepath.Join(dir, shard+".safetensors"), entries, nil); err != nil {
			t.Fatal(err)
		}
	}
	of = map[string]string{"a": "s1.safetensors", "b": "s2.safetensors", "c": "s2.safetensors"}
	writeIndex(t, dir, of)
	return dir, of
}

func writeIndex(t *testing.T, dir string, of map[string]string) {
	t.Helper()
	var list []string
	for n, shard := range of {
		list = append(list, fmt.Sprintf("%q: %q", n, shard))
	}
	write(t, filepath.Join(dir, indexName), []byte(`{"metadata": {"total_size": 12}, "weight_map": {`+strings.Join(list, ",")+`}}`))
}

func TestSharded(t *testing.T) {
	dir, _ := sharded(t)
	s, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Names(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("names %v", got)
	}
	for _, n := range s.Names() {
		if x, ok := s.Tensor(n); !ok || x.Name != n || len(x.Data) != 4 {
			t.Errorf("%s: %+v", n, x)
		}
	}
	var size int64
	for _, p := range s.Files() {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if len(s.Files()) != 2 || s.Bytes() != size {
		t.Errorf("%d files of %d bytes, want 2 of %d", len(s.Files()), s.Bytes(), size)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if _, ok := s.Tensor("a"); ok {
		t.Error("a closed set still has tensors")
	}
}

func TestSingleFileComesFirst(t *testing.T) {
	dir, _ := sharded(t)
	if err := Write(filepath.Join(dir, singleName), []Entry{{"only", nil, []float32{1}}}, nil); err != nil {
		t.Fatal(err)
	}
	s, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.Names(); !slices.Equal(got, []string{"only"}) {
		t.Errorf("names %v", got)
	}
}

// TestLinks: the Hub's cache is made of links to blobs, and they may lead on to a store
// that several caches share. All are followed, and one that leads nowhere is an error,
// in the single file's place as well.
func TestLinks(t *testing.T) {
	store, _ := sharded(t)
	repo := filepath.Join(t.TempDir(), "models--org--name")
	blobs, snapshot := filepath.Join(repo, "blobs"), filepath.Join(repo, "snapshots", "0123")
	for _, dir := range []string{blobs, snapshot} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target, path string) {
		t.Helper()
		if err := os.Symlink(target, path); err != nil {
			t.Skip(err)
		}
	}
	names := []string{"s1.safetensors", "s2.safetensors", indexName}
	for _, n := range names {
		link(filepath.Join(store, n), filepath.Join(blobs, n))
		link("../../blobs/"+n, filepath.Join(snapshot, n))
	}
	s, err := OpenDir(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	if x, ok := s.Tensor("c"); !ok || len(x.Data) != 4 || s.Files()[0] != filepath.Join(snapshot, "s1.safetensors") {
		t.Errorf("%+v of %v", x, s.Files())
	}
	s.Close()
	for _, n := range names {
		path := filepath.Join(store, n)
		if err := os.Rename(path, path+".moved"); err != nil {
			t.Fatal(err)
		}
		_, err = OpenDir(snapshot)
		wantError(t, n, err, filepath.Join(snapshot, n)+": a link to "+path+", which is not there")
		if err := os.Rename(path+".moved", path); err != nil {
			t.Fatal(err)
		}
	}
	link("nowhere", filepath.Join(snapshot, singleName))
	_, err = OpenDir(snapshot)
	wantError(t, "a link to nowhere in the single file's place", err, singleName+": a link to", "nowhere, which is not there")
}

func TestIndexMistakes(t *testing.T) {
	for want, change := range map[string]func(dir string, of map[string]string){
		"tensor c of s2.safetensors is not in the index":                 func(_ string, of map[string]string) { delete(of, "c") },
		"tensor b lies in s2.safetensors, the index says s1.safetensors": func(_ string, of map[string]string) { of["b"] = "s1.safetensors" },
		"tensor d is not in s1.safetensors":                              func(_ string, of map[string]string) { of["d"] = "s1.safetensors" },
		"s3.safetensors":                                                 func(_ string, of map[string]string) { of["d"] = "s3.safetensors" },
		"weight_map is empty":                                            func(_ string, of map[string]string) { clear(of) },
		"tensor a lies in s2.safetensors, the index says s1.safetensors": func(dir string, _ map[string]string) {
			entries := []Entry{{"a", nil, []float32{1}}, {"b", nil, []float32{1}}, {"c", nil, []float32{1}}}
			if err := Write(filepath.Join(dir, "s2.safetensors"), entries, nil); err != nil {
				t.Fatal(err)
			}
		},
		"and 15 more mistakes": func(_ string, of map[string]string) {
			for i := range 25 {
				of[fmt.Sprintf("t%02d", i)] = "s1.safetensors"
			}
		},
	} {
		t.Run(want, func(t *testing.T) {
			dir, of := sharded(t)
			of = maps.Clone(of)
			change(dir, of)
			writeIndex(t, dir, of)
			_, err := OpenDir(dir)
			wantError(t, want, err, want, indexName)
		})
	}
}

func TestShardsWithoutAnIndex(t *testing.T) {
	shards := func(files map[string]string) string {
		dir := t.TempDir()
		for name, tensor := range files {
			if err := Write(filepath.Join(dir, name), []Entry{{tensor, []int{1}, []float32{1}}}, nil); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	const one, two = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
	dir := shards(map[string]string{one: "a", two: "b"})
	write(t, filepath.Join(dir, "pytorch_model.bin.index.json"), []byte("{}"))
	s, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Names(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("names %v", got)
	}
	s.Close()
	for _, x := range []struct {
		files map[string]string
		want  string
	}{
		{map[string]string{two: "b"}, two + " is file 1 of 1"},
		{map[string]string{one: "a", "model-00003-of-00003.safetensors": "b"}, "model-00003-of-00003.safetensors is file 2 of 2"},
		{map[string]string{one: "a", two: "a"}, "tensor a lies in " + one + " and in " + two},
	} {
		_, err := OpenDir(shards(x.files))
		wantError(t, x.want, err, x.want)
	}
}

func TestMissingShardHasAHint(t *testing.T) {
	dir, _ := sharded(t)
	if err := os.Remove(filepath.Join(dir, "s2.safetensors")); err != nil {
		t.Fatal(err)
	}
	_, err := OpenDir(dir)
	var hint interface{ Hint() string }
	if !errors.Is(err, os.ErrNotExist) || !errors.As(err, &hint) || !strings.Contains(hint.Hint(), "download") {
		t.Errorf("%v", err)
	}
}

// TestIndexNamesOnlyItsFolder: a name with a way in it never becomes a path.
func TestIndexNamesOnlyItsFolder(t *testing.T) {
	for _, name := range []string{
		"", ".", "..", ".safetensors", "../x.safetensors", "a/b.safetensors", "./x.safetensors", "/etc/x.safetensors",
		`..\\x.safetensors`, `C:x.safetensors`, "x.safetensors/", "x.safetensors/..", "x.bin", "pytorch_model.bin",
		`x\u0000.safetensors`, "x.safetensors ", "x.SAFETENSORS", `\u001b[2Jx.safetensors`, `x\n.safetensors`,
		strings.Repeat("x", 300) + ".safetensors", "//host/x.safetensors", "~/x.safetensors", "..%2fx.safetensors/",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseIndex(`{"weight_map": {"a.weight": "` + name + `"}}`)
			wantError(t, name, err, "weight_map.a.weight is ", "want the bare name")
		})
	}
	of, err := parseIndex(`{"weight_map": {"a": "model-00001-of-00002.safetensors"}}`)
	if err != nil || of["a"] != "model-00001-of-00002.safetensors" {
		t.Errorf("%v, %v", of, err)
	}
}

func TestIndexSyntax(t *testing.T) {
	for _, test := range [][2]string{
		{`{}`, "weight_map is missing"},
		{`{"weight_map": []}`, "weight_map is [], want an object"},
		{`{"weight_map": {"a": 1}}`, "weight_map.a is 1, want"},
		{`{"weight_map": {"a": null}}`, "weight_map.a is null, want"},
		{`{"weight_map": {"a": ["x.safetensors", "y.safetensors"]}}`, `weight_map.a is ["x.safetensors", "y.safetensors"], want`},
		{`{"weight_map": {"a": {"file": "x.safetensors"}}}`, "weight_map.a is {"},
		{`{"weight_map": null}`, "weight_map is missing"},
		{`{"weight_map": {}}`, "weight_map is empty"},
		{`{"Weight_Map": {"a": "x.safetensors"}}`, "weight_map is missing"},
		{manyShards(5000), "5000 shards, want at most 4096"},
		{`{"weight_map": ` + strings.Repeat("[", 20000), "more than 10000 lists"},
		{"{\"weight_map\": {\"a\": \"x\xff.safetensors\"}}", "invalid UTF-8"},
		{"{\"weight_map\":\n{\"a\": \"x.safetensors\",\n\"a\": \"y.safetensors\"}}", `line 3, byte 39: duplicate key "a"`},
		{`{"weight_map": {}, "weight_map": {}}`, `duplicate key "weight_map"`},
		{"{\n\"weight_map\": {", "line 2, byte 18: the text ends"},
		{`[]`, "a list, want an object"},
		{``, "the text ends, want a value"},
	} {
		t.Run(test[1], func(t *testing.T) {
			_, err := parseIndex(test[0])
			wantError(t, test[1], err, test[1], "index")
		})
	}
}

func manyShards(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"t%d":"%d.safetensors"`, i, i)
	}
	return `{"weight_map": {` + b.String()[1:] + `}}`
}

func parseIndex(text string) (map[string]string, error) {
	f, err := jsontree.ParseFields("index", text)
	if err != nil {
		return nil, err
	}
	return weightMap(f)
}

func TestNoWeights(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenDir(dir)
	wantError(t, "empty folder", err, dir, "neither model.safetensors nor model.safetensors.index.json")
	_, err = OpenDir(filepath.Join(dir, "none"))
	wantError(t, "no folder", err, "none")
	_, err = OpenDir(write(t, filepath.Join(dir, "file"), nil))
	wantError(t, "a file", err, "not a folder")
	for name, what := range map[string]string{
		"pytorch_model.bin": "is a pickle", "consolidated.00.pth": "is a pickle", "model.pt": "is a pickle", "pytorch_model.bin.index.json": "is the index of pickles",
	} {
		dir := filepath.Join(t.TempDir(), "a[1]*")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Skip(err)
		}
		write(t, filepath.Join(dir, name), []byte("PK\x03\x04"))
		_, err := OpenDir(dir)
		wantError(t, name, err, name+" "+what)
		if !strings.Contains(hint.Of(err), "save_pretrained") {
			t.Errorf("%s: no hint", name)
		}
	}
}

// A file by another name is named, and the advice works.
func TestWeightsByAnotherName(t *testing.T) {
	for name, c := range map[string]struct {
		tensor     string
		more       int // further files
		text, hint string
	}{
		"pytorch_model.safetensors": {"a", 0, ", but pytorch_model.safetensors", "rename it to model.safetensors if it holds the model's weights"},
		"adapter.safetensors": {
			"base_model.model.a.lora_A.weight", 0, "; adapter.safetensors holds an adapter",
			"--model names the folder of a base model, --adapter that of an adapter to go with it",
		},
		"a.safetensors": {
			"a", 1, ", but a.safetensors and 1 more",
			"rename the one that holds the weights to model.safetensors; shards are called model-00001-of-00002.safetensors and so on",
		},
	} {
		dir := t.TempDir()
		for i := range 1 + c.more {
			path := filepath.Join(dir, name)
			if i > 0 {
				path = filepath.Join(dir, fmt.Sprintf("b%d.safetensors", i))
			}
			if err := Write(path, []Entry{{c.tensor, []int{1}, []float32{1}}}, nil); err != nil {
				t.Fatal(err)
			}
		}
		_, err := OpenDir(dir)
		wantError(t, name, err, c.text)
		if advice := hint.Of(err); advice != c.hint {
			t.Errorf("%s: hint %q", name, advice)
		}
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, singleName)); err != nil {
			t.Fatal(err)
		}
		s, err := OpenDir(dir)
		if err != nil {
			t.Fatalf("%s: renamed: %v", name, err)
		}
		s.Close()
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "x.safetensors"), []byte("version https://git-lfs.github.com/spec/v1\n"))
	_, err := OpenDir(dir)
	wantError(t, "a pointer", err, "x.safetensors")
}

func FuzzIndex(f *testing.F) {
	for _, s := range []string{
		`{"weight_map": {"a": "x.safetensors"}}`, `{"metadata": {"total_size": 1}, "weight_map": {"a": "../x.safetensors"}}`,
		`{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}`, `{"weight_map": null}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		of, err := parseIndex(text)
		if err == nil && len(of) == 0 {
			t.Fatal("an empty index was taken")
		}
		for _, shard := range of {
			if filepath.Join("dir", shard) != "dir"+string(filepath.Separator)+shard || strings.ContainsAny(shard, `/\`) {
				t.Fatalf("%q leaves its folder", shard)
			}
		}
	})
}
