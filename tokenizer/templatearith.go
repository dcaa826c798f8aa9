package tokenizer

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/ardanlabs/jinja"
)

// typeName is the name of a value's type in Python.
func typeName(v jinja.Value) string {
	switch {
	case v.IsUndefined():
		return "Undefined"
	case v.IsNone():
		return "NoneType"
	case v.IsBool():
		return "bool"
	case v.IsInt():
		return "int"
	case v.IsFloat():
		return "float"
	case v.IsString():
		return "str"
	case v.IsList():
		return "list"
	case v.IsDict():
		return "dict"
	}
	return "function"
}

// asNumber is a number as Python counts with it; True is 1.
func asNumber(v jinja.Value) (n int64, f float64, ok bool) {
	switch {
	case v.IsInt():
		return v.AsInt(), float64(v.AsInt()), true
	case v.IsBool() && v.AsBool():
		return 1, 1, true
	case v.IsFloat():
		return 0, v.AsFloat(), true
	}
	return 0, 0, v.IsBool()
}

// add is a + b: strings, lists and numbers, and nothing mixed.
func add(g *guard, args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	a, b := args[0], args[1]
	switch {
	case a.IsString() && b.IsString():
		if err := g.room(len(a.AsString()) + len(b.AsString())); err != nil {
			return a, err
		}
		return jinja.NewString(a.AsString() + b.AsString()), nil
	case a.IsList() && b.IsList():
		items := make([]jinja.Value, 0, a.AsList().Len()+b.AsList().Len())
		items = append(append(items, a.AsList().Items...), b.AsList().Items...)
		return g.keep(jinja.NewList(items))
	case a.IsUndefined() || b.IsUndefined():
		return a, errors.New("an undefined value cannot be added")
	}
	n, f, okA := asNumber(a)
	m, h, okB := asNumber(b)
	switch {
	case okA && okB && (a.IsFloat() || b.IsFloat()):
		return jinja.NewFloat(f + h), nil
	case okA && okB:
		return jinja.NewInt(n + m), nil
	case a.IsString():
		return a, fmt.Errorf("can only concatenate str (not %q) to str", typeName(b))
	case a.IsList():
		return a, fmt.Errorf("can only concatenate list (not %q) to list", typeName(b))
	}
	return a, fmt.Errorf("unsupported operand type(s) for +: '%s' and '%s'", typeName(a), typeName(b))
}

// concat is a ~ b: all as strings.
func concat(g *guard, args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	parts := make([]string, len(args))
	n := 0
	for i, v := range args {
		s, err := g.print(v)
		if err != nil {
			return v, err
		}
		parts[i] = s.AsString()
		n += len(parts[i])
	}
	return jinja.NewString(strings.Join(parts, "")), g.room(n)
}

// times is a * b; a string or list is repeated.
func times(g *guard, args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	a, b := args[0], args[1]
	if b.IsString() || b.IsList() {
		a, b = b, a
	}
	n, f, okA := asNumber(a)
	m, h, okB := asNumber(b)
	repeats := okB && !b.IsFloat()
	m = max(m, 0)
	switch {
	case okA && okB && (a.IsFloat() || b.IsFloat()):
		return jinja.NewFloat(f * h), nil
	case okA && okB:
		m, _, _ = asNumber(b)
		return jinja.NewInt(n * m), nil
	case a.IsString() && repeats:
		if size := len(a.AsString()); size > 0 && m > int64(maxText/size) {
			return a, g.room(maxText + 1)
		}
		return g.text(strings.Repeat(a.AsString(), int(m)))
	case a.IsList() && repeats:
		size := a.AsList().Len()
		if size > 0 && m > int64(maxRange/size) {
			return a, stopped(fmt.Sprintf("makes a list of more than %d items", maxRange))
		}
		var items []jinja.Value
		for range m {
			items = append(items, a.AsList().Items...)
			if size == 0 {
				break
			}
		}
		return g.keep(jinja.NewList(items))
	}
	return a, fmt.Errorf("unsupported operand type(s) for *: '%s' and '%s'", typeName(args[0]), typeName(args[1]))
}

// power is a ** b, an integer of integers while it fits.
func power(g *guard, args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	a, b := args[0], args[1]
	n, f, okA := asNumber(a)
	m, h, okB := asNumber(b)
	if !okA || !okB {
		return a, fmt.Errorf("unsupported operand type(s) for **: '%s' and '%s'", typeName(a), typeName(b))
	}
	const exact = 1 << 53 // integers that a float holds
	out := math.Pow(f, h)
	if a.IsFloat() || b.IsFloat() || m < 0 {
		return jinja.NewFloat(out), g.spend(0)
	}
	if math.Abs(out) > exact {
		return a, fmt.Errorf("%d ** %d is too large", n, m)
	}
	return jinja.NewInt(int64(out)), g.spend(0)
}

// floordiv is a // b: rounded down.
func floordiv(g *guard, args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	a, b := args[0], args[1]
	n, f, okA := asNumber(a)
	m, h, okB := asNumber(b)
	switch {
	case !okA || !okB:
		return a, fmt.Errorf("unsupported operand type(s) for //: '%s' and '%s'", typeName(a), typeName(b))
	case h == 0:
		return a, errors.New("division by zero")
	case a.IsFloat() || b.IsFloat():
		return jinja.NewFloat(math.Floor(f / h)), g.spend(0)
	}
	q := n / m
	if n%m != 0 && (n < 0) != (m < 0) {
		q--
	}
	return jinja.NewInt(q), g.spend(0)
}

// mod is a % b: of numbers, or a string with its arguments put in.
func mod(g *guard, args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	a, b := args[0], args[1]
	if a.IsString() {
		values := []jinja.Value{b}
		if b.IsList() {
			values = b.AsList().Items
		}
		s, err := formatText(g, a.AsString(), params{args: values})
		return jinja.NewString(s), err
	}
	n, f, okA := asNumber(a)
	m, h, okB := asNumber(b)
	switch {
	case !okA || !okB:
		return a, fmt.Errorf("unsupported operand type(s) for %%: '%s' and '%s'", typeName(a), typeName(b))
	case a.IsFloat() || b.IsFloat():
		return a, fmt.Errorf("%v %% %v: the remainder of a float is not supported", f, h)
	case m == 0:
		return a, errors.New("integer modulo by zero")
	}
	if n %= m; n != 0 && (n < 0) != (m < 0) { // Python's has the divisor's sign
		n += m
	}
	return jinja.NewInt(n), g.spend(0)
}
