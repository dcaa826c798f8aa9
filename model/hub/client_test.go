package hub

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/finetune/internal/hint"
	"example.com/finetune/model/hub/hubtest"
)

func TestRefusals(t *testing.T) {
	s := newServer(t)
	s.Put("org/gated", &hubtest.Repo{Files: tiny(), Gated: true})
	s.Put("org/private", &hubtest.Repo{Files: tiny(), Private: true})
	s.Put("org/gguf", &hubtest.Repo{Files: map[string][]byte{"config.json": []byte("{}"), "x.Q4_K_M.gguf": {}}})
	page := s.URL + "/org/gated"
	for _, test := range []struct{ id, revision, token, want, hint string }{
		{"org/gated", "main", "", "org/gated is gated: its terms have to be accepted", "accept them at " + page},
		{"org/gated", "main", "hf_other", "the Hub does not know the token of HF_TOKEN: it is wrong or expired", "/settings/tokens"},
		{"org/gated", "main", hubtest.Token, "", ""},
		{"org/private", "main", "", "org/private: no such model on the Hub, or one that needs a token", "hf auth login"},
		{"org/private", "main", hubtest.Token, "", ""},
		{"org/none", "main", "", "org/none: no such model on the Hub, or one that needs a token", "check the spelling"},
		{"org/none", "main", "hf_other", "org/none: no such model on the Hub, or one that the token of HF_TOKEN may not see", "check the spelling"},
		{"org/tiny", "v9", "", "org/tiny has no revision v9", "without @v9 it is main"},
		{"org/gguf", "main", "", "org/gguf holds no model.safetensors, only x.Q4_K_M.gguf", "save_pretrained"},
	} {
		c := testClient(t, s)
		c.Token, c.TokenFrom = test.token, "HF_TOKEN"
		_, err := c.Download(t.Context(), test.id, test.revision, nil)
		if test.want == "" && err == nil {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(hint.Of(err), test.hint) {
			t.Errorf("%s@%s with %q: %v (%s), want %q (%s)", test.id, test.revision, test.token, err, hint.Of(err), test.want, test.hint)
		}
		if err != nil && test.token != "" && strings.Contains(err.Error()+hint.Of(err), test.token) {
			t.Errorf("the error shows the token: %v", err)
		}
		if test.id != "org/gated" { // there the list of files may be read
			if list := layout(t, filepath.Dir(c.Cache)); len(list) > 0 {
				t.Errorf("%s: left in the cache: %v", test.id, list)
			}
		}
	}
}

// TestOtherRefusals: answers that the server does not give by itself.
func TestOtherRefusals(t *testing.T) {
	for _, test := range []struct {
		status     int
		header     map[string]string
		want, hint string
	}{
		{403, map[string]string{"X-Error-Code": "GatedRepo"}, "org/tiny is gated, and the token of HF_TOKEN has no access", "as the user of that token"},
		{403, map[string]string{"X-Error-Message": "the token is fine-grained"}, "answers 403 Forbidden: the token is fine-grained", "a token needs the right"},
		{403, map[string]string{"X-Error-Message": "Access to this resource is disabled."}, "org/tiny is disabled on the Hub", ""},
		{404, nil, "no such model", "check the spelling"},
		{451, nil, "answers 451 Unavailable For Legal Reasons", ""},
		{503, nil, "answers 503 Service Unavailable", "try again later"},
		{429, nil, "rate limit", "some minutes"},
		{302, map[string]string{"Location": "/api/models/org/tiny/revision/main"}, "more than 10 redirects", ""},
	} {
		s := newServer(t)
		c := testClient(t, s)
		c.Token, c.TokenFrom = "hf_x", "HF_TOKEN"
		s.Fault(hubtest.Fault{Match: "GET ", Times: 99, Status: test.status, Header: test.header})
		_, err := c.Download(t.Context(), "org/tiny", "main", nil)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(hint.Of(err), test.hint) {
			t.Errorf("%d: %v (%s), want %q (%s)", test.status, err, hint.Of(err), test.want, test.hint)
		}
	}
}

// TestNoTokenIsNamed: where there is none, none is at fault.
func TestNoTokenIsNamed(t *testing.T) {
	for _, status := range []int{401, 404} {
		s := newServer(t)
		s.Fault(hubtest.Fault{Match: "GET ", Status: status})
		_, err := testClient(t, s).Download(t.Context(), "org/tiny", "main", nil)
		if err == nil || !strings.HasSuffix(err.Error(), "org/tiny: no such model on the Hub, or one that needs a token") {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// TestNotAHub: a login page in the Hub's place, or anybody's JSON.
func TestNotAHub(t *testing.T) {
	for _, body := range []string{"<html>log in", "{}", `{"sha": "../../x"}`, "[", ""} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		c := testClient(t, newServer(t))
		c.Endpoint = s.URL
		_, err := c.Download(t.Context(), "org/tiny", "main", nil)
		if err == nil || !strings.Contains(err.Error(), "does not answer as the Hub does") || !strings.Contains(hint.Of(err), "HF_ENDPOINT is ") {
			t.Errorf("%q: %v (%s)", body, err, hint.Of(err))
		}
		s.Close()
	}
}

// TestNamesFromTheHub: file names and digests become paths, so that they are checked.
func TestNamesFromTheHub(t *testing.T) {
	for _, entry := range []string{
		`{"type": "file", "path": "config.json", "size": 2, "oid": "../../../x"}`,
		`{"type": "file", "path": "config.json", "size": 2, "oid": ""}`,
		`{"type": "file", "path": "config.json", "size": -1, "oid": "0000000000000000000000000000000000000000"}`,
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/tree/") {
				_, _ = w.Write([]byte("[" + entry + `,{"type": "file", "path": "model.safetensors", "size": 0, "oid": "0000000000000000000000000000000000000000"}]`))
				return
			}
			_, _ = w.Write([]byte(`{"sha": "0123456789012345678901234567890123456789"}`))
		}))
		c := testClient(t, newServer(t))
		c.Endpoint = s.URL
		_, err := c.Download(t.Context(), "org/tiny", "main", nil)
		if err == nil || !strings.Contains(err.Error(), "config.json has no digest on the Hub") {
			t.Errorf("%s: %v", entry, err)
		}
		s.Close()
	}
}

func TestRenamed(t *testing.T) {
	s := newServer(t)
	s.Put("org/old-name", &hubtest.Repo{RenamedTo: "org/tiny"})
	c := testClient(t, s)
	var said []string
	c.Log = func(text string) { said = append(said, text) }
	if _, err := c.Download(t.Context(), "org/old-name", "main", nil); err != nil {
		t.Fatal(err)
	}
	checkSnapshot(t, c, "org/old-name", s.Commit("org/tiny"), tiny(), needed)
	if want := "org/old-name is called org/tiny now; the cache keeps it under the name you gave"; !slices.Equal(said, []string{want}) {
		t.Errorf("%q, want %q", said, want)
	}
}

// TestBearer: the token goes to the Hub, and to no other host along a redirect, whatever
// it is called.
func TestBearer(t *testing.T) {
	var got []string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = append(got, r.URL.Path+" "+r.Header.Get("Authorization"))
	}))
	defer other.Close()
	elsewhere := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.URL.Path+" "+r.Header.Get("Authorization"))
		switch r.URL.Path {
		case "/a":
			http.Redirect(w, r, "/b", http.StatusTemporaryRedirect)
		case "/b":
			http.Redirect(w, r, elsewhere+"/c", http.StatusFound)
		}
	}))
	defer hub.Close()
	c := testClient(t, newServer(t))
	c.Endpoint, c.Token = hub.URL, "hf_x"
	resp, err := c.send(t.Context(), request{method: http.MethodGet, url: hub.URL + "/a"})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	want := []string{"/a Bearer hf_x", "/b Bearer hf_x", "/c "}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for address, want := range map[string]bool{
		DefaultEndpoint + "/x": true, DefaultEndpoint + ":443/x": true, strings.ToUpper(hub.URL) + "/x": false, hub.URL: true,
		strings.Replace(DefaultEndpoint, "https", "http", 1): false, strings.Replace(DefaultEndpoint, "//", "//cdn.", 1): false,
		DefaultEndpoint + ".example/x": false, strings.Replace(DefaultEndpoint, "//", "//x@example/", 1): false, DefaultEndpoint + ":444": false,
	} {
		req, err := http.NewRequest(http.MethodGet, address, nil)
		if got := err == nil && c.isHub(req.URL); got != want && !strings.HasPrefix(address, "HTTP") {
			t.Errorf("%s is the Hub: %v", address, got)
		}
	}
}

func TestEnvironment(t *testing.T) {
	home := t.TempDir()
	write(t, filepath.Join(home, "token"), " hf_file\n")
	write(t, filepath.Join(home, "elsewhere"), "hf_path")
	write(t, filepath.Join(home, "broken"), "hf_a b")
	for _, test := range []struct {
		set         map[string]string
		token, from string
		err         string
	}{
		{nil, "hf_file", filepath.Join(home, "token"), ""},
		{map[string]string{"HF_TOKEN": " hf_env "}, "hf_env", "HF_TOKEN", ""},
		{map[string]string{"HUGGING_FACE_HUB_TOKEN": "hf_old"}, "hf_old", "HUGGING_FACE_HUB_TOKEN", ""},
		{map[string]string{"HF_TOKEN_PATH": "$HF_HOME/elsewhere"}, "hf_path", filepath.Join(home, "elsewhere"), ""},
		{map[string]string{"HF_TOKEN_PATH": "/$NONE/x"}, "", "", ""},
		{map[string]string{"HF_TOKEN": "hf_a\nhf_b"}, "", "", "HF_TOKEN holds no token"},
		{map[string]string{"HF_TOKEN_PATH": filepath.Join(home, "broken")}, "", "", "broken holds no token"},
		{map[string]string{"HF_TOKEN_PATH": home}, "", "", "a folder, want a file"},
		{map[string]string{"HF_ENDPOINT": "huggingface"}, "", "", `HF_ENDPOINT is "huggingface", want a URL`},
		{map[string]string{"HF_HUB_DOWNLOAD_TIMEOUT": "soon"}, "", "", `HF_HUB_DOWNLOAD_TIMEOUT is "soon"`},
	} {
		t.Run("", func(t *testing.T) {
			for _, key := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_ENDPOINT", "HF_HUB_OFFLINE", "HF_HUB_DOWNLOAD_TIMEOUT"} {
				t.Setenv(key, test.set[key])
			}
			t.Setenv("HF_HOME", home)
			c, err := NewClient("test")
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "hf_") {
					t.Errorf("%v: %v, want %q", test.set, err, test.err)
				}
				return
			}
			if err != nil || c.Token != test.token || c.TokenFrom != test.from || c.Endpoint != DefaultEndpoint || c.OfflineBy != "" {
				t.Errorf("%v: token %q of %q, endpoint %s, %v", test.set, c.Token, c.TokenFrom, c.Endpoint, err)
			}
		})
	}
	t.Setenv("HF_HOME", home)
	t.Setenv("HF_HUB_OFFLINE", "yes")
	if c, err := NewClient("test"); err != nil || c.OfflineBy != "HF_HUB_OFFLINE" {
		t.Errorf("offline by %q, %v", c.OfflineBy, err)
	}
}

// adapterFolder is what train writes, as far as an upload is concerned.
func adapterFolder(t *testing.T, weights int) (dir string, content map[string][]byte) {
	t.Helper()
	dir = t.TempDir()
	content = map[string][]byte{
		"adapter_config.json":       []byte(`{"base_model_name_or_path": "org/tiny", "peft_type": "LORA"}`),
		"adapter_model.safetensors": random(1, weights),
		"README.md":                 []byte("---\nlibrary_name: peft\nbase_model: org/tiny\n---\n# An adapter\n"),
		"loss.svg":                  []byte("<svg/>"),
	}
	for name, data := range content {
		write(t, filepath.Join(dir, name), string(data))
	}
	write(t, filepath.Join(dir, "run.yaml"), "model: /home/me/model\n")
	return dir, content
}

func TestUpload(t *testing.T) {
	for name, size := range map[string]int{"one piece": 300_000, "parts": 3_300_000} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			c := testClient(t, s)
			c.Token = hubtest.Token
			dir, content := adapterFolder(t, size)
			var last, total int64
			u, err := c.Upload(t.Context(), dir, "me/adapter", true, func(d, all int64) { last, total = d, all })
			if err != nil {
				t.Fatal(err)
			}
			repo := s.Get("me/adapter")
			if !u.Created || !u.Private || !repo.Private || u.URL != s.URL+"/me/adapter" || len(u.Files) != 4 || u.Commit != s.Commit("me/adapter") {
				t.Errorf("%+v", u)
			}
			if last != int64(size) || total != last {
				t.Errorf("progress ends at %d of %d", last, total)
			}
			delete(repo.Files, ".gitattributes")
			if !maps.EqualFunc(repo.Files, content, slices.Equal) {
				t.Errorf("the repository holds %q", slices.Sorted(maps.Keys(repo.Files)))
			}
			if n := s.Count("PUT /_storage/"); n != max(1, (size+1<<20-1)>>20) {
				t.Errorf("%d pieces", n)
			}
			// Again: no byte of content, no commit.
			before := s.Count("")
			if u, err = c.Upload(t.Context(), dir, "me/adapter", true, nil); err != nil || len(u.Files) != 0 || u.Created {
				t.Errorf("again: %+v, %v", u, err)
			}
			if got := s.Requests()[before:]; len(got) != 3 {
				t.Errorf("again: %q", got)
			}
			// Another card: that alone.
			write(t, filepath.Join(dir, "README.md"), "---\nlibrary_name: peft\n---\n# Another\n")
			if u, err = c.Upload(t.Context(), dir, "me/adapter", false, nil); err != nil || !slices.Equal(u.Files, []string{"README.md"}) || !u.Private {
				t.Errorf("another card: %+v, %v", u, err)
			}
			// What was uploaded comes back.
			p, err := c.Download(t.Context(), "me/adapter", "main", nil)
			if err != nil {
				t.Fatal(err)
			}
			back, err := os.ReadFile(filepath.Join(p.Dir, "adapter_model.safetensors"))
			if err != nil || !slices.Equal(back, content["adapter_model.safetensors"]) {
				t.Errorf("back: %d bytes, %v", len(back), err)
			}
		})
	}
}

// TestUploadAfterAnotherRepository: content that the storage has is not sent again.
func TestUploadAfterAnotherRepository(t *testing.T) {
	s := newServer(t)
	c := testClient(t, s)
	c.Token = hubtest.Token
	dir, _ := adapterFolder(t, 2_000_000)
	for i, id := range []string{"me/one", "me/two"} {
		if _, err := c.Upload(t.Context(), dir, id, false, nil); err != nil {
			t.Fatal(err)
		}
		if n := s.Count("PUT "); n != 2 {
			t.Errorf("after %d: %d pieces sent", i+1, n)
		}
	}
}

func TestUploadFaults(t *testing.T) {
	for name, test := range map[string]struct {
		fault hubtest.Fault
		want  int // commits
	}{
		"503 of the storage":        {hubtest.Fault{Match: "PUT /_storage/", Status: 503, Times: 2}, 1},
		"the address has expired":   {hubtest.Fault{Match: "PUT /_storage/", Status: 403}, 1},
		"the commit is lost":        {hubtest.Fault{Match: "/commit/main", Lost: true}, 1},
		"the commit is refused":     {hubtest.Fault{Match: "/commit/main", Status: 503}, 2},
		"429 of everything":         {hubtest.Fault{Match: "POST /", Status: 429, Times: 3}, 1},
		"parts cannot be completed": {hubtest.Fault{Match: "/_complete/", Status: 500}, 1},
		"the answer to a part":      {hubtest.Fault{Match: "/2", Status: 500}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			c := testClient(t, s)
			c.Token = hubtest.Token
			s.Fault(test.fault)
			dir, content := adapterFolder(t, 2_000_000)
			var last, total int64
			u, err := c.Upload(t.Context(), dir, "me/adapter", false, func(d, all int64) { last, total = d, all })
			if err != nil {
				t.Fatal(err)
			}
			repo := s.Get("me/adapter")
			delete(repo.Files, ".gitattributes")
			if !maps.EqualFunc(repo.Files, content, slices.Equal) || len(u.Files) != 4 {
				t.Errorf("the repository holds %q, sent were %q", slices.Sorted(maps.Keys(repo.Files)), u.Files)
			}
			if n := s.Count("/commit/main"); n != test.want {
				t.Errorf("%d commits, want %d", n, test.want)
			}
			if last != total {
				t.Errorf("progress ends at %d of %d", last, total)
			}
		})
	}
}

func TestUploadErrors(t *testing.T) {
	s := newServer(t)
	dir, _ := adapterFolder(t, 1000)
	wrong, _ := adapterFolder(t, 1000)
	write(t, filepath.Join(wrong, "README.md"), "---\nbase_model: /home/me/model\n---\n")
	for _, test := range []struct {
		dir, id, token string
		private        bool
		want, hint     string
	}{
		{dir, "adapter", hubtest.Token, false, "is not the id of a repository", "your user name"},
		{dir, "me/a--b", hubtest.Token, false, "is not the id of a repository", "your user name"},
		{dir, "me/adapter", "", false, "an upload needs a token", "HF_TOKEN"},
		{dir, "me/adapter", "hf_other", false, "the Hub does not know the token of HF_TOKEN", "make a new one"},
		{t.TempDir(), "me/adapter", hubtest.Token, false, "is no adapter's folder: no adapter_config.json", "that train wrote"},
		{filepath.Join(dir, "none"), "me/adapter", hubtest.Token, false, "is no adapter's folder", "that train wrote"},
		{dir, "forbidden/adapter", hubtest.Token, false, "answers 403 Forbidden: You don't have the rights", "a token needs the right"},
		{dir, "org/tiny", hubtest.Token, true, "org/tiny is there, and public", "leave --private out"},
		{wrong, "me/adapter", hubtest.Token, false, "the Hub does not take its metadata: \"base_model\"", "between the two lines"},
	} {
		c := testClient(t, s)
		c.Token, c.TokenFrom = test.token, "HF_TOKEN"
		_, err := c.Upload(t.Context(), test.dir, test.id, test.private, nil)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(hint.Of(err), test.hint) {
			t.Errorf("%s: %v (%s), want %q (%s)", test.id, err, hint.Of(err), test.want, test.hint)
		}
	}
	if n := s.Count("/commit/"); n != 0 {
		t.Errorf("%d commits", n)
	}
	if base, err := BaseOf(dir); err != nil || base != "org/tiny" {
		t.Errorf("base %q, %v", base, err)
	}
}

// TestParts: whatever size of parts the Hub asks for, each has an address, or it is an error.
func TestParts(t *testing.T) {
	header := func(chunk any) map[string]any {
		return map[string]any{"chunk_size": chunk, "00001": "a", "2": "b", "x": "c"}
	}
	for _, test := range []struct {
		chunk any
		bytes int64
		want  string // addresses, else a part of the error
	}{
		{"10", 10, "a"},
		{"10", 11, "ab"},
		{"10", 20, "ab"},
		{"9223372036854775807", 11, "a"},
		{"10", 21, "no address for number 3"},
		{"1", 1 << 40, "no address for number 3"},
		{"0", 11, "parts of 0 bytes"},
		{"-1", 11, "parts of -1 bytes"},
		{"9223372036854775808", 11, "parts of 9223372036854775808 bytes"},
		{10.0, 11, "parts of 10 bytes"},
		{nil, 11, "parts of <nil> bytes"},
	} {
		_, addresses, err := lfsAction{Header: header(test.chunk)}.parts(test.bytes)
		if got := strings.Join(addresses, ""); err == nil && got != test.want || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%d bytes in parts of %v: %q, %v, want %q", test.bytes, test.chunk, got, err, test.want)
		}
	}
}
