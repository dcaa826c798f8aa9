package hub

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/finetune/internal/hint"
)

const commit = "12fd25f77366fa6b3b4b768ec3050bf629380bac"

// cached makes a cache with one model, its files links into blobs as the Hub's
// client makes them.
func cached(t *testing.T, id string) (cache, snapshot string) {
	t.Helper()
	cache = t.TempDir()
	repo := filepath.Join(cache, "models--"+strings.ReplaceAll(id, "/", "--"))
	snapshot = filepath.Join(repo, "snapshots", commit)
	for _, dir := range []string{snapshot, filepath.Join(repo, "refs"), filepath.Join(repo, "blobs")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(repo, "refs", "main"), commit)
	write(t, filepath.Join(repo, "blobs", "abc"), "{}")
	if err := os.Symlink("../../blobs/abc", filepath.Join(snapshot, "config.json")); err != nil {
		t.Skip(err)
	}
	return cache, snapshot
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestResolveFolder(t *testing.T) {
	dir := t.TempDir()
	got, err := Resolve(dir)
	if err != nil || got != (Ref{Arg: dir, Dir: dir}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestResolveCached(t *testing.T) {
	for _, id := range []string{"org/name-1.5", "gpt2"} {
		cache, snapshot := cached(t, id)
		t.Setenv("HF_HUB_CACHE", cache)
		got, err := Resolve(id)
		if err != nil || got != (Ref{id, snapshot, id}) {
			t.Errorf("%s: got %+v, %v", id, got, err)
		}
		if _, err := os.ReadFile(filepath.Join(got.Dir, "config.json")); err != nil {
			t.Error(err)
		}
		if got, err = Resolve(snapshot); err != nil || got != (Ref{snapshot, snapshot, id}) {
			t.Errorf("the snapshot's own path: %+v (%v), want id %q", got, err, id)
		}
	}
}

// TestDanglingLink: the error says where it leads, and nothing of the Hub.
func TestDanglingLink(t *testing.T) {
	link := filepath.Join(t.TempDir(), "model")
	if err := os.Symlink("gone", link); err != nil {
		t.Skip(err)
	}
	t.Chdir(filepath.Dir(link))
	for _, name := range []string{link, "model"} {
		_, err := Resolve(name)
		if err == nil || !strings.HasPrefix(err.Error(), "model "+name+": a link to ") || strings.Contains(hint.Of(err), "download") || hint.Of(err) == "" {
			t.Errorf("%s: %v (%s)", name, err, hint.Of(err))
		}
	}
}

func TestFolderComesBeforeCache(t *testing.T) {
	cache, _ := cached(t, "org/name")
	t.Setenv("HF_HUB_CACHE", cache)
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("org/name", 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := Resolve("org/name"); err != nil || got.Dir != "org/name" || got.ID != "" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestCacheDirFollowsTheEnvironment(t *testing.T) {
	keys := []string{"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"}
	for _, k := range append(keys, "HOME") {
		t.Setenv(k, "")
	}
	user := t.TempDir()
	t.Setenv("HOME", user)
	t.Setenv("USERPROFILE", user)
	check := func(want string) {
		t.Helper()
		if got, err := CacheDir(); err != nil || got != filepath.FromSlash(want) {
			t.Errorf("got %q (%v), want %q", got, err, want)
		}
	}
	check(user + "/.cache/huggingface/hub")
	t.Setenv("XDG_CACHE_HOME", "/x")
	check("/x/huggingface/hub")
	t.Setenv("HF_HOME", "~/hf")
	check(user + "/hf/hub")
	t.Setenv("HUGGINGFACE_HUB_CACHE", "/old")
	check("/old")
	t.Setenv("HF_HUB_CACHE", "/new")
	check("/new")
}

func TestErrors(t *testing.T) {
	cache, snapshot := cached(t, "org/name")
	t.Setenv("HF_HUB_CACHE", cache)
	repo := filepath.Join(cache, "models--org--name")
	file := filepath.Join(cache, "file")
	write(t, file, "")
	for _, test := range []struct{ arg, ref, want string }{
		{"", commit, "no model given"},
		{file, commit, "a file, want a folder"},
		{"./nothing", commit, "no such folder"},
		{"a/b/c", commit, "no such folder"},
		{"../org/name", commit, "no such folder"},
		{"org--x/name", commit, "no such folder"},
		{"org/other", commit, "neither a folder here nor in the Hub cache"},
		{"org/name", "../../../etc", "want a commit"},
		{"org/name", "..", "want a commit"},
		{"org/name", "", "want a commit"},
		{"org/name", "0000", "snapshots"},
		{"org/name", `..\..\x`, "want a commit"},
		{"org/name", "a/b", "want a commit"},
		{"org/name", "0\n1", "want a commit"},
		{"org/name", "\x00", "want a commit"},
		{"org/name", strings.Repeat("0", 1000), "want a commit"},
		{"org/name", strings.Repeat("0", 5000), "5000 bytes, want at most 1024"},
	} {
		write(t, filepath.Join(repo, "refs", "main"), test.ref)
		_, err := Resolve(test.arg)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q with ref %q: %v, want %q", test.arg, test.ref, err, test.want)
		}
		var hint interface{ Hint() string }
		if strings.HasPrefix(test.arg, "org/") && (!errors.As(err, &hint) || !strings.Contains(hint.Hint(), test.arg)) {
			t.Errorf("%q: no hint how to fetch it", test.arg)
		}
	}
	if got := ID(filepath.Dir(snapshot)); got != "" {
		t.Errorf("the snapshots folder itself has id %q", got)
	}
}

func TestNameHidesThePath(t *testing.T) {
	dir := t.TempDir()
	snapshot := filepath.Join(dir, "models--org--n", "snapshots", "abc")
	local := filepath.Join(dir, "my model & more")
	for _, d := range []string{snapshot, local, filepath.Join(dir, "org", "here")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for arg, want := range map[string]struct{ name, label, absolute string }{
		"org/here":  {"here", "org/here", filepath.Join(dir, "org", "here")}, // a folder comes before an id
		local:       {"my model & more", local, local},
		local + "/": {"my model & more", local + "/", local},
		snapshot:    {"org/n", "org/n", snapshot},
		".":         {filepath.Base(dir), ".", dir},
	} {
		ref, err := Resolve(arg)
		if err != nil || ref.Name() != want.name || ref.Label() != want.label {
			t.Errorf("%q: %q and %q, %v", arg, ref.Name(), ref.Label(), err)
		}
		if abs, err := ref.Absolute(); err != nil || abs != want.absolute {
			t.Errorf("%q: absolute %q, %v", arg, abs, err)
		}
	}
	cached := Ref{Arg: "org/n@v2", Dir: snapshot, ID: "org/n"}
	if abs, err := cached.Absolute(); err != nil || abs != "org/n@v2" || cached.Name() != "org/n" {
		t.Errorf("a revision: %q, %v", abs, err)
	}
	if got := (Ref{}).Name(); got != "" {
		t.Errorf("nothing is called %q", got)
	}
}

// A file of a cache tells its digest by the blob that it links to.
func TestDigest(t *testing.T) {
	dir := t.TempDir()
	const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	write(t, filepath.Join(dir, "plain"), "x")
	for link, target := range map[string]string{"weights": "../../blobs/" + sum, "config": "../../blobs/0123456789abcdef0123456789abcdef01234567", "other": "plain"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skip(err)
		}
	}
	for name, want := range map[string]string{"weights": sum, "config": "", "other": "", "plain": "", "gone": ""} {
		if got := Digest(filepath.Join(dir, name)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
