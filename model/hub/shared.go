package hub

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"

	"example.com/finetune/internal/files"
)

// isXetHash matches the names of the shared store.
var isXetHash = regexp.MustCompile(`^[0-9a-f]{64}$`)

// storeMark is the file that makes {cache}/blobs the shared store, and its content.
const (
	storeMark    = ".huggingface-shared-blobs"
	storeVersion = "1\n"
)

// fromStore makes a blob a link into the store that all repositories share, if the
// file is there: huggingface_hub keeps what it fetches by the Xet protocol in it. We
// read the store and add nothing to it, as it does for what came by plain HTTP. The
// content is verified: its size says little. Any failure means that it is not there.
func (c *Client) fromStore(ctx context.Context, r repository, f File) bool {
	store := filepath.Join(r.cache, "blobs")
	mark, err := files.Read(filepath.Join(store, storeMark), 16)
	if err != nil || string(mark) != storeVersion || !isXetHash.MatchString(f.xet) || len(f.etag) != 2*sha256.Size {
		return false
	}
	path := filepath.Join(store, f.xet[:2], f.xet)
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() || info.Size() != f.Size {
		return false
	}
	unlock, err := c.lock(ctx, path+".lock", f.Path)
	defer unlock()
	if err != nil {
		return false
	}
	if sum, err := files.SHA256(path); err != nil || sum != f.etag {
		return false
	}
	err = linkToStore(r, path, r.blob(f.etag))
	if err != nil {
		c.log("%s: not linked to the shared store: %v", f.Path, err)
	}
	return err == nil
}

// linkToStore makes blob a link to a file of the store. Before, it is written down in
// the file's list of links: huggingface_hub removes what no link is known of.
func linkToStore(r repository, path, blob string) error {
	target, err := filepath.Rel(filepath.Dir(blob), path)
	if err != nil {
		return err
	}
	list, err := os.OpenFile(path+".refs", os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer list.Close()
	if _, err := io.WriteString(list, r.name()+"/blobs/"+filepath.Base(blob)+"\n"); err != nil {
		return err
	}
	if err := list.Sync(); err != nil {
		return err
	}
	tmp := filepath.Join(filepath.Dir(blob), fmt.Sprintf(".%s.%08x.shared", filepath.Base(blob), rand.Uint32()))
	if err := os.Symlink(target, tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, blob); err != nil {
		os.Remove(tmp)
		return err
	}
	return nil
}
