package jinja

import (
	"math"
	"math/big"
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
	keysView
	valuesView
	itemsView
	rangeList
	groupTuple // what groupby gives: a tuple with the attributes grouper and list
)

func (k listKind) typeName() string {
	return [...]string{"list", "tuple", "dict_keys", "dict_values", "dict_items", "range", "_GroupTuple"}[k]
}

func (k listKind) isTuple() bool { return k == tuple || k == groupTuple }

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
	index        map[any]int // by hashable; nil for small ones
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

// Len is the number of keys.
func (d *Dict) Len() int { return len(d.keys) }

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
func (d *Dict) Set(key string, v Value) {
	d.put(String(key), key, v)
}

const smallDict = 12 // keys that are looked through one by one

func (d *Dict) findText(key string) int {
	if d.index != nil {
		if i, ok := d.index[key]; ok {
			return i
		}
		return -1
	}
	for i, k := range d.keys {
		if s, ok := k.(*Str); ok && s.text == key {
			return i
		}
	}
	return -1
}

// find is the place of a key in the form that hashable gives, or -1.
func (d *Dict) find(hash any) int {
	if s, ok := hash.(string); ok {
		return d.findText(s)
	}
	if d.index != nil {
		if i, ok := d.index[hash]; ok {
			return i
		}
		return -1
	}
	for i, k := range d.keys {
		if h, err := hashable(k); err == nil && h == hash {
			return i
		}
	}
	return -1
}

func (d *Dict) put(key Value, hash any, v Value) {
	if i := d.find(hash); i >= 0 {
		d.values[i] = v
		return
	}
	d.keys, d.values = append(d.keys, key), append(d.values, v)
	if d.index != nil {
		d.index[hash] = len(d.keys) - 1
	} else if len(d.keys) > smallDict {
		d.index = make(map[any]int, 2*len(d.keys))
		for i, k := range d.keys {
			h, _ := hashable(k)
			d.index[h] = i
		}
	}
}

// Delete takes a string's key out.
func (d *Dict) Delete(key string) {
	i := d.findText(key)
	if i < 0 {
		return
	}
	d.keys, d.values = slices.Delete(d.keys, i, i+1), slices.Delete(d.values, i, i+1)
	if d.index == nil {
		return
	}
	clear(d.index)
	for i, k := range d.keys {
		h, _ := hashable(k)
		d.index[h] = i
	}
}

type (
	noneKey  struct{}
	tupleKey string
	bigKey   string
	undefKey struct{}
)

// hashable gives a key that is equal for what Python holds for equal: 1, 1.0 and True
// are one key.
func hashable(v Value) (any, error) {
	switch v := v.(type) {
	case nil:
		return noneKey{}, nil
	case *Str:
		return v.text, nil
	case bool, int:
		i, _ := asInt(v)
		return i, nil
	case float64:
		if i := int(v); float64(i) == v && math.Abs(v) < 1<<62 {
			return i, nil
		}
		if v == math.Trunc(v) && !math.IsInf(v, 0) {
			b, _ := big.NewFloat(v).Int(nil)
			return bigKey(b.String()), nil
		}
		return v, nil
	case *big.Int:
		return bigKey(v.String()), nil
	case *List:
		if v.kind == rangeList {
			return tupleKey("range " + repr0(v)), nil
		}
		if !v.kind.isTuple() {
			return nil, raise(typeError, "unhashable type: %s", quote(v.kind.typeName()))
		}
		return tupleHash(v)
	case *Dict:
		return nil, raise(typeError, "unhashable type: 'dict'")
	case *Undefined:
		return undefKey{}, nil
	}
	return v, nil // an object: by its address
}

const maxTupleHash = 1 << 16 // bytes of a tuple that is a key

func tupleHash(l *List) (any, error) {
	var b []byte
	for _, item := range l.items {
		h, err := hashable(item)
		if err != nil {
			return nil, err
		}
		switch h := h.(type) {
		case string:
			b = strconv.AppendQuote(append(b, 's'), h)
		case int:
			b = strconv.AppendInt(append(b, 'i'), int64(h), 10)
		case float64:
			b = strconv.AppendFloat(append(b, 'f'), h, 'g', -1, 64)
		case tupleKey:
			b = strconv.AppendQuote(append(b, 't'), string(h))
		case bigKey:
			b = append(append(b, 'b'), h...)
		case noneKey:
			b = append(b, 'n')
		case undefKey:
			b = append(b, 'u')
		default:
			return nil, raise(typeError, "unhashable type: %s", quote(typeName(item)))
		}
		b = append(b, ',')
		if len(b) > maxTupleHash {
			return nil, limit("makes a key of more than %d KiB", maxTupleHash>>10)
		}
	}
	return tupleKey(b), nil
}

// Undefined is a variable, an attribute or an item that is not there.
type Undefined struct {
	hint string // the message, where it is not of the usual form
	kind string // of the error; "": UndefinedError
	of   Value  // where name was looked up
	any  bool   // of is set, if to None
	name Value  // a string, or a key
}

func (u *Undefined) fail() error {
	kind := u.kind
	if kind == "" {
		kind = undefinedError
	}
	if u.hint != "" {
		return raise(kind, "%s", u.hint)
	}
	if !u.any {
		return raise(kind, "%s is undefined", quote(u.name.(*Str).text))
	}
	if s, ok := u.name.(*Str); ok {
		return raise(kind, "%s has no attribute %s", quote(objectName(u.of)), quote(s.text))
	}
	return raise(kind, "%s has no element %s", objectName(u.of), repr0(u.name))
}

// objectName is how jinja2's messages call a value.
func objectName(v Value) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case *Namespace:
		return "transformers.utils.chat_template_utils.TemplateNamespace object"
	case *macroValue:
		return "jinja2.runtime.Macro object"
	case *loopValue:
		return "jinja2.runtime.LoopContext object"
	case *cyclerValue:
		return "jinja2.utils.Cycler object"
	case *joinerValue:
		return "jinja2.utils.Joiner object"
	case *List:
		if v.kind == groupTuple {
			return "jinja2.filters._GroupTuple object"
		}
	}
	return typeName(v) + " object"
}

// typeName is Python's name of a value's type.
func typeName(v Value) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int, *big.Int:
		return "int"
	case float64:
		return "float"
	case *Str:
		if v.markup {
			return "Markup"
		}
		return "str"
	case *List:
		return v.kind.typeName()
	case *Dict:
		return "dict"
	case *Undefined:
		return "Undefined"
	case *Namespace:
		return "TemplateNamespace"
	case *iterator:
		return v.typeName
	case *macroValue:
		return "Macro"
	case *loopValue:
		return "LoopContext"
	case *cyclerValue:
		return "Cycler"
	case *joinerValue:
		return "Joiner"
	case *function:
		if v.of != nil {
			return "builtin_function_or_method"
		}
		return "function"
	}
	return "object"
}

// Namespace is the one value that a template can change.
type Namespace struct{ attrs Dict }

// iterator is what Python goes through once.
type iterator struct {
	typeName string
	make     func() ([]Value, error) // nil once it is made
	items    []Value                 // what is left
}

func (it *iterator) all() ([]Value, error) {
	if it.make != nil {
		make := it.make
		it.make = nil
		items, err := make()
		if err != nil {
			return nil, err
		}
		it.items = items
	}
	items := it.items
	it.items = nil
	return items, nil
}

// next is the next item; false at the end.
func (it *iterator) next() (Value, bool, error) {
	items, err := it.all()
	if err != nil || len(items) == 0 {
		return nil, false, err
	}
	it.items = items[1:]
	return items[0], true, nil
}

func generator(make func() ([]Value, error)) *iterator {
	return &iterator{typeName: "generator", make: make}
}

// function is a builtin, or a method with its object.
type function struct {
	name string
	of   Value
	call func(m *machine, a *args) (Value, error)
}

type cyclerValue struct {
	items []Value
	at    int
}

type joinerValue struct {
	separator *Str
	used      bool
}
