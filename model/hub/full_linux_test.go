package hub

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/model/hub/hubtest"
)

// smallDisk mounts a file system of the given size, until the test ends.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("mounting a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestDiskFull: what is known to have no room is not begun. A disk that fills up on the
// way ends the download; what was fetched stays, and with room it goes on.
func TestDiskFull(t *testing.T) {
	s := newServer(t)
	c := testClient(t, s)
	dir := smallDisk(t, "400k")
	c.Cache = filepath.Join(dir, "hub")
	want := func(err error) {
		t.Helper()
		if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "the disk is full") || !strings.Contains(hint.Of(err), "HF_HUB_CACHE") {
			t.Errorf("%v (%s)", err, hint.Of(err))
		}
	}
	_, err := c.Download(t.Context(), "org/tiny", "main", nil)
	want(err)
	if n := s.Count("/resolve/"); n != 0 {
		t.Errorf("%d files were begun", n)
	}
	// Another process fills the disk once it has begun.
	p, err := c.Plan(t.Context(), "org/tiny", "main")
	if err != nil {
		t.Fatal(err)
	}
	r := repository{c.Cache, "org/tiny"}
	want(c.explainLocal(p, c.fetchAll(t.Context(), r, p, &meter{})))
	part := r.blob(hubtest.SHA256(tiny()["model.safetensors"])) + ".incomplete"
	have := files.Size(part)
	if have == 0 || have >= 400<<10 {
		t.Errorf("%d bytes are kept", have)
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=10m"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Download(t.Context(), "org/tiny", "main", nil); err != nil {
		t.Fatal(err)
	}
	checkSnapshot(t, c, "org/tiny", s.Commit("org/tiny"), tiny(), needed)
	if _, err := os.Stat(part); err == nil {
		t.Error("the part is left")
	}
}

// TestReadOnlyDisk: a cache that cannot be written serves what it has, and says so of
// what it has not.
func TestReadOnlyDisk(t *testing.T) {
	s := newServer(t)
	c := testClient(t, s)
	dir := smallDisk(t, "4m")
	c.Cache = dir
	if _, err := c.Download(t.Context(), "org/tiny", "main", nil); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "models--org--tiny", "trees")); err != nil { // as transformers leaves it
		t.Fatal(err)
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Download(t.Context(), "org/tiny", "main", nil); err != nil {
		t.Errorf("all of it is there: %v", err)
	}
	s.Put("org/other", &hubtest.Repo{Files: tiny()})
	_, err := c.Download(t.Context(), "org/other", "main", nil)
	if !errors.Is(err, unix.EROFS) || !strings.Contains(hint.Of(err), "HF_HUB_CACHE") {
		t.Errorf("%v (%s)", err, hint.Of(err))
	}
}
