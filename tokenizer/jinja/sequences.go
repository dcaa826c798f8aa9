package jinja

import (
	"slices"
	"strings"
)

func addSequenceFilters() {
	for name, f := range map[string]*builtin{
		"batch":      define("do_batch value linecount fill_with=None", batch),
		"dictsort":   define("do_dictsort value case_sensitive=False by=key reverse=False", dictSort),
		"first":      define("sync_do_first/1 seq", first),
		"groupby":    define("sync_do_groupby/1 value attribute default=None case_sensitive=False", groupBy),
		"items":      define("do_items value", itemsFilter),
		"join":       define("sync_do_join/1 value d attribute=None", joinFilter),
		"last":       define("do_last/1 seq", last),
		"length":     native("len", 1, 1, func(_ *machine, a []Value) (Value, error) { n, err := length(a[0]); return n, err }),
		"list":       define("sync_do_list value", listFilter),
		"map":        anything("sync_do_map", mapFilter),
		"max":        define("do_max/1 value case_sensitive=False attribute=None", extreme(">")),
		"min":        define("do_min/1 value case_sensitive=False attribute=None", extreme("<")),
		"random":     define("do_random/1 seq", first),
		"reject":     chooser(false, false),
		"rejectattr": chooser(false, true),
		"reverse":    define("do_reverse value", reverse),
		"select":     chooser(true, false),
		"selectattr": chooser(true, true),
		"slice":      define("sync_do_slice value slices fill_with=None", sliceFilter),
		"sort":       define("do_sort/1 value reverse=False case_sensitive=False attribute=None", sortFilter),
		"sum":        define("sync_do_sum/1 iterable attribute=None start=0", sum),
		"unique":     define("sync_do_unique/1 value case_sensitive=False attribute=None", unique),
	} {
		filters[name] = f
	}
	filters["join"].params[1] = parameter{"d", emptyText, true}
	filters["count"] = filters["length"]
}

func batch(m *machine, a []Value) (Value, error) {
	return generator(func() ([]Value, error) {
		items, err := m.iterate(a[0])
		if err != nil {
			return nil, err
		}
		n, number := asInt(a[1])
		var out []Value
		for len(items) > 0 {
			size := len(items)
			if number && n > 0 {
				size = min(n, size)
			}
			row := slices.Clone(items[:size])
			items = items[size:]
			if a[2] != nil && len(items) == 0 {
				if !number {
					return nil, raise(typeError, "'<' not supported between instances of 'int' and %s", quote(typeName(a[1])))
				}
				if err := m.items(n); err != nil {
					return nil, err
				}
				for len(row) < n {
					row = append(row, a[2])
				}
			}
			out = append(out, NewList(row...))
			if err := m.items(size); err != nil {
				return nil, err
			}
		}
		return out, nil
	}), nil
}

func sliceFilter(m *machine, a []Value) (Value, error) {
	return generator(func() ([]Value, error) {
		items, err := m.iterate(a[0])
		if err != nil {
			return nil, err
		}
		n, err := integer(a[1])
		if err != nil {
			return nil, raise(typeError, "unsupported operand type(s) for //: 'int' and %s", quote(typeName(a[1])))
		}
		if n == 0 {
			return nil, raise(divisionError, "integer division or modulo by zero")
		}
		if n < 0 {
			return nil, nil
		}
		if err := m.items(2*n + len(items)); err != nil {
			return nil, err
		}
		size, extra := len(items)/n, len(items)%n
		var out []Value
		for k := range n {
			part := size
			if k < extra {
				part++
			}
			row := slices.Clone(items[:part])
			items = items[part:]
			if a[2] != nil && k >= extra {
				row = append(row, a[2])
			}
			out = append(out, NewList(row...))
		}
		return out, nil
	}), nil
}

// sorted sorts items by keys as Python does: stable, by < alone.
func (m *machine) sorted(items, keys []Value, backward bool) ([]Value, error) {
	if err := m.items(4 * len(items)); err != nil {
		return nil, err
	}
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	if backward {
		slices.Reverse(order)
	}
	var failed error
	slices.SortStableFunc(order, func(i, j int) int {
		if failed != nil {
			return 0
		}
		less, err := m.compare("<", keys[i], keys[j], 0)
		if err != nil {
			failed = err
		}
		if less {
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
	return out, failed
}

func dictSort(m *machine, a []Value) (Value, error) {
	at := 0
	switch by, _ := a[2].(*Str); {
	case by != nil && by.text == "key":
	case by != nil && by.text == "value":
		at = 1
	default:
		return nil, raise(filterError, `You can only sort by either "key" or "value"`)
	}
	d, ok := a[0].(*Dict)
	if !ok {
		if u, ok := a[0].(*Undefined); ok {
			return nil, u.fail()
		}
		return nil, noAttribute(a[0], "items")
	}
	items := d.pairs()
	keys, err := m.getter(at, !truth(a[1])).all(items)
	if err != nil {
		return nil, err
	}
	items, err = m.sorted(items, keys, truth(a[3]))
	return NewList(items...), err
}

// pairs are the items of a dict.
func (d *Dict) pairs() []Value {
	out := make([]Value, len(d.keys))
	for i, k := range d.keys {
		out[i] = newTuple(k, d.values[i])
	}
	return out
}

func first(m *machine, a []Value) (Value, error) {
	if it, ok := a[0].(*iterator); ok {
		v, ok, err := it.next()
		if ok || err != nil {
			return v, err
		}
		return &Undefined{hint: "No first item, sequence was empty."}, nil
	}
	if s, ok := a[0].(*Str); ok && s.text != "" {
		v, _ := m.nth(s, 0)
		return v, nil
	}
	items, err := m.iterate(a[0])
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return &Undefined{hint: "No first item, sequence was empty."}, nil
	}
	return items[0], nil
}

func last(m *machine, a []Value) (Value, error) {
	switch v := a[0].(type) {
	case *Str:
		if c, ok := m.nth(v, -1); ok {
			return c, nil
		}
	case *List:
		if len(v.items) > 0 {
			return v.items[len(v.items)-1], nil
		}
	case *Dict:
		if len(v.keys) > 0 {
			return v.keys[len(v.keys)-1], nil
		}
	case *Undefined:
	default:
		return nil, raise(typeError, "%s object is not reversible", quote(typeName(a[0])))
	}
	return &Undefined{hint: "No last item, sequence was empty."}, nil
}

func groupBy(m *machine, a []Value) (Value, error) {
	items, err := m.iterate(a[0])
	if err != nil {
		return nil, err
	}
	g := m.getter(a[1], !truth(a[3]))
	g.fallback, g.withFallback = a[2], a[2] != nil
	keys, err := g.all(items)
	if err != nil {
		return nil, err
	}
	order := make([]Value, len(items))
	for i := range order {
		order[i] = i
	}
	if order, err = m.sorted(order, keys, false); err != nil {
		return nil, err
	}
	g.foldCase = false // a group is called as in its first item
	var out []Value
	var group *List
	var last Value
	for _, at := range order {
		key := keys[at.(int)]
		same := false
		if group != nil {
			if same, err = m.equal(last, key, 0); err != nil {
				return nil, err
			}
		}
		if !same {
			last, group = key, NewList()
			name, err := g.get(items[at.(int)])
			if err != nil {
				return nil, err
			}
			out = append(out, &List{kind: groupTuple, items: []Value{name, group}})
		}
		group.items = append(group.items, items[at.(int)])
	}
	return NewList(out...), nil
}

func itemsFilter(_ *machine, a []Value) (Value, error) {
	return generator(func() ([]Value, error) {
		switch v := a[0].(type) {
		case *Undefined:
			return nil, nil
		case *Dict:
			return v.pairs(), nil
		}
		return nil, raise(typeError, "Can only get item pairs from a mapping.")
	}), nil
}

func joinFilter(m *machine, a []Value) (Value, error) {
	separator, err := m.str(a[1])
	if err != nil {
		return nil, err
	}
	items, err := m.iterate(a[0])
	if err == nil && a[2] != nil {
		items, err = m.getter(a[2], false).all(items)
	}
	if err != nil {
		return nil, err
	}
	return m.concat(items, separator)
}

func listFilter(m *machine, a []Value) (Value, error) {
	items, err := m.iterate(a[0])
	if err != nil {
		return nil, err
	}
	return NewList(slices.Clone(items)...), m.items(len(items))
}

// extreme is the first of the smallest or largest items.
func extreme(op string) func(m *machine, a []Value) (Value, error) {
	return func(m *machine, a []Value) (Value, error) {
		items, err := m.iterate(a[0])
		if err != nil {
			return nil, err
		}
		if len(items) == 0 {
			return &Undefined{hint: "No aggregated item, sequence was empty."}, nil
		}
		keys, err := m.getter(a[2], !truth(a[1])).all(items)
		if err != nil {
			return nil, err
		}
		best := 0
		for i := range items {
			if i == 0 {
				continue
			}
			better, err := m.compare(op, keys[i], keys[best], 0)
			if err != nil {
				return nil, err
			}
			if better {
				best = i
			}
		}
		return items[best], nil
	}
}

func reverse(m *machine, a []Value) (Value, error) {
	if s, ok := a[0].(*Str); ok {
		return m.sliceText(s, strLen(s)-1, -1, -1, false)
	}
	items, err := m.iterate(a[0])
	if err != nil {
		return nil, raise(filterError, "argument must be iterable")
	}
	items = slices.Clone(items)
	slices.Reverse(items)
	switch v := a[0].(type) {
	case *List:
		name := map[listKind]string{
			list: "list_reverseiterator", tuple: "reversed", groupTuple: "reversed", rangeList: "range_iterator",
			keysView: "dict_reversekeyiterator", valuesView: "dict_reversevalueiterator", itemsView: "dict_reverseitemiterator",
		}[v.kind]
		return &iterator{typeName: name, items: items}, m.items(len(items))
	case *Dict:
		return &iterator{typeName: "dict_reversekeyiterator", items: items}, m.items(len(items))
	}
	return NewList(items...), m.items(len(items))
}

func strLen(s *Str) int { n, _ := runes(s.text); return n }

func sortFilter(m *machine, a []Value) (Value, error) {
	items, err := m.iterate(a[0])
	if err != nil {
		return nil, err
	}
	attributes := []Value{a[3]}
	if s, ok := a[3].(*Str); ok {
		attributes = nil
		for _, name := range strings.Split(s.text, ",") {
			attributes = append(attributes, String(name))
		}
	}
	keys := make([]Value, len(items))
	for i, v := range items {
		key := make([]Value, len(attributes))
		for k, attribute := range attributes {
			if key[k], err = m.getter(attribute, !truth(a[2])).get(v); err != nil {
				return nil, err
			}
		}
		keys[i] = NewList(key...)
	}
	items, err = m.sorted(items, keys, truth(a[1]))
	return NewList(items...), err
}

func sum(m *machine, a []Value) (Value, error) {
	items, err := m.iterate(a[0])
	if err == nil && a[1] != nil {
		items, err = m.getter(a[1], false).all(items)
	}
	if err != nil {
		return nil, err
	}
	total := a[2]
	if _, ok := total.(*Str); ok {
		return nil, raise(typeError, "sum() can't sum strings [use ''.join(seq) instead]")
	}
	for _, v := range items {
		if total, err = m.binary("+", total, v); err != nil {
			return nil, err
		}
	}
	return total, nil
}

func unique(m *machine, a []Value) (Value, error) {
	return generator(func() ([]Value, error) {
		items, err := m.iterate(a[0])
		if err != nil {
			return nil, err
		}
		g := m.getter(a[2], !truth(a[1]))
		seen := map[any]bool{}
		var out []Value
		for _, v := range items {
			key, err := g.get(v)
			if err != nil {
				return nil, err
			}
			h, err := hashable(key)
			if err != nil {
				return nil, err
			}
			if !seen[h] {
				seen[h] = true
				out = append(out, v)
			}
		}
		return out, m.items(4 * len(items))
	}), nil
}
