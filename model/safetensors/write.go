package safetensors

import (
	"errors"
	"fmt"
	"maps"
	"unicode/utf8"
	"unsafe"

	st "github.com/nlpodyssey/safetensors"

	"example.com/finetune/internal/files"
)

// An Entry is a tensor to be written as F32.
type Entry struct {
	Name  string
	Shape []int // empty for a scalar
	Data  []float32
}

// Write makes tensors the content of path, atomically: the same tensors and metadata
// give the same bytes, whatever their order. "format": "pt", which loaders ask for,
// is added to the metadata where it names no format.
func Write(path string, tensors []Entry, metadata map[string]string) error {
	if err := littleEndian(); err != nil {
		return err
	}
	views := make(map[string]view, len(tensors))
	for _, t := range tensors {
		v, err := newView(t)
		if err != nil {
			return withPath(path, fmt.Errorf("tensor %s: %w", t.Name, err))
		}
		if _, twice := views[t.Name]; twice {
			return withPath(path, fmt.Errorf("tensor %s: given twice", t.Name))
		}
		views[t.Name] = v
	}
	info := map[string]string{"format": "pt"}
	maps.Copy(info, metadata)
	f, err := files.Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if err := st.SerializeToWriter(views, info, f); err != nil {
		return err
	}
	return f.Commit()
}

// A view is an Entry as the serializer wants it.
type view struct {
	shape []uint64
	data  []byte
}

func newView(t Entry) (view, error) {
	if err := checkName(t.Name); err != nil {
		return view{}, err
	}
	if t.Name == "__metadata__" || !utf8.ValidString(t.Name) {
		return view{}, errors.New("cannot be a tensor's name")
	}
	v := view{shape: make([]uint64, len(t.Shape))}
	for i, d := range t.Shape {
		if d < 0 {
			return view{}, fmt.Errorf("shape %v", t.Shape)
		}
		v.shape[i] = uint64(d)
	}
	if size, ok := byteSize(v.shape, 4); !ok || len(t.Shape) > maxRank || size != 4*uint64(len(t.Data)) {
		return view{}, fmt.Errorf("%d values for shape %v", len(t.Data), t.Shape)
	}
	if len(t.Data) > 0 {
		v.data = unsafe.Slice((*byte)(unsafe.Pointer(&t.Data[0])), 4*len(t.Data))
	}
	return v, nil
}

func (v view) DType() st.DType { return st.F32 }
func (v view) Shape() []uint64 { return v.shape }
func (v view) Data() []byte    { return v.data }
func (v view) DataLen() uint64 { return uint64(len(v.data)) }
