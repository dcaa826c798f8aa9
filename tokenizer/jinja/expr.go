package jinja

import "slices"

// expr is an expression, ready to run.
type expr func(m *machine) Value

// step is what is done to a value: an operation behind it. Steps in a row are run one
// after the other, not inside of each other, so that only brackets make a stack deep.
type step func(m *machine, v Value) Value

func follow(e expr, steps []step) expr {
	if len(steps) == 0 {
		return e
	}
	return func(m *machine) Value {
		v := e(m)
		for _, s := range steps {
			v = s(m, v)
		}
		return v
	}
}

// constants are names with a fixed value.
var constants = map[string]Value{"true": true, "True": true, "false": false, "False": false, "none": nil, "None": nil}

func constant(v Value) expr { return func(*machine) Value { return v } }

func (m *machine) evalAll(all []expr) []Value {
	out := make([]Value, len(all))
	for i, e := range all {
		out[i] = e(m)
	}
	return out
}

func listOf(kind listKind, items []expr) expr {
	return func(m *machine) Value {
		m.items(len(items))
		return &List{items: m.evalAll(items), kind: kind}
	}
}

// tuple reads one expression, or several with commas, which are a tuple. Conditions are
// those of a if b else c; in parentheses there may be nothing; a word may end it.
func (p *parser) tuple(conditions, parentheses bool, end string) expr {
	var items []expr
	several := p.commas(end, func() { items = append(items, p.expression(conditions)) })
	if !several && items != nil {
		return items[0]
	}
	if t := p.current(); items == nil && !parentheses {
		panic(syntaxAt(t.line, "Expected an expression, got %s", quote(t.describe())))
	}
	return listOf(tuple, items)
}

// expression reads a or b, or with conditions a if b else c.
func (p *parser) expression(conditions bool) (e expr) {
	p.nest("brackets", func() {
		line := p.current().line
		e = p.or()
		for conditions && p.skipWord("if") {
			then, test := e, p.or()
			otherwise := constant(&Undefined{hint: "the inline if-expression on line " + repr0(line) + " evaluated to false and no else section was defined."})
			if p.skipWord("else") {
				otherwise = p.expression(true)
			}
			e = func(m *machine) Value {
				if truth(test(m)) {
					return then(m)
				}
				return otherwise(m)
			}
			line = p.current().line
		}
	})
	return e
}

func (p *parser) or() expr  { return p.logic("or", true, p.and) }
func (p *parser) and() expr { return p.logic("and", false, p.not) }

// logic reads operands with a word between them. The first whose truth decides is the value.
func (p *parser) logic(word string, decides bool, operand func() expr) expr {
	e := operand()
	if !p.isWord(word) {
		return e
	}
	var others []expr
	for p.skipWord(word) {
		others = append(others, operand())
	}
	return func(m *machine) Value {
		v := e(m)
		for _, other := range others {
			if truth(v) == decides {
				break
			}
			v = other(m)
		}
		return v
	}
}

func (p *parser) not() (e expr) {
	if !p.skipWord("not") {
		return p.compare()
	}
	p.nest("brackets", func() {
		operand := p.not()
		e = func(m *machine) Value { return !truth(operand(m)) }
	})
	return e
}

// compare reads comparisons, of which a chain holds if each does.
func (p *parser) compare() expr {
	first, line := p.sum(), p.current().line
	var ops []string
	var operands []expr
	for {
		op := string(p.current().kind)
		switch {
		case slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, op):
			p.next()
		case p.skipWord("in"):
			op = "in"
		case p.isWord("not") && p.tokens[p.at+1].kind == tokName && p.tokens[p.at+1].text == "in":
			p.next()
			p.next()
			op = "not in"
		case ops == nil:
			return first
		default:
			return func(m *machine) Value {
				left := first(m)
				for i, op := range ops {
					right := operands[i](m)
					if m.line = line; !m.relation(op, left, right) {
						return false
					}
					left = right
				}
				return true
			}
		}
		ops, operands = append(ops, op), append(operands, p.sum())
	}
}

// binary reads operators of one rank, from left to right.
func (p *parser) binary(operand func() expr, ops ...kind) expr {
	e := operand()
	var steps []step
	for slices.Contains(ops, p.current().kind) {
		t := p.next()
		right := operand()
		steps = append(steps, func(m *machine, v Value) Value {
			b := right(m)
			m.line = t.line
			m.step(1)
			return m.binary(string(t.kind), v, b)
		})
	}
	return follow(e, steps)
}

func (p *parser) sum() expr     { return p.binary(p.concat, "+", "-") }
func (p *parser) product() expr { return p.binary(p.power, "*", "/", "//", "%") }
func (p *parser) power() expr   { return p.binary(func() expr { return p.unary(true) }, "**") }

func (p *parser) concat() expr {
	first, line := p.product(), p.current().line
	if !p.is("~") {
		return first
	}
	items := []expr{first}
	for p.skip("~") {
		items = append(items, p.product())
	}
	return func(m *machine) Value {
		values := m.evalAll(items)
		m.line = line
		return m.concat(values, emptyText)
	}
}

func (p *parser) unary(filters bool) (e expr) {
	if t := p.current(); t.kind == "-" || t.kind == "+" {
		p.next()
		p.nest("brackets", func() {
			operand := p.unary(false)
			e = func(m *machine) Value {
				v := operand(m)
				m.line = t.line
				return sign(string(t.kind), v)
			}
		})
	} else {
		e = p.primary()
	}
	if e, _ = p.postfix(e); filters {
		e = p.filtersAndTests(e)
	}
	return e
}

func (p *parser) primary() (e expr) {
	t := p.next()
	switch t.kind {
	case tokName:
		if v, ok := constants[t.text]; ok {
			return constant(v)
		}
		id, name := p.load(t.text), String(t.text)
		return func(m *machine) Value {
			if v := m.lookup(id); v != missing {
				return v
			}
			return &Undefined{of: missing, name: name}
		}
	case tokString:
		text := t.text
		for p.is(tokString) {
			text += p.next().text
		}
		return constant(String(text))
	case tokInteger, tokFloat:
		return constant(t.value)
	case "(":
		p.nest("brackets", func() { e = p.tuple(true, true, "") })
		p.expect(")")
		return e
	case "[":
		var items []expr
		p.list("]", true, func() { items = append(items, p.expression(true)) })
		return listOf(list, items)
	case "{":
		return p.dict(t.line)
	}
	panic(syntaxAt(t.line, "unexpected %s", quote(t.describe())))
}

func (p *parser) dict(line int) expr {
	var keys, values []expr
	p.list("}", true, func() {
		keys = append(keys, p.expression(true))
		p.expect(":")
		values = append(values, p.expression(true))
	})
	return func(m *machine) Value {
		d := NewDict()
		for i := range keys {
			k, v := keys[i](m), values[i](m)
			m.line = line
			d.put(k, v)
		}
		m.items(2 * len(d.keys))
		return d
	}
}

// postfix reads attributes, items and calls; call are the arguments if one is the last.
func (p *parser) postfix(e expr) (_ expr, call *arguments) {
	var steps []step
	for {
		var s step
		switch p.current().kind {
		case ".":
			s, call = p.attribute()
		case "[":
			s, call = p.subscript(), nil
		case "(":
			s, call = p.call()
		default:
			return follow(e, steps), call
		}
		steps = append(steps, s)
	}
}

// attribute reads .name or .0, and a call of it, which makes no value of a method.
func (p *parser) attribute() (step, *arguments) {
	line := p.next().line
	t := p.next()
	if t.kind == tokInteger {
		return itemOf(constant(t.value), line), nil
	}
	checkSyntax(t.kind == tokName, t.line, "expected name or number")
	name := String(t.text)
	if !p.is("(") {
		return func(m *machine, v Value) Value {
			m.line = line
			return m.attribute(v, name)
		}, nil
	}
	a := p.arguments()
	return func(m *machine, v Value) Value {
		m.step(1)
		if method := methodOf(v, name.text); method != nil {
			return method.call(m, a.eval(m, v))
		}
		m.line = line
		f := m.attribute(v, name)
		return m.call(f, a.eval(m, missing))
	}, a
}

func (p *parser) call() (step, *arguments) {
	a := p.arguments()
	return func(m *machine, v Value) Value {
		m.step(1)
		return m.call(v, a.eval(m, missing))
	}, a
}

// subscript reads [key].
func (p *parser) subscript() step {
	line := p.next().line
	var keys []expr
	p.list("]", false, func() { keys = append(keys, p.key()) })
	if len(keys) == 1 {
		return itemOf(keys[0], line)
	}
	return itemOf(listOf(tuple, keys), line)
}

func itemOf(key expr, line int) step {
	return func(m *machine, v Value) Value {
		k := key(m)
		m.line = line
		return m.item(v, k)
	}
}

// sliceValue is the key of a slice.
type sliceValue struct{ parts [3]Value }

// key reads what stands in brackets: an expression, or a slice of up to three.
func (p *parser) key() expr {
	parts := [3]expr{constant(nil), constant(nil), constant(nil)}
	for i := range parts {
		if !p.is(":") && (i == 0 || !p.is("]") && !p.is(",")) {
			parts[i] = p.expression(true)
			if i == 0 && !p.is(":") {
				return parts[0]
			}
		}
		if i == 2 || !p.skip(":") {
			break
		}
	}
	return func(m *machine) Value { return &sliceValue{[3]Value{parts[0](m), parts[1](m), parts[2](m)}} }
}

// arguments are those of a call, as they are written.
type arguments struct {
	plain, named []expr
	names        []string
	star, stars  expr
	caller       *macro // of a call block
	line         int
}

func (p *parser) arguments() *arguments {
	a := &arguments{line: p.next().line}
	p.list(")", true, func() {
		invalid := a.stars != nil
		switch {
		case p.skip("*"):
			invalid = invalid || a.star != nil
			a.star = p.expression(true)
		case p.skip("**"):
			a.stars = p.expression(true)
		case p.is(tokName) && p.tokens[p.at+1].kind == "=":
			a.names = append(a.names, p.next().text)
			p.next()
			a.named = append(a.named, p.expression(true))
		default:
			invalid = invalid || a.star != nil || a.names != nil
			a.plain = append(a.plain, p.expression(true))
		}
		checkSyntax(!invalid, a.line, "invalid syntax for function call expression")
	})
	return a
}

// eval gives the arguments, with first before them if it is not missing.
func (a *arguments) eval(m *machine, first Value) *args {
	out := &args{names: a.names}
	out.plain = out.few[:0]
	if first != missing {
		out.plain = append(out.plain, first)
	}
	for _, e := range a.plain {
		out.plain = append(out.plain, e(m))
	}
	if a.named != nil {
		out.named = m.evalAll(a.named)
	}
	if a.star != nil {
		out.plain = append(out.plain, m.iterate(a.star(m))...)
	}
	if a.stars != nil {
		d := dictOrFail(a.stars(m))
		for i, k := range d.keys {
			out.name(textOf(k).text, d.values[i])
		}
	}
	if a.caller != nil {
		out.name("caller", &macroValue{a.caller, m.scope})
	}
	m.line = a.line
	return out
}

// call calls a value.
func (m *machine) call(f Value, a *args) Value {
	switch f := f.(type) {
	case *function:
		return f.call(m, a)
	case *macroValue:
		return f.call(m, a)
	case *loopValue:
		return f.call(m, a)
	case *joinerValue:
		if !f.used {
			f.used = true
			return emptyText
		}
		return f.separator
	}
	defined(f)
	panic(raise(typeError, "%s object is not callable", quote(typeName(f))))
}

// filtersAndTests reads filters, tests, and calls of what they give.
func (p *parser) filtersAndTests(e expr) expr {
	var steps []step
	for {
		switch {
		case p.skip("|"):
			steps = append(steps, p.filter())
		case p.skipWord("is"):
			steps = append(steps, p.test())
		case p.is("("):
			s, _ := p.call()
			steps = append(steps, s)
		default:
			return follow(e, steps)
		}
	}
}

// filters reads filters of what a block writes; the first may have no bar before it.
func (p *parser) filters(bar bool) expr {
	var steps []step
	for !bar || p.skip("|") {
		steps = append(steps, p.filter())
		bar = true
	}
	return follow(held, steps)
}

func (p *parser) filter() step {
	a := &arguments{line: p.current().line}
	line, filter := a.line, p.known("filter", filters)
	if p.is("(") {
		a = p.arguments()
	}
	return func(m *machine, v Value) Value {
		given := a.eval(m, v)
		m.line = line
		m.step(1)
		return filter.call(m, given)
	}
}

func (p *parser) test() step {
	line := p.current().line
	negated, a := p.skipWord("not"), &arguments{line: line}
	test := p.known("test", tests)
	switch next := p.current(); next.kind {
	case "(":
		a = p.arguments()
	case tokName, tokString, tokInteger, tokFloat, "[", "{":
		if p.isWord("else") || p.isWord("or") || p.isWord("and") {
			break
		}
		checkSyntax(!p.isWord("is"), next.line, "You cannot chain multiple tests with is")
		argument, _ := p.postfix(p.primary())
		a.plain = []expr{argument}
	}
	return func(m *machine, v Value) Value {
		given := a.eval(m, v)
		m.line = line
		out := test.call(m, given)
		if negated {
			return !truth(out)
		}
		return out
	}
}
