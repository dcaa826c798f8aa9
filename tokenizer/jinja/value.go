package jinja

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strconv"
)

// Value is a Python value: nil (None), bool, int, *big.Int (beyond int), float64,
// *Str, *List, *Dict, or one of the objects that templates make: *Undefined,
// *Namespace, *iterator, *function, *macroValue, *loopValue, *cyclerValue, *joinerValue.
type Value any

// listKind is which of Python's sequences a List is.
type listKind uint8

const (
	list listKind = iota
	tuple
	rangeList
	groupTuple // what groupby gives: a tuple with the attributes grouper and list
	keysView
	valuesView
	itemsView
)

func (k listKind) typeName() string {
	return [...]string{"list", "tuple", "range", "jinja2.filters._GroupTuple", "dict_keys", "dict_values", "dict_items"}[k]
}

func (k listKind) isTuple() bool { return k == tuple || k == groupTuple }
func (k listKind) isView() bool  { return k >= keysView }

// List is a list, a tuple, a range or a view of a dict. Nothing changes it.
type List struct {
	items  []Value
	kind   listKind
	origin int
	bounds [3]int // of a range
}

// NewList is a list of items.
func NewList(items ...Value) *List { return &List{items: items} }

func newTuple(items ...Value) *List { return &List{items: items, kind: tuple} }

// Dict is a dict. Nothing changes it once a template sees it.
type Dict struct {
	keys, values []Value
	index        map[any]int // by hash; nil for small ones
	origin       int
	item         bool // its pass through a loop marks what is written
}

// NewDict is an empty dict.
func NewDict() *Dict { return &Dict{} }

// Item gives the dict an origin and makes it mark what is written in its passes through
// loops: Piece.Item is its origin. It returns the dict.
func (d *Dict) Item(origin int) *Dict {
	d.origin, d.item = origin, true
	return d
}

// Keys are the keys that are strings, in order.
func (d *Dict) Keys() []string {
	var all []string
	for _, k := range d.keys {
		if s, ok := k.(*Str); ok {
			all = append(all, s.text)
		}
	}
	return all
}

// Get looks a string up.
func (d *Dict) Get(key string) (Value, bool) {
	if i := d.findText(key); i >= 0 {
		return d.values[i], true
	}
	return nil, false
}

// Set puts a value under a string.
func (d *Dict) Set(key string, v Value) { d.put(String(key), v) }

const smallDict = 12 // keys that are looked through one by one

// findText is the place of a string, or -1.
func (d *Dict) findText(key string) int {
	if d.index != nil {
		return d.find(key)
	}
	for i, k := range d.keys {
		if s, ok := k.(*Str); ok && s.text == key {
			return i
		}
	}
	return -1
}

// find is the place of a key by its hash, or -1.
func (d *Dict) find(hash any) int {
	if d.index != nil {
		if i, ok := d.index[hash]; ok {
			return i
		}
		return -1
	}
	return slices.IndexFunc(d.keys, func(k Value) bool { return mustHash(k) == hash })
}

func (d *Dict) put(key, v Value) {
	i := -1
	if s, ok := key.(*Str); ok {
		i = d.findText(s.text)
	} else {
		i = d.find(mustHash(key))
	}
	if i >= 0 {
		d.values[i] = v
		return
	}
	d.keys, d.values = append(d.keys, key), append(d.values, v)
	if d.index != nil {
		d.index[mustHash(key)] = len(d.keys) - 1
	} else if len(d.keys) > smallDict {
		d.index = make(map[any]int, 2*len(d.keys))
		for i, k := range d.keys {
			d.index[mustHash(k)] = i
		}
	}
}

// pairs are the items of a dict.
func (d *Dict) pairs() []Value {
	out := make([]Value, len(d.keys))
	for i, k := range d.keys {
		out[i] = newTuple(k, d.values[i])
	}
	return out
}

type (
	noneKey  struct{}
	undefKey struct{}
	longKey  string // of a *big.Int, a tuple or a range
)

// hash is equal for what Python holds for equal: 1, 1.0 and True are one key.
func hash(v Value) (h any, ok bool) {
	switch v := v.(type) {
	case nil:
		return noneKey{}, true
	case *Str:
		return v.text, true
	case bool, int:
		i, _ := asInt(v)
		return i, true
	case float64:
		if i := int(v); float64(i) == v && math.Abs(v) < 1<<62 {
			return i, true
		}
		return v, true
	case *big.Int:
		return longKey(v.String()), true
	case *List:
		if v.kind.isTuple() || v.kind == rangeList {
			return tupleHash(v)
		}
		return nil, false
	case *Dict:
		return nil, false
	case *Undefined:
		return undefKey{}, true
	}
	return v, true // an object: by its address
}

func mustHash(v Value) any {
	h, ok := hash(v)
	if !ok {
		panic(raise(typeError, "unhashable type: %s", quote(typeName(v))))
	}
	return h
}

const maxTupleHash = 1 << 16 // bytes of a tuple that is a key

func tupleHash(l *List) (any, bool) {
	b := []byte("(")
	if l.kind == rangeList {
		b = []byte("range(")
	}
	for _, item := range l.items {
		h, ok := hash(item)
		if !ok {
			return nil, false
		}
		switch h := h.(type) {
		case string:
			b = strconv.AppendQuote(b, h)
		case int, float64, longKey, noneKey, undefKey:
			b = fmt.Appendf(b, "%T %v", h, h)
		default:
			b = fmt.Appendf(b, "%p", h)
		}
		b = append(b, ',')
		check(len(b) <= maxTupleHash, limitError, "makes a key of more than %d KiB", maxTupleHash>>10)
	}
	return longKey(append(b, ')')), true
}

// Undefined is a variable, an attribute or an item that is not there.
type Undefined struct {
	hint string // the message, where it is not of the usual form
	kind string // of the error; "": UndefinedError
	of   Value  // where name was looked up; missing: among the variables
	name Value  // a string, or a key
}

func (u *Undefined) fail() *Error {
	kind := u.kind
	if kind == "" {
		kind = undefinedError
	}
	s, ok := u.name.(*Str)
	switch {
	case u.hint != "":
		return raise(kind, "%s", u.hint)
	case u.of == missing:
		return raise(kind, "%s is undefined", quote(s.text))
	case ok:
		return raise(kind, "%s has no attribute %s", quote(objectName(u.of)), quote(s.text))
	}
	return raise(kind, "%s has no element %s", objectName(u.of), repr0(u.name))
}

// defined throws the error of a value that is not there.
func defined(values ...Value) {
	for _, v := range values {
		if u, ok := v.(*Undefined); ok {
			panic(u.fail())
		}
	}
}

// objectName is how jinja2's messages call a value.
func objectName(v Value) string {
	if v == nil {
		return "None"
	}
	return typeName(v) + " object"
}

// typeNames are Python's names of the types.
var typeNames = map[reflect.Type]string{}

func init() {
	for name, v := range map[string]Value{
		"bool": false, "float": 0.0, "str": emptyText, "dict": &Dict{}, "Undefined": &Undefined{}, "generator": &iterator{}, "function": &function{},
		"transformers.utils.chat_template_utils.TemplateNamespace": &Namespace{}, "jinja2.runtime.Macro": &macroValue{},
		"jinja2.runtime.LoopContext": &loopValue{}, "jinja2.utils.Cycler": &cyclerValue{}, "jinja2.utils.Joiner": &joinerValue{},
	} {
		typeNames[reflect.TypeOf(v)] = name
	}
}

// typeName is Python's name of a value's type.
func typeName(v Value) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case int, *big.Int:
		return "int"
	case *List:
		return v.kind.typeName()
	}
	return typeNames[reflect.TypeOf(v)]
}

// Namespace is the one value that a template can change.
type Namespace struct{ attrs Dict }

// iterator is what Python goes through once: what is left of it.
type iterator struct{ items []Value }

// function is a builtin as a value, or a method with its object.
type function struct {
	name string
	of   Value // missing: none
	*builtin
}

func (f *function) call(m *machine, a *args) Value {
	if f.of != missing {
		a = &args{plain: append([]Value{f.of}, a.plain...), names: a.names, named: a.named}
	}
	return f.builtin.call(m, a)
}

type cyclerValue struct {
	items []Value
	at    int
}

type joinerValue struct {
	separator *Str
	used      bool
}
