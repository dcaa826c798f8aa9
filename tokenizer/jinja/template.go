package jinja

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// Template is a template that was read. Renderings may run at the same time.
type Template struct {
	name       string
	body       stmt
	names      map[string]int
	Generation bool // it has {% generation %} blocks
}

// Text is a rendering.
type Text struct {
	String string
	Pieces []Piece // what is not plainly the template's, in order
}

// Parse reads a template. The name is that of errors.
func Parse(name, source string) (tpl *Template, err error) {
	line := 1
	defer catch(&err, name, &line)
	check(len(source) <= maxSource, limitError, "longer than %d KiB", maxSource>>10)
	check(utf8.ValidString(source), syntaxError, "not valid UTF-8")
	p := &parser{tokens: lex(source), names: map[string]int{}}
	body := p.body()
	if p.unknown != nil {
		panic(p.unknown)
	}
	return &Template{name, body, p.names, p.generation}, nil
}

// Render runs the template. A nil budget is a new one.
func (t *Template) Render(variables map[string]Value, budget *Budget) (text Text, err error) {
	if budget == nil {
		budget = NewBudget()
	}
	m := &machine{budget: budget, globals: make([]Value, len(t.names)), out: &rope{}, scope: &scope{}}
	defer catch(&err, t.name, &m.line)
	for name, id := range t.names {
		if v, ok := variables[name]; ok {
			m.globals[id] = v
		} else if f := globals[name]; f != nil {
			m.globals[id] = f
		} else {
			m.globals[id] = missing
		}
	}
	t.body(m)
	return Text{String: string(m.out.buf), Pieces: m.out.pieces}, nil
}

// machine is one rendering. Its methods throw their errors; line is where.
type machine struct {
	budget  *Budget
	globals []Value // by a name's number; missing: none
	scope   *scope
	out     *rope
	line    int
	depth   int // macros in one another
	blocks  int // generation blocks run so far
}

// missing is the value of a variable, or of an argument, that is not there.
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

// parser turns tokens into functions that run them, rule by rule as jinja2's parser.py
// does: each rule's meaning stands beside it. It throws its errors.
type parser struct {
	tokens     []token
	at         int
	names      map[string]int // numbers of variables
	depth      int            // brackets and blocks around this place
	tags       []string       // open statements
	ends       [][]string     // what closes them
	macros     []*macro       // open macros: they learn which special names their bodies read
	loops      int            // open loops of this macro or template
	generation bool           // there are generation blocks
	unknown    *Error         // the first filter or test that is not known
}

func (p *parser) current() *token { return &p.tokens[p.at] }

func (p *parser) next() *token {
	t := &p.tokens[p.at]
	if p.at < len(p.tokens)-1 {
		p.at++
	}
	return t
}

func (p *parser) is(k kind) bool { return p.current().kind == k }

// isWord says whether the current token is this name.
func (p *parser) isWord(word string) bool { return p.is(tokName) && p.current().text == word }

func (p *parser) skip(k kind) bool {
	found := p.is(k)
	if found {
		p.next()
	}
	return found
}

func (p *parser) skipWord(word string) bool {
	found := p.isWord(word)
	if found {
		p.next()
	}
	return found
}

func (p *parser) expect(k kind) *token {
	if !p.is(k) {
		p.expected(string(k))
	}
	return p.next()
}

func (p *parser) expected(what string) {
	t := p.current()
	checkSyntax(t.kind != tokEOF, t.line, "unexpected end of template, expected %s.", quote(what))
	panic(syntaxAt(t.line, "expected token %s, got %s", quote(what), quote(t.describe())))
}

// list reads what one reads, with commas between, up to a closing token.
func (p *parser) list(end kind, trailing bool, one func()) {
	for first := true; !p.is(end); first = false {
		if !first {
			if p.expect(","); trailing && p.is(end) {
				break
			}
		}
		one()
	}
	if end != tokBlockEnd {
		p.next()
	}
}

// commas reads what one reads, once or several times with commas between, where a tag, a
// bracket or a word may end it.
func (p *parser) commas(end string, one func()) (several bool) {
	for !p.is(tokVarEnd) && !p.is(tokBlockEnd) && !p.is(")") && (end == "" || !p.isWord(end)) {
		if one(); !p.skip(",") {
			break
		}
		several = true
	}
	return several
}

// nest counts what is open around this place, while it runs.
func (p *parser) nest(what string, inside func()) {
	if p.depth++; p.depth > maxNesting {
		panic(syntaxAt(p.current().line, "more than %d %s in one another are not supported", maxNesting, what))
	}
	inside()
	p.depth--
}

func (p *parser) name(text string) int {
	id, ok := p.names[text]
	if !ok {
		id = len(p.names)
		p.names[text] = id
	}
	return id
}

// load notes that a name is read.
func (p *parser) load(text string) int {
	for _, m := range p.macros {
		m.usesCaller = m.usesCaller || text == "caller"
		m.usesVarargs = m.usesVarargs || text == "varargs"
		m.usesKwargs = m.usesKwargs || text == "kwargs"
	}
	return p.name(text)
}

// known finds a filter or test, whose name may have dots. One that is unknown is an error,
// inside of an if only where it is run.
func (p *parser) known(what string, table map[string]*builtin) *builtin {
	line := p.current().line
	name := p.expect(tokName).text
	for p.skip(".") {
		name += "." + p.expect(tokName).text
	}
	if b := table[name]; b != nil {
		return b
	}
	if p.unknown == nil && !slices.Contains(p.tags, "if") {
		p.unknown = &Error{Kind: assertionError, Line: line, Message: fmt.Sprintf("No %s named %s.", what, quote(name))}
	}
	return &builtin{raw: func(*machine, *args) Value {
		panic(raise(runtimeError, "No %s named %s found.", what, quote(name)))
	}}
}
