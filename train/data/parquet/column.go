package parquet

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// maxPage bounds a page, packed or not. pyarrow ends a page at the next 1024 values
// after 1 MB, DuckDB at about 100 MB, so that longer ones hold rows of a megabyte.
const maxPage = 1 << 30

// headerBuffer is read at once for the headers of pages, which have some fifty bytes.
const headerBuffer = 16 << 10

// A column yields the levels and values of a leaf, chunk after chunk, page after page.
type column struct {
	path           string // "messages[].content"
	kind           string // what its type is called
	index          int    // of its chunk in a row group
	physical       int
	length         int // bytes of a FIXED_LEN_BYTE_ARRAY
	maxDef, maxRep int
	append         appendFunc // nil for bytes that are no text: never read

	// of the chunk:
	in         *bufio.Reader
	start      int64 // offset of what in has begun with
	size       int64 // bytes of the chunk from start on
	left       int64 // bytes that are not read yet
	codec      int
	values     int64 // of the pages that are not read yet, nulls included
	dictionary dictionary

	// of the page:
	page       []byte
	pageLeft   int    // values left
	runs       []byte // levels of a page of version 2
	reps, defs *hybrid
	decoder    decoder

	// of the next value:
	loaded   bool
	rep, def int // rep is -1 behind the last one
}

// open begins a chunk of a file whose pages end at end.
func (c *column) open(r io.ReaderAt, k chunk, end int64) error {
	switch {
	case k.values == 0: // some writers give it no place
		k = chunk{}
	case k.encrypted:
		return errEncrypted
	case k.elsewhere:
		return errors.New("its data is in another file")
	case k.values < 0 || k.start < 4 || k.size < 0 || k.start > end || k.size > end-k.start:
		return fmt.Errorf("%d values in %d bytes at byte %d, where the pages end at %d", k.values, k.size, k.start, end)
	}
	if err := checkCodec(k.codec); err != nil {
		return err
	}
	section := io.NewSectionReader(r, k.start, k.size)
	if c.in == nil {
		c.in = bufio.NewReaderSize(section, headerBuffer)
	} else {
		c.in.Reset(section)
	}
	c.start, c.size, c.left, c.codec, c.values = k.start, k.size, k.size, k.codec, k.values
	c.dictionary.count = -1
	c.pageLeft, c.loaded = 0, false
	return nil
}

// load reads the levels of the next value, if that is not done.
func (c *column) load(u *unpacker) error {
	if c.loaded {
		return nil
	}
	for c.pageLeft == 0 {
		if c.values == 0 {
			c.rep, c.def, c.loaded = -1, 0, true
			return nil
		}
		at := c.start + c.size - c.left
		if err := c.next(u); err != nil {
			return fmt.Errorf("page at byte %d: %w", at, err)
		}
	}
	rep, err := c.reps.next()
	if err != nil {
		return err
	}
	def, err := c.defs.next()
	if err != nil {
		return err
	}
	if int64(rep) > int64(c.maxRep) || int64(def) > int64(c.maxDef) {
		return fmt.Errorf("levels %d and %d, want at most %d and %d", rep, def, c.maxRep, c.maxDef)
	}
	c.rep, c.def, c.loaded = int(rep), int(def), true
	c.pageLeft--
	return nil
}

// end verifies that nothing is left of the chunk.
func (c *column) end(u *unpacker) error {
	if err := c.load(u); err != nil {
		return err
	}
	if c.rep >= 0 {
		return errors.New("more values than rows")
	}
	return nil
}

// next reads a page.
func (c *column) next(u *unpacker) error {
	if c.left <= 0 {
		return fmt.Errorf("the column ends %d values early", c.values)
	}
	t := &thrift{in: c.in, left: c.left}
	h := parsePageHeader(t)
	if t.err != nil {
		return fmt.Errorf("its header: %w", t.err)
	}
	c.left = t.left
	switch {
	case h.size < 0 || h.size > maxPage || h.compressedSize < 0 || h.compressedSize > maxPage:
		return fmt.Errorf("%d bytes, packed %d, want at most %d", h.size, h.compressedSize, maxPage)
	case int64(h.compressedSize) > c.left:
		return fmt.Errorf("%d bytes, where the column has %d left", h.compressedSize, c.left)
	}
	switch h.kind {
	case pageData, pageDataV2:
		return c.dataPage(u, h)
	case pageDictionary:
		return c.dictionaryPage(u, h)
	case pageIndex:
		n, err := c.in.Discard(h.compressedSize)
		c.left -= int64(n)
		return err
	}
	return fmt.Errorf("of unknown kind %d", h.kind)
}

// read reads the packed bytes of a page into buffer.
func (c *column) read(buffer []byte, h pageHeader) ([]byte, error) {
	if cap(buffer) < h.compressedSize { // the file has as many
		buffer = make([]byte, h.compressedSize)
	}
	buffer = buffer[:h.compressedSize]
	n, err := io.ReadFull(c.in, buffer)
	c.left -= int64(n)
	if err != nil {
		return nil, fmt.Errorf("reading it: %w", err)
	}
	if h.hasCRC && crc32.ChecksumIEEE(buffer) != h.crc {
		return nil, errors.New("its checksum is wrong: the file is damaged")
	}
	return buffer, nil
}

// unpack reads a page as a whole into buffer.
func (c *column) unpack(u *unpacker, buffer []byte, h pageHeader) ([]byte, error) {
	if c.codec == codecNone {
		if h.size != h.compressedSize {
			return nil, fmt.Errorf("%d bytes, want %d: it is not packed", h.compressedSize, h.size)
		}
		return c.read(buffer, h)
	}
	var err error
	if u.packed, err = c.read(u.packed, h); err != nil {
		return nil, err
	}
	return u.unpack(buffer, u.packed, c.codec, h.size)
}

func (c *column) dictionaryPage(u *unpacker, h pageHeader) error {
	if h.encoding != encodingPlain && h.encoding != encodingPlainDictionary {
		return fmt.Errorf("a dictionary of encoding %d is not supported", h.encoding)
	}
	page, err := c.unpack(u, c.dictionary.page, h)
	if err != nil {
		return err
	}
	c.dictionary.page = page
	return c.dictionary.index(c.physical, c.length, h.values)
}

func (c *column) dataPage(u *unpacker, h pageHeader) error {
	if h.values < 0 || int64(h.values) > c.values {
		return fmt.Errorf("%d values, where the column has %d left", h.values, c.values)
	}
	var data []byte
	var err error
	if h.kind == pageData {
		data, err = c.levels(u, h)
	} else {
		data, err = c.levelsV2(u, h)
	}
	if err != nil {
		return err
	}
	c.decoder, err = newDecoder(h.encoding, c, data)
	c.values -= int64(h.values)
	c.pageLeft = h.values
	return err
}

// levels unpacks a page of version 1, in which levels stand before values behind their
// length, and returns the values' part.
func (c *column) levels(u *unpacker, h pageHeader) (data []byte, err error) {
	if c.page, err = c.unpack(u, c.page, h); err != nil {
		return nil, err
	}
	data = c.page
	for _, l := range []struct {
		runs    **hybrid
		highest int
	}{{&c.reps, c.maxRep}, {&c.defs, c.maxDef}} {
		var runs []byte
		if l.highest > 0 {
			if h.levels != encodingRLE {
				return nil, fmt.Errorf("levels of encoding %d are not supported", h.levels)
			}
			if runs, data, err = cut(data); err != nil {
				return nil, fmt.Errorf("its levels: %w", err)
			}
		}
		*l.runs = newHybrid(runs, levelWidth(l.highest))
	}
	return data, nil
}

// levelsV2 unpacks a page of version 2, in which the levels stand unpacked before the
// values, and returns the values' part.
func (c *column) levelsV2(u *unpacker, h pageHeader) (data []byte, err error) {
	if u.packed, err = c.read(u.packed, h); err != nil {
		return nil, err
	}
	rep, def := h.repBytes, h.defBytes
	if rep < 0 || def < 0 || rep > len(u.packed) || def > len(u.packed)-rep || rep+def > h.size {
		return nil, fmt.Errorf("levels of %d and %d bytes in a page of %d, packed %d", rep, def, h.size, len(u.packed))
	}
	c.runs = append(c.runs[:0], u.packed[:rep+def]...)
	c.reps = newHybrid(c.runs[:rep], levelWidth(c.maxRep))
	c.defs = newHybrid(c.runs[rep:], levelWidth(c.maxDef))
	packed, size := u.packed[rep+def:], h.size-rep-def
	if c.codec == codecNone || !h.compressed {
		if len(packed) != size {
			return nil, fmt.Errorf("%d bytes, want %d: it is not packed", len(packed), size)
		}
		c.page = append(c.page[:0], packed...)
		return c.page, nil
	}
	c.page, err = u.unpack(c.page, packed, c.codec, size)
	return c.page, err
}
