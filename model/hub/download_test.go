package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/model/hub/hubtest"
)

// testClient returns a client of a server with a cache of its own.
func testClient(t *testing.T, s *hubtest.Server) *Client {
	t.Helper()
	for _, key := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HUGGINGFACE_HUB_CACHE"} {
		t.Setenv(key, "")
	}
	t.Setenv("HF_ENDPOINT", s.URL+"/")
	t.Setenv("HF_HOME", t.TempDir())
	t.Setenv("HF_HUB_CACHE", filepath.Join(t.TempDir(), "hub"))
	c, err := NewClient("test")
	if err != nil {
		t.Fatal(err)
	}
	c.pause = time.Millisecond
	c.Log = func(text string) { t.Log(text) }
	return c
}

func random(seed uint64, n int) []byte {
	data := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

// tiny is a model with files that no run needs.
func tiny() map[string][]byte {
	return map[string][]byte{
		".gitattributes":         []byte("*.safetensors filter=lfs\n"),
		"README.md":              []byte("# tiny\n"),
		"config.json":            []byte(`{"model_type": "llama"}`),
		"generation_config.json": []byte("{}"),
		"tokenizer.json":         random(1, 50_000),
		"tokenizer_config.json":  []byte(`{"a": 1}`),
		"chat_template.jinja":    []byte("{{ x }}"),

		"additional_chat_templates/tool_use.jinja":    []byte("{{ y }}"),
		"additional_chat_templates/../../../x.jinja":  []byte("out"),
		"model.safetensors":                           random(2, 700_000),
		"consolidated.safetensors":                    random(3, 100),
		"model-00001-of-00002.safetensors":            random(4, 100),
		"pytorch_model.bin":                           random(5, 100),
		"onnx/model.onnx":                             random(6, 100),
		"tiny.Q4_K_M.gguf":                            random(7, 100),
		"original/model.safetensors":                  random(8, 100),
		"empty/additional_chat_templates/none.jinja ": nil,
		"special_tokens_map.json":                     {},
	}
}

// needed are those that a run needs.
var needed = []string{
	"additional_chat_templates/tool_use.jinja", "chat_template.jinja", "config.json", "generation_config.json",
	"model.safetensors", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json",
}

func newServer(t *testing.T) *hubtest.Server {
	t.Helper()
	s := hubtest.New(t)
	s.Put("org/tiny", &hubtest.Repo{Files: tiny()})
	return s
}

// layout lists a cache: of files the hash, of links the target.
func layout(t *testing.T, dir string) map[string]string {
	t.Helper()
	list := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if target, e := os.Readlink(path); e == nil {
			list[name] = "-> " + target
			return nil
		}
		list[name], err = files.SHA256(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// checkSnapshot checks that the cache has the files, and only those.
func checkSnapshot(t *testing.T, c *Client, id, commit string, want map[string][]byte, names []string) {
	t.Helper()
	dir := repository{c.Cache, id}.snapshot(commit)
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(data, want[name]) {
			t.Errorf("%s: %d bytes, %v, want %d", name, len(data), err, len(want[name]))
		}
	}
	found := slices.Sorted(maps.Keys(layout(t, dir)))
	if !slices.Equal(found, names) {
		t.Errorf("the snapshot holds %q, want %q", found, names)
	}
	for name := range layout(t, c.Cache) {
		if strings.Contains(name, "incomplete") || strings.Contains(name, "tmp") {
			t.Errorf("%s is left", name)
		}
	}
}

func TestDownload(t *testing.T) {
	s := newServer(t)
	c := testClient(t, s)
	var last, total int64
	p, err := c.Download(t.Context(), "org/tiny", "main", func(done, all int64) { last, total = done, all })
	if err != nil {
		t.Fatal(err)
	}
	commit := s.Commit("org/tiny")
	checkSnapshot(t, c, "org/tiny", commit, tiny(), needed)
	if last != total || total != p.Size() || p.Missing() != total || p.Commit != commit {
		t.Errorf("%d of %d bytes, plan of %d with %d missing, commit %s", last, total, p.Size(), p.Missing(), p.Commit)
	}
	list := layout(t, c.Cache)
	repo := "models--org--tiny/"
	etag := hubtest.SHA256(tiny()["model.safetensors"])
	for name, want := range map[string]string{
		"CACHEDIR.TAG":                                      hubtest.SHA256([]byte(tagText)),
		repo + "refs/main":                                  hubtest.SHA256([]byte(commit)),
		repo + "blobs/" + etag:                              etag,
		".locks/" + repo + etag + ".lock":                   hubtest.SHA256(nil),
		repo + "snapshots/" + commit + "/model.safetensors": "-> ../../blobs/" + etag,
		repo + "snapshots/" + commit + "/additional_chat_templates/tool_use.jinja": "-> ../../../blobs/" + hubtest.GitSHA1([]byte("{{ y }}")),
	} {
		if list[name] != want {
			t.Errorf("%s: %q, want %q", name, list[name], want)
		}
	}
	tree, err := readTree(repository{c.Cache, "org/tiny"}.tree(commit))
	if err != nil || len(tree) != len(tiny()) || tree["model.safetensors"].LFSSHA256 != etag {
		t.Errorf("the list has %d files, %v", len(tree), err)
	}

	// Again: one request, and not a byte written.
	before := s.Count("")
	if p, err = c.Download(t.Context(), "org/tiny", "main", nil); err != nil || p.Missing() != 0 {
		t.Errorf("again: %v", err)
	}
	if n := s.Count("") - before; n != 1 {
		t.Errorf("again: %d requests, want 1: %q", n, s.Requests()[before:])
	}
	if again := layout(t, c.Cache); !maps.Equal(list, again) {
		t.Errorf("again, the cache is another: %v", again)
	}
	found, err := Resolve("org/tiny")
	if err != nil || found != (Ref{"org/tiny", p.Dir, "org/tiny"}) {
		t.Errorf("Resolve: %+v, %v", found, err)
	}
	if found, err = Resolve("org/tiny@" + commit); err != nil || found.Dir != p.Dir {
		t.Errorf("Resolve with the commit: %+v, %v", found, err)
	}
}

func TestDownloadRevisions(t *testing.T) {
	s := newServer(t)
	c := testClient(t, s)
	if _, err := c.Download(t.Context(), "org/tiny", "refs/pr/1", nil); err != nil {
		t.Fatal(err)
	}
	if s.Count("GET /api/models/org/tiny/revision/refs%2Fpr%2F1") != 1 {
		t.Errorf("%q", s.Requests())
	}
	if found, err := Resolve("org/tiny@refs/pr/1"); err != nil || found.ID != "org/tiny" || filepath.Base(found.Dir) != s.Commit("org/tiny") {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := Resolve("org/tiny"); err == nil || !strings.Contains(hint.Of(err), "finetune download org/tiny") {
		t.Errorf("main was not fetched: %v", err)
	}
	// A new commit shares what stayed the same.
	old := s.Commit("org/tiny")
	r := s.Get("org/tiny")
	r.Files["config.json"] = []byte(`{"model_type": "mistral"}`)
	s.Put("org/tiny", r)
	before := s.Count("/_storage/")
	if _, err := c.Download(t.Context(), "org/tiny", "main", nil); err != nil {
		t.Fatal(err)
	}
	if s.Count("/_storage/") != before {
		t.Error("the weights were fetched again")
	}
	checkSnapshot(t, c, "org/tiny", s.Commit("org/tiny"), r.Files, needed)
	checkSnapshot(t, c, "org/tiny", old, tiny(), needed)
}

func TestShards(t *testing.T) {
	tree := map[string]treeFile{}
	for _, name := range []string{
		"config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
		"model-1-of-2.safetensors", "consolidated.safetensors", "a/model-00001-of-00002.safetensors", "model.safetensors.bak",
	} {
		tree[name] = treeFile{}
	}
	got, err := needs(tree)
	want := []string{"config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	for _, test := range []struct{ names, want string }{
		{"README.md", "no config.json"},
		{"config.json", "holds no weights"},
		{"config.json pytorch_model.bin x.gguf", "only pytorch_model.bin, x.gguf"},
		{"config.json model-00001-of-00002.safetensors", "holds no model.safetensors"},
		{"config.json model.safetensors.index.json weights.safetensors", "only weights.safetensors"},
		{"adapter_config.json", "no config.json"},
	} {
		tree := map[string]treeFile{}
		for _, name := range strings.Fields(test.names) {
			tree[name] = treeFile{}
		}
		if _, err := needs(tree); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.names, err, test.want)
		}
	}
	const one, two = "-00001-of-00002.safetensors", "-00002-of-00002.safetensors"
	for _, want := range [][]string{
		{"config.json", "model.safetensors" + one, "model.safetensors" + two, "model.safetensors.index.json"}, // Qwen3.5's names
		{"config.json", "model.safetensors.index.json", "pytorch_model" + one, "pytorch_model" + two},
		{"config.json", "model" + one, "model" + two}, // an index is not needed
	} {
		tree := map[string]treeFile{"consolidated" + one: {}, "consolidated" + two: {}, "original/model" + one: {}}
		for _, name := range want {
			tree[name] = treeFile{}
		}
		if got, err := needs(tree); err != nil || !slices.Equal(got, want) {
			t.Errorf("needs %v, %v; want %v", got, err, want)
		}
	}
	if got, err := needs(map[string]treeFile{"adapter_config.json": {}, "adapter_model.safetensors": {}, "README.md": {}}); err != nil || len(got) != 2 {
		t.Errorf("an adapter: %q, %v", got, err)
	}
}

// TestFaultsThatPass: the download ends well, with the same bytes, and with no request
// more than it takes.
func TestFaultsThatPass(t *testing.T) {
	big := "GET /_storage/"
	small := "GET /org/tiny/resolve/"
	for name, test := range map[string]struct {
		faults []hubtest.Fault
		big    int // requests of the storage
	}{
		"a cut":                      {[]hubtest.Fault{{Match: big, Cut: 300_000}}, 2},
		"many cuts":                  {[]hubtest.Fault{{Match: big, Cut: 50_000, Times: 12}}, 13},
		"a cut of a small file":      {[]hubtest.Fault{{Match: small, Cut: 3}}, 1},
		"a flipped byte":             {[]hubtest.Fault{{Match: big, Flip: true}}, 2},
		"flipped in a small file":    {[]hubtest.Fault{{Match: small + "x", Flip: true}, {Match: "/config.json", Flip: true}}, 1},
		"a flipped byte and a cut":   {[]hubtest.Fault{{Match: big, Flip: true, Cut: 400_000}}, 3},
		"ranges ignored after a cut": {[]hubtest.Fault{{Match: big, Cut: 300_000}, {Match: big, Whole: true}}, 2},
		"the address has expired":    {[]hubtest.Fault{{Match: big, Status: 403}}, 2},
		"expired in the middle":      {[]hubtest.Fault{{Match: big, Cut: 300_000}, {Match: big, Status: 403, Times: 2}}, 4},
		"503 of everything":          {[]hubtest.Fault{{Match: "GET ", Status: 503, Times: 3}}, 1},
		"a range that cannot be":     {[]hubtest.Fault{{Match: big, Cut: 300_000}, {Match: big, Status: 416}}, 3},
		"another range":              {[]hubtest.Fault{{Match: big, Cut: 300_000}, {Match: big, Status: 206, Header: map[string]string{"Content-Range": "bytes 5-9/10"}}}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			c := testClient(t, s)
			for _, f := range test.faults {
				s.Fault(f)
			}
			var last, total int64
			if _, err := c.Download(t.Context(), "org/tiny", "main", func(d, all int64) { last, total = d, all }); err != nil {
				t.Fatal(err)
			}
			checkSnapshot(t, c, "org/tiny", s.Commit("org/tiny"), tiny(), needed)
			if got := s.Count(big); got != test.big {
				t.Errorf("%d requests of the storage, want %d", got, test.big)
			}
			if last != total {
				t.Errorf("progress ends at %d of %d", last, total)
			}
		})
	}
}

// TestFaultsThatDoNot: the download ends with an error, nothing is taken for whole, what
// arrived stays, and the next one goes on with it.
func TestFaultsThatDoNot(t *testing.T) {
	big := "GET /_storage/"
	for name, test := range map[string]struct {
		fault hubtest.Fault
		want  string
		hint  string
		kept  bool // bytes of the weights
	}{
		"always flipped":      {hubtest.Fault{Match: big, Flip: true, Times: 99}, "model.safetensors arrives with the digest ", "nothing of it was kept", false},
		"no ranges, and cuts": {hubtest.Fault{Match: big, Cut: 300_000, Whole: true, Times: 99}, "model.safetensors, at byte 300000 of 700000: 127.0.0.1:", "check the connection", true},
		"500":                 {hubtest.Fault{Match: big, Status: 500, Times: 99}, "answers 500 Internal Server Error", "try again later", false},
		"not found":           {hubtest.Fault{Match: "/resolve/", Status: 404, Times: 99, Header: map[string]string{"X-Error-Code": "EntryNotFound"}}, "a file it lists is not there", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			c := testClient(t, s)
			s.Fault(test.fault)
			_, err := c.Download(t.Context(), "org/tiny", "main", nil)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(hint.Of(err), test.hint) {
				t.Errorf("%v (%s), want %q (%s)", err, hint.Of(err), test.want, test.hint)
			}
			if err != nil && strings.Contains(err.Error(), "Signature") {
				t.Errorf("the error shows a signed address: %v", err)
			}
			if _, err := Resolve("org/tiny"); err == nil {
				t.Error("a part of a model is taken for whole")
			}
			if _, err := Resolve("org/tiny@" + s.Commit("org/tiny")); err == nil || !strings.Contains(err.Error(), "only a part of it") {
				t.Errorf("by its commit: %v", err)
			}
			part := repository{c.Cache, "org/tiny"}.blob(hubtest.SHA256(tiny()["model.safetensors"])) + ".incomplete"
			if kept := files.Size(part) > 0; kept != test.kept {
				t.Errorf("%d bytes are kept", files.Size(part))
			}
			s2 := newServer(t)
			c.Endpoint = s2.URL
			if _, err := c.Download(t.Context(), "org/tiny", "main", nil); err != nil {
				t.Fatal(err)
			}
			checkSnapshot(t, c, "org/tiny", s2.Commit("org/tiny"), tiny(), needed)
		})
	}
}

// TestPartsOfOthers: what is found in place of a partial download is gone on with, or
// replaced.
func TestPartsOfOthers(t *testing.T) {
	data := tiny()["model.safetensors"]
	for name, test := range map[string]struct {
		part []byte
		want int // requests of the storage
	}{
		"a beginning":         {data[:650_000], 1},
		"all of it":           {data, 0},
		"more than all":       {append(slices.Clone(data), 1), 1},
		"another beginning":   {random(9, 1000), 2},
		"as long, but wrong":  {random(9, len(data)), 1},
		"nothing":             {nil, 1},
		"a link to elsewhere": {nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			c := testClient(t, s)
			path := repository{c.Cache, "org/tiny"}.blob(hubtest.SHA256(data)) + ".incomplete"
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			outside := filepath.Join(t.TempDir(), "outside")
			if strings.HasPrefix(name, "a link") {
				write(t, outside, "mine")
				if err := os.Symlink(outside, path); err != nil {
					t.Skip(err)
				}
			} else if err := os.WriteFile(path, test.part, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Download(t.Context(), "org/tiny", "main", nil); err != nil {
				t.Fatal(err)
			}
			checkSnapshot(t, c, "org/tiny", s.Commit("org/tiny"), tiny(), needed)
			if got := s.Count("GET /_storage/"); got != test.want {
				t.Errorf("%d requests, want %d", got, test.want)
			}
			if text, err := os.ReadFile(outside); err == nil && string(text) != "mine" {
				t.Errorf("written through a link: %q", text)
			}
		})
	}
}

// TestBlobsOfAnotherSize: a blob that Python's client left short is fetched again.
func TestBlobsOfAnotherSize(t *testing.T) {
	s := newServer(t)
	c := testClient(t, s)
	if _, err := c.Download(t.Context(), "org/tiny", "main", nil); err != nil {
		t.Fatal(err)
	}
	blob := repository{c.Cache, "org/tiny"}.blob(hubtest.SHA256(tiny()["model.safetensors"]))
	if err := os.Truncate(blob, 1000); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Download(t.Context(), "org/tiny", "main", nil); err != nil {
		t.Fatal(err)
	}
	checkSnapshot(t, c, "org/tiny", s.Commit("org/tiny"), tiny(), needed)
}

// TestSecondProcess: two at once fetch each file once.
func TestSecondProcess(t *testing.T) {
	s := newServer(t)
	c := testClient(t, s)
	var mu sync.Mutex
	c.Log = func(string) { mu.Lock(); defer mu.Unlock() }
	s.Fault(hubtest.Fault{Match: "GET /_storage/", Cut: 100_000})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if _, err := c.Download(context.Background(), "org/tiny", "main", nil); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	checkSnapshot(t, c, "org/tiny", s.Commit("org/tiny"), tiny(), needed)
	if n := s.Count("GET /_storage/"); n != 2 {
		t.Errorf("the weights were asked for %d times, want 2", n)
	}
}

// TestLockIsHeld: while another process holds the lock of a file, we wait and say so.
func TestLockIsHeld(t *testing.T) {
	s := newServer(t)
	c := testClient(t, s)
	r := repository{c.Cache, "org/tiny"}
	path := r.lock(hubtest.SHA256(tiny()["model.safetensors"]))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	unlock, err := c.lock(t.Context(), path, "x")
	if errors.Is(err, files.ErrNoLocks) {
		t.Skip(err)
	}
	said := make(chan string, 99)
	c.Log = func(text string) { said <- text }
	done := make(chan error)
	go func() {
		_, err := c.Download(context.Background(), "org/tiny", "main", nil)
		done <- err
	}()
	select {
	case text := <-said:
		if text != "another process fetches model.safetensors; waiting for it" {
			t.Errorf("said %q", text)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("says nothing")
	}
	select {
	case err := <-done:
		t.Fatalf("did not wait: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	unlock()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWithoutLocks(t *testing.T) {
	s := newServer(t)
	c := testClient(t, s)
	data := tiny()["model.safetensors"]
	blob := filepath.Join(t.TempDir(), "blob")
	d := &partial{c: c, file: File{Path: "x", Size: int64(len(data)), etag: hubtest.SHA256(data)}, meter: &meter{}, path: blob + ".incomplete"}
	d.url = s.URL + "/org/tiny/resolve/main/model.safetensors"
	write(t, d.path, "of another process")
	if err := d.fetch(t.Context(), blob); err != nil {
		t.Fatal(err)
	}
	list := layout(t, filepath.Dir(blob))
	if list["blob"] != d.file.etag || len(list) != 2 {
		t.Errorf("%v", list)
	}
}

func TestCancelled(t *testing.T) {
	s := newServer(t)
	c := testClient(t, s)
	s.Fault(hubtest.Fault{Match: "GET /_storage/", Cut: 1000, Times: 1 << 30})
	c.pause = time.Hour // the first back-off never ends
	ctx, cancel := context.WithCancelCause(t.Context())
	mine := errors.New("mine")
	c.Log = func(string) { cancel(mine) }
	if _, err := c.Download(ctx, "org/tiny", "main", nil); !errors.Is(err, mine) {
		t.Errorf("%v, want %v", err, mine)
	}
}

// TestSilence: a connection that brings no byte is given up.
func TestSilence(t *testing.T) {
	s := newServer(t)
	c := testClient(t, s)
	c.silence = 50 * time.Millisecond
	end := make(chan struct{})
	defer close(end)
	s.Fault(hubtest.Fault{Match: "GET /_storage/", Silent: end, Times: 2})
	if _, err := c.Download(t.Context(), "org/tiny", "main", nil); err != nil {
		t.Fatal(err)
	}
	s.Fault(hubtest.Fault{Match: "GET /api/", Silent: end, Times: 99})
	c.Cache = t.TempDir()
	if _, err := c.Download(t.Context(), "org/tiny", "main", nil); err == nil || !strings.Contains(err.Error(), "no byte for too long") {
		t.Errorf("%v", err)
	}
}

// TestRateLimit: what the Hub asks for is waited for, unless it is too long.
func TestRateLimit(t *testing.T) {
	for name, test := range map[string]struct {
		header map[string]string
		least  time.Duration
		want   string
	}{
		"retry after":  {map[string]string{"Retry-After": "1"}, time.Second, ""},
		"ratelimit":    {map[string]string{"ratelimit": `"api";r=0;t=1`}, time.Second, ""},
		"not at fault": {map[string]string{"ratelimit": `"api";r=7;t=300`}, 0, ""},
		"neither":      {nil, 0, ""},
		"too long":     {map[string]string{"Retry-After": "3600"}, 0, "try again in 1h0m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			c := testClient(t, s)
			s.Fault(hubtest.Fault{Match: "GET /api/", Status: 429, Header: test.header})
			start := time.Now()
			_, err := c.Download(t.Context(), "org/tiny", "main", nil)
			if test.want != "" {
				if err == nil || !strings.Contains(hint.Of(err), test.want) {
					t.Errorf("%v (%s), want %s", err, hint.Of(err), test.want)
				}
				return
			}
			if took := time.Since(start); err != nil || took < test.least {
				t.Errorf("%v after %v, want %v", err, took, test.least)
			}
		})
	}
	date := map[string][]string{"Retry-After": {time.Now().Add(time.Minute).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")}}
	if got := waitOf(date); got < 50*time.Second || got > time.Minute {
		t.Errorf("a date: %v", got)
	}
}

func TestSharedStore(t *testing.T) {
	weights := tiny()["model.safetensors"]
	hash := hubtest.XetHash(weights)
	for name, test := range map[string]struct {
		mark, content string
		linked        bool
	}{
		"there":        {"1\n", string(weights), true},
		"no mark":      {"", string(weights), false},
		"another":      {"2\n", string(weights), false},
		"short":        {"1\n", "x", false},
		"other bytes":  {"1\n", string(random(3, len(weights))), false},
		"switched off": {"1\n", string(weights), false},
	} {
		t.Run(name, func(t *testing.T) {
			s := hubtest.New(t)
			s.Put("org/tiny", &hubtest.Repo{Files: tiny(), Xet: true})
			c := testClient(t, s)
			c.shared = name != "switched off"
			store := filepath.Join(c.Cache, "blobs")
			if err := os.MkdirAll(filepath.Join(store, hash[:2]), 0o755); err != nil {
				t.Fatal(err)
			}
			if test.mark != "" {
				write(t, filepath.Join(store, storeMark), test.mark)
			}
			path := filepath.Join(store, hash[:2], hash)
			write(t, path, test.content)
			p, err := c.Download(t.Context(), "org/tiny", "main", nil)
			if err != nil {
				t.Fatal(err)
			}
			etag := hubtest.SHA256(weights)
			target, _ := os.Readlink(repository{c.Cache, "org/tiny"}.blob(etag))
			if got := target == "../../blobs/"+hash[:2]+"/"+hash; got != test.linked {
				t.Errorf("the blob is a link to %q", target)
			}
			if n := s.Count("GET /_storage/"); (n == 0) != test.linked {
				t.Errorf("%d requests of the storage", n)
			}
			refs, _ := os.ReadFile(path + ".refs")
			if want := "models--org--tiny/blobs/" + etag + "\n"; test.linked && string(refs) != want {
				t.Errorf("the list of links is %q, want %q", refs, want)
			}
			data, err := files.Read(filepath.Join(p.Dir, "model.safetensors"), 1<<20)
			if err != nil || !bytes.Equal(data, weights) {
				t.Errorf("read through the links: %d bytes, %v", len(data), err)
			}
			// A store that is gone leaves a link to nothing, which is named with its target.
			if !test.linked {
				return
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if _, err := Resolve("org/tiny"); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("%v, want %s in it", err, path)
			}
			if _, err := c.Download(t.Context(), "org/tiny", "main", nil); err != nil {
				t.Fatal(err)
			}
			if sum, err := files.SHA256(filepath.Join(p.Dir, "model.safetensors")); err != nil || sum != etag {
				t.Errorf("fetched again: %s, %v", sum, err)
			}
		})
	}
}

func TestWithoutLinks(t *testing.T) {
	s := newServer(t)
	c := testClient(t, s)
	c.links = false
	for range 2 {
		p, err := c.Download(t.Context(), "org/tiny", "main", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range needed {
			if info, err := os.Lstat(filepath.Join(p.Dir, name)); err != nil || !info.Mode().IsRegular() {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if n := s.Count("GET /_storage/"); n != 1 {
		t.Errorf("fetched %d times", n)
	}
	// A second commit copies what the first has, or fetches it.
	s.Put("org/tiny", s.Get("org/tiny"))
	if _, err := c.Download(t.Context(), "org/tiny", "main", nil); err != nil {
		t.Fatal(err)
	}
	checkSnapshot(t, c, "org/tiny", s.Commit("org/tiny"), tiny(), needed)
}

func TestOffline(t *testing.T) {
	s := newServer(t)
	c := testClient(t, s)
	c.OfflineBy = "HF_HUB_OFFLINE"
	_, err := c.Download(t.Context(), "org/tiny", "main", nil)
	if err == nil || !strings.Contains(err.Error(), "HF_HUB_OFFLINE is set") || !strings.Contains(hint.Of(err), "unset HF_HUB_OFFLINE") || s.Count("") != 0 {
		t.Errorf("%v (%s), %d requests", err, hint.Of(err), s.Count(""))
	}
	c.OfflineBy = ""
	p, err := c.Download(t.Context(), "org/tiny", "main", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, off := range []string{"HF_HUB_OFFLINE", ""} {
		c.OfflineBy = off
		c.Endpoint = "http://127.0.0.1:1" // where nobody listens
		if got, err := c.Download(t.Context(), "org/tiny", "main", nil); err != nil || got.Dir != p.Dir {
			t.Errorf("from the cache: %v", err)
		}
	}
	_, err = c.Download(t.Context(), "org/other", "main", nil)
	if err == nil || !strings.Contains(err.Error(), "org/other is not whole in the cache") || !strings.Contains(hint.Of(err), "check the connection") {
		t.Errorf("%v (%s)", err, hint.Of(err))
	}
}

// TestCacheOfOthers: a cache that cannot be written.
func TestCacheOfOthers(t *testing.T) {
	s := newServer(t)
	c := testClient(t, s)
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	cache := c.Cache
	c.Cache = filepath.Join(file, "hub")
	_, err := c.Download(t.Context(), "org/tiny", "main", nil)
	if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(hint.Of(err), "HF_HUB_CACHE") {
		t.Errorf("%v (%s)", err, hint.Of(err))
	}
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	c.Cache = cache
	if err := os.MkdirAll(cache, 0o555); err != nil {
		t.Fatal(err)
	}
	_, err = c.Download(t.Context(), "org/tiny", "main", nil)
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(hint.Of(err), "HF_HUB_CACHE") {
		t.Errorf("%v (%s)", err, hint.Of(err))
	}
}

// TestCuts: one download, cut at random places and ended by its user now and then,
// has the same bytes in the end.
func TestCuts(t *testing.T) {
	s := newServer(t)
	c := testClient(t, s)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 30 {
		s.Fault(hubtest.Fault{Match: "GET /_storage/", Cut: 1 + r.IntN(40_000), Flip: r.IntN(10) == 0})
	}
	for try := 0; ; try++ {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(20))*time.Millisecond)
		_, err := c.Download(ctx, "org/tiny", "main", nil)
		cancel()
		if err == nil {
			break
		}
		if try == 500 {
			t.Fatal(err)
		}
	}
	checkSnapshot(t, c, "org/tiny", s.Commit("org/tiny"), tiny(), needed)
}

func ExampleParseID() {
	fmt.Println(ParseID("org/name@v1.0"))
	// Output: org/name v1.0 <nil>
}
