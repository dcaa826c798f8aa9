package parquet

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// The kinds of values in Thrift's compact protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// maxThriftDepth bounds how deep values that are skipped may be nested. The format's
// own structs reach six.
const maxThriftDepth = 32

// A thrift reads values of Thrift's compact protocol. Its first error stays, and all
// values after it are zero.
type thrift struct {
	in   *bufio.Reader
	left int64 // bytes that may still be read
	err  error
}

func (t *thrift) fail(format string, args ...any) {
	if t.err == nil {
		t.err = fmt.Errorf(format, args...)
	}
}

var errThriftEnd = errors.New("ends within its description")

func (t *thrift) byte() byte {
	if t.err == nil && t.left <= 0 {
		t.err = errThriftEnd
	}
	if t.err != nil {
		return 0
	}
	b, err := t.in.ReadByte()
	if err != nil {
		t.err = thriftEnd(err)
	}
	t.left--
	return b
}

// thriftEnd says in words that the data ended.
func thriftEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errThriftEnd
	}
	return err
}

func (t *thrift) uvarint() uint64 {
	var n uint64
	for shift := 0; shift < 70; shift += 7 {
		b := t.byte()
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
	t.fail("a number of more than ten bytes")
	return 0
}

func (t *thrift) varint() int64 {
	n := t.uvarint()
	return int64(n>>1) ^ -int64(n&1) // zigzag
}

// size reads the length of something of which each element takes at least one byte.
func (t *thrift) size() int64 {
	n := t.uvarint()
	if t.err == nil && n > uint64(max(t.left, 0)) {
		t.fail("a length of %d where %d bytes are left", n, t.left)
	}
	if t.err != nil {
		return 0
	}
	return int64(n)
}

// discard skips n bytes.
func (t *thrift) discard(n int64) {
	if t.err == nil && n > t.left {
		t.err = errThriftEnd
	}
	for t.err == nil && n > 0 {
		part, err := t.in.Discard(int(min(n, 1<<30)))
		n, t.left = n-int64(part), t.left-int64(part)
		if err != nil {
			t.err = thriftEnd(err)
		}
	}
}

// integer reads a field or element that must be a whole number.
func (t *thrift) integer(kind byte) int64 {
	switch kind {
	case thriftByte:
		return int64(int8(t.byte()))
	case thriftI16, thriftI32, thriftI64:
		return t.varint()
	}
	t.fail("a value of kind %d, want a number", kind)
	return 0
}

// boolean reads a field that must be true or false, which its kind says.
func (t *thrift) boolean(kind byte) bool {
	if kind != thriftTrue && kind != thriftFalse {
		t.fail("a value of kind %d, want true or false", kind)
	}
	return kind == thriftTrue
}

// text reads a field or element that must be a string.
func (t *thrift) text(kind byte) string {
	if kind != thriftBinary {
		t.fail("a value of kind %d, want a string", kind)
		return ""
	}
	n := t.size()
	if t.err != nil {
		return ""
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(t.in, text); err != nil {
		t.err = thriftEnd(err)
	}
	t.left -= n
	return string(text)
}

// fields calls each for every field of a struct. It must read or skip the value.
func (t *thrift) fields(kind byte, each func(id int, kind byte)) {
	if kind != thriftStruct {
		t.fail("a value of kind %d, want a struct", kind)
	}
	for id := 0; t.err == nil; {
		head := t.byte()
		if head == 0 || t.err != nil {
			return
		}
		if delta := int(head >> 4); delta != 0 {
			id += delta
		} else {
			id = int(int16(t.varint()))
		}
		each(id, head&0x0f)
	}
}

// list calls each for every element of a list. It must read or skip the value.
func (t *thrift) list(kind byte, each func(kind byte)) {
	if kind != thriftList && kind != thriftSet {
		t.fail("a value of kind %d, want a list", kind)
		return
	}
	head := t.byte()
	n := int64(head >> 4)
	if n == 15 {
		n = t.size()
	}
	for i := int64(0); i < n && t.err == nil; i++ {
		each(head & 0x0f)
	}
}

// skip reads a field's value and forgets it.
func (t *thrift) skip(kind byte) { t.skipAt(kind, 0) }

func (t *thrift) skipAt(kind byte, depth int) {
	if depth > maxThriftDepth {
		t.fail("values nested more than %d deep", maxThriftDepth)
	}
	if t.err != nil {
		return
	}
	switch kind {
	case thriftTrue, thriftFalse: // the value is in the kind
	case thriftByte:
		t.byte()
	case thriftI16, thriftI32, thriftI64:
		t.uvarint()
	case thriftDouble:
		t.discard(8)
	case thriftBinary:
		t.discard(t.size())
	case thriftList, thriftSet:
		t.list(kind, func(kind byte) { t.skipElement(kind, depth+1) })
	case thriftMap:
		t.skipMap(depth)
	case thriftStruct:
		t.fields(kind, func(_ int, kind byte) { t.skipAt(kind, depth+1) })
	default:
		t.fail("a value of unknown kind %d", kind)
	}
}

// skipElement skips an element of a list or map, where true and false take a byte.
func (t *thrift) skipElement(kind byte, depth int) {
	if kind == thriftTrue || kind == thriftFalse {
		kind = thriftByte
	}
	t.skipAt(kind, depth)
}

func (t *thrift) skipMap(depth int) {
	n := t.size()
	if n == 0 {
		return
	}
	kinds := t.byte()
	for i := int64(0); i < n && t.err == nil; i++ {
		t.skipElement(kinds>>4, depth+1)
		t.skipElement(kinds&0x0f, depth+1)
	}
}
