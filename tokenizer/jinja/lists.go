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
		"join":       define("value d= attribute=None", func(m *machine, a []Value) Value { return m.concat(m.looked(a[0], a[2], false), m.str(a[1])) }),
		"last":       define("seq", last),
		"length":     define("_", func(_ *machine, a []Value) Value { return length(a[0]) }),
		"list":       define("value", func(m *machine, a []Value) Value { return NewList(m.iterate(a[0])...) }),
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
	var parts []Value
	if s, ok := attribute.(*Str); ok {
		for _, part := range strings.Split(s.text, ".") {
			if i, err := strconv.ParseUint(part, 10, 31); err == nil {
				parts = append(parts, int(i))
			} else {
				parts = append(parts, String(part))
			}
		}
	} else if attribute != nil {
		parts = []Value{attribute}
	}
	return func(v Value) Value {
		for _, part := range parts {
			v = m.item(v, part)
			if isType[*Undefined](v) && fallback != nil {
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
		out[i] = f(v)
	}
	return out
}

// looked are the items of v, or an attribute of each.
func (m *machine) looked(v, attribute Value, fold bool) []Value {
	return m.mapped(m.iterate(v), m.getter(attribute, fold, nil))
}

// each gives a filter or test, called by its name with one value after another.
func (m *machine) each(what string, table map[string]*builtin, plain []Value, a *args) func(Value) Value {
	return func(v Value) Value {
		if s, ok := plain[0].(*Str); ok && table[s.text] != nil {
			return table[s.text].call(m, &args{plain: append([]Value{v}, plain[1:]...), names: a.names, named: a.named})
		}
		panic(raise(runtimeError, "No %s named %s.", what, repr0(plain[0])))
	}
}

// mapFilter is map('filter', …) or map(attribute='…').
func mapFilter(m *machine, a *args) Value {
	if !truth(a.plain[0]) {
		return &iterator{}
	}
	if len(a.plain) > 1 {
		return &iterator{m.mapped(m.iterate(a.plain[0]), m.each("filter", filters, a.plain[1:], a))}
	}
	i := a.find("attribute")
	check(i >= 0, filterError, "map requires a filter argument")
	var fallback Value
	for k, name := range a.names {
		check(k == i || name == "default", filterError, "Unexpected keyword argument %s", name)
		if k != i {
			fallback = a.named[k]
		}
	}
	return &iterator{m.mapped(m.iterate(a.plain[0]), m.getter(a.named[i], false, fallback))}
}

// chooser is select, reject, selectattr or rejectattr.
func chooser(want, byAttribute bool) *builtin {
	return &builtin{raw: func(m *machine, a *args) Value {
		if !truth(a.plain[0]) {
			return &iterator{}
		}
		rest, get := a.plain[1:], m.getter(nil, false, nil)
		if byAttribute {
			check(len(rest) > 0, filterError, "Missing parameter for attribute name")
			rest, get = rest[1:], m.getter(rest[0], false, nil)
		}
		holds := func(v Value) Value { return v }
		if len(rest) > 0 {
			holds = m.each("test", tests, rest, a)
		}
		return &iterator{slices.DeleteFunc(slices.Clone(m.iterate(a.plain[0])), func(v Value) bool {
			m.step(1)
			return truth(holds(get(v))) != want
		})}
	}}
}

func batch(m *machine, a []Value) Value {
	items, n := m.iterate(a[0]), integer(a[1])
	check(n > 0, valueError, "want at least 1 item a batch, found %d", n)
	var out []Value
	for row := range slices.Chunk(items, n) {
		if a[2] != nil && len(row) < n {
			m.items(n)
			row = slices.Concat(row, slices.Repeat([]Value{a[2]}, n-len(row)))
		}
		out = append(out, NewList(row...))
	}
	return &iterator{out}
}

func sliceFilter(m *machine, a []Value) Value {
	items, n := m.iterate(a[0]), integer(a[1])
	check(n != 0, divisionError, "integer division or modulo by zero")
	m.items(max(n, 0))
	size, extra := len(items)/n, len(items)%n
	var out []Value
	for k := range n {
		part := size
		if k < extra {
			part++
		}
		row := slices.Clone(items[:part])
		if items = items[part:]; a[2] != nil && k >= extra {
			row = append(row, a[2])
		}
		out = append(out, NewList(row...))
	}
	return &iterator{out}
}

// sorted sorts items by keys as Python does: stable, by < alone.
func (m *machine) sorted(items, keys []Value, backward bool) []Value {
	order := zip(keys, items)
	m.items(4 * len(items))
	if backward {
		slices.Reverse(order)
	}
	slices.SortStableFunc(order, func(x, y Value) int {
		if m.compare("<", x.(*List).items[0], y.(*List).items[0], 0) {
			return -1
		}
		return 1
	})
	if backward {
		slices.Reverse(order)
	}
	for i, pair := range order {
		order[i] = pair.(*List).items[1]
	}
	return order
}

// zip are the pairs of two lists.
func zip(x, y []Value) []Value {
	out := make([]Value, len(x))
	for i := range x {
		out[i] = newTuple(x[i], y[i])
	}
	return out
}

func dictSort(m *machine, a []Value) Value {
	at := slices.Index([]string{"key", "value"}, m.str(a[2]).text)
	check(at >= 0, filterError, `You can only sort by either "key" or "value"`)
	pairs := NewList(dictOrFail(a[0]).pairs()...)
	return NewList(m.sorted(pairs.items, m.looked(pairs, at, !truth(a[1])), truth(a[3]))...)
}

func first(m *machine, a []Value) Value {
	if s, ok := a[0].(*Str); ok && s.text != "" {
		return m.nth(s, 0)
	}
	items := m.iterate(a[0])
	if len(items) == 0 {
		return &Undefined{hint: "No first item, sequence was empty."}
	}
	if it, ok := a[0].(*iterator); ok {
		it.items = items[1:]
	}
	return items[0]
}

func last(m *machine, a []Value) Value {
	if isType[*iterator](a[0]) {
		panic(wrongType("a sequence", a[0]))
	}
	if s, ok := a[0].(*Str); ok && s.text != "" {
		return m.nth(s, -1)
	}
	items := m.iterate(a[0])
	if len(items) == 0 {
		return &Undefined{hint: "No last item, sequence was empty."}
	}
	return items[len(items)-1]
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

func itemsFilter(_ *machine, a []Value) Value {
	if isType[*Undefined](a[0]) {
		return &iterator{}
	}
	return &iterator{dictOrFail(a[0]).pairs()}
}

// extreme is the first of the smallest or largest items.
func extreme(op string) func(m *machine, a []Value) Value {
	return func(m *machine, a []Value) Value {
		items := m.iterate(a[0])
		if len(items) == 0 {
			return &Undefined{hint: "No aggregated item, sequence was empty."}
		}
		keys := m.looked(NewList(items...), a[2], !truth(a[1]))
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
	check(iterable(a[0]), filterError, "argument must be iterable")
	items := slices.Clone(m.iterate(a[0]))
	slices.Reverse(items)
	return &iterator{items}
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
	total := a[2]
	check(!isType[*Str](total), typeError, "sum() can't sum strings [use ''.join(seq) instead]")
	for _, v := range m.looked(a[0], a[1], false) {
		total = m.binary("+", total, v)
	}
	return total
}

func unique(m *machine, a []Value) Value {
	items := m.iterate(a[0])
	get := m.getter(a[2], !truth(a[1]), nil)
	seen := NewDict()
	for _, v := range items {
		if key := get(v); seen.find(mustHash(key)) < 0 {
			seen.put(key, v)
		}
	}
	return &iterator{seen.values}
}
