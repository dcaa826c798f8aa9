//go:build unix && !solaris && !aix

package safetensors

import "golang.org/x/sys/unix"

// Prefetch asks the system to read the file into its cache, without waiting.
func (f *File) Prefetch() {
	if len(f.mapped) > 0 {
		_ = unix.Madvise(f.mapped, unix.MADV_WILLNEED) // only advice
	}
}
