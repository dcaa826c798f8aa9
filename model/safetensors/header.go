package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	st "github.com/nlpodyssey/safetensors"
)

// Bounds on a header, far above every real file's. The first is the format's own
// (MAX_HEADER_SIZE); the others keep what is decoded a small multiple of the header.
const (
	maxHeader   = 100_000_000
	maxTensors  = 200_000
	maxMetadata = 10_000
	maxName     = 1024
	maxRank     = 16
)

// A span is where a tensor's bytes lie behind the header.
type span struct {
	name   string
	lo, hi uint64
}

// checkHeader holds a header to the rules of the format, for size bytes of data
// behind it, and returns the metadata.
func checkHeader(h []byte, size uint64) (map[string]string, error) {
	switch {
	case len(h) == 0 || h[0] != '{':
		return nil, fmt.Errorf("the header begins with %q, want {", string(h[:min(len(h), 1)]))
	case !utf8.Valid(h):
		return nil, errors.New("the header is not UTF-8")
	case !json.Valid(h):
		return nil, errors.New("the header is not JSON")
	}
	w := walker{json.NewDecoder(bytes.NewReader(h))}
	w.UseNumber()
	var metadata map[string]string
	var spans []span
	seen := map[string]bool{}
	w.next() // {
	for w.More() {
		name := w.next().(string)
		if err := checkName(name); err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, fmt.Errorf("%q stands twice in the header", name)
		}
		seen[name] = true
		if len(seen) > maxTensors {
			return nil, fmt.Errorf("more than %d tensors", maxTensors)
		}
		var err error
		if name == "__metadata__" {
			metadata, err = w.metadata()
		} else {
			var s span
			s, err = w.tensor(name)
			spans = append(spans, s)
		}
		if err != nil {
			return nil, err
		}
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

// A walker takes tokens from valid JSON.
type walker struct{ *json.Decoder }

func (w walker) next() json.Token {
	t, _ := w.Token() // valid JSON: cannot fail
	return t
}

// metadata takes an object of strings.
func (w walker) metadata() (map[string]string, error) {
	if t := w.next(); t != json.Delim('{') {
		return nil, fmt.Errorf("__metadata__ is %v, want an object of strings", t)
	}
	m := map[string]string{}
	for w.More() {
		key := w.next().(string)
		if _, twice := m[key]; twice {
			return nil, fmt.Errorf("__metadata__: %q stands twice", key)
		}
		value, ok := w.next().(string)
		if !ok {
			return nil, fmt.Errorf("__metadata__: %q is not a string", key)
		}
		if m[key] = value; len(m) > maxMetadata {
			return nil, fmt.Errorf("__metadata__: more than %d entries", maxMetadata)
		}
	}
	w.next() // }
	return m, nil
}

// An entry is what a header says of one tensor.
type entry struct {
	dtype          string
	shape, offsets []uint64
}

// tensor takes a tensor's entry and checks that its parts agree.
func (w walker) tensor(name string) (span, error) {
	e, err := w.entry()
	if err == nil {
		err = e.check()
	}
	if err != nil {
		return span{}, fmt.Errorf("tensor %s: %w", name, err)
	}
	return span{name, e.offsets[0], e.offsets[1]}, nil
}

// entry takes {"dtype": …, "shape": …, "data_offsets": …}: these three and nothing
// else, spelled like this.
func (w walker) entry() (entry, error) {
	if w.next() != json.Delim('{') {
		return entry{}, errors.New("not an object")
	}
	var e entry
	seen := map[string]bool{}
	for w.More() {
		key := w.next().(string)
		if seen[key] {
			return entry{}, fmt.Errorf("%q stands twice", key)
		}
		seen[key] = true
		var err error
		switch key {
		case "dtype":
			t := w.next()
			var ok bool
			if e.dtype, ok = t.(string); !ok {
				err = fmt.Errorf("%v found, want a string", t)
			}
		case "shape":
			e.shape, err = w.naturals()
		case "data_offsets":
			e.offsets, err = w.naturals()
		default:
			return entry{}, fmt.Errorf("unknown key %q", key)
		}
		if err != nil {
			return entry{}, fmt.Errorf("%s: %w", key, err)
		}
	}
	w.next() // }
	for _, key := range []string{"dtype", "shape", "data_offsets"} {
		if !seen[key] {
			return entry{}, errors.New("no " + key)
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

// naturals takes an array of integers in plain form: no sign, point or exponent.
func (w walker) naturals() ([]uint64, error) {
	if w.next() != json.Delim('[') {
		return nil, errors.New("not a list")
	}
	list := []uint64{}
	for w.More() {
		t := w.next()
		number, _ := t.(json.Number)
		n, err := strconv.ParseUint(string(number), 10, 63)
		if err != nil {
			return nil, fmt.Errorf("%v found, want an integer of at least 0", t)
		}
		if list = append(list, n); len(list) > maxRank {
			return nil, fmt.Errorf("more than %d entries", maxRank)
		}
	}
	w.next() // ]
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
