//go:build unix

package train

import (
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"
)

func TestOrdinaryPermissions(t *testing.T) {
	old := syscall.Umask(0o027)
	defer syscall.Umask(old)
	o := newOffice(t)
	c := o.config(filepath.Join(t.TempDir(), "out"))
	c.MaxSteps = 3
	o.run(t, c)
	seen := 0
	err := filepath.WalkDir(c.OutputDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o640)
		if d.IsDir() {
			want = 0o750
		}
		seen++
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
		return nil
	})
	if err != nil || seen < 12 {
		t.Errorf("%d files, %v", seen, err)
	}
}
