package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"unsafe"

	"github.com/edsrzf/mmap-go"
	st "github.com/nlpodyssey/safetensors"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
)

// A Tensor is a view into a mapped file, valid until that file is closed.
type Tensor struct {
	Name  string
	DType string // as the file spells it: F32, F16, BF16, I64…
	Shape []int  // empty for a scalar
	Data  []byte // little-endian, aligned to the element size; must not be written
}

// Advice for files that are refused.
const (
	pickleHint = "save the model as safetensors: save_pretrained(folder) in transformers"
	alignHint  = "save the model again with today's safetensors, which aligns the data"
)

// maxCopies bounds what is copied because it lies at odd addresses: the weights of a
// model of four billion parameters. Files whose header is not padded are old and small.
const maxCopies = 16 << 30

// A File is one mapped safetensors file.
type File struct {
	path     string
	info     fs.FileInfo // as it was opened
	mapped   mmap.MMap
	tensors  st.SafeTensors
	metadata map[string]string
}

// Open maps a file and checks its header. Errors name the file, and the tensor where
// there is one.
func Open(path string) (*File, error) {
	if err := littleEndian(); err != nil {
		return nil, err
	}
	file, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() // the map stays
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	switch size := info.Size(); {
	case size == 0:
		return nil, withPath(path, errors.New("the file is empty"))
	case size > math.MaxInt:
		return nil, withPath(path, fmt.Errorf("%d bytes: too large for this 32-bit program", size))
	}
	mapped, err := mmap.Map(file, mmap.RDONLY, 0)
	if err != nil {
		return nil, withPath(path, fmt.Errorf("mapping it: %w", err))
	}
	f := &File{path: path, info: info, mapped: mapped}
	if err := f.Guard(f.read); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// headerSize returns the length of the header of a whole file.
func headerSize(data []byte) (uint64, error) {
	if err := otherFormat(data); err != nil {
		return 0, err
	}
	if len(data) < 8 {
		return 0, fmt.Errorf("%d bytes, want at least the 8 of the header's length", len(data))
	}
	header := binary.LittleEndian.Uint64(data)
	if header > maxHeader {
		return 0, fmt.Errorf("a header of %d bytes, want at most %d: not a safetensors file", header, maxHeader)
	}
	if header > uint64(len(data))-8 {
		return 0, fmt.Errorf("a header of %d bytes in a file of %d: the file is cut short", header, len(data))
	}
	return header, nil
}

// otherFormat recognises what often lies where safetensors are looked for.
func otherFormat(start []byte) error {
	switch {
	case bytes.HasPrefix(start, []byte("PK\x03\x04")), bytes.HasPrefix(start, []byte{0x80, 2}):
		return hint.New(errors.New("a PyTorch pickle, which can run any code when it is read: refused"), pickleHint)
	case bytes.HasPrefix(start, []byte("version https://")):
		return hint.New(errors.New("a Git LFS pointer, not the file itself"), "git lfs pull")
	case bytes.HasPrefix(start, []byte("GGUF")):
		return errors.New("a GGUF file, want safetensors")
	}
	return nil
}

// read checks the header and takes the tensors.
func (f *File) read() error {
	header, err := headerSize(f.mapped)
	if err != nil {
		return withPath(f.path, err)
	}
	f.metadata, err = checkHeader(f.mapped[8:8+header], uint64(len(f.mapped))-8-header)
	if err != nil {
		return withPath(f.path, err)
	}
	f.tensors, err = st.Deserialize(f.mapped)
	if err == nil {
		err = f.checkCopies()
	}
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

// Layout returns the tensors without their data, in the order in which these lie in the
// file.
func (f *File) Layout() []Tensor {
	type placed struct {
		Tensor
		at uintptr
	}
	list := make([]placed, 0, f.tensors.Len())
	for _, v := range f.tensors.Tensors() {
		t, _ := f.Info(v.Name)
		at := uintptr(0) // of a tensor without data
		if data := v.TensorView.Data(); len(data) > 0 {
			at = uintptr(unsafe.Pointer(&data[0]))
		}
		list = append(list, placed{t, at})
	}
	slices.SortFunc(list, func(a, b placed) int {
		return cmp.Or(cmp.Compare(a.at, b.at), strings.Compare(a.Name, b.Name))
	})
	tensors := make([]Tensor, len(list))
	for i, p := range list {
		tensors[i] = p.Tensor
	}
	return tensors
}

// Metadata returns the strings of __metadata__; nil where there is none.
func (f *File) Metadata() map[string]string { return f.metadata }

// Info returns the named tensor without its data.
func (f *File) Info(name string) (Tensor, bool) {
	v, ok := f.tensors.Tensor(name)
	if !ok {
		return Tensor{}, false
	}
	t := Tensor{Name: name, DType: v.DType().String(), Shape: make([]int, len(v.Shape()))}
	for i, d := range v.Shape() {
		t.Shape[i] = int(d) // bounded by the file's size, or beside a 0
	}
	return t, true
}

// Tensor returns the named tensor. Its Data is a view into the map, unless the file
// holds it at an odd address: then it is a copy, made by each call.
func (f *File) Tensor(name string) (Tensor, bool) {
	t, ok := f.Info(name)
	if !ok {
		return Tensor{}, false
	}
	v, _ := f.tensors.Tensor(name)
	t.Data = aligned(v.Data(), uintptr(v.DType().Size()))
	return t, true
}

// aligned returns data with no capacity beyond its length, copied where it does not
// lie at a multiple of size.
func aligned(data []byte, size uintptr) []byte {
	data = data[:len(data):len(data)]
	if isAligned(data, size) {
		return data
	}
	words := make([]uint64, (len(data)+7)/8)
	c := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(data))
	copy(c, data)
	return c
}

func isAligned(data []byte, size uintptr) bool {
	return len(data) == 0 || uintptr(unsafe.Pointer(&data[0]))%size == 0
}

// checkCopies refuses a file with too much at odd addresses, before any of it is
// copied.
func (f *File) checkCopies() error {
	var sum uint64
	for _, t := range f.tensors.Tensors() {
		if v := t.TensorView; !isAligned(v.Data(), uintptr(v.DType().Size())) {
			sum += v.DataLen()
		}
	}
	if sum > maxCopies {
		return hint.New(fmt.Errorf("%d bytes lie at odd addresses and would have to be copied, want at most %d", sum, uint64(maxCopies)), alignHint)
	}
	return nil
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
