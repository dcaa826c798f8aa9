package safetensors

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"unsafe"
)

// guard calls f, which reads mapped memory, and turns a fault into an error: a file
// that is cut short while it is mapped has no bytes behind its views. name names
// what is mapped at an address, "" for an address that is none of its own; then the
// panic goes on. Only faults of the calling goroutine are seen, and of those whose
// panics it is handed: a goroutine started by f must itself call
// debug.SetPanicOnFault.
func guard(name func(address uintptr) string, f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		fault, ok := v.(interface {
			runtime.Error
			Addr() uintptr
		})
		if !ok {
			panic(v)
		}
		at := name(fault.Addr())
		if at == "" {
			panic(v)
		}
		err = fmt.Errorf("%s: cannot be read any more: the file was cut short, or its disk failed, while in use", at)
	}()
	return f()
}

// Guard calls g and turns a fault in its reading of this file into an error, as it
// does a change of the file meanwhile.
func (f *File) Guard(g func() error) error { return (&Set{files: []*File{f}}).Guard(g) }

// at returns the path if an address lies in the map, "" otherwise.
func (f *File) at(address uintptr) string {
	if Within(f.mapped, address) {
		return f.path
	}
	return ""
}

// unchanged is [Set.Unchanged] of one file.
func (f *File) unchanged() error {
	now, err := os.Stat(f.path)
	switch {
	case f.mapped == nil, err != nil, !os.SameFile(f.info, now):
		return nil
	case now.Size() != f.info.Size():
		return fmt.Errorf("%s: had %d bytes and has %d now: it was changed while in use", f.path, f.info.Size(), now.Size())
	case !now.ModTime().Equal(f.info.ModTime()):
		return fmt.Errorf("%s: was written to while in use", f.path)
	}
	return nil
}

// Within reports whether an address lies in the memory of data.
func Within(data []byte, address uintptr) bool {
	if len(data) == 0 {
		return false
	}
	start := uintptr(unsafe.Pointer(&data[0]))
	return address >= start && address-start < uintptr(len(data))
}
