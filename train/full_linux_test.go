package train

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
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

// A disk that fills up while a checkpoint or the adapter is saved ends the run
// with an error, without an adapter, and with the checkpoints before it; with
// room again it goes on to the same bytes.
func TestDiskFull(t *testing.T) {
	o := newOffice(t)
	whole := o.config(filepath.Join(t.TempDir(), "out"))
	if _, err := o.session(t, whole).Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	want := content(t, filepath.Join(whole.OutputDir, adapterWeightsFile))
	for size, saved := range map[string]int{"20k": 0, "48k": 1, "90k": 2} { // a checkpoint is 28 KB and more
		dir := smallDisk(t, size)
		c := o.config(filepath.Join(dir, "out"))
		c.SaveTotalLimit = 9
		_, err := o.session(t, c).Run(context.Background())
		if !errors.Is(err, unix.ENOSPC) {
			t.Errorf("%s: got %v, want %v", size, err, unix.ENOSPC)
			continue
		}
		if has(c.OutputDir, adapterConfigFile) || has(c.OutputDir, adapterWeightsFile) {
			t.Errorf("%s: something that looks like an adapter is left", size)
		}
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=10m"); err != nil {
			t.Fatal(err)
		}
		c.Resume = true
		path, _, passed, err := findCheckpoint(&c)
		if err != nil || len(passed) > 0 || (path == "") != (saved == 0) {
			t.Errorf("%s: checkpoint %q, %v, %v", size, path, passed, err)
		}
		if _, err := o.session(t, c).Run(context.Background()); err != nil {
			t.Errorf("%s: resumed: %v", size, err)
		} else if content(t, filepath.Join(c.OutputDir, adapterWeightsFile)) != want {
			t.Errorf("%s: the resumed run has another adapter", size)
		}
	}
}
