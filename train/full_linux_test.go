package train

import (
	"errors"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/finetune/train/rundir"
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
	o.run(t, whole)
	want := content(t, filepath.Join(whole.OutputDir, rundir.AdapterWeights))
	for size, saved := range map[string]int{"20k": 0, "48k": 1, "90k": 2} { // a checkpoint is 28 KB and more
		dir := smallDisk(t, size)
		c := o.config(filepath.Join(dir, "out"))
		c.SaveTotalLimit = 9
		err := o.fails(t, c)
		if !errors.Is(err, unix.ENOSPC) {
			t.Errorf("%s: got %v, want %v", size, err, unix.ENOSPC)
			continue
		}
		if len(glob(t, c.OutputDir, "adapter*")) > 0 {
			t.Errorf("%s: something that looks like an adapter is left", size)
		}
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=10m"); err != nil {
			t.Fatal(err)
		}
		c.Resume = true
		if found, err := look(t, c); err != nil || found.Resumes() != (saved > 0) {
			t.Errorf("%s: %+v, %v", size, found, err)
		}
		if o.run(t, c); content(t, filepath.Join(c.OutputDir, rundir.AdapterWeights)) != want {
			t.Errorf("%s: the resumed run has another adapter", size)
		}
	}
}
