package hub

import (
	"context"
	"errors"
	"os"
	"time"

	"example.com/finetune/internal/files"
)

// lock waits until no other process fetches the same file: the lock is the one that
// huggingface_hub takes, on Windows that of the first byte. With files.ErrNoLocks nothing is locked. unlock is never nil.
func (c *Client) lock(ctx context.Context, path, name string) (unlock func(), err error) {
	said := false
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o664)
		if err != nil {
			return func() {}, err
		}
		if err = files.TryLock(f, 0); err == nil {
			return func() { f.Close() }, nil // and with it the lock
		}
		f.Close()
		if !errors.Is(err, files.ErrHeld) {
			return func() {}, err
		}
		if !said {
			c.log("another process fetches %s; waiting for it", name)
			said = true
		}
		select {
		case <-ctx.Done():
			return func() {}, context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
