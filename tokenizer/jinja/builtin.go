package jinja

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// args are the arguments of a call.
type args struct {
	plain []Value
	names []string
	named []Value
	few   [3]Value // room for plain
}

// find is the place of a named argument, or -1.
func (a *args) find(name string) int { return slices.Index(a.names, name) }

// name adds a named argument.
func (a *args) name(name string, v Value) {
	check(a.find(name) < 0, typeError, "two values for the argument %s", name)
	a.names, a.named = append(a.names[:len(a.names):len(a.names)], name), append(a.named, v)
}

// builtin is a filter, a test, a global function or a method. Those before the last have
// their value as the first argument, methods their object.
type builtin struct {
	params []parameter
	run    func(m *machine, a []Value) Value // of an argument for each parameter
	raw    func(m *machine, a *args) Value   // instead of run: of what comes
}

type parameter struct {
	name     string // _: only by position
	value    Value  // the default
	optional bool
}

// define reads a signature such as "s old new count=None": parameters with defaults.
func define(signature string, run func(m *machine, a []Value) Value) *builtin {
	b := &builtin{run: run}
	for _, word := range strings.Fields(signature) {
		name, text, optional := strings.Cut(word, "=")
		p := parameter{name: name, optional: optional}
		switch n, err := strconv.Atoi(text); {
		case !optional || text == "None":
		case text == "True" || text == "False":
			p.value = text == "True"
		case err == nil:
			p.value = n
		case text == "0.0":
			p.value = 0.0
		default:
			p.value = String(text)
		}
		b.params = append(b.params, p)
	}
	return b
}

// call counts the work by the sizes of what is given, and the memory by that of the result.
func (b *builtin) call(m *machine, a *args) Value {
	for _, v := range a.plain {
		m.step(sizeOf(v)>>6 + 1)
	}
	var v Value
	if b.raw != nil {
		v = b.raw(m, a)
	} else {
		v = b.run(m, b.bind(a))
	}
	if len(a.plain) == 0 || v != a.plain[0] {
		m.spend(sizeOf(v))
	}
	return v
}

// sizeOf is the bytes of a value, without those of its items.
func sizeOf(v Value) int {
	switch v := v.(type) {
	case *Str:
		return len(v.text)
	case *List:
		return len(v.items) * itemBytes
	case *iterator:
		return len(v.items) * itemBytes
	case *Dict:
		return len(v.keys) * 2 * itemBytes
	}
	return 0
}

// bind gives every parameter its argument, by Python's rules.
func (b *builtin) bind(a *args) []Value {
	if len(a.plain) == len(b.params) && len(a.names) == 0 {
		return a.plain
	}
	check(len(a.plain) <= len(b.params), typeError, "too many arguments")
	values := make([]Value, len(b.params))
	for i := copy(values, a.plain); i < len(values); i++ {
		values[i] = missing
	}
	for k, name := range a.names {
		i := slices.IndexFunc(b.params, func(p parameter) bool { return p.name == name && name != "_" })
		check(i >= 0, typeError, "unexpected argument %s", quote(name))
		check(values[i] == missing, typeError, "two values for the argument %s", quote(name))
		values[i] = a.named[k]
	}
	for i, p := range b.params {
		if values[i] == missing {
			check(p.optional, typeError, "too few arguments: %s is missing", p.name)
			values[i] = p.value
		}
	}
	return values
}

// tests by name: what may follow "is".
var tests map[string]*builtin

func init() {
	is := func(f func(v Value) bool) *builtin {
		return define("value", func(_ *machine, a []Value) Value { return f(a[0]) })
	}
	text := func(f func(s string) bool) *builtin {
		return define("value", func(m *machine, a []Value) Value { return f(m.str(a[0]).text) })
	}
	rest := func(signature string, want int) *builtin {
		return define(signature, func(m *machine, a []Value) Value { return m.equal(m.binary("%", a[0], a[1]), want, 0) })
	}
	tests = map[string]*builtin{
		"boolean":     is(isType[bool]),
		"callable":    is(callable),
		"defined":     is(func(v Value) bool { return !isType[*Undefined](v) }),
		"divisibleby": rest("value num", 0),
		"escaped":     is(func(Value) bool { return false }),
		"even":        rest("value _=2", 0),
		"false":       is(func(v Value) bool { return v == false }),
		"filter":      is(func(v Value) bool { s, ok := mustHash(v).(string); return ok && filters[s] != nil }),
		"float":       is(isType[float64]),
		"in":          define("value seq", func(m *machine, a []Value) Value { return m.contains(a[1], a[0]) }),
		"integer":     is(func(v Value) bool { return isType[int](v) || isType[*big.Int](v) }),
		"iterable":    is(iterable),
		"lower":       text(func(s string) bool { return hasCase(s, isLower, isUpper) }),
		"mapping":     is(isType[*Dict]),
		"none":        is(func(v Value) bool { return v == nil }),
		"number":      is(isNumber),
		"odd":         rest("value _=2", 1),
		"sameas":      define("value other", sameAs),
		"sequence":    is(sequence),
		"string":      is(isType[*Str]),
		"test":        is(func(v Value) bool { s, ok := mustHash(v).(string); return ok && tests[s] != nil }),
		"true":        is(func(v Value) bool { return v == true }),
		"undefined":   is(isType[*Undefined]),
		"upper":       text(func(s string) bool { return hasCase(s, isUpper, isLower) }),
	}
	for op, names := range map[string][]string{
		"==": {"eq", "==", "equalto"}, "!=": {"ne", "!="}, ">": {"gt", ">", "greaterthan"},
		">=": {"ge", ">="}, "<": {"lt", "<", "lessthan"}, "<=": {"le", "<="},
	} {
		for _, name := range names {
			tests[name] = define("_ _", func(m *machine, a []Value) Value { return m.relation(op, a[0], a[1]) })
		}
	}
}

func isType[T Value](v Value) bool {
	_, ok := v.(T)
	return ok
}

func callable(v Value) bool {
	switch v.(type) {
	case *function, *macroValue, *loopValue, *joinerValue, *Undefined:
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
		return !v.kind.isView()
	}
	return false
}

// sameAs is Python's is: one object. Texts and numbers are one where they are equal.
func sameAs(m *machine, a []Value) Value {
	if typeName(a[0]) != typeName(a[1]) {
		return false
	}
	switch a[0].(type) {
	case *Str, *big.Int:
		return m.equal(a[0], a[1], 0)
	}
	return a[0] == a[1]
}
