package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"example.com/finetune/internal/files"
)

// maxShown is how many mistakes an error spells out (as for rows of data).
const maxShown = 10

// maxFile bounds what is read: the largest such files, indexes of sharded models,
// have a few megabytes.
const maxFile = 16 << 20

// Fields are an object's members, read one at a time. A member that is absent or
// null gives the default. Mistakes are collected for Err.
type Fields struct {
	name     string // of the file, for errors
	prefix   string // of keys in a nested object: "rope_scaling."
	members  map[string]json.RawMessage
	mistakes *mistakes
}

// mistakes are the first few in words, and how many there are.
type mistakes struct {
	shown []string
	count int
}

// ReadFile returns the fields of the JSON object in a file, a member of a model's or
// adapter's folder.
func ReadFile(path string) (*Fields, error) {
	data, err := files.Read(path, maxFile)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// Parse returns the fields of the JSON object in data; name is for errors.
func Parse(name string, data []byte) (*Fields, error) {
	members, err := Object(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &Fields{name: name, members: members, mistakes: new(mistakes)}, nil
}

// Keys returns the keys, sorted.
func (f *Fields) Keys() []string {
	keys := make([]string, 0, len(f.members))
	for k := range f.members {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Has reports whether key is there and not null.
func (f *Fields) Has(key string) bool {
	raw, ok := f.members[key]
	return ok && string(raw) != "null"
}

// Absent reports whether key is not there at all, not even as null.
func (f *Fields) Absent(key string) bool {
	_, ok := f.members[key]
	return !ok
}

// Raw returns the text of a member, "null" where it is absent.
func (f *Fields) Raw(key string) string {
	if raw, ok := f.members[key]; ok {
		return string(raw)
	}
	return "null"
}

// Need notes each key that is absent or null.
func (f *Fields) Need(keys ...string) {
	for _, k := range keys {
		if !f.Has(k) {
			f.Mistake("%s is missing", shorten(f.prefix+k))
		}
	}
}

// Wrong notes that a member is not what was wanted.
func (f *Fields) Wrong(key, want string) {
	f.Mistake("%s is %s, want %s", shorten(f.prefix+key), shorten(f.Raw(key)), want)
}

// Mistake notes a mistake in words.
func (f *Fields) Mistake(format string, args ...any) {
	if f.mistakes.count++; f.mistakes.count <= maxShown {
		f.mistakes.shown = append(f.mistakes.shown, fmt.Sprintf(format, args...))
	}
}

// Err returns the mistakes so far, one a line, each with the file's name.
func (f *Fields) Err() error {
	if f.mistakes.count == 0 {
		return nil
	}
	var b strings.Builder
	for i, m := range f.mistakes.shown {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(f.name + ": " + m)
	}
	if n := f.mistakes.count - maxShown; n > 0 {
		fmt.Fprintf(&b, "\n%s: and %d more mistakes", f.name, n)
	}
	return errors.New(b.String())
}

// Int returns an integer in [lo,hi], written without point or exponent.
func (f *Fields) Int(key string, def, lo, hi int) int {
	if !f.Has(key) {
		return def
	}
	n, err := strconv.ParseInt(f.Raw(key), 10, 64)
	if err != nil || n < int64(lo) || n > int64(hi) {
		f.Wrong(key, fmt.Sprintf("an integer from %d to %d", lo, hi))
		return def
	}
	return int(n)
}

// Float returns a finite number.
func (f *Fields) Float(key string, def float64) float64 {
	if !f.Has(key) {
		return def
	}
	raw := f.Raw(key)
	x, err := strconv.ParseFloat(raw, 64)
	if err != nil || math.IsInf(x, 0) || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		f.Wrong(key, "a number")
		return def
	}
	return x
}

// Positive returns a finite number above 0.
func (f *Fields) Positive(key string, def float64) float64 {
	before := f.mistakes.count
	x := f.Float(key, def)
	if f.Has(key) && !(x > 0) && f.mistakes.count == before {
		f.Wrong(key, "a number above 0")
	}
	return x
}

// Bool returns true or false.
func (f *Fields) Bool(key string, def bool) bool {
	if !f.Has(key) {
		return def
	}
	switch f.Raw(key) {
	case "true":
		return true
	case "false":
		return false
	}
	f.Wrong(key, "true or false")
	return def
}

// Text returns a string.
func (f *Fields) Text(key, def string) string {
	if !f.Has(key) {
		return def
	}
	var s string
	if json.Unmarshal(f.members[key], &s) != nil {
		f.Wrong(key, "a string")
		return def
	}
	return s
}

// Texts returns a list of strings.
func (f *Fields) Texts(key string) []string {
	if !f.Has(key) {
		return nil
	}
	var list []*string
	if json.Unmarshal(f.members[key], &list) != nil || slices.Contains(list, nil) {
		f.Wrong(key, "a list of strings")
		return nil
	}
	texts := make([]string, len(list))
	for i, s := range list {
		texts[i] = *s
	}
	return texts
}

// Integers returns the values of one integer or a list of them, each in [lo,hi].
func (f *Fields) Integers(key string, lo, hi int) []int {
	if !f.Has(key) {
		return nil
	}
	raw := f.members[key]
	var list []json.RawMessage
	if raw[0] != '[' {
		list = []json.RawMessage{raw}
	} else if json.Unmarshal(raw, &list) != nil {
		return nil // cannot be: the syntax is checked
	}
	values := make([]int, len(list))
	for i, r := range list {
		n, err := strconv.ParseInt(string(r), 10, 64)
		if err != nil || n < int64(lo) || n > int64(hi) {
			f.Wrong(key, fmt.Sprintf("an integer from %d to %d, or a list of them", lo, hi))
			return nil
		}
		values[i] = int(n)
	}
	return values
}

// Nested returns the fields of a member that is itself an object. Their mistakes
// are collected with f's own. A member of another kind is a mistake, and gives nil,
// as does an absent one.
func (f *Fields) Nested(key string) *Fields {
	if !f.Has(key) {
		return nil
	}
	raw := f.members[key]
	var members map[string]json.RawMessage
	if raw[0] != '{' || json.Unmarshal(raw, &members) != nil {
		f.Wrong(key, "an object")
		return nil
	}
	return &Fields{name: f.name, prefix: f.prefix + key + ".", members: members, mistakes: f.mistakes}
}

// shorten keeps an error readable where what was found is long, and a terminal from
// obeying it: what cannot be printed becomes U+FFFD.
func shorten(s string) string {
	const most = 60
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
