package gguf

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"example.com/finetune/internal/files"
)

// A KeyValue is one entry of a file's metadata: a string, bool, uint32, int32 or float32,
// or a list of strings, bools, int32 or float32.
type KeyValue struct {
	Key   string
	Value any
}

// A Tensor is written from rows of float32.
type Tensor struct {
	Name  string
	Shape []int // as in safetensors, the last index the fastest
	Type  Type
	Rows  func(dst []float32, lo, hi int) // sets dst to rows [lo,hi)
}

// The format's numbers.
const (
	magic     = 0x46554747 // "GGUF"
	version   = 3
	alignment = 32
	maxName   = 63 // GGML_MAX_NAME with its NUL is 64
	maxDims   = 4  // GGML_MAX_DIMS
)

// The types of values that are written.
const (
	kindUint32  uint32 = 4
	kindInt32   uint32 = 5
	kindFloat32 uint32 = 6
	kindBool    uint32 = 7
	kindString  uint32 = 8
	kindList    uint32 = 9
)

// tileValues bounds the values at hand while a tensor is written: 4 MB.
const tileValues = 1 << 20

// write makes keys and tensors the content of path. The file is read back and compared
// before it takes its name; its folder is made. Once ctx has ended nothing is left of it.
func write(ctx context.Context, path string, keys []KeyValue, tensors []Tensor) error {
	if err := check(tensors); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := files.MkdirAll(filepath.Dir(path)); err != nil {
		return err
	}
	f, err := files.CreateLarge(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	out := bufio.NewWriterSize(f, 1<<20)
	header, err := appendHeader(nil, keys, tensors)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if _, err := out.Write(header); err != nil {
		return err
	}
	for _, t := range tensors {
		err := t.encoded(ctx, func(data []byte) error {
			_, err := out.Write(data)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if err := verify(ctx, f.Name(), keys, tensors); err != nil {
		return fmt.Errorf("%s: reading back: %w", path, err)
	}
	return f.Commit()
}

// check returns an error for what the format does not hold.
func check(tensors []Tensor) error {
	seen := map[string]bool{}
	for _, t := range tensors {
		switch {
		case len(t.Name) > maxName:
			return fmt.Errorf("tensor %s: the name has %d bytes, want at most %d", t.Name, len(t.Name), maxName)
		case seen[t.Name]:
			return fmt.Errorf("tensor %s: given twice", t.Name)
		case len(t.Shape) == 0 || len(t.Shape) > maxDims:
			return fmt.Errorf("tensor %s has %d dimensions, want 1 to %d", t.Name, len(t.Shape), maxDims)
		case t.cols()%t.Type.block() != 0:
			return fmt.Errorf("tensor %s has rows of %d, want a multiple of %d in %v", t.Name, t.cols(), t.Type.block(), t.Type)
		}
		seen[t.Name] = true
	}
	return nil
}

func (t Tensor) cols() int { return t.Shape[len(t.Shape)-1] }

func (t Tensor) rows() int {
	n := 1
	for _, d := range t.Shape[:len(t.Shape)-1] {
		n *= d
	}
	return n
}

// bytes returns the size of the data without what pads it.
func (t Tensor) bytes() int64 { return int64(t.rows()) * int64(t.Type.bytes(t.cols())) }

// padding returns how many zeros follow n bytes.
func padding(n int64) int { return int(-n & (alignment - 1)) }

// encoded calls put with the data of the tensor, piece by piece, and what pads it, unless
// ctx ends.
func (t Tensor) encoded(ctx context.Context, put func(data []byte) error) error {
	rows, cols := t.rows(), t.cols()
	height := max(1, min(rows, tileValues/cols))
	x, data := make([]float32, height*cols), make([]byte, height*t.Type.bytes(cols))
	for lo := 0; lo < rows; lo += height {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		hi := min(rows, lo+height)
		x, data := x[:(hi-lo)*cols], data[:(hi-lo)*t.Type.bytes(cols)]
		t.Rows(x, lo, hi)
		if err := t.Type.encode(data, x); err != nil {
			return err
		}
		if err := put(data); err != nil {
			return err
		}
	}
	return put(make([]byte, padding(t.bytes())))
}

// appendHeader appends all that stands before the data.
func appendHeader(b []byte, keys []KeyValue, tensors []Tensor) ([]byte, error) {
	le := binary.LittleEndian
	b = le.AppendUint32(le.AppendUint32(b, magic), version)
	b = le.AppendUint64(le.AppendUint64(b, uint64(len(tensors))), uint64(len(keys)))
	for _, k := range keys {
		var err error
		if b, err = appendValue(appendString(b, k.Key), k.Value); err != nil {
			return nil, fmt.Errorf("%s: %w", k.Key, err)
		}
	}
	offset := int64(0)
	for _, t := range tensors {
		b = le.AppendUint32(appendString(b, t.Name), uint32(len(t.Shape)))
		for _, d := range slices.Backward(t.Shape) {
			b = le.AppendUint64(b, uint64(d))
		}
		b = le.AppendUint64(le.AppendUint32(b, uint32(t.Type)), uint64(offset))
		offset += t.bytes() + int64(padding(t.bytes()))
	}
	return append(b, make([]byte, padding(int64(len(b))))...), nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

func appendBools(b []byte, v ...bool) []byte {
	for _, x := range v {
		one := byte(0)
		if x {
			one = 1
		}
		b = append(b, one)
	}
	return b
}

// appendValue appends a value after its type.
func appendValue(b []byte, v any) ([]byte, error) {
	le := binary.LittleEndian
	list := func(kind uint32, n int) {
		b = le.AppendUint64(le.AppendUint32(le.AppendUint32(b, kindList), kind), uint64(n))
	}
	switch v := v.(type) {
	case string:
		return appendString(le.AppendUint32(b, kindString), v), nil
	case bool:
		return appendBools(le.AppendUint32(b, kindBool), v), nil
	case []bool:
		list(kindBool, len(v))
		return appendBools(b, v...), nil
	case uint32:
		return le.AppendUint32(le.AppendUint32(b, kindUint32), v), nil
	case float32:
		return le.AppendUint32(le.AppendUint32(b, kindFloat32), math.Float32bits(v)), nil
	case []string:
		list(kindString, len(v))
		for _, s := range v {
			b = appendString(b, s)
		}
		return b, nil
	case []int32:
		list(kindInt32, len(v))
		for _, n := range v {
			b = le.AppendUint32(b, uint32(n))
		}
		return b, nil
	case []float32:
		list(kindFloat32, len(v))
		for _, x := range v {
			b = le.AppendUint32(b, math.Float32bits(x))
		}
		return b, nil
	}
	return nil, fmt.Errorf("a value of type %T", v)
}

// verify reads a file and compares it with what was written.
func verify(ctx context.Context, path string, keys []KeyValue, tensors []Tensor) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(f, 1<<16)
	h, err := readHeader(r, info.Size())
	if err != nil {
		return err
	}
	if err := h.equal(keys, tensors); err != nil {
		return err
	}
	var got []byte
	for _, t := range tensors {
		err := t.encoded(ctx, func(want []byte) error {
			got = slices.Grow(got[:0], len(want))[:len(want)]
			if _, err := io.ReadFull(r, got); err != nil {
				return err
			}
			if !slices.Equal(got, want) {
				return errOther
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("tensor %s: %w", t.Name, err)
		}
	}
	if _, err := r.ReadByte(); err != io.EOF {
		return fmt.Errorf("more data than the tensors have: %w", errOther)
	}
	return nil
}
