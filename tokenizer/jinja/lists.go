package jinja

import (
	"slices"
	"strconv"
	"strings"
)

func addListFilters() {
	for name, f := range map[string]*builtin{
		"batch":      define("value linecount fill_with=None", batch),
		"dictsort":   define("value case_sensitive=False by=key reverse=False", dictSort),
		"first":      define("seq", first),
		"groupby":    define("value attribute default=None case_sensitive=False", groupBy),
		"items":      define("value", itemsFilter),
		"join":       define("value d= attribute=None", joinFilter),
		"last":       define("seq", last),
		"length":     define("_", func(_ *machine, a []Value) Value { return length(a[0]) }),
		"list":       define("value", listFilter),
		"map":        {raw: mapFilter},
		"max":        define("value case_sensitive=False attribute=None", extreme(">")),
		"min":        define("value case_sensitive=False attribute=None", extreme("<")),
		"random":     define("seq", first),
		"reject":     chooser(false, false),
		"rejectattr": chooser(false, true),
		"reverse":    define("value", reverse),
		"select":     chooser(true, false),
		"selectattr": chooser(true, true),
		"slice":      define("value slices fill_with=None", sliceFilter),
		"sort":       define("value reverse=False case_sensitive=False attribute=None", sortFilter),
		"sum":        define("iterable attribute=None start=0", sum),
		"unique":     define("value case_sensitive=False attribute=None", unique),
	} {
		filters[name] = f
	}
	filters["count"] = filters["length"]
}

// getter looks an attribute such as "a.b.0" up in an item; nil is the item itself. A
// fallback that is not nil stands for what is not there. With fold texts are lower case.
func (m *machine) getter(attribute Value, fold bool, fallback Value) func(Value) Value {
	parts := []Value{attribute}
	if s, ok := attribute.(*Str); ok {
		parts = nil
		for _, part := range strings.Split(s.text, ".") {
			if i, err := strconv.ParseUint(part, 10, 31); err == nil {
				parts = append(parts, int(i))
			} else {
				parts = append(parts, String(part))
			}
		}
	} else if attribute == nil {
		parts = nil
	}
	return func(v Value) Value {
		for _, part := range parts {
			v = m.item(v, part)
			if _, ok := v.(*Undefined); ok && fallback != nil {
				v = fallback
			}
		}
		if s, ok := v.(*Str); ok && fold {
			m.spend(len(s.text))
			return s.mapped(lower)
		}
		return v
	}
}

// mapped is f of each item.
func (m *machine) mapped(items []Value, f func(Value) Value) []Value {
	m.items(len(items))
	out := make([]Value, len(items))
	for i, v := range items {
		m.step(1)
		out[i] = f(v)
	}
	return out
}

// named calls a filter or test whose name is a value.
func (m *machine) named(what string, table map[string]*builtin, name Value, a *args) Value {
	if s, ok := name.(*Str); ok && table[s.text] != nil {
		return table[s.text].call(m, a)
	}
	panic(raise(runtimeError, "No %s named %s.", what, repr0(name)))
}

// withFirst are the arguments of a filter or test that is called for each of some items.
func (a *args) withFirst(v Value, from int) *args {
	return &args{append([]Value{v}, a.plain[from:]...), a.names, a.named}
}

// mapFilter is map('filter', …) or map(attribute='…').
func mapFilter(m *machine, a *args) Value {
	return generator(func() []Value {
		if !truth(a.plain[0]) {
			return nil
		}
		f := func(v Value) Value { return m.named("filter", filters, a.plain[1], a.withFirst(v, 2)) }
		if len(a.plain) == 1 {
			i := a.find("attribute")
			if i < 0 {
				panic(raise(filterError, "map requires a filter argument"))
			}
			var fallback Value
			for k, name := range a.names {
				if name == "default" {
					fallback = a.named[k]
				} else if k != i {
					panic(raise(filterError, "Unexpected keyword argument %s", quote(name)))
				}
			}
			f = m.getter(a.named[i], false, fallback)
		}
		return m.mapped(m.iterate(a.plain[0]), f)
	})
}

// chooser is select, reject, selectattr or rejectattr.
func chooser(want, byAttribute bool) *builtin {
	return &builtin{raw: func(m *machine, a *args) Value {
		return generator(func() []Value {
			if !truth(a.plain[0]) {
				return nil
			}
			at, get := 1, m.getter(nil, false, nil)
			if byAttribute {
				if len(a.plain) == 1 {
					panic(raise(filterError, "Missing parameter for attribute name"))
				}
				at, get = 2, m.getter(a.plain[1], false, nil)
			}
			var out []Value
			for _, v := range m.iterate(a.plain[0]) {
				m.step(2)
				holds := get(v)
				if len(a.plain) > at {
					holds = m.named("test", tests, a.plain[at], a.withFirst(holds, at+1))
				}
				if truth(holds) == want {
					out = append(out, v)
				}
			}
			m.items(len(out))
			return out
		})
	}}
}

func batch(m *machine, a []Value) Value {
	return generator(func() []Value {
		items, n := m.iterate(a[0]), integer(a[1])
		var out []Value
		for len(items) > 0 {
			size := len(items)
			if n > 0 {
				size = min(n, size)
			}
			m.items(size)
			row := slices.Clone(items[:size])
			items = items[size:]
			if a[2] != nil && len(row) < n {
				m.items(n)
				row = append(row, slices.Repeat([]Value{a[2]}, n-len(row))...)
			}
			out = append(out, NewList(row...))
		}
		return out
	})
}

func sliceFilter(m *machine, a []Value) Value {
	return generator(func() []Value {
		items, n := m.iterate(a[0]), integer(a[1])
		if n == 0 {
			panic(raise(divisionError, "integer division or modulo by zero"))
		}
		m.items(max(n, 0)/2 + len(items))
		size, extra := len(items)/n, len(items)%n
		var out []Value
		for k := range n {
			part := size
			if k < extra {
				part++
			}
			row := slices.Clone(items[:part])
			if a[2] != nil && k >= extra {
				row = append(row, a[2])
			}
			items = items[part:]
			out = append(out, NewList(row...))
		}
		return out
	})
}

// sorted sorts items by keys as Python does: stable, by < alone.
func (m *machine) sorted(items, keys []Value, backward bool) []Value {
	m.items(4 * len(items))
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	if backward {
		slices.Reverse(order)
	}
	slices.SortStableFunc(order, func(i, j int) int {
		if m.compare("<", keys[i], keys[j], 0) {
			return -1
		}
		return 1
	})
	if backward {
		slices.Reverse(order)
	}
	out := make([]Value, len(items))
	for i, at := range order {
		out[i] = items[at]
	}
	return out
}

func dictSort(m *machine, a []Value) Value {
	at := slices.Index([]string{"key", "value"}, m.str(a[2]).text)
	if at < 0 {
		panic(raise(filterError, `You can only sort by either "key" or "value"`))
	}
	d := dictOrFail(a[0])
	items := d.pairs()
	return NewList(m.sorted(items, m.mapped(items, m.getter(at, !truth(a[1]), nil)), truth(a[3]))...)
}

func first(m *machine, a []Value) Value {
	if it, ok := a[0].(*iterator); ok {
		if items := it.all(); len(items) > 0 {
			it.items = items[1:]
			return items[0]
		}
	} else if s, ok := a[0].(*Str); ok && s.text != "" {
		return m.nth(s, 0)
	} else if items := m.iterate(a[0]); len(items) > 0 {
		return items[0]
	}
	return &Undefined{hint: "No first item, sequence was empty."}
}

func last(m *machine, a []Value) Value {
	switch v := a[0].(type) {
	case *iterator:
		panic(wrongType("a sequence", v))
	case *Str:
		if v.text != "" {
			return m.nth(v, -1)
		}
	default:
		if items := m.iterate(v); len(items) > 0 {
			return items[len(items)-1]
		}
	}
	return &Undefined{hint: "No last item, sequence was empty."}
}

func groupBy(m *machine, a []Value) Value {
	items := m.iterate(a[0])
	keys := m.mapped(items, m.getter(a[1], !truth(a[3]), a[2]))
	name := m.getter(a[1], false, a[2]) // a group is called as in its first item
	var out []Value
	var group *List
	var last Value
	for _, pair := range m.sorted(zip(keys, items), keys, false) {
		key, item := m.pair(pair)
		if group == nil || !m.equal(last, key, 0) {
			last, group = key, NewList()
			out = append(out, &List{kind: groupTuple, items: []Value{name(item), group}})
		}
		group.items = append(group.items, item)
	}
	return NewList(out...)
}

// zip are the pairs of two lists.
func zip(x, y []Value) []Value {
	out := make([]Value, len(x))
	for i := range x {
		out[i] = newTuple(x[i], y[i])
	}
	return out
}

func itemsFilter(_ *machine, a []Value) Value {
	return generator(func() []Value {
		switch v := a[0].(type) {
		case *Undefined:
			return nil
		case *Dict:
			return v.pairs()
		}
		panic(raise(typeError, "Can only get item pairs from a mapping."))
	})
}

func joinFilter(m *machine, a []Value) Value {
	separator, items := m.str(a[1]), m.iterate(a[0])
	if a[2] != nil {
		items = m.mapped(items, m.getter(a[2], false, nil))
	}
	return m.concat(items, separator)
}

func listFilter(m *machine, a []Value) Value {
	items := m.iterate(a[0])
	m.items(len(items))
	return NewList(slices.Clone(items)...)
}

// extreme is the first of the smallest or largest items.
func extreme(op string) func(m *machine, a []Value) Value {
	return func(m *machine, a []Value) Value {
		items := m.iterate(a[0])
		if len(items) == 0 {
			return &Undefined{hint: "No aggregated item, sequence was empty."}
		}
		keys := m.mapped(items, m.getter(a[2], !truth(a[1]), nil))
		best := 0
		for i := 1; i < len(items); i++ {
			if m.compare(op, keys[i], keys[best], 0) {
				best = i
			}
		}
		return items[best]
	}
}

func reverse(m *machine, a []Value) Value {
	if s, ok := a[0].(*Str); ok {
		return m.sliceText(s, s.length()-1, -1, -1)
	}
	if !iterable(a[0]) {
		panic(raise(filterError, "argument must be iterable"))
	}
	items := slices.Clone(m.iterate(a[0]))
	m.items(len(items))
	slices.Reverse(items)
	if _, ok := a[0].(*iterator); ok {
		return NewList(items...)
	}
	return &iterator{items: items}
}

func sortFilter(m *machine, a []Value) Value {
	items := m.iterate(a[0])
	attributes := []Value{a[3]}
	if s, ok := a[3].(*Str); ok {
		attributes = s.splitAt(",", -1, false)
	}
	keys := m.mapped(items, func(v Value) Value {
		return NewList(m.mapped(attributes, func(by Value) Value { return m.getter(by, !truth(a[2]), nil)(v) })...)
	})
	return NewList(m.sorted(items, keys, truth(a[1]))...)
}

func sum(m *machine, a []Value) Value {
	total, items := a[2], m.iterate(a[0])
	if _, ok := total.(*Str); ok {
		panic(raise(typeError, "sum() can't sum strings [use ''.join(seq) instead]"))
	}
	for _, v := range m.mapped(items, m.getter(a[1], false, nil)) {
		total = m.binary("+", total, v)
	}
	return total
}

func unique(m *machine, a []Value) Value {
	return generator(func() []Value {
		items := m.iterate(a[0])
		m.items(4 * len(items))
		get := m.getter(a[2], !truth(a[1]), nil)
		seen := map[any]bool{}
		var out []Value
		for _, v := range items {
			if h := mustHash(get(v)); !seen[h] {
				seen[h] = true
				out = append(out, v)
			}
		}
		return out
	})
}
