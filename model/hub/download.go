package hub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
)

// atOnce is how many files are under way at once.
const atOnce = 4

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

// Download brings a revision of a model into the cache: what a run needs of it. It
// verifies what it fetches, and goes on with what an earlier download left. progress
// is told the bytes that are there, of the model's; it may be nil, and calls of it do
// not overlap. done falls where something turned out wrong and is fetched anew.
func (c *Client) Download(ctx context.Context, id, revision string, progress func(done, total int64)) (*Plan, error) {
	p, err := c.Plan(ctx, id, revision)
	if err != nil {
		return nil, err
	}
	return p, c.Fetch(ctx, p, progress)
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

// Fetch brings what a plan names into the cache. The list of files is written first, by
// which a part of a snapshot is known for one, and the reference last, so that a
// download which ends early leaves the one before in place.
func (c *Client) Fetch(ctx context.Context, p *Plan, progress func(done, total int64)) error {
	if p.tree == nil {
		return nil // planned without a network: it is there
	}
	r := repository{c.Cache, p.ID}
	m := &meter{total: p.Size(), report: progress}
	err := c.room(r, p)
	if err == nil && p.listed {
		if err = writeTree(r.tree(p.Commit), p.tree); err != nil && p.linked() {
			err = nil // somebody else's cache, which has all of it
		}
	}
	if err == nil {
		err = c.fetchAll(ctx, r, p, m)
	}
	if err == nil {
		err = r.writeRef(p.Revision, p.Commit)
	}
	return c.explainLocal(p, c.explain(p.ID, p.Revision, err))
}

// fetchAll fetches several files at once. The first error ends the others.
func (c *Client) fetchAll(ctx context.Context, r repository, p *Plan, m *meter) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := make(chan File)
	var group sync.WaitGroup
	for range atOnce {
		group.Go(func() {
			for f := range queue {
				if err := c.fetch(ctx, r, p, f, m); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, f := range p.Files {
		select {
		case queue <- f:
		case <-ctx.Done():
		}
	}
	close(queue)
	group.Wait()
	return context.Cause(ctx)
}

// fetch brings one file into the cache: the blob under its lock, then the snapshot's
// link. What is there already is left alone, and needs no right to write.
func (c *Client) fetch(ctx context.Context, r repository, p *Plan, f File, m *meter) error {
	pointer, blob := p.pointer(f), r.blob(f.etag)
	if whole(pointer, f.Size) {
		m.add(f.Size)
		return nil
	}
	if err := r.prepare(pointer); err != nil {
		return err
	}
	unlock, err := c.lock(ctx, r.lock(f.etag), f.Path)
	exclusive := err == nil
	if err != nil && !errors.Is(err, errNoLocks) {
		return err
	}
	defer unlock()
	fresh := false
	switch {
	case whole(blob, f.Size):
		m.add(f.Size)
	case c.shared && c.fromStore(ctx, r, f):
		m.add(f.Size)
	default:
		d := &partial{c: c, file: f, meter: m, path: blob + ".incomplete", exclusive: exclusive}
		d.url = c.Endpoint + "/" + p.ID + "/resolve/" + p.Commit + "/" + (&url.URL{Path: f.Path}).EscapedPath()
		if err := d.fetch(ctx, blob); err != nil {
			return err
		}
		fresh = true
	}
	return c.link(blob, pointer, fresh)
}

// room returns an error where the disk cannot hold what is missing.
func (c *Client) room(r repository, p *Plan) error {
	missing := p.Missing()
	if missing == 0 {
		return nil
	}
	for dir := r.dir(); ; dir = filepath.Dir(dir) {
		free, err := freeSpace(dir)
		if errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
			continue
		}
		for _, f := range p.Files {
			if !f.Cached {
				missing -= files.Size(r.blob(f.etag) + ".incomplete")
			}
		}
		if err == nil && free < missing {
			return fmt.Errorf("%w: %s has room for %d bytes, want %d", syscall.ENOSPC, c.Cache, free, missing)
		}
		return nil
	}
}

// explainLocal adds what to do about errors of the cache's own folder.
func (c *Client) explainLocal(p *Plan, err error) error {
	switch {
	case err == nil, hint.Of(err) != "":
		return err
	case errors.Is(err, syscall.ENOSPC):
		return hint.New(fmt.Errorf("%s: the disk is full: %w", p.ID, err), "make room, or name a cache on another disk as HF_HUB_CACHE; what was fetched stays for the next try")
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return hint.New(fmt.Errorf("%s: the cache %s cannot be written: %w", p.ID, c.Cache, err), "name a folder of your own as HF_HUB_CACHE")
	case errors.As(err, new(*fs.PathError)):
		return hint.New(fmt.Errorf("%s: writing into the cache: %w", p.ID, err), "HF_HUB_CACHE names another folder for the cache")
	}
	return err
}

// A meter counts bytes for a progress line.
type meter struct {
	mu          sync.Mutex
	done, total int64
	report      func(done, total int64)
}

func (m *meter) add(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += n
	if m.report != nil {
		m.report(m.done, m.total)
	}
}
