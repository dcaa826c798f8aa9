package jinja

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
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

// globals are the functions that every template may call. strftime_now is given as a
// variable, since it knows the time: StrftimeNow.
var globals map[string]*function

func init() {
	globals = map[string]*function{}
	for name, b := range map[string]*builtin{
		"range":  define("_ _=None _=1", makeRange),
		"dict":   {raw: func(m *machine, a *args) Value { return m.dictOf(a) }},
		"cycler": {raw: makeCycler},
		"namespace": {raw: func(m *machine, a *args) Value {
			d := m.dictOf(a)
			for _, name := range d.Keys() {
				checkAttribute(name)
			}
			return &Namespace{*d}
		}},
		"joiner": define("sep=None", func(m *machine, a []Value) Value {
			if a[0] == nil {
				return &joinerValue{separator: String(", ")}
			}
			return &joinerValue{separator: m.str(a[0])}
		}),
		"raise_exception": define("message", func(m *machine, a []Value) Value {
			panic(raise("TemplateError", "%s", m.str(a[0]).text))
		}),
		"lipsum": {raw: func(*machine, *args) Value { panic(raise(runtimeError, "lipsum is not supported: it is random")) }},
	} {
		globals[name] = &function{name, missing, b}
	}
}

func makeRange(m *machine, a []Value) Value {
	start, stop, step := 0, integer(a[0]), integer(a[2])
	if a[1] != nil {
		start, stop = stop, integer(a[1])
	}
	length := uint64(0)
	switch {
	case step == 0:
		panic(raise(valueError, "range() arg 3 must not be zero"))
	case step > 0 && start < stop:
		length = (uint64(stop)-uint64(start)-1)/uint64(step) + 1
	case step < 0 && start > stop:
		length = (uint64(start)-uint64(stop)-1)/(-uint64(step)) + 1
	}
	check(length <= maxRange, overflowError, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", maxRange)
	m.items(int(length))
	l := &List{kind: rangeList, bounds: [3]int{start, stop, step}, items: make([]Value, length)}
	for i := range l.items {
		l.items[i] = start + i*step
	}
	return l
}

// dictOf is Python's dict(…): of a dict or of pairs, and of named arguments.
func (m *machine) dictOf(a *args) *Dict {
	d := NewDict()
	check(len(a.plain) <= 1, typeError, "dict: too many arguments")
	for _, v := range a.plain {
		pairs := v
		if from, ok := v.(*Dict); ok {
			pairs = NewList(from.pairs()...)
		}
		for _, pair := range m.iterate(pairs) {
			k, v := m.pair(pair)
			d.put(k, v)
		}
	}
	for i, name := range a.names {
		d.Set(name, a.named[i])
	}
	return d
}

// pair takes two values apart.
func (m *machine) pair(v Value) (first, second Value) {
	kv := m.iterate(v)
	check(len(kv) == 2, valueError, "cannot unpack: want 2 values, found %d", len(kv))
	return kv[0], kv[1]
}

// checkAttribute refuses what transformers' namespaces refuse.
func checkAttribute(name string) {
	check(!strings.HasPrefix(name, "_"), securityError, "Chat templates cannot store underscore-prefixed attributes on a namespace, but got %s. Please rename the attribute.", quote(name))
}

func makeCycler(_ *machine, a *args) Value {
	check(a.names == nil, typeError, "cycler: no argument has a name")
	check(len(a.plain) > 0, "RuntimeError", "at least one item has to be provided")
	return &cyclerValue{items: slices.Clone(a.plain)}
}

// StrftimeNow is the function strftime_now of templates, which tells this time.
func StrftimeNow(now time.Time) Value {
	return &function{"strftime_now", missing, define("format", func(m *machine, a []Value) Value {
		format := textOf(a[0]).text
		m.spend(32 * len(format))
		return String(strftime(now, format))
	})}
}

// layouts are directives of strftime as layouts of Go. The time that a template is told
// has no zone.
var layouts = map[byte]string{
	'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'B': "January", 'b': "Jan", 'h': "Jan", 'A': "Monday",
	'a': "Mon", 'p': "PM", 'I': "03", 'y': "06", 'j': "002", 'F': "2006-01-02", 'T': "15:04:05", 'D': "01/02/06", 'x': "01/02/06",
	'X': "15:04:05", 'e': "_2", 'R': "15:04", 'c': "Mon Jan _2 15:04:05 2006", 'r': "03:04:05 PM", 'P': "pm", 'n': "\n", 't': "\t",
	'Z': "", 'z': "", '%': "%",
}

// strftime formats as Python does in the C locale, glibc's %-d and the like among it.
func strftime(t time.Time, format string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(format, '%')
		if i < 0 || i+1 == len(format) { // glibc leaves a % at the end
			return b.String() + format
		}
		b.WriteString(format[:i])
		d := format[i+1]
		format = format[i+2:]
		flag := byte(0)
		if strings.IndexByte("-_0", d) >= 0 && format != "" {
			flag, d, format = d, format[0], format[1:]
		}
		text := directive(t, d)
		if digits := strings.TrimLeft(text, "0 "); flag != 0 && text != "" && strings.Trim(text, "0123456789 ") == "" {
			if digits == "" {
				digits = "0"
			}
			fill := map[byte]string{'-': "", '_': " ", '0': "0"}[flag]
			text = strings.Repeat(fill, max(len(text)-len(digits), 0)) + digits
		}
		b.WriteString(text)
	}
}

func directive(t time.Time, d byte) string {
	switch d {
	case 'w':
		return strconv.Itoa(int(t.Weekday()))
	case 'u':
		return strconv.Itoa((int(t.Weekday())+6)%7 + 1)
	}
	layout, ok := layouts[d]
	check(ok, valueError, "strftime_now: unknown directive %%%c", d)
	return t.Format(layout)
}
