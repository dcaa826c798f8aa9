package jinja

import (
	"slices"
	"strings"
)

// globals are the functions that every template may call. strftime_now is given as a
// variable, since it knows the time: StrftimeNow.
var globals map[string]*function

func init() {
	globals = map[string]*function{}
	joiner := define("Joiner.__init__/1 sep=None", makeJoiner)
	joiner.params[0].value = String(", ")
	for name, call := range map[string]func(m *machine, a *args) (Value, error){
		"range":           native("range", 1, 3, makeRange).raw,
		"dict":            makeDict,
		"namespace":       makeNamespace,
		"cycler":          makeCycler,
		"joiner":          joiner.call,
		"raise_exception": define("raise_exception message", raiseException).call,
		"lipsum": func(*machine, *args) (Value, error) {
			return nil, raise(runtimeError, "lipsum is not supported: it is random")
		},
	} {
		globals[name] = &function{name: name, call: call}
	}
}

func raiseException(m *machine, a []Value) (Value, error) {
	s, err := m.str(a[0])
	if err != nil {
		return nil, err
	}
	return nil, raise("TemplateError", "%s", s.text)
}

func makeRange(m *machine, a []Value) (Value, error) {
	start, step := 0, 1
	var n [3]int
	given := 0
	for i, v := range a {
		if v == missing {
			break
		}
		var err error
		if n[i], err = integer(v); err != nil {
			return nil, err
		}
		given++
	}
	stop := n[0]
	if given > 1 {
		start, stop = n[0], n[1]
	}
	if given > 2 {
		if step = n[2]; step == 0 {
			return nil, raise(valueError, "range() arg 3 must not be zero")
		}
	}
	length := uint64(0)
	switch {
	case step > 0 && start < stop:
		length = (uint64(stop)-uint64(start)-1)/uint64(step) + 1
	case step < 0 && start > stop:
		length = (uint64(start)-uint64(stop)-1)/(-uint64(step)) + 1
	}
	if length > maxRange {
		return nil, raise(overflowError, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", maxRange)
	}
	l := &List{kind: rangeList, bounds: [3]int{start, stop, step}, items: make([]Value, length)}
	for i := range l.items {
		l.items[i] = start + i*step
	}
	return l, m.items(len(l.items))
}

// dictOf is Python's dict(…): of a dict or of pairs, and of named arguments.
func (m *machine) dictOf(a *args) (*Dict, error) {
	d := NewDict()
	if len(a.plain) > 1 {
		return nil, raise(typeError, "dict expected at most 1 argument, got %d", len(a.plain))
	}
	if len(a.plain) == 1 {
		if err := m.fill(d, a.plain[0]); err != nil {
			return nil, err
		}
	}
	for i, name := range a.names {
		d.Set(name, a.named[i])
	}
	return d, m.items(2 * len(d.keys))
}

func (m *machine) fill(d *Dict, v Value) error {
	if from, ok := v.(*Dict); ok {
		for i, k := range from.keys {
			h, err := hashable(k)
			if err != nil {
				return err
			}
			d.put(k, h, from.values[i])
		}
		return nil
	}
	pairs, err := m.iterate(v)
	if err != nil {
		return err
	}
	for i, pair := range pairs {
		kv, err := m.iterate(pair)
		if err != nil {
			return raise(typeError, "cannot convert dictionary update sequence element #%d to a sequence", i)
		}
		if len(kv) != 2 {
			return raise(valueError, "dictionary update sequence element #%d has length %d; 2 is required", i, len(kv))
		}
		h, err := hashable(kv[0])
		if err != nil {
			return err
		}
		d.put(kv[0], h, kv[1])
	}
	return nil
}

func makeDict(m *machine, a *args) (Value, error) {
	d, err := m.dictOf(a)
	return d, err
}

// checkAttribute refuses what transformers' namespaces refuse.
func checkAttribute(name string) error {
	if !strings.HasPrefix(name, "_") {
		return nil
	}
	return raise(securityError, "Chat templates cannot store underscore-prefixed attributes on a namespace, but got %s. Please rename the attribute.", quote(name))
}

func makeNamespace(m *machine, a *args) (Value, error) {
	d, err := m.dictOf(a)
	if err != nil {
		return nil, err
	}
	for _, name := range d.Keys() {
		if err := checkAttribute(name); err != nil {
			return nil, err
		}
	}
	return &Namespace{*d}, nil
}

func makeCycler(_ *machine, a *args) (Value, error) {
	if len(a.names) > 0 {
		return nil, raise(typeError, "Cycler.__init__() got an unexpected keyword argument %s", quote(a.names[0]))
	}
	if len(a.plain) == 0 {
		return nil, raise("RuntimeError", "at least one item has to be provided")
	}
	return &cyclerValue{items: slices.Clone(a.plain)}, nil
}

func makeJoiner(m *machine, a []Value) (Value, error) {
	s, err := m.str(a[0])
	return &joinerValue{separator: s}, err
}
