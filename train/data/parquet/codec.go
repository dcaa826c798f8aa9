package parquet

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"example.com/finetune/internal/hint"
)

// Compression codecs, as CompressionCodec numbers them.
const (
	codecNone   = 0
	codecSnappy = 1
	codecGzip   = 2
	codecZstd   = 6
	codecLZ4    = 7 // LZ4_RAW; 5 is an older framing of it that nobody writes
)

var codecNames = [...]string{"none", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW"}

// maxSnappy is how much longer data can be than its Snappy form: a copy of three bytes
// yields 64.
const maxSnappy = 22

// firstBuffer is how much of a page is taken on trust. Buffers for larger pages grow as
// their data arrives.
const firstBuffer = 1 << 20

// An unpacker keeps what codecs need from page to page.
type unpacker struct {
	zstd   *zstd.Decoder
	gzip   *gzip.Reader
	packed []byte // the page that was read last
	lz4    []byte
}

// checkCodec returns an error for a codec that is not read.
func checkCodec(codec int) error {
	switch codec {
	case codecNone, codecSnappy, codecGzip, codecZstd, codecLZ4:
		return nil
	}
	name := fmt.Sprintf("number %d", codec)
	if codec >= 0 && codec < len(codecNames) {
		name = codecNames[codec]
	}
	return hint.New(fmt.Errorf("compression %s is not supported, want none, SNAPPY, GZIP, ZSTD or LZ4_RAW", name), againHint)
}

// unpack returns the size bytes that src holds, in dst where it is large enough.
func (u *unpacker) unpack(dst, src []byte, codec, size int) ([]byte, error) {
	if size == 0 {
		return dst[:0], nil
	}
	switch codec {
	case codecSnappy:
		return unpackSnappy(dst, src, size)
	case codecLZ4:
		return u.unpackLZ4(dst, src, size)
	case codecGzip:
		return u.unpackGzip(dst, src, size)
	case codecZstd:
		return u.unpackZstd(dst, src, size)
	}
	return nil, checkCodec(codec)
}

func unpackSnappy(dst, src []byte, size int) ([]byte, error) {
	n, err := s2.DecodedLen(src)
	if err != nil {
		return nil, errors.New("not valid Snappy data")
	}
	if n != size || n/maxSnappy > len(src) {
		return nil, fmt.Errorf("%d bytes of Snappy data for %d, want %d", len(src), n, size)
	}
	out, err := s2.Decode(dst[:cap(dst)], src)
	if err != nil {
		return nil, errors.New("not valid Snappy data")
	}
	return out, nil
}

// unpackLZ4 converts a block to Snappy's successor, which the library decodes.
func (u *unpacker) unpackLZ4(dst, src []byte, size int) ([]byte, error) {
	// A sequence of three bytes (token, offset) becomes a copy of at most four.
	u.lz4 = slices.Grow(u.lz4[:0], binary.MaxVarintLen64+2*len(src)+64)
	block := binary.AppendUvarint(u.lz4, uint64(size))
	block, n, err := new(s2.LZ4Converter).ConvertBlock(block, src)
	if err != nil || n != size {
		return nil, fmt.Errorf("not an LZ4 block of %d bytes", size)
	}
	out, err := s2.Decode(dst[:cap(dst)], block)
	if err != nil {
		return nil, errors.New("not valid LZ4 data")
	}
	return out, nil
}

func (u *unpacker) unpackGzip(dst, src []byte, size int) ([]byte, error) {
	in := bytes.NewReader(src)
	var err error
	if u.gzip == nil {
		u.gzip, err = gzip.NewReader(in)
	} else {
		err = u.gzip.Reset(in)
	}
	if err != nil {
		u.gzip = nil
		return nil, fmt.Errorf("not valid gzip data: %w", err)
	}
	return readPage(dst, u.gzip, size)
}

func (u *unpacker) unpackZstd(dst, src []byte, size int) ([]byte, error) {
	var head zstd.Header
	if err := head.Decode(src); err != nil {
		return nil, errors.New("not valid zstd data")
	}
	if head.HasFCS && head.FrameContentSize != uint64(size) {
		return nil, fmt.Errorf("zstd data for %d bytes, want %d", head.FrameContentSize, size)
	}
	if u.zstd == nil { // of one thread, it has no goroutines that must be ended
		var err error
		if u.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPage)); err != nil {
			return nil, err
		}
	}
	out, err := u.zstd.DecodeAll(src, dst[:0])
	switch {
	case err != nil:
		return nil, fmt.Errorf("not valid zstd data: %w", err)
	case len(out) != size:
		return nil, fmt.Errorf("%d bytes of zstd data, want %d", len(out), size)
	}
	return out, nil
}

// readPage reads exactly size bytes and the end of r. The buffer grows as they come.
func readPage(dst []byte, r io.Reader, size int) ([]byte, error) {
	dst = dst[:0]
	for len(dst) < size {
		if len(dst) == cap(dst) {
			dst = slices.Grow(dst, min(max(len(dst), firstBuffer), size-len(dst)))
		}
		n, err := io.ReadFull(r, dst[len(dst):min(cap(dst), size)])
		dst = dst[:len(dst)+n]
		if err != nil {
			return nil, fmt.Errorf("unpacking stopped at byte %d of %d: %w", len(dst), size, err)
		}
	}
	var more [1]byte
	n, err := io.ReadFull(r, more[:])
	switch {
	case n != 0:
		return nil, fmt.Errorf("more than the %d bytes that the page should have", size)
	case !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("unpacking: %w", err)
	}
	return dst, nil
}
