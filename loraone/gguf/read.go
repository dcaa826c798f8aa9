package gguf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
)

var errOther = errors.New("not what was written")

// A header is what a file says before its data.
type header struct {
	keys    []KeyValue
	tensors []info
}

// An info is what a header says of one tensor.
type info struct {
	name   string
	shape  []int
	kind   Type
	offset uint64
}

// equal returns an error where a header is not that of keys and tensors.
func (h *header) equal(keys []KeyValue, tensors []Tensor) error {
	if len(h.keys) != len(keys) || len(h.tensors) != len(tensors) {
		return fmt.Errorf("%d keys and %d tensors, want %d and %d", len(h.keys), len(h.tensors), len(keys), len(tensors))
	}
	for i, k := range keys {
		if h.keys[i].Key != k.Key || !reflect.DeepEqual(h.keys[i].Value, k.Value) {
			return fmt.Errorf("key %s: %w", k.Key, errOther)
		}
	}
	for i, t := range tensors {
		if got := h.tensors[i]; got.name != t.Name || got.kind != t.Type || !slices.Equal(got.shape, t.Shape) {
			return fmt.Errorf("tensor %s is %s %v %v: %w", t.Name, got.name, got.kind, got.shape, errOther)
		}
	}
	return nil
}

// A cursor reads a header and keeps the first error.
type cursor struct {
	r    io.Reader
	n    int64 // read so far
	size int64 // of the file
	err  error
}

// take returns the next n bytes, nil after an error.
func (c *cursor) take(n uint64) []byte {
	if c.err == nil && n > uint64(c.size-c.n) {
		c.err = fmt.Errorf("%d bytes wanted at %d of %d: cut short", n, c.n, c.size)
	}
	if c.err != nil {
		return nil
	}
	b := make([]byte, n)
	_, c.err = io.ReadFull(c.r, b)
	c.n += int64(n)
	return b
}

func (c *cursor) uint32() uint32 {
	if b := c.take(4); b != nil && c.err == nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) uint64() uint64 {
	if b := c.take(8); b != nil && c.err == nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (c *cursor) string() string { return string(c.take(c.uint64())) }

// count returns a number of things that take at least some bytes each.
func (c *cursor) count(each uint64) int {
	n := c.uint64()
	if c.err == nil && n > uint64(c.size-c.n)/each {
		c.err = fmt.Errorf("%d entries at %d of %d bytes: cut short", n, c.n, c.size)
	}
	if c.err != nil {
		return 0
	}
	return int(n)
}

func (c *cursor) bool() bool {
	b := c.take(1)
	if c.err == nil && b[0] > 1 {
		c.err = fmt.Errorf("a bool of %d at %d", b[0], c.n-1)
	}
	return c.err == nil && b[0] == 1
}

// value reads a value of a type.
func (c *cursor) value(kind uint32) any {
	switch kind {
	case kindUint32:
		return c.uint32()
	case kindInt32:
		return int32(c.uint32())
	case kindFloat32:
		return math.Float32frombits(c.uint32())
	case kindString:
		return c.string()
	case kindBool:
		return c.bool()
	case kindList:
		return c.list()
	}
	if c.err == nil {
		c.err = fmt.Errorf("a value of type %d at %d", kind, c.n)
	}
	return nil
}

func (c *cursor) list() any {
	switch kind := c.uint32(); kind {
	case kindString:
		list := make([]string, c.count(8))
		for i := range list {
			list[i] = c.string()
		}
		return list
	case kindBool:
		list := make([]bool, c.count(1))
		for i := range list {
			list[i] = c.bool()
		}
		return list
	case kindInt32:
		list := make([]int32, c.count(4))
		for i := range list {
			list[i] = int32(c.uint32())
		}
		return list
	case kindFloat32:
		list := make([]float32, c.count(4))
		for i := range list {
			list[i] = math.Float32frombits(c.uint32())
		}
		return list
	default:
		if c.err == nil {
			c.err = fmt.Errorf("a list of type %d at %d", kind, c.n)
		}
		return nil
	}
}

// readHeader reads what stands before the data of a file of so many bytes, by the rules
// of ggml's gguf.cpp: names are unique and short, offsets without a hole, data in the file.
func readHeader(r io.Reader, size int64) (*header, error) {
	c := &cursor{r: r, size: size}
	if m, v := c.uint32(), c.uint32(); c.err == nil && (m != magic || v != version) {
		return nil, fmt.Errorf("begins with %#x, version %d: not a GGUF file of version %d", m, v, version)
	}
	tensors, keys := c.count(24), c.count(12)
	h := &header{}
	seen := map[string]bool{}
	for range keys {
		k := KeyValue{Key: c.string()}
		k.Value = c.value(c.uint32())
		if c.err == nil && seen[k.Key] {
			c.err = fmt.Errorf("duplicate key %s", k.Key)
		}
		seen[k.Key] = true
		h.keys = append(h.keys, k)
	}
	clear(seen)
	for range tensors {
		t := c.tensor()
		if c.err == nil && (seen[t.name] || len(t.name) > maxName) {
			c.err = fmt.Errorf("tensor %s: the name is given twice, or too long", t.name)
		}
		seen[t.name] = true
		h.tensors = append(h.tensors, t)
	}
	if pad := c.take(uint64(padding(c.n))); len(bytes.TrimLeft(pad, "\x00")) > 0 {
		c.err = fmt.Errorf("the header is padded with %q", pad)
	}
	if c.err != nil {
		return nil, c.err
	}
	return h, h.laidOut(uint64(size - c.n))
}

func (c *cursor) tensor() info {
	t := info{name: c.string()}
	dims := c.uint32()
	if c.err == nil && (dims == 0 || dims > maxDims) {
		c.err = fmt.Errorf("tensor %s has %d dimensions", t.name, dims)
		return t
	}
	for range dims {
		n := c.uint64()
		if n == 0 || n > math.MaxInt32 {
			c.err = errors.Join(c.err, fmt.Errorf("tensor %s has a dimension of %d", t.name, n))
		}
		t.shape = append(t.shape, int(n))
	}
	slices.Reverse(t.shape)
	t.kind, t.offset = Type(c.uint32()), c.uint64()
	return t
}

// laidOut returns an error unless the tensors follow each other in so many bytes.
func (h *header) laidOut(size uint64) error {
	next := uint64(0)
	for _, t := range h.tensors {
		if t.kind.String() == "" || t.shape[len(t.shape)-1]%t.kind.block() != 0 {
			return fmt.Errorf("tensor %s is of type %d with shape %v", t.name, uint32(t.kind), t.shape)
		}
		if t.offset != next {
			return fmt.Errorf("tensor %s begins at %d, want %d", t.name, t.offset, next)
		}
		n := Tensor{Shape: t.shape, Type: t.kind}.bytes()
		next += uint64(n) + uint64(padding(n))
		if n < 0 || next > size {
			return fmt.Errorf("tensor %s ends at %d of %d bytes: cut short", t.name, next, size)
		}
	}
	return nil
}
