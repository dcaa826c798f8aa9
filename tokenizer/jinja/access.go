package jinja

import (
	"unicode/utf8"
)

func (n *attrNode) eval(m *machine) (Value, error) {
	of, err := n.of.eval(m)
	if err != nil {
		return nil, err
	}
	m.line = n.line
	return m.attribute(of, n.name)
}

// attribute is v.name: an attribute, or else an item.
func (m *machine) attribute(v Value, name *Str) (Value, error) {
	if err := m.step(1); err != nil {
		return nil, err
	}
	a, found, err := m.ownAttribute(v, name.text)
	if found || err != nil {
		return a, err
	}
	switch v := v.(type) {
	case *Dict:
		if item, ok := v.Get(name.text); ok {
			return item, nil
		}
	case *Undefined:
		return nil, v.fail()
	}
	return &Undefined{of: v, any: true, name: name}, nil
}

func (n *itemNode) eval(m *machine) (Value, error) {
	of, err := n.of.eval(m)
	if err != nil {
		return nil, err
	}
	key, err := n.key.eval(m)
	if err != nil {
		return nil, err
	}
	m.line = n.line
	return m.item(of, key)
}

// item is v[key]: an item, or else an attribute.
func (m *machine) item(v, key Value) (Value, error) {
	if err := m.step(1); err != nil {
		return nil, err
	}
	switch key := key.(type) {
	case *sliceValue:
		return m.slice(v, key)
	case *Str:
		switch v := v.(type) {
		case *Dict:
			if item, ok := v.Get(key.text); ok {
				return item, nil
			}
		case *Undefined:
			return nil, v.fail()
		}
		if a, found, err := m.ownAttribute(v, key.text); found || err != nil {
			return a, err
		}
		return &Undefined{of: v, any: true, name: key}, nil
	}
	switch v := v.(type) {
	case *Dict:
		h, err := hashable(key)
		if err != nil {
			if raised(err, typeError) {
				err = nil
			}
			return &Undefined{of: v, any: true, name: key}, err
		}
		if i := v.find(h); i >= 0 {
			return v.values[i], nil
		}
	case *Undefined:
		return nil, v.fail()
	case *Str, *List:
		if i, ok := asInt(key); ok {
			if item, ok := m.nth(v, i); ok {
				return item, nil
			}
		}
	}
	return &Undefined{of: v, any: true, name: key}, nil
}

// nth is an item of a string or list, from the end where i is negative.
func (m *machine) nth(v Value, i int) (Value, bool) {
	switch v := v.(type) {
	case *List:
		if v.kind == keysView || v.kind == valuesView || v.kind == itemsView {
			return nil, false
		}
		if i < 0 {
			i += len(v.items)
		}
		if 0 <= i && i < len(v.items) {
			return v.items[i], true
		}
	case *Str:
		n, ascii := runes(v.text)
		if i < 0 {
			i += n
		}
		if i < 0 || i >= n {
			return nil, false
		}
		m.budget.Steps -= len(v.text) >> 6
		at := i
		if !ascii {
			at = byteOf(v.text, i)
		}
		_, size := utf8.DecodeRuneInString(v.text[at:])
		return v.slice(at, at+size), true
	}
	return nil, false
}

// runes counts the characters of s, and says whether each is a byte.
func runes(s string) (n int, ascii bool) {
	n = utf8.RuneCountInString(s)
	return n, n == len(s)
}

// byteOf is where character i of s begins.
func byteOf(s string, i int) int {
	for at := range s {
		if i == 0 {
			return at
		}
		i--
	}
	return len(s)
}

func (n *sliceNode) eval(m *machine) (Value, error) {
	s := &sliceValue{}
	for i, e := range n.parts {
		if e == nil {
			continue
		}
		v, err := e.eval(m)
		if err != nil {
			return nil, err
		}
		s.parts[i] = v
	}
	return s, nil
}

// slice is v[start:stop:step].
func (m *machine) slice(v Value, s *sliceValue) (Value, error) {
	var n int
	ascii := false
	switch v := v.(type) {
	case *Str:
		n, ascii = runes(v.text)
	case *List:
		if v.kind == keysView || v.kind == valuesView || v.kind == itemsView {
			return nil, raise(typeError, "%s object is not subscriptable", quote(typeName(v)))
		}
		n = len(v.items)
	case *Undefined:
		return nil, v.fail()
	case *Dict:
		return nil, raise(typeError, "unhashable type: 'slice'")
	default:
		return nil, raise(typeError, "%s object is not subscriptable", quote(typeName(v)))
	}
	start, stop, step, err := s.indices(n)
	if err != nil {
		return nil, err
	}
	if text, ok := v.(*Str); ok {
		return m.sliceText(text, start, stop, step, ascii)
	}
	l := v.(*List)
	out := &List{kind: l.kind, origin: l.origin}
	if l.kind == groupTuple {
		out.kind = tuple
	}
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		out.items = append(out.items, l.items[i])
	}
	if l.kind == rangeList {
		b := l.bounds
		out.bounds = [3]int{b[0] + start*b[2], b[0] + stop*b[2], b[2] * step}
	}
	return out, m.items(len(out.items))
}

func (m *machine) sliceText(s *Str, start, stop, step int, ascii bool) (Value, error) {
	if err := m.spend(len(s.text) >> 2); err != nil {
		return nil, err
	}
	if step == 1 {
		stop = max(start, stop)
		if ascii {
			return s.slice(start, stop), nil
		}
		i := byteOf(s.text, start)
		return s.slice(i, i+byteOf(s.text[i:], stop-start)), nil
	}
	all, err := m.characters(s)
	if err != nil {
		return nil, err
	}
	var r rope
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		r.str(all[i].(*Str))
	}
	return r.value(), nil
}

// indices are those of Python's slice.indices, with a step that overflows nothing.
func (s *sliceValue) indices(n int) (start, stop, step int, err error) {
	var parts [3]int
	for i, v := range s.parts {
		if v == nil {
			continue
		}
		b, ok := asBig(v)
		if !ok {
			return 0, 0, 0, raise(typeError, "slice indices must be integers or None or have an __index__ method")
		}
		parts[i] = int(min(max(clampInt(b), -1<<40), 1<<40))
	}
	step = 1
	if s.parts[2] != nil {
		if step = parts[2]; step == 0 {
			return 0, 0, 0, raise(valueError, "slice step cannot be zero")
		}
	}
	low, high := 0, n
	if step < 0 {
		low, high = -1, n-1
	}
	bound := func(i, otherwise int) int {
		if s.parts[i] == nil {
			return otherwise
		}
		at := parts[i]
		if at < 0 {
			at += n
		}
		return min(max(at, low), high)
	}
	if step > 0 {
		return bound(0, 0), bound(1, n), step, nil
	}
	return bound(0, n-1), bound(1, -1), step, nil
}
