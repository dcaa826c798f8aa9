package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"unsafe"

	"github.com/edsrzf/mmap-go"
	st "github.com/nlpodyssey/safetensors"
)

// A Tensor is a view into a mapped file, valid until that file is closed.
type Tensor struct {
	Name  string
	DType string // as the file spells it: F32, F16, BF16, I64…
	Shape []int  // empty for a scalar
	Data  []byte // little-endian, aligned to the element size; must not be written
}

// A File is one mapped safetensors file.
type File struct {
	path     string
	mapped   mmap.MMap
	tensors  st.SafeTensors
	metadata map[string]string
}

// Open maps a file and checks its header. Errors name the file, and the tensor
// where there is one.
func Open(path string) (*File, error) {
	if err := littleEndian(); err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() // the map stays
	header, err := headerSize(file)
	if err != nil {
		return nil, withPath(path, err)
	}
	mapped, err := mmap.Map(file, mmap.RDONLY, 0)
	if err != nil {
		return nil, withPath(path, fmt.Errorf("mapping it: %w", err))
	}
	f := &File{path: path, mapped: mapped}
	if err := f.Guard(func() error { return f.read(header) }); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// headerSize looks at the file before it is mapped.
func headerSize(file *os.File) (uint64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	size := info.Size()
	switch {
	case info.IsDir():
		return 0, errors.New("is a folder, want a safetensors file")
	case !info.Mode().IsRegular():
		return 0, errors.New("not a regular file")
	case size == 0:
		return 0, errors.New("the file is empty")
	case size > math.MaxInt:
		return 0, fmt.Errorf("%d bytes: too large for this 32-bit program", size)
	}
	var start [16]byte
	n, err := file.ReadAt(start[:min(size, 16)], 0)
	if int64(n) < min(size, 16) {
		return 0, err
	}
	if err := otherFormat(start[:n]); err != nil {
		return 0, err
	}
	if size < 8 {
		return 0, fmt.Errorf("%d bytes, want at least the 8 of the header's length", size)
	}
	header := binary.LittleEndian.Uint64(start[:])
	if header > maxHeader {
		return 0, fmt.Errorf("a header of %d bytes, want at most %d: not a safetensors file", header, maxHeader)
	}
	if header > uint64(size)-8 {
		return 0, fmt.Errorf("a header of %d bytes in a file of %d: the file is cut short", header, size)
	}
	return header, nil
}

// otherFormat recognises what often lies where safetensors are looked for.
func otherFormat(start []byte) error {
	switch {
	case bytes.HasPrefix(start, []byte("PK\x03\x04")), bytes.HasPrefix(start, []byte{0x80, 2}):
		return hintError{errors.New("a PyTorch pickle, which can run any code when it is read: refused"), pickleHint}
	case bytes.HasPrefix(start, []byte("version https://")):
		return hintError{errors.New("a Git LFS pointer, not the file itself"), "git lfs pull"}
	case bytes.HasPrefix(start, []byte("GGUF")):
		return errors.New("a GGUF file, want safetensors")
	}
	return nil
}

// read checks the header and takes the tensors.
func (f *File) read(header uint64) error {
	if uint64(len(f.mapped)) < 8+header {
		return withPath(f.path, fmt.Errorf("%d bytes mapped, want at least %d: the file is cut short", len(f.mapped), 8+header))
	}
	var err error
	f.metadata, err = checkHeader(f.mapped[8:8+header], uint64(len(f.mapped))-8-header)
	if err != nil {
		return withPath(f.path, err)
	}
	f.tensors, err = st.Deserialize(f.mapped)
	if err != nil {
		return withPath(f.path, err)
	}
	return nil
}

// Path returns the path the file was opened by.
func (f *File) Path() string { return f.path }

// Names returns the names of the tensors, sorted.
func (f *File) Names() []string {
	names := f.tensors.Names()
	slices.Sort(names)
	return names
}

// Metadata returns the strings of __metadata__; nil where there is none.
func (f *File) Metadata() map[string]string { return f.metadata }

// Tensor returns the named tensor. Its Data is a view into the map, unless the file
// holds it at an odd address: then it is a copy, made by each call.
func (f *File) Tensor(name string) (Tensor, bool) {
	v, ok := f.tensors.Tensor(name)
	if !ok {
		return Tensor{}, false
	}
	t := Tensor{Name: name, DType: v.DType().String(), Shape: make([]int, len(v.Shape()))}
	for i, d := range v.Shape() {
		t.Shape[i] = int(d) // bounded by the file's size, or beside a 0
	}
	t.Data = aligned(v.Data(), uintptr(v.DType().Size()))
	return t, true
}

// aligned returns data with no capacity beyond its length, copied where it does not
// lie at a multiple of size.
func aligned(data []byte, size uintptr) []byte {
	data = data[:len(data):len(data)]
	if len(data) == 0 || uintptr(unsafe.Pointer(&data[0]))%size == 0 {
		return data
	}
	words := make([]uint64, (len(data)+7)/8)
	c := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(data))
	copy(c, data)
	return c
}

// Bytes returns the size of the map.
func (f *File) Bytes() int64 { return int64(len(f.mapped)) }

// Close unmaps the file: no view of it may be used any more.
func (f *File) Close() error {
	if f.mapped == nil {
		return nil
	}
	err := f.mapped.Unmap()
	f.mapped, f.tensors = nil, st.SafeTensors{}
	return err
}

// littleEndian fails on machines whose numbers are not the files'.
func littleEndian() error {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return errors.New("safetensors: not supported on big-endian machines")
	}
	return nil
}

func withPath(path string, err error) error { return fmt.Errorf("%s: %w", path, err) }
