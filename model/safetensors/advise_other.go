//go:build !unix || solaris || aix

package safetensors

// Prefetch does nothing: there is no such advice here.
func (f *File) Prefetch() {}
