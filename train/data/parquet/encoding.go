package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"example.com/finetune/internal/hint"
)

// Encodings, as the format numbers them (Encoding).
const (
	encodingPlain           = 0
	encodingPlainDictionary = 2 // the older name of RLE_DICTIONARY
	encodingRLE             = 3
	encodingDelta           = 5 // DELTA_BINARY_PACKED
	encodingDeltaLength     = 6 // DELTA_LENGTH_BYTE_ARRAY
	encodingDeltaBytes      = 7 // DELTA_BYTE_ARRAY
	encodingDictionary      = 8 // RLE_DICTIONARY
	encodingSplit           = 9 // BYTE_STREAM_SPLIT
)

// A value is one that is not null: number holds the bits of a BOOLEAN, INT32, INT64,
// FLOAT or DOUBLE, bytes any other, until the next value is asked for.
type value struct {
	number uint64
	bytes  []byte
}

// A decoder yields the values of a page.
type decoder interface {
	next() (value, error)
}

var errShort = errors.New("the page ends before its values do")

// physicalSize returns the bytes of a value of a fixed size, 0 for the other types.
func physicalSize(physical, length int) int {
	switch physical {
	case physicalInt32, physicalFloat:
		return 4
	case physicalInt64, physicalDouble:
		return 8
	case physicalInt96:
		return 12
	case physicalFixed:
		return length
	}
	return 0
}

// fixedValue makes a value of all the bytes of b.
func fixedValue(b []byte, physical int) value {
	switch physical {
	case physicalInt32, physicalFloat:
		return value{number: uint64(binary.LittleEndian.Uint32(b))}
	case physicalInt64, physicalDouble:
		return value{number: binary.LittleEndian.Uint64(b)}
	}
	return value{bytes: b}
}

// newDecoder returns the decoder of the values in data. Types and encodings that do not
// go together are an error.
func newDecoder(encoding int, c *column, data []byte) (decoder, error) {
	size := physicalSize(c.physical, c.length)
	whole := c.physical == physicalInt32 || c.physical == physicalInt64
	switch {
	case encoding == encodingDictionary || encoding == encodingPlainDictionary:
		return newIndexes(&c.dictionary, data)
	case encoding == encodingPlain && size > 0:
		return &plainFixed{data, c.physical, size}, nil
	case encoding == encodingPlain && c.physical == physicalBytes:
		return &plainBytes{data}, nil
	case encoding == encodingPlain && c.physical == physicalBoolean:
		return &plainBits{data: data}, nil
	case encoding == encodingRLE && c.physical == physicalBoolean:
		runs, _, err := cut(data)
		return &booleans{newHybrid(runs, 1)}, err
	case encoding == encodingDelta && whole:
		return newDelta(data)
	case encoding == encodingDeltaLength && c.physical == physicalBytes:
		return newDeltaLength(data)
	case encoding == encodingDeltaBytes && (c.physical == physicalBytes || c.physical == physicalFixed):
		return newDeltaBytes(data, size)
	case encoding == encodingSplit && size > 0:
		return &split{data: data, physical: c.physical, count: len(data) / size, buffer: make([]byte, size)}, nil
	}
	return nil, hint.New(fmt.Errorf("encoding %d is not supported for its type", encoding), againHint)
}

// A plainFixed yields values of one size, one after the other.
type plainFixed struct {
	data           []byte
	physical, size int
}

func (p *plainFixed) next() (value, error) {
	if len(p.data) < p.size {
		return value{}, errShort
	}
	v := fixedValue(p.data[:p.size], p.physical)
	p.data = p.data[p.size:]
	return v, nil
}

// A plainBytes yields byte arrays, each behind its length of four bytes.
type plainBytes struct{ data []byte }

func (p *plainBytes) next() (value, error) {
	v, rest, err := cut(p.data)
	p.data = rest
	return value{bytes: v}, err
}

// cut cuts off what stands behind its length of four bytes, and returns the rest.
func cut(data []byte) (part, rest []byte, err error) {
	if len(data) < 4 {
		return nil, nil, errShort
	}
	n := uint64(binary.LittleEndian.Uint32(data))
	if n > uint64(len(data)-4) {
		return nil, nil, fmt.Errorf("a length of %d where %d bytes are left", n, len(data)-4)
	}
	return data[4 : 4+n], data[4+n:], nil
}

// A plainBits yields booleans of one bit, the lowest first.
type plainBits struct {
	data []byte
	at   int
}

func (p *plainBits) next() (value, error) {
	if p.at>>3 >= len(p.data) {
		return value{}, errShort
	}
	bit := p.data[p.at>>3] >> (p.at & 7) & 1
	p.at++
	return value{number: uint64(bit)}, nil
}

// A split yields values of which all first bytes stand together, then all second ones.
type split struct {
	data      []byte
	physical  int
	count, at int // values in data, and the next one
	buffer    []byte
}

func (s *split) next() (value, error) {
	if s.at >= s.count {
		return value{}, errShort
	}
	for i := range s.buffer {
		s.buffer[i] = s.data[i*s.count+s.at]
	}
	s.at++
	return fixedValue(s.buffer, s.physical), nil
}

// A hybrid yields small numbers of which each run is one that repeats, or is packed
// (RLE/bit-packing hybrid).
type hybrid struct {
	data   []byte // what follows the present run
	width  int    // bits of a number, at most 32
	left   int    // numbers left in the run
	packed []byte // those of a packed run; nil in one that repeats
	at     int    // the next one's first bit in packed
	number uint32 // the one that repeats
}

func newHybrid(data []byte, width int) *hybrid { return &hybrid{data: data, width: width} }

func (h *hybrid) next() (uint32, error) {
	if h.width == 0 {
		return 0, nil
	}
	for h.left == 0 {
		if err := h.run(); err != nil {
			return 0, err
		}
	}
	h.left--
	if h.packed == nil {
		return h.number, nil
	}
	n := bitsAt(h.packed, h.at, h.width)
	h.at += h.width
	return uint32(n), nil
}

// run begins the next run.
func (h *hybrid) run() error {
	head, n := binary.Uvarint(h.data)
	if n <= 0 {
		return errShort
	}
	h.data = h.data[n:]
	if head&1 == 1 { // groups of eight
		groups := head >> 1
		// The last group may be cut off behind the numbers that count.
		whole := min(groups, uint64(len(h.data)/h.width)+1)
		size := min(int(whole)*h.width, len(h.data))
		h.packed, h.data, h.at = h.data[:size:size], h.data[size:], 0
		h.left = min(int(whole)*8, size*8/h.width)
		if h.left == 0 && groups > 0 {
			return errShort
		}
		return nil
	}
	size := (h.width + 7) / 8
	if len(h.data) < size {
		return errShort
	}
	var number [4]byte
	copy(number[:], h.data[:size])
	h.number, h.packed = binary.LittleEndian.Uint32(number[:]), nil
	h.left, h.data = int(min(head>>1, math.MaxInt32)), h.data[size:]
	return nil
}

// bitsAt returns the number of width bits, at most 64, that begins at a bit of data.
// Bits behind its end are 0.
func bitsAt(data []byte, at, width int) uint64 {
	rest := data[min(at>>3, len(data)):]
	if len(rest) < 9 {
		var padded [9]byte
		copy(padded[:], rest)
		rest = padded[:]
	}
	shift := at & 7
	n := binary.LittleEndian.Uint64(rest)>>shift | uint64(rest[8])<<(64-shift) // <<64 is 0
	return n & (1<<width - 1)                                                  // 1<<64 is 0
}

// An indexes yields the values of a dictionary that a page points at.
type indexes struct {
	dictionary *dictionary
	runs       *hybrid
}

func newIndexes(d *dictionary, data []byte) (*indexes, error) {
	if d.count < 0 {
		return nil, errors.New("a page of dictionary indexes without a dictionary")
	}
	if len(data) == 0 { // where all values are null
		return &indexes{d, newHybrid(nil, 32)}, nil
	}
	if data[0] > 32 {
		return nil, fmt.Errorf("dictionary indexes of %d bits", data[0])
	}
	return &indexes{d, newHybrid(data[1:], int(data[0]))}, nil
}

func (x *indexes) next() (value, error) {
	n, err := x.runs.next()
	if err != nil {
		return value{}, err
	}
	return x.dictionary.at(n)
}

// A dictionary is the distinct values of a chunk, plain.
type dictionary struct {
	page     []byte
	offsets  []uint32 // of byte arrays
	count    int      // -1 for no dictionary
	physical int
	size     int
}

// index finds the count values in the page.
func (d *dictionary) index(physical, length, count int) error {
	d.physical, d.size, d.count = physical, physicalSize(physical, length), count
	switch {
	case count < 0:
		return fmt.Errorf("a dictionary of %d values", count)
	case d.size > 0 && len(d.page)/d.size < count:
		return errShort
	case d.size > 0:
		return nil
	case physical != physicalBytes:
		return errors.New("a dictionary of booleans")
	}
	d.offsets = d.offsets[:0]
	for rest := d.page; count > 0; count-- {
		d.offsets = append(d.offsets, uint32(len(d.page)-len(rest)))
		var err error
		if _, rest, err = cut(rest); err != nil {
			return err
		}
	}
	return nil
}

func (d *dictionary) at(n uint32) (value, error) {
	if int64(n) >= int64(d.count) {
		return value{}, fmt.Errorf("dictionary index %d, where it has %d values", n, d.count)
	}
	if d.size > 0 {
		return fixedValue(d.page[int(n)*d.size:][:d.size], d.physical), nil
	}
	v, _, err := cut(d.page[d.offsets[n]:])
	return value{bytes: v}, err
}

// A booleans yields the runs of RLE booleans.
type booleans struct{ runs *hybrid }

func (b *booleans) next() (value, error) {
	n, err := b.runs.next()
	return value{number: uint64(n)}, err
}

// A delta yields whole numbers stored as differences (DELTA_BINARY_PACKED). A block has
// its least difference and some miniblocks, each packed with a width of its own.
type delta struct {
	data   []byte // what follows the present miniblock
	minis  int    // miniblocks of a block
	size   int    // numbers of a miniblock, a multiple of 32
	total  uint64 // numbers left in all
	number int64  // the next one, while first
	first  bool

	least  int64  // least difference of the block
	widths []byte // of the miniblocks left in the block
	packed []byte // the present miniblock
	width  int
	at     int // the next difference's first bit in packed
	left   int // differences left in the miniblock
}

func newDelta(data []byte) (*delta, error) {
	d := &delta{data: data, first: true}
	size, minis := d.uvarint(), d.uvarint()
	d.total = d.uvarint()
	d.number = d.varint()
	if d.data == nil {
		return nil, errShort
	}
	if minis == 0 || size > 1<<20 || minis > size || size/minis%32 != 0 {
		return nil, fmt.Errorf("delta blocks of %d numbers in %d parts", size, minis)
	}
	d.minis, d.size = int(minis), int(size/minis)
	return d, nil
}

// uvarint reads a number of the header. Without one, the data is nil.
func (d *delta) uvarint() uint64 {
	u, n := binary.Uvarint(d.data)
	if n <= 0 {
		d.data = nil
		return 0
	}
	d.data = d.data[n:]
	return u
}

func (d *delta) varint() int64 {
	u := d.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (d *delta) next() (value, error) {
	n, err := d.int()
	return value{number: uint64(n)}, err
}

func (d *delta) int() (int64, error) {
	if d.total == 0 {
		return 0, errShort
	}
	d.total--
	if d.first {
		d.first = false
		return d.number, nil
	}
	if d.left == 0 {
		if err := d.miniblock(); err != nil {
			return 0, err
		}
	}
	d.number += d.least + int64(bitsAt(d.packed, d.at, d.width))
	d.at += d.width
	d.left--
	return d.number, nil
}

// miniblock begins the next miniblock, and a block where that is due.
func (d *delta) miniblock() error {
	if len(d.widths) == 0 {
		d.least = d.varint()
		if len(d.data) < d.minis {
			return errShort
		}
		d.widths, d.data = d.data[:d.minis], d.data[d.minis:]
	}
	d.width, d.widths = int(d.widths[0]), d.widths[1:]
	if d.width > 64 {
		return fmt.Errorf("differences of %d bits", d.width)
	}
	size := d.size / 8 * d.width
	if size > len(d.data) {
		return errShort
	}
	d.packed, d.data = d.data[:size:size], d.data[size:]
	d.left, d.at = d.size, 0
	return nil
}

// rest returns what follows the last number. It goes miniblock by miniblock, each of
// which has at least its width in the data, whatever the total claims.
func (d delta) rest() ([]byte, error) {
	for left := d.total; left > 1; left -= min(left-1, uint64(d.size)) {
		if err := d.miniblock(); err != nil {
			return nil, err
		}
	}
	return d.data, nil
}

// A deltaLength yields byte arrays that stand one after the other behind all lengths.
type deltaLength struct {
	lengths *delta
	data    []byte
}

func newDeltaLength(data []byte) (*deltaLength, error) {
	lengths, err := newDelta(data)
	if err != nil {
		return nil, err
	}
	rest, err := lengths.rest()
	return &deltaLength{lengths, rest}, err
}

func (d *deltaLength) next() (value, error) {
	n, err := d.lengths.int()
	if err != nil {
		return value{}, err
	}
	if n < 0 || n > int64(len(d.data)) {
		return value{}, fmt.Errorf("a length of %d where %d bytes are left", n, len(d.data))
	}
	v := d.data[:n]
	d.data = d.data[n:]
	return value{bytes: v}, nil
}

// A deltaBytes yields byte arrays that share their beginning with the one before.
type deltaBytes struct {
	prefixes *delta
	suffixes *deltaLength
	last     []byte
	size     int // of each value; 0 for any
}

func newDeltaBytes(data []byte, size int) (*deltaBytes, error) {
	prefixes, err := newDelta(data)
	if err != nil {
		return nil, err
	}
	rest, err := prefixes.rest()
	if err != nil {
		return nil, err
	}
	suffixes, err := newDeltaLength(rest)
	return &deltaBytes{prefixes: prefixes, suffixes: suffixes, size: size}, err
}

func (d *deltaBytes) next() (value, error) {
	n, err := d.prefixes.int()
	if err != nil {
		return value{}, err
	}
	suffix, err := d.suffixes.next()
	if err != nil {
		return value{}, err
	}
	if n < 0 || n > int64(len(d.last)) {
		return value{}, fmt.Errorf("a shared beginning of %d bytes, where the value before has %d", n, len(d.last))
	}
	d.last = append(d.last[:n], suffix.bytes...)
	if d.size > 0 && len(d.last) != d.size {
		return value{}, fmt.Errorf("a value of %d bytes, want %d", len(d.last), d.size)
	}
	return value{bytes: d.last}, nil
}

// levelWidth returns the bits of levels from 0 to highest.
func levelWidth(highest int) int { return bits.Len(uint(highest)) }
