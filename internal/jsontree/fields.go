package jsontree

import (
	"fmt"
	"strings"
	"unicode"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/mistakes"
)

// maxFile bounds what is read: the largest such files, indexes of sharded models,
// have a few megabytes.
const maxFile = 16 << 20

// Fields are an object's members, read one at a time. A member that is absent or
// null gives the default. Mistakes are collected for Err.
type Fields struct {
	name     string // of the file, for errors
	prefix   string // of keys in a nested object: "rope_scaling."
	object   Value
	mistakes *mistakes.List
}

// ReadFields returns the fields of the JSON object in a file of a model's or an
// adapter's folder.
func ReadFields(path string) (*Fields, error) {
	data, err := files.Read(path, maxFile)
	if err != nil {
		return nil, err
	}
	return ParseFields(path, string(data))
}

// ParseFields returns the fields of the JSON object in text; name is for errors.
func ParseFields(name, text string) (*Fields, error) {
	v, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if v.Kind() != Object {
		return nil, fmt.Errorf("%s: %w", name, v.Wrong("an object"))
	}
	return &Fields{name: name, object: v, mistakes: new(mistakes.List)}, nil
}

// Keys returns the keys in the file's order.
func (f *Fields) Keys() []string {
	keys := make([]string, 0, f.object.Len())
	for k := range f.object.Members() {
		keys = append(keys, k)
	}
	return keys
}

// Has reports whether key is there and not null.
func (f *Fields) Has(key string) bool { return f.object.Has(key) }

// Absent reports whether key is not there at all, not even as null.
func (f *Fields) Absent(key string) bool { return f.object.Get(key).Kind() == Absent }

// Raw returns the text of a member, "null" where it is absent.
func (f *Fields) Raw(key string) string {
	if f.Absent(key) {
		return "null"
	}
	return f.object.Get(key).Raw()
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
func (f *Fields) Mistake(format string, args ...any) { f.mistakes.Addf(format, args...) }

// Err returns the mistakes so far, one a line, each with the file's name.
func (f *Fields) Err() error { return f.mistakes.Err(f.name) }

// member returns what read makes of a member, def where it is absent, null, or not what
// was wanted.
func member[T any](f *Fields, key string, def T, want string, read func(Value) (T, error)) T {
	v := f.object.Get(key)
	if v.IsNull() {
		return def
	}
	got, err := read(v)
	if err != nil {
		f.Wrong(key, want)
		return def
	}
	return got
}

// Int returns an integer in [lo,hi], written without point or exponent.
func (f *Fields) Int(key string, def, lo, hi int) int {
	return member(f, key, def, fmt.Sprintf("an integer from %d to %d", lo, hi), within(lo, hi))
}

// within returns a reader of an integer in [lo,hi].
func within(lo, hi int) func(Value) (int, error) {
	return func(v Value) (int, error) {
		n, err := v.Int()
		if err == nil && (n < int64(lo) || n > int64(hi)) {
			err = v.Wrong("another")
		}
		return int(n), err
	}
}

// Float returns a finite number.
func (f *Fields) Float(key string, def float64) float64 {
	return member(f, key, def, "a number", Value.Float)
}

// Positive returns a finite number above 0. One that is not above 0 is noted, and
// returned.
func (f *Fields) Positive(key string, def float64) float64 {
	before := f.mistakes.Len()
	x := f.Float(key, def)
	if f.Has(key) && !(x > 0) && f.mistakes.Len() == before {
		f.Wrong(key, "a number above 0")
	}
	return x
}

// Bool returns true or false.
func (f *Fields) Bool(key string, def bool) bool {
	return member(f, key, def, "true or false", Value.Bool)
}

// Text returns a string.
func (f *Fields) Text(key, def string) string {
	return member(f, key, def, "a string", Value.Str)
}

// Texts returns a list of strings.
func (f *Fields) Texts(key string) []string {
	return member(f, key, nil, "a list of strings", func(v Value) ([]string, error) {
		return items(v, "a list", Value.Str)
	})
}

// Integers returns the values of one integer or a list of them, each in [lo,hi].
func (f *Fields) Integers(key string, lo, hi int) []int {
	want := fmt.Sprintf("an integer from %d to %d, or a list of them", lo, hi)
	return member(f, key, nil, want, func(v Value) ([]int, error) {
		if v.Kind() != List {
			n, err := within(lo, hi)(v)
			return []int{n}, err
		}
		return items(v, want, within(lo, hi))
	})
}

// Numbers returns a list of finite numbers.
func (f *Fields) Numbers(key string) []float64 {
	return member(f, key, nil, "a list of numbers", func(v Value) ([]float64, error) {
		return items(v, "a list", Value.Float)
	})
}

// items reads each item of a list.
func items[T any](v Value, want string, read func(Value) (T, error)) ([]T, error) {
	if v.Kind() != List {
		return nil, v.Wrong(want)
	}
	list := make([]T, v.Len())
	for i, item := range v.Items() {
		var err error
		if list[i], err = read(item); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Nested returns the fields of a member that is itself an object. Their mistakes
// are collected with f's own. A member of another kind is a mistake, and gives nil,
// as does an absent one.
func (f *Fields) Nested(key string) *Fields {
	v := f.object.Get(key)
	if v.IsNull() {
		return nil
	}
	if v.Kind() != Object {
		f.Wrong(key, "an object")
		return nil
	}
	return &Fields{name: f.name, prefix: f.prefix + key + ".", object: v, mistakes: f.mistakes}
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
