package jinja

import (
	"slices"
	"strings"
)

// stmt is a statement, a text or a printed expression, ready to run.
type stmt func(m *machine) flow

// flow is what comes after a statement.
type flow uint8

const (
	onward flow = iota // the next one
	again              // the loop's next pass
	leave              // what follows the loop
)

// target is what can be assigned to.
type target func(m *machine, v Value)

// statements by the word they begin with.
var statements map[string]func(p *parser, line int) stmt

func init() {
	statements = map[string]func(p *parser, line int) stmt{
		"for": (*parser).forLoop, "if": (*parser).condition, "set": (*parser).set, "with": (*parser).with,
		"macro": (*parser).macro, "call": (*parser).callBlock, "filter": (*parser).filterBlock, "print": (*parser).print,
		"generation": (*parser).generationBlock, "autoescape": (*parser).autoescape, "block": (*parser).block,
		"break": (*parser).jump, "continue": (*parser).jump,
		"include": files, "import": files, "from": files, "extends": files,
	}
}

// body reads statements, text and expressions up to a tag that begins with one of
// ends, which stays the current token; without ends, up to the end of the template.
func (p *parser) body(ends ...string) stmt {
	p.ends = append(p.ends, ends)
	var all []stmt
	run := func(m *machine) flow {
		for _, s := range all {
			if f := s(m); f != onward {
				return f
			}
		}
		return onward
	}
	for {
		t := p.next()
		switch t.kind {
		case tokData:
			all = append(all, func(m *machine) flow {
				m.out.text(t.text)
				m.wrote(len(t.text))
				return onward
			})
		case tokVarBegin:
			all = append(all, printed(p.tuple(true, false, "")))
			p.expect(tokVarEnd)
		case tokBlockBegin:
			if word := p.current(); word.kind == tokName && slices.Contains(ends, word.text) {
				p.ends = p.ends[:len(p.ends)-1]
				return run
			}
			all = append(all, p.statement())
			p.expect(tokBlockEnd)
		default: // the end
			if ends != nil {
				p.unexpected("", t.line)
			}
			return run
		}
	}
}

// printed writes a value.
func printed(e expr) stmt {
	return func(m *machine) flow {
		s := m.str(e(m))
		m.out.str(s)
		m.wrote(len(s.text))
		return onward
	}
}

// wrote counts bytes of output.
func (m *machine) wrote(n int) {
	if len(m.out.buf) > maxText {
		panic(raise(limitError, "writes more than %d MiB", maxText>>20))
	}
	m.step(n>>6 + 1)
}

// inScope runs a statement in a scope.
func (m *machine) inScope(s *scope, body stmt) flow {
	outer := m.scope
	m.scope = s
	f := body(m)
	m.scope = outer
	return f
}

// scoped is a statement with a scope of its own.
func scoped(body stmt) stmt {
	return func(m *machine) flow { return m.inScope(&scope{parent: m.scope}, body) }
}

// held is what a block has written so far.
func held(m *machine) Value { return m.out.value() }

// captured is what a filter makes of what a statement writes; held: the text.
func (m *machine) captured(body stmt, filter expr) Value {
	out := m.out
	m.out = &rope{block: out.block}
	body(m)
	m.spend(len(m.out.buf))
	v := filter(m)
	m.out = out
	return v
}

// inner is the body of a statement, from the end of its opening tag. The word that
// closes it is read too and given.
func (p *parser) inner(ends ...string) (body stmt, end string) {
	p.skip(":")
	p.expect(tokBlockEnd)
	p.nest("blocks", func() { body = p.body(ends...) })
	return body, p.next().text
}

func (p *parser) statement() stmt {
	t := p.current()
	checkSyntax(t.kind == tokName, t.line, "tag name expected")
	parse := statements[t.text]
	if parse == nil {
		p.unexpected(t.text, t.line)
	}
	p.tags = append(p.tags, t.text)
	p.next()
	s := parse(p, t.line)
	p.tags = p.tags[:len(p.tags)-1]
	return s
}

// unexpected is jinja2's message for a tag that is unknown or in the wrong place, or
// for a template that ends inside of a block.
func (p *parser) unexpected(tag string, line int) {
	text := "Unexpected end of template."
	if tag != "" {
		text = "Encountered unknown tag " + quote(tag) + "."
	}
	if ends := p.ends[len(p.ends)-1]; ends != nil {
		looking := "'" + strings.Join(ends, "' or '") + "'"
		if slices.ContainsFunc(p.ends, func(words []string) bool { return slices.Contains(words, tag) }) {
			text += " You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for " + looking + "."
		} else {
			text += " Jinja was looking for the following tags: " + looking + "."
		}
	}
	if len(p.tags) > 0 {
		text += " The innermost block that needs to be closed is " + quote(p.tags[len(p.tags)-1]) + "."
	}
	panic(syntaxAt(line, "%s", text))
}

func files(p *parser, line int) stmt {
	panic(syntaxAt(line, "%s is not supported: there are no other templates", p.tags[len(p.tags)-1]))
}

// targets reads what is assigned to: one target, or several with commas.
func (p *parser) targets(namespace bool, end string) target {
	line := p.current().line
	var all []target
	several := p.commas(end, func() { all = append(all, p.target(namespace, line)) })
	if !several && all != nil {
		return all[0]
	}
	if t := p.current(); all == nil {
		panic(syntaxAt(t.line, "Expected an expression, got %s", quote(t.describe())))
	}
	return func(m *machine, v Value) {
		items := m.iterate(v)
		check(len(items) == len(all), valueError, "cannot unpack: want %d values, found %d", len(all), len(items))
		for i, item := range items {
			all[i](m, item)
		}
	}
}

// target reads a name, an attribute of a namespace where it may be one, or targets in
// parentheses.
func (p *parser) target(namespace bool, line int) (to target) {
	t := p.next()
	_, isConstant := constants[t.text]
	what := map[kind]string{"[": "list", "{": "dict", tokInteger: "const", tokFloat: "const", tokString: "const"}[t.kind]
	if isConstant {
		what = "const"
	}
	switch {
	case what != "":
		panic(syntaxAt(line, "can't assign to %s", quote(what)))
	case t.kind == "(":
		p.nest("brackets", func() { to = p.targets(namespace, "") })
		p.expect(")")
		return to
	case t.kind != tokName:
		panic(syntaxAt(t.line, "unexpected %s", quote(t.describe())))
	case namespace && p.skip("."):
		id, name := p.load(t.text), p.expect(tokName).text
		return func(m *machine, v Value) {
			m.line = t.line
			ns, ok := m.lookup(id).(*Namespace)
			check(ok, runtimeError, "cannot assign attribute on non-namespace object")
			checkAttribute(name)
			ns.attrs.Set(name, v)
			m.items(1)
		}
	case t.text == "loop" && p.loops > 0:
		panic(&Error{Kind: assertionError, Line: line, Message: "Can't assign to special loop variable in for-loop target"})
	}
	id := p.name(t.text)
	return func(m *machine, v Value) { m.scope.set(id, v) }
}

func (p *parser) set(line int) stmt {
	to := p.targets(true, "")
	var value expr
	if p.skip("=") {
		value = p.tuple(true, false, "")
	} else {
		filter := p.filters(true)
		body, _ := p.inner("endset")
		value = func(m *machine) Value { return m.captured(scoped(body), filter) }
	}
	return func(m *machine) flow {
		v := value(m)
		m.line = line
		m.step(1)
		to(m, v)
		return onward
	}
}

func (p *parser) filterBlock(int) stmt {
	filter := p.filters(false)
	body, _ := p.inner("endfilter")
	return printed(func(m *machine) Value { return m.captured(scoped(body), filter) })
}

func (p *parser) condition(int) stmt {
	var tests []expr
	var bodies []stmt
	for end := "elif"; end != "endif"; {
		test := constant(true)
		if end == "elif" {
			test = p.tuple(false, false, "")
		}
		var body stmt
		if end == "else" {
			body, end = p.inner("endif")
		} else {
			body, end = p.inner("elif", "else", "endif")
		}
		tests, bodies = append(tests, test), append(bodies, body)
	}
	return func(m *machine) flow {
		for i, test := range tests {
			if truth(test(m)) {
				return bodies[i](m)
			}
		}
		return onward
	}
}

func (p *parser) with(line int) stmt {
	var targets []target
	var values []expr
	p.list(tokBlockEnd, false, func() {
		targets = append(targets, p.targets(false, ""))
		p.expect("=")
		values = append(values, p.expression(true))
	})
	body, _ := p.inner("endwith")
	return func(m *machine) flow {
		given := m.evalAll(values)
		return m.inScope(&scope{parent: m.scope}, func(m *machine) flow {
			for i, to := range targets {
				m.line = line
				to(m, given[i])
			}
			return body(m)
		})
	}
}

func (p *parser) print(int) stmt {
	var all []expr
	p.list(tokBlockEnd, false, func() { all = append(all, p.expression(true)) })
	return printed(func(m *machine) Value { return m.concat(m.evalAll(all), emptyText) })
}

func (p *parser) generationBlock(int) stmt {
	p.generation = true
	inner, _ := p.inner("endgeneration")
	body := scoped(inner)
	return func(m *machine) flow {
		out, outer := m.out, m.out.block
		m.blocks++
		out.block = m.blocks
		f := body(m)
		out.block = outer
		return f
	}
}

// autoescape is a scope: nothing is escaped where text goes to a model.
func (p *parser) autoescape(line int) stmt {
	checkSyntax(p.skipWord("false") || p.skipWord("False"), line, "autoescape is not supported but with false")
	body, _ := p.inner("endautoescape")
	return scoped(body)
}

func (p *parser) block(int) stmt {
	name := p.expect(tokName).text
	p.skipWord("scoped")
	p.skipWord("required")
	checkSyntax(!p.is("-"), p.current().line, "Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.")
	loops := p.loops
	p.loops = 0
	body, _ := p.inner("endblock")
	p.loops = loops
	p.skipWord(name)
	return scoped(body)
}

func (p *parser) jump(line int) stmt {
	word := p.tags[len(p.tags)-1]
	checkSyntax(p.loops != 0, line, "'%s' outside loop", word)
	f := leave
	if word == "continue" {
		f = again
	}
	return func(*machine) flow { return f }
}

// loop is a {% for %}.
type loop struct {
	to              target
	items, filter   expr // filter: nil without an if
	body, otherwise stmt
	recursive       bool
	id, line        int // id: of the name loop
}

func (p *parser) forLoop(line int) stmt {
	l := &loop{line: line, id: p.name("loop")}
	p.loops++
	l.to = p.targets(false, "in")
	p.loops--
	if !p.skipWord("in") {
		p.expected("in")
	}
	l.items = p.tuple(false, false, "recursive")
	if p.skipWord("if") {
		l.filter = p.expression(true)
	}
	l.recursive = p.skipWord("recursive")
	p.loops++
	body, end := p.inner("endfor", "else")
	l.body = body
	p.loops--
	if end == "else" {
		l.otherwise, _ = p.inner("endfor")
	}
	return func(m *machine) flow {
		v := l.items(m)
		m.line = line
		l.over(m, v, m.scope, 0)
		return onward
	}
}

// over runs the loop over the items of v; outer is the scope that it stands in.
func (l *loop) over(m *machine, v Value, outer *scope, depth int) {
	items := m.iterate(v)
	saved, item := m.scope, m.out.item
	if l.filter != nil {
		var chosen []Value
		for _, v := range items {
			m.step(1)
			m.scope = &scope{parent: outer}
			l.to(m, v)
			if truth(l.filter(m)) {
				chosen = append(chosen, v)
			}
		}
		items = chosen
	}
	state := &loopValue{loop: l, items: items, outer: outer, depth: depth}
	finished := false // a pass came to its end: jinja2 runs else unless one did
	for i, v := range items {
		state.at = i
		m.line = l.line
		m.step(2)
		m.scope = &scope{parent: outer, ids: []int{l.id}, values: []Value{state}}
		if d, ok := v.(*Dict); ok && d.item {
			m.out.item = d.origin
		}
		l.to(m, v)
		f := l.body(m)
		if f == leave {
			break
		}
		finished = finished || f == onward
	}
	m.scope, m.out.item = saved, item
	if !finished && l.otherwise != nil {
		m.inScope(&scope{parent: outer}, l.otherwise)
	}
}

// loopValue is the variable loop.
type loopValue struct {
	*loop
	items   []Value
	at      int
	depth   int
	outer   *scope
	changed []Value // the arguments of the last loop.changed; nil: not called yet
}

// loopAttributes are what a loop tells.
var loopAttributes = map[string]func(l *loopValue) Value{
	"index":     func(l *loopValue) Value { return l.at + 1 },
	"index0":    func(l *loopValue) Value { return l.at },
	"revindex":  func(l *loopValue) Value { return len(l.items) - l.at },
	"revindex0": func(l *loopValue) Value { return len(l.items) - l.at - 1 },
	"length":    func(l *loopValue) Value { return len(l.items) },
	"first":     func(l *loopValue) Value { return l.at == 0 },
	"last":      func(l *loopValue) Value { return l.at == len(l.items)-1 },
	"depth":     func(l *loopValue) Value { return l.depth + 1 },
	"depth0":    func(l *loopValue) Value { return l.depth },
	"previtem":  func(l *loopValue) Value { return l.neighbour(-1, "there is no previous item") },
	"nextitem":  func(l *loopValue) Value { return l.neighbour(1, "there is no next item") },
}

func (l *loopValue) neighbour(step int, hint string) Value {
	if i := l.at + step; 0 <= i && i < len(l.items) {
		return l.items[i]
	}
	return &Undefined{hint: hint}
}

// call is loop(items): the loop's text over other items.
func (l *loopValue) call(m *machine, a *args) Value {
	check(l.recursive, typeError, "The loop must have the 'recursive' marker to be called recursively.")
	items := define("items", nil).bind(a)[0]
	m.enter()
	text := m.captured(func(m *machine) flow { l.over(m, items, l.outer, l.depth+1); return onward }, held)
	m.depth--
	return text
}

// macro is a {% macro %}, or the body of a {% call %}, which has no name.
type macro struct {
	name                                string
	params                              []macroParam
	body                                stmt
	caller, varargs, kwargs             int // names
	usesCaller, usesVarargs, usesKwargs bool
	ownCaller                           bool // a parameter is called so
}

type macroParam struct {
	name  string
	id    int
	value expr // the default; nil: none
}

// macroValue is a macro with the scope it was defined in.
type macroValue struct {
	*macro
	scope *scope
}

func (p *parser) macro(line int) stmt {
	n := &macro{name: p.expect(tokName).text}
	id := p.name(n.name)
	p.macroBody(n, "endmacro", line, func() { p.signature(n) })
	return func(m *machine) flow {
		m.scope.set(id, &macroValue{n, m.scope})
		m.step(1)
		return onward
	}
}

func (p *parser) callBlock(line int) stmt {
	n := &macro{}
	var call expr
	p.macroBody(n, "endcall", line, func() {
		if p.is("(") {
			p.signature(n)
		}
		e, a := p.postfix(p.primary())
		checkSyntax(a != nil, line, "expected call")
		call, a.caller = e, n
	})
	return printed(call)
}

// macroBody reads a body in which break and continue find no loop around it.
func (p *parser) macroBody(n *macro, end string, line int, signature func()) {
	p.macros = append(p.macros, n)
	loops := p.loops
	p.loops = 0
	signature()
	n.body, _ = p.inner(end)
	for _, param := range n.params {
		n.ownCaller = n.ownCaller || param.name == "caller"
		checkSyntax(param.name != "caller" || !n.usesCaller || param.value != nil, line, `When defining macros or call blocks the special "caller" argument must be omitted or be given a default.`)
	}
	n.caller, n.varargs, n.kwargs = p.name("caller"), p.name("varargs"), p.name("kwargs")
	p.loops = loops
	p.macros = p.macros[:len(p.macros)-1]
}

// signature reads the parameters of a macro or call block.
func (p *parser) signature(n *macro) {
	p.expect("(")
	p.list(")", false, func() {
		t := p.expect(tokName)
		if _, ok := constants[t.text]; ok {
			panic(syntaxAt(t.line, "can't assign to 'name'"))
		}
		param := macroParam{name: t.text, id: p.name(t.text)}
		if p.skip("=") {
			param.value = p.expression(true)
		} else if k := len(n.params); k > 0 && n.params[k-1].value != nil {
			panic(syntaxAt(p.current().line, "non-default argument follows default argument"))
		}
		n.params = append(n.params, param)
	})
}

// call runs a macro, as jinja2's Macro.__call__ gives out the arguments.
func (n *macroValue) call(m *machine, a *args) Value {
	m.enter()
	inner := &scope{parent: n.scope}
	given := n.bind(inner, a)
	text := m.captured(func(m *machine) flow {
		return m.inScope(inner, func(m *machine) flow {
			for i, param := range n.params {
				value := given[i]
				if value == missing && param.value != nil {
					value = param.value(m)
				} else if value == missing {
					value = &Undefined{hint: "parameter " + quote(param.name) + " was not provided"}
				}
				inner.set(param.id, value)
			}
			return n.body(m)
		})
	}, held)
	m.depth--
	return text
}

// bind gives the parameters their arguments, and the body's special names what is left.
func (n *macro) bind(inner *scope, a *args) (given []Value) {
	for i := range n.params {
		given = append(given, missing)
		if i < len(a.plain) {
			given[i] = a.plain[i]
		}
	}
	rest := NewDict()
	caller := Value(&Undefined{hint: "No caller defined"})
	for k, name := range a.names {
		i := slices.IndexFunc(n.params, func(p macroParam) bool { return p.name == name })
		switch {
		case i >= len(a.plain):
			given[i] = a.named[k]
		case name == "caller" && n.usesCaller && !n.ownCaller:
			caller = a.named[k]
		default:
			rest.Set(name, a.named[k])
		}
	}
	if n.usesCaller && !n.ownCaller {
		inner.set(n.caller, caller)
	}
	if n.usesKwargs {
		inner.set(n.kwargs, rest)
	} else if len(rest.keys) > 0 {
		panic(raise(typeError, "macro %s takes no keyword argument %s", quote(n.name), repr0(rest.keys[0])))
	}
	if n.usesVarargs {
		inner.set(n.varargs, newTuple(a.plain[min(len(a.plain), len(n.params)):]...))
	} else if len(a.plain) > len(n.params) {
		panic(raise(typeError, "macro %s takes not more than %d argument(s)", quote(n.name), len(n.params)))
	}
	return given
}
