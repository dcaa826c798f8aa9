package jinja

import (
	"errors"
	"slices"
)

// stmt is a statement, a text or a printed expression.
type stmt interface {
	exec(m *machine) error
}

// target is what can be assigned to.
type target interface {
	assign(m *machine, v Value) error
}

type (
	group     []stmt
	textNode  struct{ text string }
	printNode struct{ value expr }
	setNode   struct {
		target target
		value  expr
		line   int
	}
	setBlockNode struct {
		target target
		filter expr // of a heldNode, or a heldNode itself
		body   []stmt
		line   int
	}
	filterBlockNode struct {
		filter expr
		body   []stmt
		line   int
	}
	ifNode struct {
		tests     []expr
		bodies    [][]stmt
		otherwise []stmt
	}
	forNode struct {
		target          target
		items, filter   expr
		recursive       bool
		body, otherwise []stmt
		loop            int // the name loop
		line            int
	}
	withNode struct {
		targets []target
		values  []expr
		body    []stmt
		line    int
	}
	scopeNode      struct{ body []stmt }
	generationNode struct{ scopeNode }
	jumpNode       struct{ again bool }
	macroParam     struct {
		name  string
		id    int
		value expr // the default; nil: none
	}
	macroNode struct {
		name                                string
		id                                  int
		params                              []macroParam
		body                                []stmt
		line                                int
		caller, varargs, kwargs             int // names
		usesCaller, usesVarargs, usesKwargs bool
		ownCaller                           bool // a parameter is called so
	}
	callBlockNode struct {
		call   *callNode
		caller *macroNode
		line   int
	}
)

type (
	nameTarget  struct{ id int }
	tupleTarget struct{ items []target }
	attrTarget  struct {
		id   int
		attr string
		line int
	}
)

// run runs statements in the scope that there is.
func (m *machine) run(body []stmt) error {
	for _, s := range body {
		if err := s.exec(m); err != nil {
			return err
		}
	}
	return nil
}

// inScope runs statements in a scope of their own.
func (m *machine) inScope(s *scope, body []stmt) error {
	outer := m.scope
	m.scope = s
	err := m.run(body)
	m.scope = outer
	return err
}

// capture runs statements in a scope of their own and leaves what they write in out,
// which is put back by the function that it gives.
func (m *machine) capture(s *scope, body []stmt) (restore func(), err error) {
	out := m.out
	m.out = &rope{block: out.block}
	return func() { m.out = out }, m.inScope(s, body)
}

// written is what statements write, as a string.
func (m *machine) written(s *scope, body []stmt) (*Str, error) {
	restore, err := m.capture(s, body)
	defer restore()
	if err != nil {
		return nil, err
	}
	text := m.out.value()
	return text, m.spend(len(text.text))
}

func (g group) exec(m *machine) error { return m.run(g) }

func (n *textNode) exec(m *machine) error {
	m.out.text(n.text)
	return m.wrote(len(n.text))
}

// wrote counts bytes of output.
func (m *machine) wrote(n int) error {
	if len(m.out.buf) > maxText {
		return limit("writes more than %d MiB", maxText>>20)
	}
	return m.step(n>>6 + 1)
}

func (n *printNode) exec(m *machine) error {
	v, err := n.value.eval(m)
	if err != nil {
		return err
	}
	s, err := m.str(v)
	if err != nil {
		return err
	}
	m.out.str(s)
	return m.wrote(len(s.text))
}

func (n *setNode) exec(m *machine) error {
	v, err := n.value.eval(m)
	if err != nil {
		return err
	}
	m.line = n.line
	if err := m.step(1); err != nil {
		return err
	}
	return n.target.assign(m, v)
}

func (t *nameTarget) assign(m *machine, v Value) error {
	m.scope.set(t.id, v)
	return nil
}

func (t *tupleTarget) assign(m *machine, v Value) error {
	items, err := m.iterate(v)
	if err != nil {
		return raise(typeError, "cannot unpack non-iterable %s object", typeName(v))
	}
	switch {
	case len(items) < len(t.items):
		return raise(valueError, "not enough values to unpack (expected %d, got %d)", len(t.items), len(items))
	case len(items) > len(t.items):
		return raise(valueError, "too many values to unpack (expected %d)", len(t.items))
	}
	for i, item := range items {
		if err := t.items[i].assign(m, item); err != nil {
			return err
		}
	}
	return nil
}

// eval is never reached: an attrTarget is only parsed where something is assigned.
func (t *attrTarget) eval(*machine) (Value, error) {
	return nil, raise(runtimeError, "cannot read a target")
}

func (t *attrTarget) assign(m *machine, v Value) error {
	m.line = t.line
	ns, ok := m.lookup(t.id).(*Namespace)
	if !ok {
		return raise(runtimeError, "cannot assign attribute on non-namespace object")
	}
	if err := checkAttribute(t.attr); err != nil {
		return err
	}
	ns.attrs.Set(t.attr, v)
	return m.items(1)
}

func (n *setBlockNode) exec(m *machine) error {
	v, err := m.filtered(n.filter, n.body)
	if err != nil {
		return err
	}
	m.line = n.line
	return n.target.assign(m, v)
}

// filtered is what a filter makes of what statements write.
func (m *machine) filtered(filter expr, body []stmt) (Value, error) {
	restore, err := m.capture(&scope{parent: m.scope}, body)
	defer restore()
	if err != nil {
		return nil, err
	}
	if err := m.spend(len(m.out.buf)); err != nil {
		return nil, err
	}
	return filter.eval(m)
}

func (n *filterBlockNode) exec(m *machine) error {
	v, err := m.filtered(n.filter, n.body)
	if err != nil {
		return err
	}
	s, err := m.str(v)
	if err != nil {
		return err
	}
	m.out.str(s)
	return m.wrote(len(s.text))
}

func (n *ifNode) exec(m *machine) error {
	for i, test := range n.tests {
		v, err := test.eval(m)
		if err != nil {
			return err
		}
		if truth(v) {
			return m.run(n.bodies[i])
		}
	}
	return m.run(n.otherwise)
}

// A loop is left, or goes on with its next item, by one of these.
var (
	errBreak    = errors.New("break")
	errContinue = errors.New("continue")
)

func (n *jumpNode) exec(*machine) error {
	if n.again {
		return errContinue
	}
	return errBreak
}

func (n *forNode) exec(m *machine) error {
	v, err := n.items.eval(m)
	if err != nil {
		return err
	}
	m.line = n.line
	return n.over(m, v, m.scope, 0)
}

// over runs the loop over the items of v; outer is the scope that it stands in.
func (n *forNode) over(m *machine, v Value, outer *scope, depth int) error {
	items, err := m.iterate(v)
	if err != nil {
		return err
	}
	if n.filter != nil {
		if items, err = n.chosen(m, items, outer); err != nil {
			return err
		}
	}
	saved, item := m.scope, m.out.item
	defer func() { m.scope, m.out.item = saved, item }()
	l := &loopValue{node: n, items: items, outer: outer, depth: depth}
	for i, v := range items {
		l.at = i
		m.line = n.line
		if err := m.step(2); err != nil {
			return err
		}
		m.scope = &scope{parent: outer, ids: []int{n.loop}, values: []Value{l}}
		if d, ok := v.(*Dict); ok && d.item {
			m.out.item = d.origin
		}
		if err := n.target.assign(m, v); err != nil {
			return err
		}
		if err := m.run(n.body); err == errBreak {
			return nil
		} else if err != nil && err != errContinue {
			return err
		}
	}
	if len(items) == 0 {
		m.out.item = item
		return m.inScope(&scope{parent: outer}, n.otherwise)
	}
	return nil
}

// chosen are the items that the loop's own condition holds for.
func (n *forNode) chosen(m *machine, items []Value, outer *scope) ([]Value, error) {
	saved := m.scope
	defer func() { m.scope = saved }()
	var out []Value
	for _, v := range items {
		m.scope = &scope{parent: outer}
		if err := m.step(1); err != nil {
			return nil, err
		}
		if err := n.target.assign(m, v); err != nil {
			return nil, err
		}
		yes, err := n.filter.eval(m)
		if err != nil {
			return nil, err
		}
		if truth(yes) {
			out = append(out, v)
		}
	}
	return out, nil
}

// loopValue is the variable loop.
type loopValue struct {
	node    *forNode
	items   []Value
	at      int
	depth   int
	outer   *scope
	changed []Value // the arguments of the last loop.changed; nil: not called yet
}

// attribute gives what a loop tells.
func (l *loopValue) attribute(name string) (Value, bool) {
	n := len(l.items)
	switch name {
	case "index":
		return l.at + 1, true
	case "index0":
		return l.at, true
	case "first":
		return l.at == 0, true
	case "last":
		return l.at == n-1, true
	case "length":
		return n, true
	case "revindex":
		return n - l.at, true
	case "revindex0":
		return n - l.at - 1, true
	case "depth":
		return l.depth + 1, true
	case "depth0":
		return l.depth, true
	case "previtem":
		if l.at == 0 {
			return &Undefined{hint: "there is no previous item"}, true
		}
		return l.items[l.at-1], true
	case "nextitem":
		if l.at == n-1 {
			return &Undefined{hint: "there is no next item"}, true
		}
		return l.items[l.at+1], true
	}
	return nil, false
}

// cycle is loop.cycle(a, b, …).
func (l *loopValue) cycle(_ *machine, a *args) (Value, error) {
	if len(a.plain) == 0 {
		return nil, raise(typeError, "no items for cycling given")
	}
	return a.plain[l.at%len(a.plain)], nil
}

// change is loop.changed(a, b, …).
func (l *loopValue) change(m *machine, a *args) (Value, error) {
	if l.changed != nil && len(l.changed) == len(a.plain) {
		same, err := m.equalItems(l.changed, a.plain, 0)
		if same || err != nil {
			return false, err
		}
	}
	l.changed = slices.Clone(a.plain)
	if l.changed == nil {
		l.changed = []Value{}
	}
	return true, nil
}

// recurse is loop(items): the loop's text over other items.
func (l *loopValue) recurse(m *machine, items Value) (Value, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.leave()
	out := m.out
	m.out = &rope{block: out.block}
	defer func() { m.out = out }()
	if err := l.node.over(m, items, l.outer, l.depth+1); err != nil {
		return nil, err
	}
	text := m.out.value()
	return text, m.spend(len(text.text))
}

func (n *withNode) exec(m *machine) error {
	values, err := m.evalAll(n.values)
	if err != nil {
		return err
	}
	outer := m.scope
	m.scope = &scope{parent: outer}
	defer func() { m.scope = outer }()
	for i, t := range n.targets {
		m.line = n.line
		if err := t.assign(m, values[i]); err != nil {
			return err
		}
	}
	return m.run(n.body)
}

func (n *scopeNode) exec(m *machine) error { return m.inScope(&scope{parent: m.scope}, n.body) }

func (n *generationNode) exec(m *machine) error {
	outer := m.out.block
	m.blocks++
	m.out.block = m.blocks
	err := n.scopeNode.exec(m)
	m.out.block = outer
	return err
}

// reads notes that a macro's body reads one of the names that a call fills.
func (n *macroNode) reads(name string) {
	n.usesCaller = n.usesCaller || name == "caller"
	n.usesVarargs = n.usesVarargs || name == "varargs"
	n.usesKwargs = n.usesKwargs || name == "kwargs"
}

// quoted is the macro's name in messages: that of a call block is None.
func (n *macroNode) quoted() string {
	if n.name == "" {
		return "None"
	}
	return quote(n.name)
}

// macroValue is a macro with the scope it was defined in.
type macroValue struct {
	node  *macroNode
	scope *scope
}

func (n *macroNode) exec(m *machine) error {
	m.scope.set(n.id, &macroValue{n, m.scope})
	return m.step(1)
}

func (n *callBlockNode) exec(m *machine) error {
	v, err := n.call.with(m, &macroValue{n.caller, m.scope})
	if err != nil {
		return err
	}
	s, err := m.str(v)
	if err != nil {
		return err
	}
	m.out.str(s)
	return m.wrote(len(s.text))
}

// call runs a macro, as jinja2's Macro.__call__ gives out the arguments.
func (v *macroValue) call(m *machine, a *args) (Value, error) {
	n := v.node
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.leave()
	inner := &scope{parent: v.scope}
	rest := NewDict()
	for i, name := range a.names {
		rest.Set(name, a.named[i])
	}
	given := make([]Value, len(n.params))
	for i, param := range n.params {
		given[i] = missing
		if i < len(a.plain) {
			given[i] = a.plain[i]
		} else if value, ok := rest.Get(param.name); ok {
			given[i] = value
			rest.Delete(param.name)
		}
	}
	if n.usesCaller && !n.ownCaller {
		caller, _ := rest.Get("caller")
		rest.Delete("caller")
		if caller == nil {
			caller = &Undefined{hint: "No caller defined"}
		}
		inner.set(n.caller, caller)
	}
	if err := n.extra(inner, a, rest); err != nil {
		return nil, err
	}
	outer := m.scope
	m.scope = inner
	defer func() { m.scope = outer }()
	for i, param := range n.params {
		value := given[i]
		if value == missing {
			value = &Undefined{hint: "parameter " + quote(param.name) + " was not provided"}
			if param.value != nil {
				var err error
				if value, err = param.value.eval(m); err != nil {
					return nil, err
				}
			}
		}
		inner.set(param.id, value)
	}
	return m.written(inner, n.body)
}

// extra gives a macro what it has no parameters for, or says so.
func (n *macroNode) extra(inner *scope, a *args, rest *Dict) error {
	if n.usesKwargs {
		inner.set(n.kwargs, rest)
	} else if rest.Len() > 0 {
		if _, ok := rest.Get("caller"); ok {
			return raise(typeError, "macro %s was invoked with two values for the special caller argument. This is most likely a bug.", n.quoted())
		}
		return raise(typeError, "macro %s takes no keyword argument %s", n.quoted(), quote(rest.Keys()[0]))
	}
	if n.usesVarargs {
		inner.set(n.varargs, newTuple(a.plain[min(len(a.plain), len(n.params)):]...))
	} else if len(a.plain) > len(n.params) {
		return raise(typeError, "macro %s takes not more than %d argument(s)", n.quoted(), len(n.params))
	}
	return nil
}
