package parquet

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"example.com/finetune/internal/hint"
)

// Bounds of a file's description. A column of a row group takes some two hundred bytes,
// so that there can be three hundred thousand.
const (
	maxFooter   = 64 << 20
	maxElements = 100_000
)

// A footer is what a file says about itself (FileMetaData).
type footer struct {
	rows     int64
	elements []element
	groups   []rowGroup
	start    int64 // its offset, where the pages end
}

// An element is one line of the schema, a tree in depth-first order (SchemaElement).
type element struct {
	name       string
	group      bool // without a physical type
	physical   int
	length     int // bytes of a FIXED_LEN_BYTE_ARRAY
	repetition int
	children   int
	annotation annotation
}

// Physical types (Type) and how often a value stands (FieldRepetitionType).
const (
	physicalBoolean = iota
	physicalInt32
	physicalInt64
	physicalInt96
	physicalFloat
	physicalDouble
	physicalBytes
	physicalFixed
)

const (
	required = iota
	optional
	repeated
)

// An annotation says what the values of a physical type mean.
type annotation struct {
	kind     int   // as LogicalType numbers them; 0 for none
	scale    int   // digits behind the point of a decimal
	unit     int64 // units a second of a time
	utc      bool
	unsigned bool
}

// The kinds of annotations.
const (
	asString    = 1
	asMap       = 2
	asList      = 3
	asEnum      = 4
	asDecimal   = 5
	asDate      = 6
	asTime      = 7
	asTimestamp = 8
	asInterval  = 9
	asInteger   = 10
	asNull      = 11
	asJSON      = 12
	asBSON      = 13
	asUUID      = 14
	asFloat16   = 15
)

// converted are the annotations of older files, as ConvertedType numbers them.
var converted = [...]annotation{
	{kind: asString},
	{kind: asMap},
	{kind: asMap}, // MAP_KEY_VALUE
	{kind: asList},
	{kind: asEnum},
	{kind: asDecimal},
	{kind: asDate},
	{kind: asTime, unit: 1e3, utc: true},
	{kind: asTime, unit: 1e6, utc: true},
	{kind: asTimestamp, unit: 1e3, utc: true},
	{kind: asTimestamp, unit: 1e6, utc: true},
	{kind: asInteger, unsigned: true},
	{kind: asInteger, unsigned: true},
	{kind: asInteger, unsigned: true},
	{kind: asInteger, unsigned: true},
	{kind: asInteger},
	{kind: asInteger},
	{kind: asInteger},
	{kind: asInteger},
	{kind: asJSON},
	{kind: asBSON},
	{kind: asInterval},
}

// A rowGroup is a run of rows, each of its columns in one piece of the file.
type rowGroup struct {
	rows   int64
	chunks []chunk
}

// A chunk is where the pages of a column lie in a row group (ColumnChunk).
type chunk struct {
	codec     int
	values    int64 // nulls and empty lists included
	start     int64 // offset of its first page
	size      int64 // bytes of all pages with their headers
	encrypted bool
	elsewhere bool // in another file
}

// readFooter finds and reads the description at the end of a file.
func readFooter(r io.ReaderAt, size int64) (*footer, error) {
	if err := checkStart(r, size); err != nil {
		return nil, err
	}
	var tail [8]byte
	if _, err := r.ReadAt(tail[:], size-8); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch string(tail[4:]) {
	case "PAR1":
	case "PARE":
		return nil, errEncrypted
	default:
		return nil, hint.New(errors.New("the file is cut short: it begins as Parquet and does not end so"), cutHint)
	}
	length := int64(binary.LittleEndian.Uint32(tail[:]))
	if length > size-12 {
		return nil, fmt.Errorf("a footer of %d bytes in a file of %d", length, size)
	}
	if length > maxFooter {
		return nil, fmt.Errorf("a footer of %d bytes, want at most %d", length, maxFooter)
	}
	section := io.NewSectionReader(r, size-8-length, length)
	t := &thrift{in: bufio.NewReaderSize(section, 1<<16), left: length}
	f := parseFooter(t)
	switch {
	case errors.Is(t.err, errEncrypted):
		return nil, t.err
	case t.err != nil:
		return nil, fmt.Errorf("the footer: %w", t.err)
	}
	f.start = size - 8 - length
	return f, f.check()
}

var errEncrypted = errors.New("the file is encrypted")

// checkStart recognises what often lies where Parquet files are looked for.
func checkStart(r io.ReaderAt, size int64) error {
	start := make([]byte, min(size, 16))
	if _, err := r.ReadAt(start, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case size == 0:
		return errors.New("the file is empty")
	case bytes.HasPrefix(start, []byte("version https://")):
		return hint.New(errors.New("a Git LFS pointer, not the file itself"), "git lfs pull")
	case bytes.HasPrefix(start, []byte("PARE")):
		return errEncrypted
	case !bytes.HasPrefix(start, []byte("PAR1")):
		return fmt.Errorf("not a Parquet file: it begins with %q, want \"PAR1\"", start[:min(len(start), 4)])
	case size < 12:
		return hint.New(fmt.Errorf("the file is cut short: %d bytes", size), cutHint)
	}
	return nil
}

// check verifies that the parts fit each other.
func (f *footer) check() error {
	leaves := 0
	for _, e := range f.elements {
		if !e.group {
			leaves++
		}
	}
	var rows int64
	for i, g := range f.groups {
		if len(g.chunks) != leaves {
			return fmt.Errorf("row group %d has %d columns, the schema has %d", i, len(g.chunks), leaves)
		}
		if g.rows < 0 || g.rows > math.MaxInt64-rows {
			return fmt.Errorf("row group %d has %d rows", i, g.rows)
		}
		rows += g.rows
	}
	if rows != f.rows {
		return fmt.Errorf("the row groups have %d rows, the file has %d", rows, f.rows)
	}
	return nil
}

func parseFooter(t *thrift) *footer {
	f := &footer{}
	t.fields(thriftStruct, func(id int, kind byte) {
		switch id {
		case 2:
			t.list(kind, func(kind byte) {
				if len(f.elements) == maxElements {
					t.fail("a schema of more than %d lines", maxElements)
				}
				f.elements = append(f.elements, parseElement(t, kind))
			})
		case 3:
			f.rows = t.integer(kind)
		case 4:
			t.list(kind, func(kind byte) { f.groups = append(f.groups, parseRowGroup(t, kind)) })
		case 8:
			if t.err == nil {
				t.err = errEncrypted
			}
		default:
			t.skip(kind)
		}
	})
	return f
}

func parseElement(t *thrift, kind byte) element {
	e := element{group: true}
	var older *annotation
	scale := 0
	t.fields(kind, func(id int, kind byte) {
		switch id {
		case 1:
			e.physical, e.group = int(t.integer(kind)), false
		case 2:
			e.length = int(t.integer(kind))
		case 3:
			e.repetition = int(t.integer(kind))
		case 4:
			e.name = t.text(kind)
		case 5:
			e.children = int(t.integer(kind))
		case 6:
			if n := t.integer(kind); n >= 0 && n < int64(len(converted)) {
				older = &converted[n]
			}
		case 7:
			scale = int(t.integer(kind))
		case 10:
			e.annotation = parseAnnotation(t, kind)
		default:
			t.skip(kind)
		}
	})
	if e.annotation.kind == 0 && older != nil {
		e.annotation = *older
		e.annotation.scale = scale
	}
	return e
}

// parseAnnotation reads a LogicalType, a union: the field says which.
func parseAnnotation(t *thrift, kind byte) annotation {
	var a annotation
	t.fields(kind, func(id int, kind byte) {
		a.kind = id
		t.fields(kind, func(id int, kind byte) {
			switch {
			case a.kind == asDecimal && id == 1:
				a.scale = int(t.integer(kind))
			case (a.kind == asTime || a.kind == asTimestamp) && id == 1:
				a.utc = t.boolean(kind)
			case (a.kind == asTime || a.kind == asTimestamp) && id == 2:
				t.fields(kind, func(id int, kind byte) {
					a.unit = map[int]int64{1: 1e3, 2: 1e6, 3: 1e9}[id]
					t.skip(kind)
				})
			case a.kind == asInteger && id == 2:
				a.unsigned = !t.boolean(kind)
			default:
				t.skip(kind)
			}
		})
	})
	return a
}

func parseRowGroup(t *thrift, kind byte) rowGroup {
	var g rowGroup
	t.fields(kind, func(id int, kind byte) {
		switch id {
		case 1:
			t.list(kind, func(kind byte) { g.chunks = append(g.chunks, parseChunk(t, kind)) })
		case 3:
			g.rows = t.integer(kind)
		default:
			t.skip(kind)
		}
	})
	if len(g.chunks) == 0 {
		t.fail("a row group without columns")
	}
	return g
}

func parseChunk(t *thrift, kind byte) chunk {
	var c chunk
	described := false
	t.fields(kind, func(id int, kind byte) {
		switch id {
		case 1:
			c.elsewhere = true
			t.skip(kind)
		case 3:
			described = true
			c.parseMetadata(t, kind)
		case 8, 9:
			c.encrypted, described = true, true
			t.skip(kind)
		default:
			t.skip(kind)
		}
	})
	if !described {
		t.fail("a column without its description")
	}
	return c
}

// parseMetadata reads a ColumnMetaData.
func (c *chunk) parseMetadata(t *thrift, kind byte) {
	var dictionary int64
	t.fields(kind, func(id int, kind byte) {
		switch id {
		case 4:
			c.codec = int(t.integer(kind))
		case 5:
			c.values = t.integer(kind)
		case 7:
			c.size = t.integer(kind)
		case 9:
			c.start = t.integer(kind)
		case 11:
			dictionary = t.integer(kind)
		default:
			t.skip(kind)
		}
	})
	if dictionary > 0 && dictionary < c.start { // some writers say 0 for none
		c.start = dictionary
	}
}

// A pageHeader is what stands before each page (PageHeader).
type pageHeader struct {
	kind           int // as PageType numbers them
	size           int // bytes unpacked
	compressedSize int
	crc            uint32
	hasCRC         bool

	values   int // nulls and empty lists included
	encoding int
	levels   int // encoding of both kinds of levels, of version 1

	// of version 2 alone:
	defBytes, repBytes int
	compressed         bool
}

// The kinds of pages.
const (
	pageData       = 0
	pageIndex      = 1
	pageDictionary = 2
	pageDataV2     = 3
)

func parsePageHeader(t *thrift) pageHeader {
	p := pageHeader{kind: -1, compressed: true, encoding: -1, levels: encodingRLE}
	t.fields(thriftStruct, func(id int, kind byte) {
		switch id {
		case 1:
			p.kind = int(t.integer(kind))
		case 2:
			p.size = int(t.integer(kind))
		case 3:
			p.compressedSize = int(t.integer(kind))
		case 4:
			p.crc, p.hasCRC = uint32(t.integer(kind)), true
		case 5, 7:
			p.parseData(t, kind)
		case 8:
			p.parseDataV2(t, kind)
		default:
			t.skip(kind)
		}
	})
	return p
}

// parseData reads a DataPageHeader, or a DictionaryPageHeader: their first fields are
// the same.
func (p *pageHeader) parseData(t *thrift, kind byte) {
	t.fields(kind, func(id int, kind byte) {
		switch {
		case id == 1:
			p.values = int(t.integer(kind))
		case id == 2:
			p.encoding = int(t.integer(kind))
		case (id == 3 || id == 4) && kind == thriftI32:
			if n := int(t.integer(kind)); n != encodingRLE {
				p.levels = n
			}
		default:
			t.skip(kind)
		}
	})
}

func (p *pageHeader) parseDataV2(t *thrift, kind byte) {
	t.fields(kind, func(id int, kind byte) {
		switch id {
		case 1:
			p.values = int(t.integer(kind))
		case 4:
			p.encoding = int(t.integer(kind))
		case 5:
			p.defBytes = int(t.integer(kind))
		case 6:
			p.repBytes = int(t.integer(kind))
		case 7:
			p.compressed = t.boolean(kind)
		default:
			t.skip(kind)
		}
	})
}
