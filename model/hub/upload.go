package hub

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
)

// adapterFiles are what an upload takes of an adapter's folder. The others hold paths
// of the machine that it was trained on.
var adapterFiles = []struct {
	name     string
	required bool
}{
	{"adapter_config.json", true},
	{"adapter_model.safetensors", true},
	{"README.md", true},
	{"loss.svg", false}, // which the card shows
}

const maxRegular = 10 << 20 // bytes of a file that goes into a commit; the Hub sends larger ones to the storage

// An Uploaded says what an upload has done.
type Uploaded struct {
	URL     string   // of the repository's page
	Created bool     // the repository is new
	Private bool     // only its owners see it
	Commit  string   // "" where nothing has changed, or the Hub's answer was lost
	Files   []string // that were sent
	Bytes   int64    // of those
}

// A local is a file to upload.
type local struct {
	name         string
	path         string
	size         int64
	sha256, sha1 string // sha1 as git has it
	sample       []byte // the first bytes
}

// Upload brings an adapter and its card to a repository, which it makes where there is
// none: private, if so wanted. Of files that are the same there nothing is sent.
// progress is told the bytes of large files that are sent; it may be nil.
func (c *Client) Upload(ctx context.Context, dir, id string, private bool, progress func(done, total int64)) (*Uploaded, error) {
	if !IsID(id) || !strings.Contains(id, "/") {
		return nil, hint.New(fmt.Errorf("%q is not the id of a repository", id), "an id is ORG/NAME, where ORG is your user name or an organization of yours")
	}
	list, err := adapter(dir)
	if err != nil {
		return nil, err
	}
	if c.OfflineBy != "" {
		return nil, hint.New(fmt.Errorf("%s is set", c.OfflineBy), "unset "+c.OfflineBy+" to use the network")
	}
	if c.Token == "" {
		return nil, hint.New(errors.New("an upload needs a token with the right to write"),
			"make one at "+c.Endpoint+"/settings/tokens, and give it as HF_TOKEN, or log in with hf auth login")
	}
	u := &uploader{c: c, id: id, done: &Uploaded{URL: c.Endpoint + "/" + id, Private: private}, report: progress}
	return u.done, c.explain(id, mainRevision, u.run(ctx, list, private))
}

// adapter reads and checks the files of an adapter's folder.
func adapter(dir string) ([]*local, error) {
	var list []*local
	for _, want := range adapterFiles {
		f, err := readLocal(dir, want.name)
		switch {
		case errors.Is(err, fs.ErrNotExist) && !want.required:
			continue
		case errors.Is(err, fs.ErrNotExist):
			return nil, hint.New(fmt.Errorf("%s is no adapter's folder: no %s", dir, want.name),
				"give the folder that train wrote, with adapter_config.json, adapter_model.safetensors and README.md")
		case err != nil:
			return nil, err
		}
		list = append(list, f)
	}
	return list, nil
}

// readLocal hashes a file: by sha256, and as git does.
func readLocal(dir, name string) (*local, error) {
	f := &local{name: name, path: filepath.Join(dir, name)}
	file, err := files.Open(f.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	f.size = info.Size()
	large, git := sha256.New(), sha1.New()
	fmt.Fprintf(git, "blob %d\x00", f.size)
	f.sample = make([]byte, min(512, f.size))
	if _, err := file.ReadAt(f.sample, 0); err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	n, err := io.Copy(io.MultiWriter(large, git), file)
	if err == nil && n != f.size {
		err = fmt.Errorf("%s: %d bytes, of which %d could be read", f.path, f.size, n)
	}
	f.sha256, f.sha1 = hex.EncodeToString(large.Sum(nil)), hex.EncodeToString(git.Sum(nil))
	return f, err
}

// BaseOf returns the base model that an adapter's configuration names.
func BaseOf(dir string) (string, error) {
	data, err := files.Read(filepath.Join(dir, "adapter_config.json"), 1<<20)
	if err != nil {
		return "", err
	}
	var config struct {
		Base string `json:"base_model_name_or_path"`
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return "", fmt.Errorf("%s: %w", filepath.Join(dir, "adapter_config.json"), err)
	}
	return config.Base, nil
}

// An uploader is one upload.
type uploader struct {
	c      *Client
	id     string
	done   *Uploaded
	report func(done, total int64)
	meter  *meter
}

func (u *uploader) api(path string) string { return u.c.Endpoint + "/api/models/" + u.id + path }

// run makes the repository and brings the files there. A commit whose answer got lost
// may have been made: that is asked, and not the commit repeated.
func (u *uploader) run(ctx context.Context, list []*local, private bool) error {
	if err := u.repository(ctx, private); err != nil {
		return err
	}
	if err := u.checkCard(ctx, list); err != nil {
		return err
	}
	for try := 1; ; try++ {
		large, small, err := u.changed(ctx, list)
		if err != nil || len(large)+len(small) == 0 {
			return err
		}
		if err = u.store(ctx, large); err == nil {
			err = u.commit(ctx, large, small)
		}
		if err == nil {
			return nil
		}
		if err := u.c.again(ctx, try, err); err != nil {
			return err
		}
	}
}

// repository finds the repository or makes it. One that is public is not taken for a
// private one.
func (u *uploader) repository(ctx context.Context, private bool) error {
	var info struct{ Private bool }
	_, err := u.c.ask(ctx, request{method: http.MethodGet, url: u.api("")}, &info)
	if err == nil {
		if private && !info.Private {
			return hint.New(fmt.Errorf("%s is there, and public", u.id), "leave --private out to upload to it, or make it private at "+u.done.URL+"/settings")
		}
		u.done.Private = info.Private
		return nil
	}
	if r := new(refusal); !errors.As(err, &r) || r.status != http.StatusNotFound {
		return err
	}
	org, name, _ := strings.Cut(u.id, "/")
	body := map[string]any{"name": name, "organization": org, "type": "model"}
	if private {
		body["visibility"] = "private"
	}
	r, err := post(u.c.Endpoint+"/api/repos/create", body)
	if err != nil {
		return err
	}
	_, err = u.c.ask(ctx, r, nil)
	if r := new(refusal); errors.As(err, &r) && r.status == http.StatusConflict {
		return hint.New(fmt.Errorf("%s is there, but the token of %s may not see it", u.id, u.c.TokenFrom), "see what it may do at "+u.c.Endpoint+"/settings/tokens")
	}
	u.done.Created = err == nil
	return err
}

// checkCard has the Hub check the card's metadata, for a commit with wrong ones fails.
func (u *uploader) checkCard(ctx context.Context, list []*local) error {
	for _, f := range list {
		if f.name != "README.md" {
			continue
		}
		text, err := files.Read(f.path, maxRegular)
		if err != nil {
			return err
		}
		r, err := post(u.c.Endpoint+"/api/validate-yaml", map[string]string{"content": string(text), "repoType": "model"})
		if err != nil {
			return err
		}
		var said struct{ Errors, Warnings []struct{ Message string } }
		_, err = u.c.ask(ctx, r, &said)
		if no := new(refusal); errors.As(err, &no) && no.status == http.StatusBadRequest {
			err = json.Unmarshal(no.body, &said)
		}
		if err != nil {
			return err
		}
		for _, w := range said.Warnings {
			u.c.log("%s: the Hub warns: %s", f.path, oneLine(w.Message))
		}
		if len(said.Errors) > 0 {
			return hint.New(fmt.Errorf("%s: the Hub does not take its metadata: %s", f.path, oneLine(said.Errors[0].Message)),
				"they stand between the two lines of --- at its beginning")
		}
	}
	return nil
}

// changed asks which files are other than there, and how each is to be sent: large ones
// to the storage, small ones within the commit.
func (u *uploader) changed(ctx context.Context, list []*local) (large, small []*local, err error) {
	type entry struct {
		Path   string `json:"path"`
		Sample []byte `json:"sample"` // base64, as encoding/json writes it
		Size   int64  `json:"size"`
	}
	body := struct {
		Files []entry `json:"files"`
	}{}
	for _, f := range list {
		body.Files = append(body.Files, entry{f.name, f.sample, f.size})
	}
	r, err := post(u.api("/preupload/"+mainRevision), body)
	if err != nil {
		return nil, nil, err
	}
	var answer struct {
		Files []struct {
			Path, UploadMode, OID string
			ShouldIgnore          bool
		}
	}
	if _, err := u.c.ask(ctx, r, &answer); err != nil {
		return nil, nil, err
	}
	if len(answer.Files) != len(list) {
		return nil, nil, notHub(hostOf(r.url))
	}
	for i, a := range answer.Files {
		f := list[i]
		switch {
		case a.Path != f.name:
			return nil, nil, notHub(hostOf(r.url))
		case a.ShouldIgnore:
			u.c.log("%s is left out: the repository's .gitignore names it", f.name)
		case a.UploadMode == "lfs" && f.size > 0:
			if a.OID != f.sha256 {
				large = append(large, f)
			}
		case a.OID != f.sha1:
			if f.size > maxRegular {
				return nil, nil, fmt.Errorf("%s: %d bytes, and the Hub does not take it as a large file", f.path, f.size)
			}
			small = append(small, f)
		}
	}
	return large, small, nil
}

// commit makes the commit. It is sent once: see run.
func (u *uploader) commit(ctx context.Context, large, small []*local) error {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	line := func(key string, value any) error {
		return e.Encode(map[string]any{"key": key, "value": value})
	}
	err := line("header", map[string]string{"summary": "Upload adapter with finetune", "description": ""})
	for _, f := range small {
		data, e := files.Read(f.path, maxRegular)
		err = errors.Join(err, e, line("file", map[string]string{
			"path": f.name, "encoding": "base64", "content": base64.StdEncoding.EncodeToString(data),
		}))
	}
	for _, f := range large {
		err = errors.Join(err, line("lfsFile", map[string]any{"path": f.name, "algo": "sha256", "oid": f.sha256, "size": f.size}))
	}
	if err != nil {
		return err
	}
	u.done.Files, u.done.Bytes = nil, 0
	for _, f := range append(small, large...) {
		u.done.Files = append(u.done.Files, f.name)
		u.done.Bytes += f.size
	}
	r := request{
		method: http.MethodPost, url: u.api("/commit/" + mainRevision), size: int64(body.Len()),
		body:   func() io.Reader { return bytes.NewReader(body.Bytes()) },
		header: map[string]string{"Content-Type": "application/x-ndjson"},
	}
	resp, err := u.c.send(ctx, r)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return u.c.refusal(r, resp)
	}
	defer resp.Body.Close()
	var answer struct{ CommitOID string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); err != nil {
		return lostError{fmt.Errorf("%s: the answer to the commit is cut", hostOf(r.url))}
	}
	u.done.Commit = answer.CommitOID
	return nil
}
