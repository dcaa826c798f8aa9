package jinja

import (
	"math"
	"math/big"
	"strings"
	"unicode/utf8"
)

// truth is Python's bool(v).
func truth(v Value) bool {
	switch v := v.(type) {
	case nil, *Undefined:
		return false
	case bool:
		return v
	case int:
		return v != 0
	case float64:
		return v != 0
	case *Str:
		return v.text != ""
	case *List:
		return len(v.items) > 0
	case *Dict:
		return len(v.keys) > 0
	case *loopValue:
		return len(v.items) > 0
	}
	return true // a *big.Int is never 0
}

// asInt is the int of a bool or int.
func asInt(v Value) (int, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int:
		return v, true
	}
	return 0, false
}

// asBig is any integer, bools among them.
func asBig(v Value) (*big.Int, bool) {
	if b, ok := v.(*big.Int); ok {
		return b, true
	}
	i, ok := asInt(v)
	return big.NewInt(int64(i)), ok
}

// asFloat is the float of any number; an integer that is too large is not ok.
func asFloat(v Value) (f float64, number bool, err error) {
	switch v := v.(type) {
	case float64:
		return v, true, nil
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		if math.IsInf(f, 0) {
			return 0, true, raise(overflowError, "int too large to convert to float")
		}
		return f, true, nil
	}
	i, ok := asInt(v)
	return float64(i), ok, nil
}

func isNumber(v Value) bool {
	switch v.(type) {
	case bool, int, float64, *big.Int:
		return true
	}
	return false
}

// normBig is the value of an integer: an int where it fits.
func normBig(i *big.Int) Value {
	if i.IsInt64() {
		return int(i.Int64())
	}
	return i
}

// length is Python's len(v).
func length(v Value) (int, error) {
	switch v := v.(type) {
	case *Str:
		return utf8.RuneCountInString(v.text), nil
	case *List:
		return len(v.items), nil
	case *Dict:
		return len(v.keys), nil
	case *Undefined:
		return 0, nil
	case *loopValue:
		return len(v.items), nil
	}
	return 0, raise(typeError, "object of type %s has no len()", quote(typeName(v)))
}

// iterate gives the items of what can be gone through.
func (m *machine) iterate(v Value) ([]Value, error) {
	switch v := v.(type) {
	case *List:
		return v.items, nil
	case *Dict:
		return v.keys, nil
	case *Str:
		return m.characters(v)
	case *Undefined:
		return nil, nil
	case *iterator:
		return v.all()
	}
	return nil, raise(typeError, "%s object is not iterable", quote(typeName(v)))
}

func (m *machine) characters(s *Str) ([]Value, error) {
	if err := m.items(2 * len(s.text)); err != nil {
		return nil, err
	}
	out := make([]Value, 0, len(s.text))
	for i := 0; i < len(s.text); {
		_, size := utf8.DecodeRuneInString(s.text[i:])
		out = append(out, s.slice(i, i+size))
		i += size
	}
	return out, nil
}

// equal is Python's a == b.
func (m *machine) equal(a, b Value, depth int) (bool, error) {
	if err := m.step(1); err != nil {
		return false, err
	}
	if err := deeper(depth); err != nil {
		return false, err
	}
	switch x := a.(type) {
	case *Str:
		y, ok := b.(*Str)
		return ok && x.text == y.text, nil
	case nil:
		return b == nil, nil
	case *Undefined:
		_, ok := b.(*Undefined)
		return ok, nil
	case bool, int, float64, *big.Int:
		if !isNumber(b) {
			return false, nil
		}
		order, ok := compareNumbers(a, b)
		return ok && order == 0, nil
	case *List:
		y, ok := b.(*List)
		if !ok || x.kind != y.kind && !(x.kind.isTuple() && y.kind.isTuple()) || len(x.items) != len(y.items) {
			return false, nil
		}
		if x.kind == valuesView {
			return x == y, nil
		}
		return m.equalItems(x.items, y.items, depth)
	case *Dict:
		y, ok := b.(*Dict)
		if !ok || len(x.keys) != len(y.keys) {
			return false, nil
		}
		return m.equalDicts(x, y, depth)
	}
	return a == b, nil
}

func (m *machine) equalItems(x, y []Value, depth int) (bool, error) {
	for i := range x {
		if same, err := m.equal(x[i], y[i], depth+1); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (m *machine) equalDicts(x, y *Dict, depth int) (bool, error) {
	for i, k := range x.keys {
		h, err := hashable(k)
		if err != nil {
			return false, err
		}
		j := y.find(h)
		if j < 0 {
			return false, nil
		}
		if same, err := m.equal(x.values[i], y.values[j], depth+1); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// compareNumbers is not ok where one of them is no number or NaN.
func compareNumbers(a, b Value) (order int, ok bool) {
	if x, ok := asInt(a); ok {
		if y, ok := asInt(b); ok {
			switch {
			case x < y:
				return -1, true
			case x > y:
				return 1, true
			}
			return 0, true
		}
	}
	x, ok := bigFloat(a)
	if !ok {
		return 0, false
	}
	y, ok := bigFloat(b)
	if !ok {
		return 0, false
	}
	return x.Cmp(y), true
}

// bigFloat is a number without any loss.
func bigFloat(v Value) (*big.Float, bool) {
	if f, ok := v.(float64); ok {
		if math.IsNaN(f) {
			return nil, false
		}
		return new(big.Float).SetFloat64(f), true
	}
	i, ok := asBig(v)
	if !ok {
		return nil, false
	}
	return new(big.Float).SetPrec(uint(max(64, i.BitLen()))).SetInt(i), true
}

// compare answers <, <=, > and >=.
func (m *machine) compare(op string, a, b Value, depth int) (bool, error) {
	if err := m.step(1); err != nil {
		return false, err
	}
	if err := deeper(depth); err != nil {
		return false, err
	}
	for _, v := range []Value{a, b} {
		if u, ok := v.(*Undefined); ok {
			return false, u.fail()
		}
	}
	switch x := a.(type) {
	case *Str:
		if y, ok := b.(*Str); ok {
			return holds(op, strings.Compare(x.text, y.text)), nil
		}
	case *List:
		y, ok := b.(*List)
		if ok && (x.kind == list && y.kind == list || x.kind.isTuple() && y.kind.isTuple()) {
			return m.compareItems(op, x.items, y.items, depth)
		}
	default:
		if isNumber(a) && isNumber(b) {
			order, ok := compareNumbers(a, b)
			return ok && holds(op, order), nil
		}
	}
	return false, raise(typeError, "'%s' not supported between instances of %s and %s", op, quote(typeName(a)), quote(typeName(b)))
}

func (m *machine) compareItems(op string, x, y []Value, depth int) (bool, error) {
	for i := range min(len(x), len(y)) {
		same, err := m.equal(x[i], y[i], depth+1)
		if err != nil {
			return false, err
		}
		if !same {
			return m.compare(op, x[i], y[i], depth+1)
		}
	}
	return holds(op, len(x)-len(y)), nil
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

// contains is Python's item in v.
func (m *machine) contains(v, item Value) (bool, error) {
	switch v := v.(type) {
	case *Str:
		s, ok := item.(*Str)
		if !ok {
			return false, raise(typeError, "'in <string>' requires string as left operand, not %s", typeName(item))
		}
		return strings.Contains(v.text, s.text), m.step(len(v.text)>>6 + 1)
	case *Dict:
		h, err := hashable(item)
		return err == nil && v.find(h) >= 0, err
	case *List, *Undefined, *iterator:
		items, err := m.iterate(v)
		if err != nil {
			return false, err
		}
		for _, x := range items {
			if same, err := m.equal(x, item, 0); same || err != nil {
				return same, err
			}
		}
		return false, nil
	}
	return false, raise(typeError, "argument of type %s is not iterable", quote(typeName(v)))
}
