package safetensors

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"unicode"

	st "github.com/nlpodyssey/safetensors"

	"example.com/finetune/internal/jsontree"
)

// Bounds on a header, far above every real file's. The first is the format's own
// (MAX_HEADER_SIZE); the others keep what is decoded a small multiple of the header.
const (
	maxHeader   = 100_000_000
	maxTensors  = 200_000
	maxMetadata = 10_000
	maxName     = 1024
	maxRank     = 16
	maxValues   = maxTensors*(10+maxRank) + 2*maxMetadata // ten for an entry without its shape
)

// A span is where a tensor's bytes lie behind the header.
type span struct {
	name   string
	lo, hi uint64
}

// checkHeader holds a header to the rules of the format, for size bytes of data
// behind it, and returns the metadata.
func checkHeader(h []byte, size uint64) (map[string]string, error) {
	if len(h) == 0 || h[0] != '{' {
		return nil, fmt.Errorf("the header begins with %q, want {", string(h[:min(len(h), 1)]))
	}
	header, err := jsontree.ParseAtMost(string(h), maxValues)
	if err != nil {
		return nil, fmt.Errorf("the header: %w", err)
	}
	if header.Len() > maxTensors {
		return nil, fmt.Errorf("more than %d tensors", maxTensors)
	}
	var metadata map[string]string
	var spans []span
	for name, v := range header.Members() {
		if err := checkName(name); err != nil {
			return nil, err
		}
		if name == "__metadata__" {
			if metadata, err = readMetadata(v); err != nil {
				return nil, fmt.Errorf("__metadata__: %w", err)
			}
			continue
		}
		e, err := readEntry(v)
		if err == nil {
			err = e.check()
		}
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", name, err)
		}
		spans = append(spans, span{name, e.offsets[0], e.offsets[1]})
	}
	return metadata, contiguous(spans, size)
}

func checkName(name string) error {
	if len(name) > maxName {
		return fmt.Errorf("tensor %.40q…: the name has %d bytes, want at most %d", name, len(name), maxName)
	}
	if name == "" || strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("%q cannot be a tensor's name", name)
	}
	return nil
}

// contiguous fails unless the tensors fill [0,size) without hole or overlap.
func contiguous(spans []span, size uint64) error {
	slices.SortFunc(spans, func(a, b span) int {
		if a.lo != b.lo {
			return compare(a.lo, b.lo)
		}
		if a.hi != b.hi {
			return compare(a.hi, b.hi)
		}
		return strings.Compare(a.name, b.name)
	})
	var end uint64
	last := "the header"
	for _, s := range spans {
		switch {
		case s.lo < end:
			return fmt.Errorf("tensor %s begins at %d, inside %s, which ends at %d", s.name, s.lo, last, end)
		case s.lo > end:
			return fmt.Errorf("tensor %s begins at %d, want %d: a hole behind %s", s.name, s.lo, end, last)
		case s.hi > size:
			return fmt.Errorf("tensor %s ends at %d, but there are %d bytes of data: the file is cut short", s.name, s.hi, size)
		}
		end, last = s.hi, s.name
	}
	if end != size {
		return fmt.Errorf("%d bytes of data, but the tensors end at %d", size, end)
	}
	return nil
}

func compare(a, b uint64) int {
	if a < b {
		return -1
	}
	return 1
}

// readMetadata returns an object of strings.
func readMetadata(v jsontree.Value) (map[string]string, error) {
	if v.Kind() != jsontree.Object {
		return nil, v.Wrong("an object of strings")
	}
	if v.Len() > maxMetadata {
		return nil, fmt.Errorf("more than %d entries", maxMetadata)
	}
	m := make(map[string]string, v.Len())
	for key, value := range v.Members() {
		text, err := value.Str()
		if err != nil {
			return nil, fmt.Errorf("%q: %w", key, err)
		}
		m[key] = text
	}
	return m, nil
}

// An entry is what a header says of one tensor.
type entry struct {
	dtype          string
	shape, offsets []uint64
}

// readEntry returns {"dtype": …, "shape": …, "data_offsets": …}: these three and
// nothing else, spelled like this.
func readEntry(v jsontree.Value) (e entry, err error) {
	if v.Kind() != jsontree.Object {
		return e, v.Wrong("an object")
	}
	for key, value := range v.Members() {
		switch key {
		case "dtype":
			e.dtype, err = value.Str()
		case "shape":
			e.shape, err = naturals(value)
		case "data_offsets":
			e.offsets, err = naturals(value)
		default:
			return e, fmt.Errorf("unknown key %q", key)
		}
		if err != nil {
			return e, fmt.Errorf("%s: %w", key, err)
		}
	}
	for _, key := range []string{"dtype", "shape", "data_offsets"} {
		if v.Get(key).Kind() == jsontree.Absent {
			return e, errors.New("no " + key)
		}
	}
	return e, nil
}

func (e entry) check() error {
	d, err := st.ParseDType(e.dtype)
	if err != nil {
		return fmt.Errorf("dtype %q is not supported", e.dtype)
	}
	if len(e.offsets) != 2 || e.offsets[0] > e.offsets[1] {
		return fmt.Errorf("data_offsets are %v, want [begin, end]", e.offsets)
	}
	want, ok := byteSize(e.shape, d.Size())
	if got := e.offsets[1] - e.offsets[0]; !ok || got != want {
		return fmt.Errorf("%d bytes for shape %v of %s", got, e.shape, e.dtype)
	}
	return nil
}

// naturals returns a list of integers in plain form: no sign, point or exponent.
func naturals(v jsontree.Value) ([]uint64, error) {
	if v.Kind() != jsontree.List {
		return nil, v.Wrong("a list")
	}
	if v.Len() > maxRank {
		return nil, fmt.Errorf("%d entries, want at most %d", v.Len(), maxRank)
	}
	list := make([]uint64, v.Len())
	for i, item := range v.Items() {
		n, err := item.Int()
		if err != nil || n < 0 || item.Raw()[0] == '-' {
			return nil, item.Wrong("an integer of at least 0")
		}
		list[i] = uint64(n)
	}
	return list, nil
}

// byteSize returns the bytes of a tensor; false where no uint64 holds it.
func byteSize(shape []uint64, size uint64) (uint64, bool) {
	n := size
	for _, d := range shape {
		hi, lo := bits.Mul64(n, d)
		if hi != 0 {
			return 0, false
		}
		n = lo
	}
	return n, true
}
