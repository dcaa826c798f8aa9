package jinja

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"slices"
	"strings"
)

// method is a method of one of Python's types.
type method struct {
	name string
	call func(m *machine, of Value, a *args) (Value, error)
}

var methods map[string]map[string]*method // by type and name

// The attributes that the sandbox keeps from templates, by type: they change a value.
var unsafeNames = map[string][]string{
	"dict": {"clear", "pop", "popitem", "setdefault", "update"},
	"list": {"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"},
}

// dunders are attributes that all of Python's objects have; the sandbox hides them.
var dunders = strings.Fields(`__class__ __doc__ __dir__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __hash__ __init__ __new__ __repr__ __str__ __format__

	__getattribute__ __setattr__ __delattr__ __reduce__ __reduce_ex__ __sizeof__ __subclasshook__ __init_subclass__`)

// methodOf is the method of a value, or nil.
func methodOf(v Value, name string) *method {
	switch v := v.(type) {
	case *Str:
		return methods["str"][name]
	case *Dict:
		return methods["dict"][name]
	case *List:
		return methods[v.kind.typeName()][name]
	case int, bool, *big.Int:
		return methods["int"][name]
	case float64:
		return methods["float"][name]
	case *loopValue:
		return methods["LoopContext"][name]
	case *cyclerValue:
		return methods["Cycler"][name]
	}
	return nil
}

// ownAttribute is an attribute of a value itself, not one of its items.
func (m *machine) ownAttribute(v Value, name string) (Value, bool, error) {
	if l, ok := v.(*loopValue); ok {
		if a, ok := l.attribute(name); ok {
			return a, true, nil
		}
	}
	if f := methodOf(v, name); f != nil {
		return &function{name: name, of: v, call: func(m *machine, a *args) (Value, error) { return f.call(m, v, a) }}, true, nil
	}
	if len(name) > 4 && strings.HasPrefix(name, "__") && slices.Contains(dunders, name) || slices.Contains(unsafeNames[typeName(v)], name) {
		return &Undefined{
			kind: securityError,
			hint: fmt.Sprintf("access to attribute %s of %s object is unsafe.", quote(name), quote(typeName(v))),
		}, true, nil
	}
	a, ok := property(v, name)
	return a, ok, nil
}

// property is an attribute that is no method.
func property(v Value, name string) (Value, bool) {
	switch v := v.(type) {
	case *Namespace:
		return v.attrs.Get(name)
	case *cyclerValue:
		if name == "current" {
			return v.items[v.at], true
		}
	case *List:
		switch {
		case v.kind == groupTuple && name == "grouper":
			return v.items[0], true
		case v.kind == groupTuple && name == "list":
			return v.items[1], true
		case v.kind == rangeList:
			if i := slices.Index([]string{"start", "stop", "step"}, name); i >= 0 {
				return v.bounds[i], true
			}
		}
	case *macroValue:
		return v.property(name)
	case *function:
		if v.name == "dict" && v.of == nil && name == "fromkeys" {
			f := methods["dict"]["fromkeys"]
			return &function{name: name, of: NewDict(), call: func(m *machine, a *args) (Value, error) { return f.call(m, NewDict(), a) }}, true
		}
	case bool, int, *big.Int:
		i, _ := asBig(v)
		return map[string]Value{"real": normBig(i), "numerator": normBig(i), "imag": 0, "denominator": 1}[name], slices.Contains([]string{"real", "numerator", "imag", "denominator"}, name)
	case float64:
		return map[string]Value{"real": v, "imag": 0.0}[name], name == "real" || name == "imag"
	}
	return nil, false
}

func (v *macroValue) property(name string) (Value, bool) {
	switch name {
	case "name":
		if v.node.name == "" {
			return nil, true
		}
		return String(v.node.name), true
	case "arguments":
		l := newTuple()
		for _, p := range v.node.params {
			l.items = append(l.items, String(p.name))
		}
		return l, true
	case "caller":
		return v.node.usesCaller, true
	case "catch_kwargs":
		return v.node.usesKwargs, true
	case "catch_varargs":
		return v.node.usesVarargs, true
	}
	return nil, false
}

func init() {
	methods = map[string]map[string]*method{"str": {}, "dict": {}, "int": {}, "float": {}, "list": {}, "LoopContext": {}, "Cycler": {}}
	for _, view := range []string{"tuple", "range", "_GroupTuple"} {
		methods[view] = map[string]*method{}
	}
	addTextMethods()
	addListMethods()
	addDictMethods()
	addNumberMethods()
	put("LoopContext", "cycle", func(m *machine, of Value, a *args) (Value, error) { return of.(*loopValue).cycle(m, a) })
	put("LoopContext", "changed", func(m *machine, of Value, a *args) (Value, error) { return of.(*loopValue).change(m, a) })
	put("Cycler", "next", func(_ *machine, of Value, _ *args) (Value, error) {
		c := of.(*cyclerValue)
		v := c.items[c.at]
		c.at = (c.at + 1) % len(c.items)
		return v, nil
	})
	put("Cycler", "reset", func(_ *machine, of Value, _ *args) (Value, error) { of.(*cyclerValue).at = 0; return nil, nil })
}

func put(of, name string, call func(m *machine, of Value, a *args) (Value, error)) {
	methods[of][name] = &method{name, call}
}

// cMethod adds a method that is written in C: it takes its arguments by position.
func cMethod(of, name string, least, most int, call func(m *machine, of Value, a []Value) (Value, error)) {
	put(of, name, func(m *machine, v Value, a *args) (Value, error) {
		values, err := byPosition(of+"."+name, least, most, a)
		if err != nil {
			return nil, err
		}
		return call(m, v, values)
	})
}

// given is an argument, or another value where it is not there.
func given(v, otherwise Value) Value {
	if v == missing {
		return otherwise
	}
	return v
}

func addListMethods() {
	for _, of := range []string{"list", "tuple", "range", "_GroupTuple"} {
		cMethod(of, "count", 1, 1, func(m *machine, of Value, a []Value) (Value, error) {
			n := 0
			for _, v := range of.(*List).items {
				same, err := m.equal(v, a[0], 0)
				if err != nil {
					return nil, err
				}
				if same {
					n++
				}
			}
			return n, nil
		})
		cMethod(of, "index", 1, 3, func(m *machine, of Value, a []Value) (Value, error) {
			l := of.(*List)
			s := &sliceValue{parts: [3]Value{given(a[1], nil), given(a[2], nil)}}
			start, stop, _, err := s.indices(len(l.items))
			if err != nil {
				return nil, err
			}
			for i := start; i < stop; i++ {
				same, err := m.equal(l.items[i], a[0], 0)
				if same || err != nil {
					return i, err
				}
			}
			switch l.kind {
			case list:
				return nil, raise(valueError, "%s is not in list", repr0(a[0]))
			case rangeList:
				return nil, raise(valueError, "%s is not in range", repr0(a[0]))
			}
			return nil, raise(valueError, "tuple.index(x): x not in tuple")
		})
	}
	cMethod("list", "copy", 0, 0, func(_ *machine, of Value, _ []Value) (Value, error) { return of, nil })
}

func addDictMethods() {
	view := func(name string, kind listKind, items func(d *Dict) []Value) {
		cMethod("dict", name, 0, 0, func(m *machine, of Value, _ []Value) (Value, error) {
			d := of.(*Dict)
			return &List{kind: kind, items: items(d), origin: d.origin}, m.items(3 * len(d.keys))
		})
	}
	view("keys", keysView, func(d *Dict) []Value { return d.keys })
	view("values", valuesView, func(d *Dict) []Value { return d.values })
	view("items", itemsView, (*Dict).pairs)
	cMethod("dict", "get", 1, 2, func(_ *machine, of Value, a []Value) (Value, error) {
		h, err := hashable(a[0])
		if err != nil {
			return nil, err
		}
		if d := of.(*Dict); d.find(h) >= 0 {
			return d.values[d.find(h)], nil
		}
		return given(a[1], nil), nil
	})
	cMethod("dict", "copy", 0, 0, func(_ *machine, of Value, _ []Value) (Value, error) { return of, nil })
	cMethod("dict", "fromkeys", 1, 2, func(m *machine, _ Value, a []Value) (Value, error) {
		keys, err := m.iterate(a[0])
		if err != nil {
			return nil, err
		}
		d := NewDict()
		for _, k := range keys {
			h, err := hashable(k)
			if err != nil {
				return nil, err
			}
			d.put(k, h, given(a[1], nil))
		}
		return d, m.items(2 * len(keys))
	})
}

func addNumberMethods() {
	cMethod("int", "bit_length", 0, 0, func(_ *machine, of Value, _ []Value) (Value, error) {
		i, _ := asBig(of)
		return i.BitLen(), nil
	})
	cMethod("int", "bit_count", 0, 0, func(_ *machine, of Value, _ []Value) (Value, error) {
		i, _ := asBig(of)
		n := 0
		for _, word := range i.Bits() { // of the absolute value, as in Python
			n += bits.OnesCount(uint(word))
		}
		return n, nil
	})
	cMethod("int", "as_integer_ratio", 0, 0, func(_ *machine, of Value, _ []Value) (Value, error) {
		i, _ := asBig(of)
		return newTuple(normBig(i), 1), nil
	})
	cMethod("int", "conjugate", 0, 0, func(_ *machine, of Value, _ []Value) (Value, error) {
		i, _ := asBig(of)
		return normBig(i), nil
	})
	cMethod("float", "conjugate", 0, 0, func(_ *machine, of Value, _ []Value) (Value, error) { return of, nil })
	cMethod("float", "is_integer", 0, 0, func(_ *machine, of Value, _ []Value) (Value, error) {
		f := of.(float64)
		return f == math.Trunc(f) && !math.IsInf(f, 0), nil
	})
	cMethod("float", "as_integer_ratio", 0, 0, func(_ *machine, of Value, _ []Value) (Value, error) {
		f := of.(float64)
		switch {
		case math.IsInf(f, 0):
			return nil, raise(overflowError, "cannot convert Infinity to integer ratio")
		case math.IsNaN(f):
			return nil, raise(valueError, "cannot convert NaN to integer ratio")
		}
		r := new(big.Rat).SetFloat64(f)
		return newTuple(normBig(r.Num()), normBig(r.Denom())), nil
	})
}
