package jinja

import "math/big"

// tests by name: what may follow "is".
var tests map[string]*builtin

func init() {
	is := func(f func(v Value) bool) func(*machine, []Value) (Value, error) {
		return func(_ *machine, a []Value) (Value, error) { return f(a[0]), nil }
	}
	text := func(f func(s string) bool) func(*machine, []Value) (Value, error) {
		return func(m *machine, a []Value) (Value, error) {
			s, err := m.str(a[0])
			if err != nil {
				return nil, err
			}
			return f(s.text), m.step(len(s.text)>>4 + 1)
		}
	}
	tests = map[string]*builtin{
		"boolean":     define("test_boolean value", is(func(v Value) bool { _, ok := v.(bool); return ok })),
		"callable":    native("callable", 1, 1, is(callable)),
		"defined":     define("test_defined value", is(func(v Value) bool { _, ok := v.(*Undefined); return !ok })),
		"divisibleby": define("test_divisibleby value num", remainder(0)),
		"escaped":     define("test_escaped value", is(func(v Value) bool { s, ok := v.(*Str); return ok && s.markup })),
		"even":        define("test_even value", remainder(0)),
		"false":       define("test_false value", is(func(v Value) bool { return v == false })),
		"filter":      define("test_filter/1 value", known("filter")),
		"float":       define("test_float value", is(func(v Value) bool { _, ok := v.(float64); return ok })),
		"in":          define("test_in value seq", func(m *machine, a []Value) (Value, error) { in, err := m.contains(a[1], a[0]); return in, err }),
		"integer":     define("test_integer value", is(isInteger)),
		"iterable":    define("test_iterable value", is(iterable)),
		"lower":       define("test_lower value", text(func(s string) bool { return hasCase(s, isLower, isUpper) })),
		"mapping":     define("test_mapping value", is(func(v Value) bool { _, ok := v.(*Dict); return ok })),
		"none":        define("test_none value", is(func(v Value) bool { return v == nil })),
		"number":      define("test_number value", is(isNumber)),
		"odd":         define("test_odd value", remainder(1)),
		"sameas":      define("test_sameas value other", sameAs),
		"sequence":    define("test_sequence value", is(sequence)),
		"string":      define("test_string value", is(func(v Value) bool { _, ok := v.(*Str); return ok })),
		"test":        define("test_test/1 value", known("test")),
		"true":        define("test_true value", is(func(v Value) bool { return v == true })),
		"undefined":   define("test_undefined value", is(func(v Value) bool { _, ok := v.(*Undefined); return ok })),
		"upper":       define("test_upper value", text(func(s string) bool { return hasCase(s, isUpper, isLower) })),
	}
	for op, names := range map[string][]string{
		"==": {"eq", "==", "equalto"}, "!=": {"ne", "!="}, ">": {"gt", ">", "greaterthan"},
		">=": {"ge", ">="}, "<": {"lt", "<", "lessthan"}, "<=": {"le", "<="},
	} {
		b := native(names[0], 2, 2, func(m *machine, a []Value) (Value, error) {
			yes, err := m.relation(op, a[0], a[1])
			return yes, err
		})
		for _, name := range names {
			tests[name] = b
		}
	}
}

// remainder is a test of value % num, where num is 2 if it is not given.
func remainder(want int) func(m *machine, a []Value) (Value, error) {
	return func(m *machine, a []Value) (Value, error) {
		num := Value(2)
		if len(a) > 1 {
			num = a[1]
		}
		rest, err := m.binary("%", a[0], num)
		if err != nil {
			return nil, err
		}
		same, err := m.equal(rest, want, 0)
		return same, err
	}
}

func known(what string) func(m *machine, a []Value) (Value, error) {
	return func(m *machine, a []Value) (Value, error) {
		if _, err := hashable(a[0]); err != nil {
			return nil, err
		}
		_, err := m.named(what, a[0])
		return err == nil, nil
	}
}

func callable(v Value) bool {
	switch v.(type) {
	case *function, *macroValue, *loopValue, *joinerValue, *Undefined:
		return true
	}
	return false
}

func isInteger(v Value) bool {
	switch v.(type) {
	case int, *big.Int:
		return true
	}
	return false
}

func iterable(v Value) bool {
	switch v.(type) {
	case *Str, *List, *Dict, *iterator, *Undefined, *loopValue:
		return true
	}
	return false
}

// sequence is what has a length and can be asked for items.
func sequence(v Value) bool {
	switch v := v.(type) {
	case *Str, *Dict, *Undefined:
		return true
	case *List:
		return v.kind != keysView && v.kind != valuesView && v.kind != itemsView
	}
	return false
}

// sameAs is Python's is: one object. Texts and numbers are one where they are equal.
func sameAs(m *machine, a []Value) (Value, error) {
	if typeName(a[0]) != typeName(a[1]) {
		return false, nil
	}
	switch a[0].(type) {
	case *Str, int, float64, *big.Int, bool, nil:
		same, err := m.equal(a[0], a[1], 0)
		return same, err
	}
	return a[0] == a[1], nil
}
