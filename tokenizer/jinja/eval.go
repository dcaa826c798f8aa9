package jinja

import (
	"errors"
	"maps"
	"slices"
	"unicode/utf8"
)

// Template is a template that was read. Renderings may run at the same time.
type Template struct {
	name       string
	body       []stmt
	names      map[string]int
	Generation bool // it has {% generation %} blocks
}

// Text is a rendering.
type Text struct {
	String string
	Pieces []Piece // what is not plainly the template's, in order
}

// Render runs the template. A nil budget is a new one.
func (t *Template) Render(variables map[string]Value, budget *Budget) (Text, error) {
	if budget == nil {
		budget = NewBudget()
	}
	m := &machine{budget: budget, globals: make([]Value, len(t.names)), out: &rope{}}
	m.scope = &m.top
	for name, id := range t.names {
		m.globals[id] = missing
		if v, ok := variables[name]; ok {
			m.globals[id] = v
		} else if f := globals[name]; f != nil {
			m.globals[id] = f
		}
	}
	if err := m.run(t.body); err != nil {
		var e *Error
		if errors.As(err, &e) && e.Name == "" { // an error may be one value for all renderings
			return Text{}, &Error{Name: t.name, Line: max(m.line, 1), Kind: e.Kind, Message: e.Message}
		}
		return Text{}, err
	}
	return Text{String: string(m.out.buf), Pieces: m.out.pieces}, nil
}

// machine is one rendering.
type machine struct {
	budget  *Budget
	globals []Value // by a name's number; missing: none
	top     scope
	scope   *scope
	out     *rope
	line    int
	depth   int // macros in one another
	blocks  int // generation blocks run so far
}

// missing is the value of a variable that is not there.
var missing Value = &struct{ name string }{"missing"}

// scope holds the variables of a loop's pass, a macro's call or a block.
type scope struct {
	parent *scope
	ids    []int
	values []Value
}

func (s *scope) set(id int, v Value) {
	for i, have := range s.ids {
		if have == id {
			s.values[i] = v
			return
		}
	}
	s.ids, s.values = append(s.ids, id), append(s.values, v)
}

func (m *machine) lookup(id int) Value {
	for s := m.scope; s != nil; s = s.parent {
		for i, have := range s.ids {
			if have == id {
				return s.values[i]
			}
		}
	}
	return m.globals[id]
}

// expr is a part of an expression.
type expr interface {
	eval(m *machine) (Value, error)
}

type (
	constNode struct{ value Value }
	heldNode  struct{ value Value } // what a filter block filters
	nameNode  struct {
		id   int
		name string
		line int
	}
	listNode struct {
		items []expr
		tuple bool
		line  int
	}
	dictNode struct {
		keys, values []expr
		line         int
	}
	condNode struct {
		test, then, otherwise expr
		line                  int
	}
	logicNode struct {
		left, right expr
		or          bool
	}
	notNode     struct{ value expr }
	compareNode struct {
		first expr
		ops   []string
		rest  []expr
		line  int
	}
	binaryNode struct {
		op          string
		left, right expr
		line        int
	}
	concatNode struct {
		items []expr
		line  int
	}
	signNode struct {
		op    string
		value expr
		line  int
	}
	attrNode struct {
		of   expr
		name *Str
		line int
	}
	itemNode struct {
		of, key expr
		line    int
	}
	sliceNode  struct{ parts [3]expr }
	sliceValue struct{ parts [3]Value }
	arguments  struct {
		plain, named []expr
		names        []string
		star, stars  expr
	}
	callNode struct {
		f    expr
		args arguments
		line int
	}
	filterNode struct {
		value  expr
		name   string
		args   arguments
		filter *builtin
		line   int
	}
	testNode struct {
		value   expr
		name    string
		args    arguments
		test    *builtin
		negated bool
		line    int
	}
)

func (n *constNode) eval(*machine) (Value, error) { return n.value, nil }

func (n *heldNode) eval(m *machine) (Value, error) { return m.out.value(), nil }

func (n *nameNode) eval(m *machine) (Value, error) {
	if v := m.lookup(n.id); v != missing {
		return v, nil
	}
	return &Undefined{name: String(n.name)}, nil
}

func (m *machine) evalAll(nodes []expr) ([]Value, error) {
	out := make([]Value, len(nodes))
	for i, e := range nodes {
		v, err := e.eval(m)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func (n *listNode) eval(m *machine) (Value, error) {
	items, err := m.evalAll(n.items)
	if err != nil {
		return nil, err
	}
	l := &List{items: items}
	if n.tuple {
		l.kind = tuple
	}
	return l, m.items(len(items))
}

func (n *dictNode) eval(m *machine) (Value, error) {
	d := NewDict()
	for i := range n.keys {
		k, err := n.keys[i].eval(m)
		if err != nil {
			return nil, err
		}
		v, err := n.values[i].eval(m)
		if err != nil {
			return nil, err
		}
		m.line = n.line
		h, err := hashable(k)
		if err != nil {
			return nil, err
		}
		d.put(k, h, v)
	}
	return d, m.items(2 * len(d.keys))
}

func (n *condNode) eval(m *machine) (Value, error) {
	test, err := n.test.eval(m)
	switch {
	case err != nil:
		return nil, err
	case truth(test):
		return n.then.eval(m)
	case n.otherwise != nil:
		return n.otherwise.eval(m)
	}
	return &Undefined{hint: "the inline if-expression on line " + repr0(n.line) + " evaluated to false and no else section was defined."}, nil
}

func (n *logicNode) eval(m *machine) (Value, error) {
	left, err := n.left.eval(m)
	if err != nil || truth(left) == n.or {
		return left, err
	}
	return n.right.eval(m)
}

func (n *notNode) eval(m *machine) (Value, error) {
	v, err := n.value.eval(m)
	return !truth(v), err
}

func (n *compareNode) eval(m *machine) (Value, error) {
	left, err := n.first.eval(m)
	if err != nil {
		return nil, err
	}
	for i, op := range n.ops {
		right, err := n.rest[i].eval(m)
		if err != nil {
			return nil, err
		}
		m.line = n.line
		yes, err := m.relation(op, left, right)
		if err != nil || !yes {
			return yes, err
		}
		left = right
	}
	return true, nil
}

func (m *machine) relation(op string, left, right Value) (bool, error) {
	switch op {
	case "==":
		return m.equal(left, right, 0)
	case "!=":
		same, err := m.equal(left, right, 0)
		return !same, err
	case "in":
		return m.contains(right, left)
	case "not in":
		in, err := m.contains(right, left)
		return !in, err
	}
	return m.compare(op, left, right, 0)
}

func (n *binaryNode) eval(m *machine) (Value, error) {
	left, err := n.left.eval(m)
	if err != nil {
		return nil, err
	}
	right, err := n.right.eval(m)
	if err != nil {
		return nil, err
	}
	m.line = n.line
	if err := m.step(1); err != nil {
		return nil, err
	}
	if a, ok := left.(*Str); ok && n.op == "+" {
		if b, ok := right.(*Str); ok {
			return m.join(a, b)
		}
	}
	return m.binary(n.op, left, right)
}

func (n *concatNode) eval(m *machine) (Value, error) {
	items, err := m.evalAll(n.items)
	if err != nil {
		return nil, err
	}
	m.line = n.line
	return m.concat(items, nil)
}

// concat puts the texts of values together.
func (m *machine) concat(items []Value, separator *Str) (*Str, error) {
	size := 0
	texts := make([]*Str, len(items))
	for i, v := range items {
		s, err := m.str(v)
		if err != nil {
			return nil, err
		}
		texts[i] = s
		if size += len(s.text); separator != nil {
			size += len(separator.text)
		}
		if size > maxText {
			break
		}
	}
	if err := m.spend(size); err != nil {
		return nil, err
	}
	r := rope{buf: make([]byte, 0, size)}
	for i, s := range texts {
		if i > 0 && separator != nil {
			r.str(separator)
		}
		r.str(s)
	}
	return r.value(), nil
}

func (n *signNode) eval(m *machine) (Value, error) {
	v, err := n.value.eval(m)
	if err != nil {
		return nil, err
	}
	m.line = n.line
	return sign(n.op, v)
}

func (n *attrNode) eval(m *machine) (Value, error) {
	of, err := n.of.eval(m)
	if err != nil {
		return nil, err
	}
	m.line = n.line
	return m.attribute(of, n.name)
}

// attribute is v.name: an attribute, or else an item.
func (m *machine) attribute(v Value, name *Str) (Value, error) {
	if err := m.step(1); err != nil {
		return nil, err
	}
	a, found, err := m.ownAttribute(v, name.text)
	if found || err != nil {
		return a, err
	}
	switch v := v.(type) {
	case *Dict:
		if item, ok := v.Get(name.text); ok {
			return item, nil
		}
	case *Undefined:
		return nil, v.fail()
	}
	return &Undefined{of: v, any: true, name: name}, nil
}

func (n *itemNode) eval(m *machine) (Value, error) {
	of, err := n.of.eval(m)
	if err != nil {
		return nil, err
	}
	key, err := n.key.eval(m)
	if err != nil {
		return nil, err
	}
	m.line = n.line
	return m.item(of, key)
}

// item is v[key]: an item, or else an attribute.
func (m *machine) item(v, key Value) (Value, error) {
	if err := m.step(1); err != nil {
		return nil, err
	}
	switch key := key.(type) {
	case *sliceValue:
		return m.slice(v, key)
	case *Str:
		switch v := v.(type) {
		case *Dict:
			if item, ok := v.Get(key.text); ok {
				return item, nil
			}
		case *Undefined:
			return nil, v.fail()
		}
		if a, found, err := m.ownAttribute(v, key.text); found || err != nil {
			return a, err
		}
		return &Undefined{of: v, any: true, name: key}, nil
	}
	switch v := v.(type) {
	case *Dict:
		h, err := hashable(key)
		if err != nil {
			if raised(err, typeError) {
				err = nil
			}
			return &Undefined{of: v, any: true, name: key}, err
		}
		if i := v.find(h); i >= 0 {
			return v.values[i], nil
		}
	case *Undefined:
		return nil, v.fail()
	case *Str, *List:
		if i, ok := asInt(key); ok {
			if item, ok := m.nth(v, i); ok {
				return item, nil
			}
		}
	}
	return &Undefined{of: v, any: true, name: key}, nil
}

// nth is an item of a string or list, from the end where i is negative.
func (m *machine) nth(v Value, i int) (Value, bool) {
	switch v := v.(type) {
	case *List:
		if v.kind == keysView || v.kind == valuesView || v.kind == itemsView {
			return nil, false
		}
		if i < 0 {
			i += len(v.items)
		}
		if 0 <= i && i < len(v.items) {
			return v.items[i], true
		}
	case *Str:
		n, ascii := runes(v.text)
		if i < 0 {
			i += n
		}
		if i < 0 || i >= n {
			return nil, false
		}
		m.budget.Steps -= len(v.text) >> 6
		at := i
		if !ascii {
			at = byteOf(v.text, i)
		}
		_, size := utf8.DecodeRuneInString(v.text[at:])
		return v.slice(at, at+size), true
	}
	return nil, false
}

// runes counts the characters of s, and says whether each is a byte.
func runes(s string) (n int, ascii bool) {
	n = utf8.RuneCountInString(s)
	return n, n == len(s)
}

// byteOf is where character i of s begins.
func byteOf(s string, i int) int {
	for at := range s {
		if i == 0 {
			return at
		}
		i--
	}
	return len(s)
}

func (n *sliceNode) eval(m *machine) (Value, error) {
	s := &sliceValue{}
	for i, e := range n.parts {
		if e == nil {
			continue
		}
		v, err := e.eval(m)
		if err != nil {
			return nil, err
		}
		s.parts[i] = v
	}
	return s, nil
}

// slice is v[start:stop:step].
func (m *machine) slice(v Value, s *sliceValue) (Value, error) {
	var n int
	ascii := false
	switch v := v.(type) {
	case *Str:
		n, ascii = runes(v.text)
	case *List:
		if v.kind == keysView || v.kind == valuesView || v.kind == itemsView {
			return nil, raise(typeError, "%s object is not subscriptable", quote(typeName(v)))
		}
		n = len(v.items)
	case *Undefined:
		return nil, v.fail()
	case *Dict:
		return nil, raise(typeError, "unhashable type: 'slice'")
	default:
		return nil, raise(typeError, "%s object is not subscriptable", quote(typeName(v)))
	}
	start, stop, step, err := s.indices(n)
	if err != nil {
		return nil, err
	}
	if text, ok := v.(*Str); ok {
		return m.sliceText(text, start, stop, step, ascii)
	}
	l := v.(*List)
	out := &List{kind: l.kind, origin: l.origin}
	if l.kind == groupTuple {
		out.kind = tuple
	}
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		out.items = append(out.items, l.items[i])
	}
	if l.kind == rangeList {
		b := l.bounds
		out.bounds = [3]int{b[0] + start*b[2], b[0] + stop*b[2], b[2] * step}
	}
	return out, m.items(len(out.items))
}

func (m *machine) sliceText(s *Str, start, stop, step int, ascii bool) (Value, error) {
	if err := m.spend(len(s.text) >> 2); err != nil {
		return nil, err
	}
	if step == 1 {
		stop = max(start, stop)
		if ascii {
			return s.slice(start, stop), nil
		}
		i := byteOf(s.text, start)
		return s.slice(i, i+byteOf(s.text[i:], stop-start)), nil
	}
	all, err := m.characters(s)
	if err != nil {
		return nil, err
	}
	var r rope
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		r.str(all[i].(*Str))
	}
	return r.value(), nil
}

// indices are those of Python's slice.indices, with a step that overflows nothing.
func (s *sliceValue) indices(n int) (start, stop, step int, err error) {
	var parts [3]int
	for i, v := range s.parts {
		if v == nil {
			continue
		}
		b, ok := asBig(v)
		if !ok {
			return 0, 0, 0, raise(typeError, "slice indices must be integers or None or have an __index__ method")
		}
		parts[i] = int(min(max(clampInt(b), -1<<40), 1<<40))
	}
	step = 1
	if s.parts[2] != nil {
		if step = parts[2]; step == 0 {
			return 0, 0, 0, raise(valueError, "slice step cannot be zero")
		}
	}
	low, high := 0, n
	if step < 0 {
		low, high = -1, n-1
	}
	bound := func(i, otherwise int) int {
		if s.parts[i] == nil {
			return otherwise
		}
		at := parts[i]
		if at < 0 {
			at += n
		}
		return min(max(at, low), high)
	}
	if step > 0 {
		return bound(0, 0), bound(1, n), step, nil
	}
	return bound(0, n-1), bound(1, -1), step, nil
}

// args are the arguments of a call.
type args struct {
	plain []Value
	names []string
	named []Value
}

func (a *arguments) eval(m *machine) (*args, error) {
	if a.star == nil && a.stars == nil && a.names == nil && len(a.plain) == 0 {
		return &args{}, nil
	}
	out := &args{names: a.names}
	var err error
	if out.plain, err = m.evalAll(a.plain); err != nil {
		return nil, err
	}
	if out.named, err = m.evalAll(a.named); err != nil {
		return nil, err
	}
	if a.star != nil {
		v, err := a.star.eval(m)
		if err != nil {
			return nil, err
		}
		more, err := m.iterate(v)
		if err != nil {
			return nil, raise(typeError, "Value after * must be an iterable, not %s", typeName(v))
		}
		out.plain = append(out.plain, more...)
	}
	if a.stars != nil {
		return out, m.starArguments(a.stars, out)
	}
	return out, nil
}

func (m *machine) starArguments(e expr, out *args) error {
	v, err := e.eval(m)
	if err != nil {
		return err
	}
	d, ok := v.(*Dict)
	if !ok {
		return raise(typeError, "Value after ** must be a mapping, not %s", typeName(v))
	}
	out.names, out.named = slices.Clone(out.names), slices.Clone(out.named)
	for i, k := range d.keys {
		s, ok := k.(*Str)
		if !ok {
			return raise(typeError, "keywords must be strings")
		}
		if slices.Contains(out.names, s.text) {
			return raise(typeError, "got multiple values for keyword argument %s", quote(s.text))
		}
		out.names, out.named = append(out.names, s.text), append(out.named, d.values[i])
	}
	return nil
}

func (n *callNode) eval(m *machine) (Value, error) { return n.with(m, nil) }

// with calls with one more named argument, caller, if that is not nil.
func (n *callNode) with(m *machine, caller *macroValue) (Value, error) {
	if err := m.step(1); err != nil {
		return nil, err
	}
	if attr, ok := n.f.(*attrNode); ok && caller == nil {
		of, err := attr.of.eval(m)
		if err != nil {
			return nil, err
		}
		if method := methodOf(of, attr.name.text); method != nil { // without making a value of it
			a, err := n.args.eval(m)
			if err != nil {
				return nil, err
			}
			m.line = n.line
			return method.call(m, of, a)
		}
		m.line = attr.line
		f, err := m.attribute(of, attr.name)
		if err != nil {
			return nil, err
		}
		return n.do(m, f, nil)
	}
	f, err := n.f.eval(m)
	if err != nil {
		return nil, err
	}
	return n.do(m, f, caller)
}

func (n *callNode) do(m *machine, f Value, caller *macroValue) (Value, error) {
	a, err := n.args.eval(m)
	if err != nil {
		return nil, err
	}
	if caller != nil {
		a = &args{a.plain, append(slices.Clone(a.names), "caller"), append(slices.Clone(a.named), caller)}
	}
	m.line = n.line
	return m.call(f, a)
}

// call calls a value.
func (m *machine) call(f Value, a *args) (Value, error) {
	switch f := f.(type) {
	case *function:
		return f.call(m, a)
	case *macroValue:
		return f.call(m, a)
	case *loopValue:
		if f.node == nil || !f.node.recursive {
			return nil, raise(typeError, "The loop must have the 'recursive' marker to be called recursively.")
		}
		if len(a.plain) != 1 || len(a.names) > 0 {
			return nil, raise(typeError, "LoopContext.__call__() takes 2 positional arguments but %d were given", 1+len(a.plain))
		}
		return f.recurse(m, a.plain[0])
	case *joinerValue:
		if !f.used {
			f.used = true
			return emptyText, nil
		}
		return f.separator, nil
	case *Undefined:
		return nil, f.fail()
	}
	return nil, raise(typeError, "%s object is not callable", quote(typeName(f)))
}

func (n *filterNode) eval(m *machine) (Value, error) {
	v, err := n.value.eval(m)
	if err != nil {
		return nil, err
	}
	m.line = n.line
	if n.filter == nil {
		return nil, raise(runtimeError, "No filter named %s found.", quote(n.name))
	}
	a, err := n.args.eval(m)
	if err != nil {
		return nil, err
	}
	m.line = n.line
	if err := m.step(1); err != nil {
		return nil, err
	}
	return n.filter.apply(m, v, a)
}

func (n *testNode) eval(m *machine) (Value, error) {
	v, err := n.value.eval(m)
	if err != nil {
		return nil, err
	}
	m.line = n.line
	if n.test == nil {
		return nil, raise(runtimeError, "No test named %s found.", quote(n.name))
	}
	a, err := n.args.eval(m)
	if err != nil {
		return nil, err
	}
	m.line = n.line
	out, err := n.test.apply(m, v, a)
	if err != nil {
		return nil, err
	}
	if n.negated {
		return !truth(out), nil
	}
	return out, nil
}

// Names are the variables and functions that the template reads or sets.
func (t *Template) Names() []string { return slices.Sorted(maps.Keys(t.names)) }
