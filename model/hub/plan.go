package hub

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"

	"example.com/finetune/internal/hint"
)

// A Plan is what a download takes.
type Plan struct {
	ID, Revision string
	Commit       string
	Dir          string // the snapshot
	Files        []File // that a run needs, by name

	tree   map[string]treeFile // all files of the commit; nil where the network was not asked
	listed bool                // by the Hub just now, rather than by the cache
}

// A File is one that a run needs.
type File struct {
	Path   string // below the snapshot, with slashes
	Size   int64  // bytes
	Cached bool   // in the cache already
	etag   string
	xet    string // name in the shared store; "" where it has none
}

// Size returns the bytes of all files.
func (p *Plan) Size() (n int64) {
	for _, f := range p.Files {
		n += f.Size
	}
	return n
}

// Missing returns the bytes of the files that are not in the cache.
func (p *Plan) Missing() (n int64) {
	for _, f := range p.Files {
		if !f.Cached {
			n += f.Size
		}
	}
	return n
}

// Plan asks the Hub what a download would take. Without a network, by HF_HUB_OFFLINE
// or because nothing answers, it is what the cache holds, if that is whole.
func (c *Client) Plan(ctx context.Context, id, revision string) (*Plan, error) {
	r := repository{c.Cache, id}
	if c.OfflineBy != "" {
		return c.offline(r, revision, hint.New(fmt.Errorf("%s is set", c.OfflineBy), "unset "+c.OfflineBy+" to use the network"))
	}
	p, err := c.online(ctx, r, revision)
	if mayPass(err) {
		return c.offline(r, revision, c.explain(id, revision, err))
	}
	return p, c.explain(id, revision, err)
}

// offline plans with the cache alone. why is the error where that is not whole.
func (c *Client) offline(r repository, revision string, why error) (*Plan, error) {
	dir, err := r.cached(revision)
	if err != nil {
		return nil, hint.New(fmt.Errorf("%s is not whole in the cache %s, and the Hub cannot be asked: %w", r.id, c.Cache, why), hint.Of(why))
	}
	c.log("%s is taken from the cache: %v", r.id, why)
	return &Plan{ID: r.id, Revision: revision, Commit: filepath.Base(dir), Dir: dir}, nil
}

// online plans with the Hub. Of a commit the list of files never changes: where it is
// in the cache nothing is asked.
func (c *Client) online(ctx context.Context, r repository, revision string) (*Plan, error) {
	commit := revision
	if !isCommit.MatchString(revision) {
		var err error
		if commit, err = c.resolve(ctx, r.id, revision); err != nil {
			return nil, err
		}
	}
	tree, err := readTree(r.tree(commit))
	listed := err != nil
	if listed {
		if tree, err = c.list(ctx, r.id, commit); err != nil {
			return nil, err
		}
	}
	names, err := needs(tree)
	if err != nil {
		return nil, fmt.Errorf("%s %w", r.id, err)
	}
	p := &Plan{ID: r.id, Revision: revision, Commit: commit, Dir: r.snapshot(commit), tree: tree, listed: listed}
	for _, name := range names {
		t := tree[name]
		if t.Size < 0 || !isETag.MatchString(t.etag()) {
			return nil, fmt.Errorf("%s: %s has no digest on the Hub", r.id, name)
		}
		f := File{Path: name, Size: t.Size, etag: t.etag(), xet: t.XetHash}
		f.Cached = whole(p.pointer(f), f.Size) || whole(r.blob(f.etag), f.Size)
		p.Files = append(p.Files, f)
	}
	return p, nil
}

// isETag matches sha256 and git's sha1.
var isETag = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

// linked reports whether the snapshot has all files.
func (p *Plan) linked() bool {
	for _, f := range p.Files {
		if !whole(p.pointer(f), f.Size) {
			return false
		}
	}
	return true
}

func (p *Plan) pointer(f File) string { return filepath.Join(p.Dir, filepath.FromSlash(f.Path)) }

// resolve asks what commit a revision is.
func (c *Client) resolve(ctx context.Context, id, revision string) (string, error) {
	var info struct{ ID, SHA string }
	address := c.Endpoint + "/api/models/" + id + "/revision/" + url.PathEscape(revision)
	if _, err := c.ask(ctx, request{method: "GET", url: address}, &info); err != nil {
		return "", err
	}
	if !isCommit.MatchString(info.SHA) {
		return "", notHub(hostOf(address))
	}
	if info.ID != "" && info.ID != id {
		c.log("%s is called %s now; the cache keeps it under the name you gave", id, info.ID)
	}
	return info.SHA, nil
}

// list asks for all files of a commit, page by page.
func (c *Client) list(ctx context.Context, id, commit string) (map[string]treeFile, error) {
	const maxPages = 1000
	tree := map[string]treeFile{}
	next := c.Endpoint + "/api/models/" + id + "/tree/" + commit + "?recursive=True&expand=False"
	for range maxPages {
		var page []struct {
			Type, OID, Path string
			Size            int64
			XetHash         string
			LFS             *struct {
				OID  string
				Size int64
			}
		}
		var err error
		if next, err = c.ask(ctx, request{method: "GET", url: c.atHome(next)}, &page); err != nil {
			return nil, err
		}
		for _, e := range page {
			if e.Type != "file" {
				continue
			}
			f := treeFile{Size: e.Size, BlobID: e.OID, XetHash: e.XetHash}
			if e.LFS != nil {
				f.LFSSHA256, f.LFSSize = e.LFS.OID, e.LFS.Size
			}
			tree[e.Path] = f
		}
		if next == "" {
			return tree, nil
		}
	}
	return nil, fmt.Errorf("%s: a list of files without an end", id)
}
