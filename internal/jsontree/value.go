package jsontree

import (
	"fmt"
	"iter"
	"math"
	"strconv"
)

// A Kind is what a value is.
type Kind uint8

// Absent is the kind of the zero Value: of a member that is not there.
const (
	Absent Kind = iota
	Null
	Bool
	Number
	String
	List
	Object
)

// String names a value of the kind, as an error does: "a string".
func (k Kind) String() string {
	return [...]string{"nothing", "null", "true or false", "a number", "a string", "a list", "an object"}[k]
}

// A node is one value, or the key of a member. The nodes of what it holds follow it:
// the items of a list, or a key and a value in turn.
type node struct {
	start, end uint32 // its text
	next       uint32 // the node after all that it holds
	count      uint32 // of items or members
	kind       Kind
	escaped    bool // a string with escapes
}

// A tree is the values of one text.
type tree struct {
	text  string
	nodes []node
	index map[uint32]map[string]uint32 // of objects with many members: key to value
}

// A Value is one value of a text. The zero Value is absent. It may be read by
// several goroutines.
type Value struct {
	t *tree
	i uint32
}

func (v Value) node() *node { return &v.t.nodes[v.i] }

// Kind returns what v is.
func (v Value) Kind() Kind {
	if v.t == nil {
		return Absent
	}
	return v.node().kind
}

// IsNull reports whether v is null or absent.
func (v Value) IsNull() bool { return v.Kind() <= Null }

// Raw returns the text of v as it is written, "" where it is absent.
func (v Value) Raw() string {
	if v.t == nil {
		return ""
	}
	n := v.node()
	return v.t.text[n.start:n.end]
}

// Offset returns where the text of v begins, in bytes from 0.
func (v Value) Offset() int {
	if v.t == nil {
		return 0
	}
	return int(v.node().start)
}

// Len returns the number of items of a list or members of an object, else 0.
func (v Value) Len() int {
	if v.t == nil {
		return 0
	}
	return int(v.node().count)
}

// Items yields the items of a list, with their numbers from 0; of no other kind any.
func (v Value) Items() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		if v.Kind() != List {
			return
		}
		i := v.i + 1
		for k := range v.Len() {
			if !yield(k, Value{v.t, i}) {
				return
			}
			i = v.t.nodes[i].next
		}
	}
}

// Members yields the keys and values of an object in their order; of no other kind any.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.Kind() != Object {
			return
		}
		i := v.i + 1
		for range v.Len() {
			if !yield(v.t.string(i), Value{v.t, i + 1}) {
				return
			}
			i = v.t.nodes[i+1].next
		}
	}
}

// Get returns the member of an object with this key, absent where there is none or v is
// no object.
func (v Value) Get(key string) Value {
	if v.Kind() != Object {
		return Value{}
	}
	if index, ok := v.t.index[v.i]; ok {
		if i, ok := index[key]; ok {
			return Value{v.t, i}
		}
		return Value{}
	}
	for k, member := range v.Members() {
		if k == key {
			return member
		}
	}
	return Value{}
}

// Has reports whether v is an object with this key and not null there.
func (v Value) Has(key string) bool { return !v.Get(key).IsNull() }

// Str returns a string's text.
func (v Value) Str() (string, error) {
	if v.Kind() != String {
		return "", v.Wrong("a string")
	}
	return v.t.string(v.i), nil
}

// Bool returns true or false.
func (v Value) Bool() (bool, error) {
	if v.Kind() != Bool {
		return false, v.Wrong("true or false")
	}
	return v.Raw() == "true", nil
}

// Int returns an integer, written without point and exponent.
func (v Value) Int() (int64, error) {
	if v.Kind() == Number {
		if n, err := strconv.ParseInt(v.Raw(), 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, v.Wrong("an integer")
}

// Float returns a number, which must be a finite float64.
func (v Value) Float() (float64, error) {
	if v.Kind() == Number {
		if x, err := strconv.ParseFloat(v.Raw(), 64); err == nil && !math.IsInf(x, 0) {
			return x, nil
		}
	}
	return 0, v.Wrong("a number")
}

// Wrong returns an error that says what was found, a number by its text and all else by
// its kind, and what was wanted: "a list, want a string".
func (v Value) Wrong(want string) error {
	if v.Kind() == Number {
		return fmt.Errorf("%s, want %s", shorten(v.Raw()), want)
	}
	return fmt.Errorf("%v, want %s", v.Kind(), want)
}
