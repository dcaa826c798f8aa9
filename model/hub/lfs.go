package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"

	"example.com/finetune/internal/files"
)

// lfsType is the content type of Git LFS's batch API
// (github.com/git-lfs/git-lfs, docs/api/batch.md).
const lfsType = "application/vnd.git-lfs+json"

// An lfsObject is what the Hub says of a file that goes to its storage. Without
// actions it is there already.
type lfsObject struct {
	OID     string
	Actions *struct {
		Upload lfsAction
		Verify *lfsAction
	}
	Error *struct {
		Code    int
		Message string
	}
}

type lfsAction struct {
	Href   string
	Header map[string]any // chunk_size, and the addresses of the parts by number
}

// store sends large files to the storage, as far as they are not there.
func (u *uploader) store(ctx context.Context, large []*local) error {
	if len(large) == 0 {
		return nil
	}
	objects, err := u.batch(ctx, large)
	if err != nil {
		return err
	}
	u.meter = &meter{report: u.report}
	for _, f := range large {
		if o := objects[f.sha256]; o.Actions != nil {
			u.meter.total += f.size
		}
	}
	for _, f := range large {
		o, ok := objects[f.sha256]
		switch {
		case !ok:
			return fmt.Errorf("%s: the Hub gives no address to send it to", f.path)
		case o.Error != nil:
			return fmt.Errorf("%s: the Hub does not take it: %d %s", f.path, o.Error.Code, oneLine(o.Error.Message))
		case o.Actions == nil:
			continue
		}
		err := u.sendLarge(ctx, f, o)
		if no := new(refusal); errors.As(err, &no) && !no.hub {
			return lostError{errors.New(no.Error())} // an address that has expired: the next batch has others
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// batch asks where the files go, by their sha256.
func (u *uploader) batch(ctx context.Context, large []*local) (map[string]lfsObject, error) {
	var list []map[string]any
	for _, f := range large {
		list = append(list, map[string]any{"oid": f.sha256, "size": f.size})
	}
	r, err := post(u.c.Endpoint+"/"+u.id+".git/info/lfs/objects/batch", map[string]any{
		"operation": "upload", "transfers": []string{"basic", "multipart"}, "objects": list,
		"hash_algo": "sha256", "ref": map[string]string{"name": mainRevision},
	})
	if err != nil {
		return nil, err
	}
	r.header["Content-Type"], r.header["Accept"] = lfsType, lfsType
	var answer struct{ Objects []lfsObject }
	if _, err := u.c.ask(ctx, r, &answer); err != nil {
		return nil, err
	}
	objects := map[string]lfsObject{}
	for _, o := range answer.Objects {
		objects[o.OID] = o
	}
	return objects, nil
}

// sendLarge sends one file, in one piece or in parts, and has it verified.
func (u *uploader) sendLarge(ctx context.Context, f *local, o lfsObject) error {
	file, err := files.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close()
	up := o.Actions.Upload
	if _, parts := up.Header["chunk_size"]; parts {
		err = u.sendParts(ctx, f, file, up)
	} else {
		_, err = u.put(ctx, u.c.atHome(up.Href), file, 0, f.size)
	}
	if err != nil || o.Actions.Verify == nil {
		return err
	}
	r, err := post(u.c.atHome(o.Actions.Verify.Href), map[string]any{"oid": f.sha256, "size": f.size})
	if err != nil {
		return err
	}
	resp, err := u.c.call(ctx, r)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// An lfsPart is what the storage calls a part that it has.
type lfsPart struct {
	Number int    `json:"partNumber"`
	ETag   string `json:"etag"`
}

// parts returns the size of the parts in which so many bytes go, and where each goes.
func (a lfsAction) parts(bytes int64) (size int64, addresses []string, err error) {
	text, _ := a.Header["chunk_size"].(string) // as the Hub writes numbers in a header; others are not one
	size, err = strconv.ParseInt(text, 10, 64)
	if err != nil || size < 1 {
		return 0, nil, fmt.Errorf("the Hub wants parts of %v bytes", a.Header["chunk_size"])
	}
	byNumber := map[int]string{}
	for key, value := range a.Header {
		if n, err := strconv.Atoi(key); err == nil {
			byNumber[n], _ = value.(string)
		}
	}
	for from := int64(0); from < bytes; from += min(size, bytes-from) {
		address := byNumber[len(addresses)+1]
		if address == "" {
			return 0, nil, fmt.Errorf("the Hub wants it in parts of %d bytes, and gives no address for number %d", size, len(addresses)+1)
		}
		addresses = append(addresses, address)
	}
	return size, addresses, nil
}

// sendParts sends a file in parts, several at once, and has them put together.
func (u *uploader) sendParts(ctx context.Context, f *local, file *os.File, up lfsAction) error {
	size, addresses, err := up.parts(f.size)
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	parts, errs := make([]lfsPart, len(addresses)), make([]error, len(addresses))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	places := make(chan struct{}, atOnce)
	var group sync.WaitGroup
	for i, address := range addresses {
		group.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			from := int64(i) * size
			etag, err := u.put(ctx, address, file, from, min(size, f.size-from))
			if err == nil && etag == "" {
				err = fmt.Errorf("%s: the storage names no ETag for a part of %s", hostOf(address), f.path)
			}
			if parts[i], errs[i] = (lfsPart{i + 1, etag}), err; err != nil {
				cancel()
			}
		})
	}
	group.Wait()
	if err := firstOf(errs); err != nil {
		return err
	}
	r, err := post(u.c.atHome(up.Href), map[string]any{"oid": f.sha256, "parts": parts})
	if err != nil {
		return err
	}
	r.header["Content-Type"], r.header["Accept"], r.anonymous = lfsType, lfsType, true
	resp, err := u.c.call(ctx, r)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// firstOf returns the error that ended the others, rather than one of theirs.
func firstOf(errs []error) error {
	var first error
	for _, err := range errs {
		if err != nil && (first == nil || errors.Is(first, context.Canceled)) {
			first = err
		}
	}
	return first
}

// put sends n bytes of a file to an address that is signed, and so without the token.
func (u *uploader) put(ctx context.Context, address string, file *os.File, from, n int64) (etag string, err error) {
	sent := &counted{meter: u.meter}
	r := request{
		method: http.MethodPut, url: address, size: n, anonymous: true,
		body: func() io.Reader {
			sent.takeBack() // the try before
			sent = &counted{Reader: io.NewSectionReader(file, from, n), meter: u.meter}
			return sent
		},
	}
	resp, err := u.c.call(ctx, r)
	if err != nil {
		sent.takeBack()
		return "", err
	}
	return resp.Header.Get("ETag"), resp.Body.Close()
}

// A counted reader tells a meter how much was read of it. net/http may go on reading
// after the answer has come: what is taken back counts no longer.
type counted struct {
	io.Reader
	meter *meter

	mu   sync.Mutex
	n    int64
	over bool
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.n += int64(n)
		c.meter.add(int64(n))
	}
	return n, err
}

func (c *counted) takeBack() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.meter.add(-c.n)
	c.n = 0
}
