package safetensors

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	st "github.com/nlpodyssey/safetensors"

	"example.com/finetune/internal/files"
)

// A Writer writes a file whose data come one after the other, in the order of the
// tensors it was created with. Exactly one of Commit and Abort ends it; Abort after
// Commit does nothing.
type Writer struct {
	path  string
	draft *files.Draft
	out   *bufio.Writer
	left  uint64 // bytes of data still to come
}

// Create begins a file that is to become path. Of each tensor the name, type and shape
// count; its data are the next bytes that are written, little-endian. "format": "pt",
// which loaders ask for, is added to the metadata where it names no format.
func Create(path string, tensors []Tensor, metadata map[string]string) (*Writer, error) {
	if err := littleEndian(); err != nil {
		return nil, err
	}
	info := map[string]string{"format": "pt"}
	maps.Copy(info, metadata)
	header, size, err := encodeHeader(tensors, info)
	if err != nil {
		return nil, withPath(path, err)
	}
	draft, err := files.Create(path)
	if err != nil {
		return nil, err
	}
	w := &Writer{path: path, draft: draft, out: bufio.NewWriterSize(draft, 1<<20), left: size}
	if _, err := w.out.Write(header); err != nil {
		w.Abort()
		return nil, err
	}
	return w, nil
}

// Write appends data.
func (w *Writer) Write(p []byte) (int, error) {
	if uint64(len(p)) > w.left {
		return 0, withPath(w.path, fmt.Errorf("%d bytes more than the tensors have", uint64(len(p))-w.left))
	}
	n, err := w.out.Write(p)
	w.left -= uint64(n)
	return n, err
}

// Commit gives the whole file its name.
func (w *Writer) Commit() error {
	err := w.out.Flush()
	if err == nil && w.left > 0 {
		err = withPath(w.path, fmt.Errorf("%d bytes of data are missing", w.left))
	}
	if err != nil {
		w.Abort()
		return err
	}
	return w.draft.Commit()
}

// Abort throws the file away.
func (w *Writer) Abort() { w.draft.Abort() }

// encodeHeader returns the header with its length, padded so that the data lie at a
// multiple of 8, and the bytes of the data.
func encodeHeader(tensors []Tensor, metadata map[string]string) (header []byte, size uint64, err error) {
	var text bytes.Buffer
	text.WriteString(`{"__metadata__":`)
	put := func(v any) {
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(v)             // strings and integers
		text.Truncate(text.Len() - 1) // its newline
	}
	put(metadata)
	seen := make(map[string]bool, len(tensors))
	for _, t := range tensors {
		n, err := t.size()
		switch {
		case err != nil:
		case seen[t.Name]:
			err = errors.New("given twice")
		case size+n < size:
			err = errors.New("too much data")
		}
		if err != nil {
			return nil, 0, fmt.Errorf("tensor %s: %w", t.Name, err)
		}
		seen[t.Name] = true
		text.WriteByte(',')
		put(t.Name)
		text.WriteByte(':')
		put(struct {
			DType   string    `json:"dtype"`
			Shape   []int     `json:"shape"`
			Offsets [2]uint64 `json:"data_offsets"`
		}{t.DType, append([]int{}, t.Shape...), [2]uint64{size, size + n}})
		size += n
	}
	text.WriteByte('}')
	for text.Len()%8 != 0 {
		text.WriteByte(' ')
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(text.Len())), text.Bytes()...), size, nil
}

// size returns the bytes of a tensor that can be written.
func (t Tensor) size() (uint64, error) {
	if err := checkName(t.Name); err != nil {
		return 0, err
	}
	if t.Name == "__metadata__" || !utf8.ValidString(t.Name) {
		return 0, errors.New("cannot be a tensor's name")
	}
	d, err := st.ParseDType(t.DType)
	if err != nil {
		return 0, fmt.Errorf("dtype %q is not supported", t.DType)
	}
	shape := make([]uint64, len(t.Shape))
	for i, n := range t.Shape {
		if n < 0 {
			return 0, fmt.Errorf("shape %v", t.Shape)
		}
		shape[i] = uint64(n)
	}
	n, ok := byteSize(shape, d.Size())
	if !ok || len(shape) > maxRank {
		return 0, fmt.Errorf("shape %v is too large", t.Shape)
	}
	return n, nil
}

// An Entry is a tensor to be written as F32.
type Entry struct {
	Name  string
	Shape []int // empty for a scalar
	Data  []float32
}

// Write makes tensors the content of path, atomically: the same tensors and metadata
// give the same bytes, whatever their order.
func Write(path string, tensors []Entry, metadata map[string]string) error {
	sorted := slices.SortedFunc(slices.Values(tensors), func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	list := make([]Tensor, len(sorted))
	for i, e := range sorted {
		list[i] = Tensor{Name: e.Name, DType: st.F32.String(), Shape: e.Shape}
		if n, err := list[i].size(); err != nil || n != 4*uint64(len(e.Data)) {
			if err == nil {
				err = fmt.Errorf("%d values for shape %v", len(e.Data), e.Shape)
			}
			return withPath(path, fmt.Errorf("tensor %s: %w", e.Name, err))
		}
	}
	w, err := Create(path, list, metadata)
	if err != nil {
		return err
	}
	defer w.Abort()
	for _, e := range sorted {
		if _, err := w.Write(bytesOfValues(e.Data)); err != nil {
			return err
		}
	}
	return w.Commit()
}

// Verify reads a file back and compares every bit with what [Write] was given.
func Verify(path string, tensors []Entry) error {
	f, err := Open(path)
	if err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	defer f.Close()
	return f.Guard(func() error {
		if n := len(f.Names()); n != len(tensors) {
			return fmt.Errorf("%s: read back, it holds %d tensors, want %d", path, n, len(tensors))
		}
		for _, want := range tensors {
			got, ok := f.Tensor(want.Name)
			if !ok || got.DType != st.F32.String() || !slices.Equal(got.Shape, want.Shape) || !bytes.Equal(got.Data, bytesOfValues(want.Data)) {
				return fmt.Errorf("%s: read back, tensor %s is not what was written", path, want.Name)
			}
		}
		return nil
	})
}

// bytesOfValues returns the memory of x.
func bytesOfValues(x []float32) []byte {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x))
}
