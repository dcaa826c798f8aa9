package jinja

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

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
