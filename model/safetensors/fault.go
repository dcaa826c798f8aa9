package safetensors

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"unsafe"
)

// Guard calls f, which reads mapped memory, and turns a fault into an error: a file
// that is cut short while it is mapped has no bytes behind its views. owner names
// what is mapped at an address, "" for an address that is none of its own; then the
// panic goes on. Only faults of the calling goroutine are seen, and of those whose
// panics it is handed: a goroutine started by f must itself call
// debug.SetPanicOnFault.
func Guard(owner func(address uintptr) string, f func() error) (err error) {
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
		name := owner(fault.Addr())
		if name == "" {
			panic(v)
		}
		err = fmt.Errorf("%s: cannot be read any more: the file was cut short, or its disk failed, while in use", name)
	}()
	return f()
}

// Guard calls f and turns a fault in f's reading of this file into an error.
func (f *File) Guard(g func() error) error { return Guard(f.owner, g) }

func (f *File) owner(address uintptr) string {
	if Within(f.mapped, address) {
		return f.path
	}
	return ""
}

// Within reports whether an address lies in the memory of data.
func Within(data []byte, address uintptr) bool {
	if len(data) == 0 {
		return false
	}
	start := uintptr(unsafe.Pointer(&data[0]))
	return address >= start && address-start < uintptr(len(data))
}
