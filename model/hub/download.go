package hub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
)

// atOnce is how many files are under way at once.
const atOnce = 4

// Download brings a revision of a model into the cache: what a run needs of it. It
// verifies what it fetches, and continues what an earlier download left. progress
// is told the bytes that are there, of the model's; it may be nil, and calls of it do
// not overlap. done falls where something turned out wrong and is fetched anew.
func (c *Client) Download(ctx context.Context, id, revision string, progress func(done, total int64)) (*Plan, error) {
	p, err := c.Plan(ctx, id, revision)
	if err != nil {
		return nil, err
	}
	return p, c.Fetch(ctx, p, progress)
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
		_ = os.Remove(blob + ".incomplete") // where Python's client has done the rest
		m.add(f.Size)
		return nil
	}
	if err := r.prepare(pointer); err != nil {
		return err
	}
	unlock, err := c.lock(ctx, r.lock(f.etag), f.Path)
	exclusive := err == nil
	if err != nil && !errors.Is(err, files.ErrNoLocks) {
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
	case errors.Is(err, syscall.ENOSPC):
		return hint.New(fmt.Errorf("%s: the disk is full: %w", p.ID, err), "make room, or name a cache on another disk as HF_HUB_CACHE; what was fetched stays for the next try")
	case err == nil, hint.Of(err) != "":
		return err
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
