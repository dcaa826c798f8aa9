package jinja

import "slices"

// constants are names with a fixed value.
var constants = map[string]bool{"true": true, "false": true, "True": true, "False": true, "none": true, "None": true}

// tupleRule says what a list of expressions with commas may hold.
type tupleRule struct {
	conditions  bool   // a if b else c
	parentheses bool   // it stands in some: () is a tuple
	targets     bool   // names and attributes of namespaces only
	namespace   bool   // of namespaces too
	end         string // a word that ends it
}

// tuple reads one expression, or several with commas, which are a tuple.
func (p *parser) tuple(r tupleRule) (expr, error) {
	var items []expr
	line, several := p.current().line, false
	for {
		if p.is(tokVarEnd) || p.is(tokBlockEnd) || p.is(")") || r.end != "" && p.isWord(r.end) {
			break
		}
		var e expr
		var err error
		if r.targets {
			e, err = p.primary(r.namespace)
		} else {
			e, err = p.expression(r.conditions)
		}
		if err != nil {
			return nil, err
		}
		items = append(items, e)
		if !p.skip(",") {
			break
		}
		several = true
	}
	if !several {
		if items != nil {
			return items[0], nil
		}
		if !r.parentheses {
			t := p.current()
			return nil, p.fail(t.line, "Expected an expression, got %s", quote(t.describe()))
		}
	}
	return &listNode{items: items, tuple: true, line: line}, nil
}

// target reads what is assigned to.
func (p *parser) target(r tupleRule) (target, error) {
	r.targets = true
	line := p.current().line
	e, err := p.tuple(r)
	if err != nil {
		return nil, err
	}
	return p.assignable(e, line)
}

func (p *parser) assignable(e expr, line int) (target, error) {
	switch e := e.(type) {
	case *nameNode:
		if e.name == "loop" && p.loops > 0 {
			return nil, &Error{Kind: assertionError, Line: line, Message: "Can't assign to special loop variable in for-loop target"}
		}
		return &nameTarget{e.id}, nil
	case *attrTarget:
		return e, nil
	case *listNode:
		if !e.tuple {
			return nil, p.fail(line, "can't assign to 'list'")
		}
		t := &tupleTarget{}
		for _, item := range e.items {
			one, err := p.assignable(item, line)
			if err != nil {
				return nil, p.fail(line, "can't assign to 'tuple'")
			}
			t.items = append(t.items, one)
		}
		return t, nil
	case *dictNode:
		return nil, p.fail(line, "can't assign to 'dict'")
	}
	return nil, p.fail(line, "can't assign to 'const'")
}

func (p *parser) expression(conditions bool) (expr, error) {
	if err := p.nest("brackets"); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	line, unknown := p.current().line, len(p.unknown)
	e, err := p.or()
	for n := 0; err == nil && conditions && p.skipWord("if"); n++ {
		c := &condNode{then: e, line: line}
		if c.test, err = p.or(); err != nil {
			return nil, err
		}
		if p.skipWord("else") {
			if c.otherwise, err = p.expression(true); err != nil {
				return nil, err
			}
		}
		for i := range p.unknown[unknown:] {
			p.unknown[unknown+i].soft = true
		}
		if e, err = c, p.chain(n); err != nil {
			return nil, err
		}
	}
	return e, err
}

// chain limits how many operators of one kind follow each other: each is a level of
// the tree.
func (p *parser) chain(n int) error {
	if n >= maxChain {
		return p.fail(p.current().line, "more than %d operators in a row are not supported", maxChain)
	}
	return nil
}

func (p *parser) or() (expr, error) {
	e, err := p.and()
	for n := 0; err == nil && p.skipWord("or"); n++ {
		var right expr
		if right, err = p.and(); err == nil {
			e, err = &logicNode{left: e, right: right, or: true}, p.chain(n)
		}
	}
	return e, err
}

func (p *parser) and() (expr, error) {
	e, err := p.not()
	for n := 0; err == nil && p.skipWord("and"); n++ {
		var right expr
		if right, err = p.not(); err == nil {
			e, err = &logicNode{left: e, right: right}, p.chain(n)
		}
	}
	return e, err
}

func (p *parser) not() (expr, error) {
	if !p.skipWord("not") {
		return p.compare()
	}
	if err := p.nest("brackets"); err != nil {
		return nil, err
	}
	e, err := p.not()
	p.depth--
	return &notNode{e}, err
}

func (p *parser) compare() (expr, error) {
	first, err := p.sum()
	if err != nil {
		return nil, err
	}
	n := &compareNode{first: first, line: p.current().line}
	for {
		op := string(p.current().kind)
		switch {
		case slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, op):
			p.next()
		case p.skipWord("in"):
			op = "in"
		case p.isWord("not") && p.wordAhead(1, "in"):
			p.next()
			p.next()
			op = "not in"
		default:
			if n.ops == nil {
				return first, nil
			}
			return n, nil
		}
		e, err := p.sum()
		if err != nil {
			return nil, err
		}
		n.ops, n.rest = append(n.ops, op), append(n.rest, e)
	}
}

// binary reads operators of one rank, from left to right.
func (p *parser) binary(operand func() (expr, error), ops ...kind) (expr, error) {
	e, err := operand()
	for n := 0; err == nil && slices.Contains(ops, p.current().kind); n++ {
		op := p.next()
		var right expr
		if right, err = operand(); err == nil {
			e, err = &binaryNode{op: string(op.kind), left: e, right: right, line: op.line}, p.chain(n)
		}
	}
	return e, err
}

func (p *parser) sum() (expr, error) { return p.binary(p.concat, "+", "-") }

func (p *parser) concat() (expr, error) {
	first, err := p.product()
	if err != nil || !p.is("~") {
		return first, err
	}
	n := &concatNode{items: []expr{first}, line: p.current().line}
	for p.skip("~") {
		e, err := p.product()
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, e)
	}
	return n, nil
}

func (p *parser) product() (expr, error) { return p.binary(p.power, "*", "/", "//", "%") }

func (p *parser) power() (expr, error) {
	return p.binary(func() (expr, error) { return p.unary(true) }, "**")
}

func (p *parser) unary(filters bool) (expr, error) {
	var e expr
	var err error
	if t := p.current(); t.kind == "-" || t.kind == "+" {
		p.next()
		if err = p.nest("brackets"); err != nil {
			return nil, err
		}
		e, err = p.unary(false)
		p.depth--
		e = &signNode{op: string(t.kind), value: e, line: t.line}
	} else {
		e, err = p.primary(false)
	}
	if err == nil {
		e, err = p.postfix(e)
	}
	if err == nil && filters {
		e, err = p.filterExpr(e)
	}
	return e, err
}

func (p *parser) primary(namespace bool) (expr, error) {
	t := p.next()
	switch t.kind {
	case tokName:
		if constants[t.text] {
			c := &constNode{}
			if t.text[0]|32 != 'n' {
				c.value = t.text[0]|32 == 't'
			}
			return c, nil
		}
		if namespace && p.skip(".") {
			attr, err := p.expect(tokName)
			if err != nil {
				return nil, err
			}
			return &attrTarget{id: p.load(t.text), attr: attr.text, line: t.line}, nil
		}
		return &nameNode{id: p.load(t.text), name: t.text, line: t.line}, nil
	case tokString:
		text := t.text
		for p.is(tokString) {
			text += p.next().text
		}
		return &constNode{String(text)}, nil
	case tokInteger, tokFloat:
		return &constNode{t.value}, nil
	case "(":
		if err := p.nest("brackets"); err != nil {
			return nil, err
		}
		e, err := p.tuple(tupleRule{conditions: true, parentheses: true})
		p.depth--
		if err == nil {
			_, err = p.expect(")")
		}
		return e, err
	case "[":
		return p.list(t.line)
	case "{":
		return p.dict(t.line)
	}
	return nil, p.fail(t.line, "unexpected %s", quote(t.describe()))
}

func (p *parser) list(line int) (expr, error) {
	n := &listNode{line: line}
	for !p.is("]") {
		if n.items != nil {
			if _, err := p.expect(","); err != nil {
				return nil, err
			}
			if p.is("]") {
				break
			}
		}
		e, err := p.expression(true)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, e)
	}
	_, err := p.expect("]")
	return n, err
}

func (p *parser) dict(line int) (expr, error) {
	n := &dictNode{line: line}
	for !p.is("}") {
		if n.keys != nil {
			if _, err := p.expect(","); err != nil {
				return nil, err
			}
			if p.is("}") {
				break
			}
		}
		key, err := p.expression(true)
		if err != nil {
			return nil, err
		}
		if _, err = p.expect(":"); err != nil {
			return nil, err
		}
		value, err := p.expression(true)
		if err != nil {
			return nil, err
		}
		n.keys, n.values = append(n.keys, key), append(n.values, value)
	}
	_, err := p.expect("}")
	return n, err
}

// postfix reads attributes, items and calls.
func (p *parser) postfix(e expr) (expr, error) {
	var err error
	for n := 0; err == nil; n++ {
		t := p.current()
		switch t.kind {
		case ".":
			e, err = p.attribute(e)
		case "[":
			e, err = p.subscript(e)
		case "(":
			e, err = p.callExpr(e)
		default:
			return e, nil
		}
		if err == nil {
			err = p.chain(n)
		}
	}
	return nil, err
}

func (p *parser) attribute(of expr) (expr, error) {
	line := p.next().line
	t := p.next()
	switch t.kind {
	case tokName:
		return &attrNode{of: of, name: String(t.text), line: line}, nil
	case tokInteger:
		return &itemNode{of: of, key: &constNode{t.value}, line: line}, nil
	}
	return nil, p.fail(t.line, "expected name or number")
}

func (p *parser) subscript(of expr) (expr, error) {
	line := p.next().line
	var keys []expr
	for !p.is("]") {
		if keys != nil {
			if _, err := p.expect(","); err != nil {
				return nil, err
			}
		}
		key, err := p.subscribed()
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	p.next()
	if len(keys) == 1 {
		return &itemNode{of: of, key: keys[0], line: line}, nil
	}
	return &itemNode{of: of, key: &listNode{items: keys, tuple: true, line: line}, line: line}, nil
}

// subscribed reads what stands in brackets: an expression, or a slice of up to three.
func (p *parser) subscribed() (expr, error) {
	s := &sliceNode{}
	for i := range s.parts {
		if !p.is(":") && !p.is("]") && !p.is(",") {
			e, err := p.expression(true)
			if err != nil {
				return nil, err
			}
			if i == 0 && !p.is(":") {
				return e, nil
			}
			s.parts[i] = e
		} else if i == 0 && !p.is(":") { // nothing before a comma
			return p.expression(true)
		}
		if i == 2 || !p.skip(":") {
			break
		}
	}
	return s, nil
}

func (p *parser) callExpr(f expr) (expr, error) {
	n := &callNode{f: f, line: p.current().line}
	var err error
	n.args, err = p.arguments()
	return n, err
}

func (p *parser) arguments() (arguments, error) {
	var a arguments
	line := p.next().line
	invalid := func() error { return p.fail(line, "invalid syntax for function call expression") }
	for comma := false; !p.is(")"); comma = true {
		if comma {
			if _, err := p.expect(","); err != nil {
				return a, err
			}
			if p.is(")") {
				break
			}
		}
		var err error
		switch {
		case p.skip("*"):
			if a.star != nil || a.stars != nil {
				return a, invalid()
			}
			a.star, err = p.expression(true)
		case p.skip("**"):
			if a.stars != nil {
				return a, invalid()
			}
			a.stars, err = p.expression(true)
		case p.is(tokName) && p.tokens[p.at+1].kind == "=":
			if a.stars != nil {
				return a, invalid()
			}
			a.names = append(a.names, p.next().text)
			p.next()
			var e expr
			e, err = p.expression(true)
			a.named = append(a.named, e)
		default:
			if a.star != nil || a.stars != nil || a.names != nil {
				return a, invalid()
			}
			var e expr
			e, err = p.expression(true)
			a.plain = append(a.plain, e)
		}
		if err != nil {
			return a, err
		}
	}
	p.next()
	return a, nil
}

// filterExpr reads filters, tests, and calls of what they give.
func (p *parser) filterExpr(e expr) (expr, error) {
	var err error
	for n := 0; err == nil; n++ {
		switch {
		case p.is("|"):
			e, err = p.filters(e, false)
		case p.isWord("is"):
			e, err = p.test(e)
		case p.is("("):
			e, err = p.callExpr(e)
		default:
			return e, nil
		}
		if err == nil {
			err = p.chain(n)
		}
	}
	return nil, err
}

// dotted reads a name with dots.
func (p *parser) dotted() (string, error) {
	t, err := p.expect(tokName)
	if err != nil {
		return "", err
	}
	name := t.text
	for p.skip(".") {
		if t, err = p.expect(tokName); err != nil {
			return "", err
		}
		name += "." + t.text
	}
	return name, nil
}

// filters reads filters in a row; with inline the first has no bar before it.
func (p *parser) filters(e expr, inline bool) (expr, error) {
	for n := 0; inline || p.is("|"); n++ {
		if !inline {
			p.next()
		}
		inline = false
		line := p.current().line
		name, err := p.dotted()
		if err != nil {
			return nil, err
		}
		f := &filterNode{value: e, name: name, line: line}
		if p.is("(") {
			if f.args, err = p.arguments(); err != nil {
				return nil, err
			}
		}
		if f.filter = filters[name]; f.filter == nil {
			p.unknown = append(p.unknown, unknownName{"filter", name, line, p.soft})
		}
		e = f
		if err := p.chain(n); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (p *parser) test(e expr) (expr, error) {
	line := p.next().line
	negated := p.skipWord("not")
	name, err := p.dotted()
	if err != nil {
		return nil, err
	}
	t := &testNode{value: e, name: name, line: line, negated: negated, test: tests[name]}
	if t.test == nil {
		p.unknown = append(p.unknown, unknownName{"test", name, line, p.soft})
	}
	switch next := p.current(); next.kind {
	case "(":
		if t.args, err = p.arguments(); err != nil {
			return nil, err
		}
	case tokName, tokString, tokInteger, tokFloat, "[", "{":
		if next.kind == tokName && slices.Contains([]string{"else", "or", "and"}, next.text) {
			break
		}
		if next.kind == tokName && next.text == "is" {
			return nil, p.fail(next.line, "You cannot chain multiple tests with is")
		}
		arg, err := p.primary(false)
		if err == nil {
			arg, err = p.postfix(arg)
		}
		if err != nil {
			return nil, err
		}
		t.args.plain = []expr{arg}
	}
	return t, nil
}
