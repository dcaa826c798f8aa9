package jinja

import (
	"slices"
	"strconv"
	"strings"
)

// getter looks an attribute such as "a.b.0" up in an item.
type getter struct {
	m            *machine
	parts        []Value
	foldCase     bool
	fallback     Value
	withFallback bool
}

func (m *machine) getter(attribute Value, foldCase bool) *getter {
	g := &getter{m: m, foldCase: foldCase}
	switch a := attribute.(type) {
	case nil:
	case *Str:
		for _, part := range strings.Split(a.text, ".") {
			if allRunes(part, isDigitRune) {
				if i, err := strconv.Atoi(part); err == nil {
					g.parts = append(g.parts, i)
					continue
				}
			}
			g.parts = append(g.parts, String(part))
		}
	default:
		g.parts = []Value{a}
	}
	return g
}

func (g *getter) get(v Value) (Value, error) {
	var err error
	for _, part := range g.parts {
		if v, err = g.m.item(v, part); err != nil {
			return nil, err
		}
		if _, ok := v.(*Undefined); ok && g.withFallback {
			v = g.fallback
		}
	}
	if s, ok := v.(*Str); ok && g.foldCase {
		return s.mapped(lower), g.m.spend(len(s.text))
	}
	return v, nil
}

func (g *getter) all(items []Value) ([]Value, error) {
	out := make([]Value, len(items))
	for i, v := range items {
		var err error
		if out[i], err = g.get(v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// mapFilter is map('filter', …) or map(attribute='…').
func mapFilter(m *machine, a *args) (Value, error) {
	if len(a.plain) == 0 {
		return nil, raise(typeError, "sync_do_map() missing 1 required positional argument: 'value'")
	}
	return generator(func() ([]Value, error) {
		if !truth(a.plain[0]) {
			return nil, nil
		}
		f, err := m.mapper(a)
		if err != nil {
			return nil, err
		}
		items, err := m.iterate(a.plain[0])
		if err != nil || len(items) == 0 {
			return nil, err
		}
		if err := m.items(len(items)); err != nil {
			return nil, err
		}
		out := make([]Value, len(items))
		for i, v := range items {
			if out[i], err = f(v); err != nil {
				return nil, err
			}
		}
		return out, nil
	}), nil
}

func (m *machine) mapper(a *args) (func(Value) (Value, error), error) {
	if len(a.plain) > 1 {
		rest := &args{a.plain[2:], a.names, a.named}
		return func(v Value) (Value, error) {
			b, err := m.named("filter", a.plain[1])
			if err != nil {
				return nil, err
			}
			if err := m.step(1); err != nil {
				return nil, err
			}
			return b.apply(m, v, rest)
		}, nil
	}
	i := slices.Index(a.names, "attribute")
	if i < 0 {
		return nil, raise(filterError, "map requires a filter argument")
	}
	g := m.getter(a.named[i], false)
	for k, name := range a.names {
		switch {
		case name == "default":
			g.fallback, g.withFallback = a.named[k], a.named[k] != nil
		case k != i:
			return nil, raise(filterError, "Unexpected keyword argument %s", quote(name))
		}
	}
	return g.get, nil
}

// named finds a filter or test whose name is a value.
func (m *machine) named(what string, name Value) (*builtin, error) {
	table := filters
	if what == "test" {
		table = tests
	}
	if s, ok := name.(*Str); ok {
		if b := table[s.text]; b != nil {
			return b, nil
		}
	}
	return nil, raise(runtimeError, "No %s named %s.", what, repr0(name))
}

// chooser is select, reject, selectattr or rejectattr.
func chooser(want, byAttribute bool) *builtin {
	return anything("select_or_reject", func(m *machine, a *args) (Value, error) {
		if len(a.plain) == 0 {
			return nil, raise(typeError, "sync_do_select() missing 1 required positional argument: 'value'")
		}
		return generator(func() ([]Value, error) {
			if !truth(a.plain[0]) {
				return nil, nil
			}
			rest := a.plain[1:]
			g := m.getter(nil, false)
			if byAttribute {
				if len(rest) == 0 {
					return nil, raise(filterError, "Missing parameter for attribute name")
				}
				g, rest = m.getter(rest[0], false), rest[1:]
			}
			holds := func(v Value) (Value, error) { return v, nil }
			if len(rest) > 0 {
				holds = func(v Value) (Value, error) {
					b, err := m.named("test", rest[0])
					if err != nil {
						return nil, err
					}
					return b.apply(m, v, &args{rest[1:], a.names, a.named})
				}
			}
			return m.choose(a.plain[0], g, holds, want)
		}), nil
	})
}

func (m *machine) choose(from Value, g *getter, holds func(Value) (Value, error), want bool) ([]Value, error) {
	items, err := m.iterate(from)
	if err != nil {
		return nil, err
	}
	var out []Value
	for _, v := range items {
		if err := m.step(2); err != nil {
			return nil, err
		}
		looked, err := g.get(v)
		if err != nil {
			return nil, err
		}
		yes, err := holds(looked)
		if err != nil {
			return nil, err
		}
		if truth(yes) == want {
			out = append(out, v)
		}
	}
	return out, m.items(len(out))
}
