package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
)

// maxWrong is how often a file may arrive with other bytes than its digest's.
const maxWrong = 3

// A partial is a blob on its way. Its file stays where a download ends early, and the
// next one continues it, which is safe for whoever holds the blob's lock. Without
// locks a name of its own is used, and removed in the end.
type partial struct {
	c         *Client
	file      File
	url       string // from which the Hub leads to the bytes
	path      string
	exclusive bool
	meter     *meter

	f    *os.File
	have int64
	sum  hash.Hash
}

// fetch makes the file become blob, once its digest is right.
func (d *partial) fetch(ctx context.Context, blob string) error {
	if !d.exclusive {
		d.path = fmt.Sprintf("%s.%08x.incomplete", strings.TrimSuffix(d.path, ".incomplete"), rand.Uint32())
		defer os.Remove(d.path)
	}
	if err := d.open(); err != nil {
		return err
	}
	defer func() { d.f.Close() }()
	for wrong := 1; ; wrong++ {
		if err := d.fill(ctx); err != nil {
			return err
		}
		got := hex.EncodeToString(d.sum.Sum(nil))
		if got == d.file.etag {
			break
		}
		if err := d.restart(); err != nil {
			return err
		}
		if wrong == maxWrong {
			return hint.New(fmt.Errorf("%s arrives with the digest %s, want %s", d.file.Path, got, d.file.etag),
				"something on the way changes what is sent; nothing of it was kept")
		}
		d.c.log("%s arrived damaged; fetching it again", d.file.Path)
	}
	if err := d.f.Sync(); err != nil {
		return err
	}
	if err := d.f.Close(); err != nil {
		return err
	}
	if err := os.Rename(d.path, blob); err != nil {
		return err
	}
	return files.SyncDir(filepath.Dir(blob))
}

// open opens what an earlier download left, and hashes it.
func (d *partial) open() error {
	var err error
	if info, e := os.Lstat(d.path); e == nil && !info.Mode().IsRegular() || !d.exclusive {
		return d.create()
	}
	if d.f, err = os.OpenFile(d.path, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return err
	}
	d.begin()
	n, err := io.Copy(d.sum, d.f)
	if err != nil {
		d.f.Close()
		return fmt.Errorf("%s: %w", d.path, err)
	}
	d.have = n
	d.meter.add(n)
	if n > d.file.Size {
		return d.restart()
	}
	return nil
}

// restart begins with an empty file. It is a new one: should a lock be no lock, another
// process keeps writing the old one undisturbed.
func (d *partial) restart() error {
	d.f.Close()
	d.meter.add(-d.have)
	return d.create()
}

func (d *partial) create() error {
	if err := os.Remove(d.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var err error
	d.f, err = os.OpenFile(d.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	d.begin()
	return err
}

// begin resets the digest: git's sha1 is over a header and the content.
func (d *partial) begin() {
	d.have = 0
	if len(d.file.etag) == 2*sha256.Size {
		d.sum = sha256.New()
		return
	}
	d.sum = sha1.New()
	fmt.Fprintf(d.sum, "blob %d\x00", d.file.Size)
}

// fill fetches until all bytes are there. A try that brought some is not counted.
func (d *partial) fill(ctx context.Context) error {
	for try := 0; d.have < d.file.Size; {
		before := d.have
		err := d.try(ctx)
		if err == nil {
			continue
		}
		if try++; d.have > before {
			try = 1
		}
		if err := d.c.again(ctx, try, err); err != nil {
			return err
		}
	}
	return nil
}

// try asks for what is missing, beginning at the Hub: it signs a new address each time.
func (d *partial) try(ctx context.Context) error {
	r := request{method: http.MethodGet, url: d.url, header: map[string]string{"Accept-Encoding": "identity"}}
	if d.have > 0 {
		r.header["Range"] = fmt.Sprintf("bytes=%d-", d.have)
	}
	resp, err := d.c.send(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	from := int64(-1)
	switch resp.StatusCode {
	case http.StatusOK: // from the beginning, whatever was asked
		from = 0
	case http.StatusPartialContent:
		_, _ = fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-", &from)
	case http.StatusRequestedRangeNotSatisfiable: // what is there is no beginning of it
	default:
		return d.c.refusal(r, resp)
	}
	if from != d.have {
		if err := d.restart(); err != nil {
			return err
		}
	}
	if from != d.have {
		return lostError{fmt.Errorf("%s sends another part of %s than asked for", resp.Request.URL.Host, d.file.Path)}
	}
	return d.copy(resp)
}

// copy appends what arrives, and counts what has reached the disk.
func (d *partial) copy(resp *http.Response) error {
	buffer := make([]byte, 256<<10)
	for d.have < d.file.Size {
		n, err := resp.Body.Read(buffer[:min(int64(len(buffer)), d.file.Size-d.have)])
		written, e := d.f.WriteAt(buffer[:n], d.have)
		d.sum.Write(buffer[:written])
		d.have += int64(written)
		d.meter.add(int64(written))
		if e != nil {
			return e
		}
		if err == io.EOF && d.have < d.file.Size {
			err = lostError{fmt.Errorf("%s: ends too early", resp.Request.URL.Host)}
		}
		if errors.As(err, new(lostError)) {
			return fmt.Errorf("%s, at byte %d of %d: %w", d.file.Path, d.have, d.file.Size, err)
		}
		if err != nil && err != io.EOF {
			return err
		}
	}
	return nil
}
