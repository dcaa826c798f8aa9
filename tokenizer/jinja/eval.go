package jinja

import (
	"errors"
	"maps"
	"slices"
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
	heldNode  struct{} // what a filter block filters
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

// Names are the variables and functions that the template reads or sets.
func (t *Template) Names() []string { return slices.Sorted(maps.Keys(t.names)) }
