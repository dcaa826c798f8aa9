package jinja

import (
	"cmp"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// truth is Python's bool(v).
func truth(v Value) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int:
		return v != 0
	case float64:
		return v != 0
	case *Str:
		return v.text != ""
	}
	n, ok := lengthOf(v)
	return n > 0 || !ok
}

// dictOrFail is a value that has to be a dict.
func dictOrFail(v Value) *Dict {
	d, ok := v.(*Dict)
	if !ok {
		panic(wrongType("a dict", v))
	}
	return d
}

// textOf is a value that has to be a string.
func textOf(v Value) *Str {
	s, ok := v.(*Str)
	if !ok {
		panic(wrongType("a string", v))
	}
	return s
}

// length is Python's len(v).
func length(v Value) int {
	n, ok := lengthOf(v)
	if !ok {
		panic(raise(typeError, "object of type %s has no len()", quote(typeName(v))))
	}
	return n
}

func lengthOf(v Value) (n int, ok bool) {
	switch v := v.(type) {
	case *Str:
		return v.length(), true
	case *List:
		return len(v.items), true
	case *Dict:
		return len(v.keys), true
	case *loopValue:
		return len(v.items), true
	}
	return 0, isType[*Undefined](v)
}

// iterate gives the items of what can be gone through.
func (m *machine) iterate(v Value) []Value {
	switch v := v.(type) {
	case *List:
		return v.items
	case *Dict:
		return v.keys
	case *Str:
		return m.characters(v)
	case *Undefined:
		return nil
	case *iterator:
		items := v.items
		v.items = nil
		return items
	}
	panic(raise(typeError, "%s object is not iterable", quote(typeName(v))))
}

// relation does an operator of comparison.
func (m *machine) relation(op string, left, right Value) bool {
	switch op {
	case "==":
		return m.equal(left, right, 0)
	case "!=":
		return !m.equal(left, right, 0)
	case "in":
		return m.contains(right, left)
	case "not in":
		return !m.contains(right, left)
	}
	return m.compare(op, left, right, 0)
}

// equal is Python's a == b, depth lists down.
func (m *machine) equal(a, b Value, depth int) bool {
	m.deeper(depth)
	switch x := a.(type) {
	case *Str:
		y, ok := b.(*Str)
		return ok && x.text == y.text
	case nil:
		return b == nil
	case *Undefined:
		_, ok := b.(*Undefined)
		return ok
	case bool, int, float64, *big.Int:
		order, ok := compareNumbers(a, b)
		return ok && order == 0
	case *List:
		y, ok := b.(*List)
		if !ok || x.kind != y.kind && !(x.kind.isTuple() && y.kind.isTuple()) || len(x.items) != len(y.items) {
			return false
		}
		return m.equalItems(x.items, y.items, depth)
	case *Dict:
		y, ok := b.(*Dict)
		if !ok || len(x.keys) != len(y.keys) {
			return false
		}
		for i, k := range x.keys {
			j := y.find(mustHash(k))
			if j < 0 || !m.equal(x.values[i], y.values[j], depth+1) {
				return false
			}
		}
		return true
	}
	return a == b
}

func (m *machine) equalItems(x, y []Value, depth int) bool {
	for i := range x {
		if !m.equal(x[i], y[i], depth+1) {
			return false
		}
	}
	return true
}

// compare answers <, <=, > and >=.
func (m *machine) compare(op string, a, b Value, depth int) bool {
	m.deeper(depth)
	defined(a, b)
	switch x := a.(type) {
	case *Str:
		if y, ok := b.(*Str); ok {
			return holds(op, strings.Compare(x.text, y.text))
		}
	case *List:
		y, ok := b.(*List)
		if !ok || x.kind.isView() || x.kind == rangeList || x.kind != y.kind {
			break
		}
		for i := range min(len(x.items), len(y.items)) {
			if !m.equal(x.items[i], y.items[i], depth+1) {
				return m.compare(op, x.items[i], y.items[i], depth+1)
			}
		}
		return holds(op, len(x.items)-len(y.items))
	default:
		if isNumber(a) && isNumber(b) {
			order, ok := compareNumbers(a, b)
			return ok && holds(op, order)
		}
	}
	panic(raise(typeError, "'%s' not supported between instances of %s and %s", op, quote(typeName(a)), quote(typeName(b))))
}

func holds(op string, order int) bool {
	switch op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// compareNumbers is not ok where one of them is no number or NaN.
func compareNumbers(a, b Value) (order int, ok bool) {
	if x, ok := asInt(a); ok {
		if y, ok := asInt(b); ok {
			return cmp.Compare(x, y), true
		}
	}
	x, okx := exact(a)
	y, oky := exact(b)
	if !okx || !oky {
		return 0, false
	}
	return x.Cmp(y), true
}

// contains is Python's item in v.
func (m *machine) contains(v, item Value) bool {
	switch v := v.(type) {
	case *Str:
		m.step(len(v.text)>>6 + 1)
		return strings.Contains(v.text, textOf(item).text)
	case *Dict:
		return v.find(mustHash(item)) >= 0
	}
	return slices.ContainsFunc(m.iterate(v), func(x Value) bool { return m.equal(x, item, 0) })
}

// attribute is v.name: an attribute, or else an item.
func (m *machine) attribute(v Value, name *Str) Value {
	m.step(1)
	if a, found := ownAttribute(v, name.text); found {
		return a
	}
	if d, ok := v.(*Dict); ok {
		if item, ok := d.Get(name.text); ok {
			return item
		}
	}
	return unsafeOr(v, name)
}

// item is v[key]: an item, or else an attribute.
func (m *machine) item(v, key Value) Value {
	m.step(1)
	defined(v)
	if s, ok := key.(*sliceValue); ok {
		return m.slice(v, s)
	}
	switch v := v.(type) {
	case *Dict:
		if h, ok := hash(key); ok {
			if i := v.find(h); i >= 0 {
				return v.values[i]
			}
		}
	case *Str, *List:
		if i, ok := asInt(key); ok {
			if item := m.nth(v, i); item != missing {
				return item
			}
		}
	}
	if name, ok := key.(*Str); ok {
		if a, found := ownAttribute(v, name.text); found {
			return a
		}
		return unsafeOr(v, name)
	}
	return &Undefined{of: v, name: key}
}

// nth is an item of a string or list, from the end where i is negative; missing if there
// is none.
func (m *machine) nth(v Value, i int) Value {
	n := length(v)
	if i < 0 {
		i += n
	}
	if i < 0 || i >= n {
		return missing
	}
	if l, ok := v.(*List); ok {
		if l.kind.isView() {
			return missing
		}
		return l.items[i]
	}
	s := v.(*Str)
	m.step(len(s.text) >> 6)
	at := i
	if n < len(s.text) {
		at = s.byteOf(i)
	}
	_, size := utf8.DecodeRuneInString(s.text[at:])
	return s.slice(at, at+size)
}

// slice is v[start:stop:step].
func (m *machine) slice(v Value, s *sliceValue) Value {
	switch v := v.(type) {
	case *Str:
		start, stop, step := s.indices(v.length())
		return m.sliceText(v, start, stop, step)
	case *List:
		if v.kind.isView() {
			break
		}
		start, stop, step := s.indices(len(v.items))
		out := &List{kind: v.kind, origin: v.origin}
		if v.kind == groupTuple {
			out.kind = tuple
		}
		for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
			out.items = append(out.items, v.items[i])
		}
		b := v.bounds
		out.bounds = [3]int{b[0] + start*b[2], b[0] + stop*b[2], b[2] * step}
		m.items(len(out.items))
		return out
	}
	panic(raise(typeError, "%s object is not subscriptable", quote(typeName(v))))
}

func (m *machine) sliceText(s *Str, start, stop, step int) Value {
	m.spend(len(s.text) >> 2)
	if step == 1 {
		i := s.byteOf(start)
		return s.slice(i, i+s.slice(i, len(s.text)).byteOf(max(stop-start, 0)))
	}
	all := m.characters(s)
	var r rope
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		r.str(all[i].(*Str))
	}
	return r.value()
}

// indices are those of Python's slice.indices, with a step that overflows nothing.
func (s *sliceValue) indices(n int) (start, stop, step int) {
	part := func(i, otherwise int) int {
		if s.parts[i] == nil {
			return otherwise
		}
		return min(max(integer(s.parts[i]), -1<<40), 1<<40)
	}
	if step = part(2, 1); step == 0 {
		panic(raise(valueError, "slice step cannot be zero"))
	}
	low, high := 0, n
	if step < 0 {
		low, high = -1, n-1
	}
	bound := func(i, otherwise int) int {
		if s.parts[i] == nil {
			return otherwise
		}
		at := part(i, 0)
		if at < 0 {
			at += n
		}
		return min(max(at, low), high)
	}
	if step > 0 {
		return bound(0, 0), bound(1, n), step
	}
	return bound(0, n-1), bound(1, -1), step
}
