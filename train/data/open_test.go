package data

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/finetune/simd"
)

// onDisk makes every file one whose tokens are kept in a cache folder, and returns
// that folder.
func onDisk(t *testing.T) string {
	t.Helper()
	before := smallFile
	smallFile = 0
	t.Cleanup(func() { smallFile = before })
	dir := t.TempDir()
	t.Setenv("FINETUNE_CACHE_DIR", dir)
	return filepath.Join(dir, "tokens")
}

// kept are the names in the cache folder.
func kept(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// tokens opens a file and returns the storage and the digest of its tokens.
func tokens(t *testing.T, name string, o Options) (storage, digests string) {
	t.Helper()
	if o.TrainOn == "" {
		o.TrainOn = "assistant"
	}
	set, _, err := open(t, name, o, false)
	if err != nil {
		t.Fatal(err)
	}
	return set.owner.name, digest(t, set)
}

func TestTokensAreTheSameInMemoryAndOnDisk(t *testing.T) {
	in := numbered(0, 2*groupRows+5) + "{\"text\": \"a long one that is cut\"}\n"
	inFolder(t, "a.jsonl", in)
	o := Options{TrainOn: "assistant", MaxLength: 12, Overlong: "drop"}
	memory, _, err := open(t, "a.jsonl", o, false)
	if err != nil {
		t.Fatal(err)
	}
	folder := onDisk(t)
	written, _, err := open(t, "a.jsonl", o, false)
	if err != nil {
		t.Fatal(err)
	}
	found, _, err := open(t, "a.jsonl", o, false)
	if err != nil {
		t.Fatal(err)
	}
	if memory.owner.name != "in memory" || filepath.Dir(written.owner.name) != folder || found.owner.name != written.owner.name {
		t.Errorf("kept in %q, %q, %q", memory.owner.name, written.owner.name, found.owner.name)
	}
	for _, s := range []*Set{written, found} {
		if s.Stats != memory.Stats || s.File != memory.File || s.MaxID != memory.MaxID || s.MaxIDAt != memory.MaxIDAt || digest(t, s) != digest(t, memory) {
			t.Errorf("%+v %+v, in memory %+v %+v", s.Stats, s.File, memory.Stats, memory.File)
		}
	}
	if memory.Stats.Dropped != 1 || memory.Len() != 2*groupRows+5 {
		t.Errorf("%+v", memory.Stats)
	}
}

// What shows in tokens or mask is of another index; what does not is of the same.
func TestAnIndexIsOfOneFileAndItsSettings(t *testing.T) {
	folder := onDisk(t)
	inFolder(t, "a.jsonl", `{"prompt": "a", "completion": "b", "other": "c"}`)
	at, _ := tokens(t, "a.jsonl", Options{})
	if info, err := os.Stat(folder); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info.Mode(), err)
	}
	put(t, "copy.jsonl", `{"prompt": "a", "completion": "b", "other": "c"}`)
	set, _, err := open(t, "copy.jsonl", Options{TrainOn: "assistant"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if set.owner.name != at || set.Origin(0).File != "copy.jsonl" {
		t.Errorf("a copy: %s, rows of %v", set.owner.name, set.Origin(0))
	}
	seen := []string{at}
	fresh := func(what, at string) {
		t.Helper()
		if slices.Contains(seen, at) {
			t.Errorf("%s: the tokens of another", what)
		}
		seen = append(seen, at)
	}
	for what, o := range map[string]Options{"train_on": {TrainOn: "all"}, "max_length": {MaxLength: 99}, "overlong": {Overlong: "drop"}} {
		other, _ := tokens(t, "a.jsonl", o)
		fresh(what, other)
	}
	set, _, err = open(t, "a.jsonl", Options{TrainOn: "assistant"}, true)
	if err != nil {
		t.Fatal(err)
	}
	fresh("a template", set.owner.name)
	put(t, "a.jsonl", `{"prompt": "a", "completion": "c", "other": "c"}`)
	other, _ := tokens(t, "a.jsonl", Options{})
	fresh("content", other)
}

func TestColumnsAreOfTheKey(t *testing.T) {
	tok, _ := load(t)
	a := opener{path: "a.jsonl", t: tok}
	b := a
	b.columns = Columns{"prompt": "other"}
	c := a
	c.path = "a.csv"
	keys := map[indexKey]bool{}
	for _, o := range []opener{a, b, c} {
		key, err := o.key("00")
		if err != nil {
			t.Fatal(err)
		}
		keys[key] = true
	}
	if len(keys) != 3 {
		t.Errorf("%d keys of 3", len(keys))
	}
}

// A damaged, cut or foreign index is noticed and made again.
func TestDamagedIndexesAreMadeAgain(t *testing.T) {
	folder := onDisk(t)
	inFolder(t, "a.jsonl", numbered(0, 50))
	path, want := tokens(t, "a.jsonl", Options{})
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damage := map[string][]byte{
		"empty": {}, "cut": good[:len(good)-1], "cut in the footer": good[:len(good)-footerSize/2], "longer": append(slices.Clone(good), 0),
		"another layout": append(slices.Clone(good[:len(good)-footerSize]), append([]byte("FTTOKEN0"), good[len(good)-footerSize+8:]...)...),
	}
	flipped := slices.Clone(good)
	flipped[7] ^= 0x10
	damage["a bit"] = flipped
	for what, content := range damage {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		if at, got := tokens(t, "a.jsonl", Options{}); at != path || got != want {
			t.Errorf("%s: %s from %s", what, got, at)
		}
		if again, err := os.ReadFile(path); err != nil || string(again) != string(good) {
			t.Errorf("%s: not made again: %v", what, err)
		}
	}
	if names := kept(t, folder); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

// A file that shrinks while it is used is an error where it is read, no crash.
func TestAnIndexCutShortInUse(t *testing.T) {
	onDisk(t)
	inFolder(t, "a.jsonl", numbered(0, 500))
	set, _, err := open(t, "a.jsonl", Options{TrainOn: "assistant"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(set.owner.name, 100); err != nil {
		t.Skip(err)
	}
	_, err = set.Sequence(400)
	expect(t, "a sequence", err, "the tokens of a.jsonl ("+set.owner.name+"): ", "")
	_, err = set.Digest()
	expect(t, "the digest", err, "the tokens of a.jsonl", "")
	_, _, err = set.Split(0.5, 1)
	expect(t, "a split", err, "the tokens of a.jsonl", "")
	_, err = set.Shared(set)
	expect(t, "shared rows", err, "the tokens of a.jsonl", "")
	if at := set.Origin(400); at != (Origin{File: "a.jsonl"}) {
		t.Errorf("origin %v", at)
	}
}

// Without a cache folder the tokens lie in a temporary file, and without that in
// memory.
func TestTokensFindAPlace(t *testing.T) {
	onDisk(t)
	inFolder(t, "a.jsonl", numbered(0, 50))
	_, want := tokens(t, "a.jsonl", Options{})
	put(t, "file", "")
	t.Setenv("FINETUNE_CACHE_DIR", "file")
	tmp := t.TempDir()
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, tmp)
	}
	set, _, err := open(t, "a.jsonl", Options{TrainOn: "assistant"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(set.owner.name) != tmp || digest(t, set) != want {
		t.Errorf("without a cache folder: in %s", set.owner.name)
	}
	if err := set.Close(); err != nil {
		t.Error(err)
	}
	if names := kept(t, tmp); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, filepath.Join(tmp, "none"))
	}
	if at, got := tokens(t, "a.jsonl", Options{}); at != "in memory" || got != want {
		t.Errorf("without a temporary folder: in %s", at)
	}
}

// A disk that is full moves the tokens on, and the reading of the first try ends early.
func TestAFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	inFolder(t, "a.jsonl", numbered(0, 120000))
	tok, _ := load(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	var read int64
	b := &opener{path: "a.jsonl", t: tok, o: Options{TrainOn: "assistant", MaxLength: 100}, pool: pool(t), progress: func(n int64) { read = n }}
	_, err = b.build(&storage{out: full, ready: func() error { return nil }, file: full}, nil)
	expect(t, "a full disk", err, "no space left", "")
	if !errors.As(err, new(*storageError)) {
		t.Errorf("not of the disk: %v", err)
	}
	if info, err := os.Stat("a.jsonl"); err != nil || read >= info.Size() {
		t.Errorf("%d bytes read of a file that is lost anyway", read)
	}
}

func TestAMistakeLeavesNoIndex(t *testing.T) {
	folder := onDisk(t)
	inFolder(t, "a.jsonl", numbered(0, 50)+"{}\n")
	_, _, err := open(t, "a.jsonl", Options{TrainOn: "assistant"}, false)
	expect(t, "a mistake", err, "a.jsonl:51: neither", "")
	if names := kept(t, folder); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
}

func TestAFileThatChangesWhileItIsRead(t *testing.T) {
	inFolder(t, "a.jsonl", numbered(0, 50))
	folder := t.TempDir()
	tok, _ := load(t)
	b := &opener{path: "a.jsonl", t: tok, o: Options{TrainOn: "assistant", MaxLength: 100}, pool: pool(t)}
	st, err := newCached(folder, indexKey{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.build(st, &identity{data: "another digest"})
	expect(t, "a change", err, "a.jsonl: changed while it was read", "")
	if names := kept(t, folder); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
}

func TestStaleIndexesAreRemoved(t *testing.T) {
	folder := onDisk(t)
	inFolder(t, "a.jsonl", numbered(0, 50))
	used, _ := tokens(t, "a.jsonl", Options{})
	old := time.Now().Add(-unusedFor - time.Hour)
	for _, name := range []string{"fttoken2-00.tokens", "fttoken0-00.tokens", ".fttoken2-00.tokens.tmp-12345678", "notes.txt"} {
		put(t, filepath.Join(folder, name), "x")
		if name != "fttoken0-00.tokens" {
			if err := os.Chtimes(filepath.Join(folder, name), old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(t, filepath.Join(folder, ".fttoken2-01.tokens.tmp-12345678"), "of a run at work")
	if err := os.Chtimes(used, old, old); err != nil {
		t.Fatal(err)
	}
	tokens(t, "a.jsonl", Options{}) // its use is noted
	put(t, "b.jsonl", numbered(7, 50))
	made, _ := tokens(t, "b.jsonl", Options{})
	want := []string{".fttoken2-01.tokens.tmp-12345678", filepath.Base(used), filepath.Base(made), "notes.txt"}
	slices.Sort(want)
	if got := kept(t, folder); !slices.Equal(got, want) {
		t.Errorf("kept %v, want %v", got, want)
	}
}

// Several at once make the same index, and none sees half of one.
func TestIndexesAreMadeAtOnce(t *testing.T) {
	folder := onDisk(t)
	inFolder(t, "a.jsonl", numbered(0, 2000))
	tok, _ := load(t)
	digests := make(chan string)
	for range 8 {
		go func() {
			p := simd.NewPool(1)
			defer p.Close()
			set, err := Open("a.jsonl", nil, tok, Options{TrainOn: "assistant", MaxLength: 100}, p, nil)
			if err != nil {
				digests <- err.Error()
				return
			}
			defer set.Close()
			d, err := set.Digest()
			if err != nil {
				d = err.Error()
			}
			digests <- d
		}()
	}
	first := <-digests
	for range 7 {
		if d := <-digests; d != first {
			t.Errorf("%s and %s", first, d)
		}
	}
	if names := kept(t, folder); len(names) != 1 || !strings.HasSuffix(names[0], indexExtension) {
		t.Errorf("kept %v", names)
	}
}

// The oldest indexes go first where all together are too large, and the new one stays.
func TestTheCacheHasALimit(t *testing.T) {
	folder := onDisk(t)
	inFolder(t, "a.jsonl", numbered(0, 50))
	first, _ := tokens(t, "a.jsonl", Options{})
	info, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	before := cacheBytes
	t.Cleanup(func() { cacheBytes = before })
	cacheBytes = 5 * info.Size() / 2 // two fit
	age := func(path string, hours int) {
		t.Helper()
		at := time.Now().Add(-time.Duration(hours) * time.Hour)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	age(first, 3)
	put(t, "b.jsonl", numbered(100, 50))
	second, _ := tokens(t, "b.jsonl", Options{})
	age(second, 2)
	tokens(t, "a.jsonl", Options{}) // its use is noted: the second is the older one now
	put(t, "c.jsonl", numbered(200, 50))
	third, _ := tokens(t, "c.jsonl", Options{})
	want := []string{filepath.Base(first), filepath.Base(third)}
	slices.Sort(want)
	if got := kept(t, folder); !slices.Equal(got, want) {
		t.Errorf("kept %v, want %v", got, want)
	}
	cacheBytes = 1
	put(t, "d.jsonl", numbered(300, 50))
	fourth, _ := tokens(t, "d.jsonl", Options{})
	if got := kept(t, folder); !slices.Equal(got, []string{filepath.Base(fourth)}) {
		t.Errorf("kept %v, want the new one alone", got)
	}
}
