package jinja

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// parser turns tokens into nodes, rule by rule as jinja2's parser.py does.
type parser struct {
	tokens []token
	at     int
	names  map[string]int // numbers of variables
	depth  int            // brackets and blocks around this place
	tags   []string       // open statements
	ends   [][]string     // what closes them
	macros []*macroNode   // open macros: they learn which special names their bodies read
	loops  int            // open loops of this macro or template
	blocks int            // generation blocks seen

	soft    bool // directly inside of an if: an unknown filter there is an error only where it is run
	unknown []unknownName
}

// unknownName is a filter or test that is not known.
type unknownName struct {
	what, name string
	line       int
	soft       bool
}

// Parse reads a template. The name is that of errors.
func Parse(name, source string) (*Template, error) {
	if len(source) > maxSource {
		return nil, &Error{Name: name, Kind: "limit", Line: 1, Message: fmt.Sprintf("longer than %d KiB", maxSource>>10)}
	}
	if !utf8.ValidString(source) {
		return nil, &Error{Name: name, Kind: syntaxError, Line: 1, Message: "not valid UTF-8"}
	}
	tokens, err := lex(source)
	if err != nil {
		return nil, named(err, name)
	}
	p := &parser{tokens: tokens, names: map[string]int{}}
	body, err := p.body()
	if err != nil {
		return nil, named(err, name)
	}
	for _, u := range p.unknown {
		if !u.soft {
			return nil, &Error{Name: name, Line: u.line, Kind: assertionError, Message: fmt.Sprintf("No %s named %s.", u.what, quote(u.name))}
		}
	}
	return &Template{name: name, body: body, names: p.names, Generation: p.blocks > 0}, nil
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
func (p *parser) isWord(word string) bool { return p.wordAhead(0, word) }

func (p *parser) wordAhead(n int, word string) bool {
	if p.at+n >= len(p.tokens) {
		return false
	}
	t := &p.tokens[p.at+n]
	return t.kind == tokName && t.text == word
}

func (p *parser) skip(k kind) bool {
	if p.is(k) {
		p.next()
		return true
	}
	return false
}

func (p *parser) skipWord(word string) bool {
	if p.isWord(word) {
		p.next()
		return true
	}
	return false
}

func (p *parser) fail(line int, format string, args ...any) error {
	return &Error{Kind: syntaxError, Line: line, Message: fmt.Sprintf(format, args...)}
}

func (p *parser) expect(k kind) (*token, error) {
	t := p.current()
	if t.kind == k {
		return p.next(), nil
	}
	if t.kind == tokEOF {
		return nil, p.fail(t.line, "unexpected end of template, expected %s.", quote(string(k)))
	}
	return nil, p.fail(t.line, "expected token %s, got %s", quote(string(k)), quote(t.describe()))
}

func (p *parser) expectWord(word string) error {
	if p.skipWord(word) {
		return nil
	}
	t := p.current()
	if t.kind == tokEOF {
		return p.fail(t.line, "unexpected end of template, expected %s.", quote(word))
	}
	return p.fail(t.line, "expected token %s, got %s", quote(word), quote(t.describe()))
}

// nest counts what is open around this place.
func (p *parser) nest(what string) error {
	if p.depth++; p.depth > maxNesting {
		return p.fail(p.current().line, "more than %d %s in one another are not supported", maxNesting, what)
	}
	return nil
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
		m.reads(text)
	}
	return p.name(text)
}

// body reads statements, text and expressions up to a tag that begins with one of
// ends, which stays the current token; without ends, up to the end of the template.
func (p *parser) body(ends ...string) ([]stmt, error) {
	if ends != nil {
		p.ends = append(p.ends, ends)
		defer func() { p.ends = p.ends[:len(p.ends)-1] }()
	}
	var out []stmt
	for {
		t := p.next()
		switch t.kind {
		case tokData:
			out = append(out, &textNode{text: t.text})
		case tokVarBegin:
			e, err := p.tuple(tupleRule{conditions: true})
			if err != nil {
				return nil, err
			}
			if _, err := p.expect(tokVarEnd); err != nil {
				return nil, err
			}
			out = append(out, &printNode{value: e})
		case tokBlockBegin:
			if word := p.current(); word.kind == tokName && slices.Contains(ends, word.text) {
				return out, nil
			}
			s, err := p.statement()
			if err != nil {
				return nil, err
			}
			if _, err := p.expect(tokBlockEnd); err != nil {
				return nil, err
			}
			out = append(out, s)
		default: // the end
			if ends == nil {
				return out, nil
			}
			return nil, p.unexpected("", t.line)
		}
	}
}

// inner is the body of a statement, from the end of its opening tag. With drop the
// closing word is read too.
func (p *parser) inner(drop bool, ends ...string) ([]stmt, error) {
	p.skip(":")
	if _, err := p.expect(tokBlockEnd); err != nil {
		return nil, err
	}
	if err := p.nest("blocks"); err != nil {
		return nil, err
	}
	soft := p.soft
	p.soft = p.tags[len(p.tags)-1] == "if"
	body, err := p.body(ends...)
	p.soft = soft
	p.depth--
	if err == nil && drop {
		p.next()
	}
	return body, err
}

// unexpected is jinja2's message for a tag that is unknown or in the wrong place, or
// for a template that ends inside of a block.
func (p *parser) unexpected(tag string, line int) error {
	text := "Unexpected end of template."
	if tag != "" {
		text = fmt.Sprintf("Encountered unknown tag %s.", quote(tag))
	}
	if len(p.ends) > 0 {
		last := p.ends[len(p.ends)-1]
		quoted := make([]string, len(last))
		for i, word := range last {
			quoted[i] = quote(word)
		}
		looking := strings.Join(quoted, " or ")
		nested := slices.ContainsFunc(p.ends, func(words []string) bool { return slices.Contains(words, tag) })
		if nested {
			text += " You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for " + looking + "."
		} else {
			text += " Jinja was looking for the following tags: " + looking + "."
		}
	}
	if len(p.tags) > 0 {
		text += fmt.Sprintf(" The innermost block that needs to be closed is %s.", quote(p.tags[len(p.tags)-1]))
	}
	return p.fail(line, "%s", text)
}

func (p *parser) statement() (stmt, error) {
	t := p.current()
	if t.kind != tokName {
		return nil, p.fail(t.line, "tag name expected")
	}
	parse := statements[t.text]
	if parse == nil {
		return nil, p.unexpected(t.text, t.line)
	}
	p.tags = append(p.tags, t.text)
	defer func() { p.tags = p.tags[:len(p.tags)-1] }()
	p.next()
	return parse(p, t.line)
}

// statements by the word they begin with.
var statements map[string]func(p *parser, line int) (stmt, error)

func init() {
	statements = map[string]func(p *parser, line int) (stmt, error){
		"for": (*parser).forLoop, "if": (*parser).condition, "set": (*parser).set, "with": (*parser).with,
		"macro": (*parser).macro, "call": (*parser).call, "filter": (*parser).filterBlock, "print": (*parser).print,
		"generation": (*parser).generation, "autoescape": (*parser).autoescape, "block": (*parser).block,
		"break": (*parser).jump, "continue": (*parser).jump,
		"include": files, "import": files, "from": files, "extends": files,
	}
}

func files(p *parser, line int) (stmt, error) {
	return nil, p.fail(line, "%s is not supported: there are no other templates", p.tags[len(p.tags)-1])
}

func (p *parser) forLoop(line int) (stmt, error) {
	n := &forNode{line: line}
	var err error
	p.loops++
	n.target, err = p.target(tupleRule{end: "in"})
	p.loops--
	if err != nil {
		return nil, err
	}
	if err = p.expectWord("in"); err != nil {
		return nil, err
	}
	if n.items, err = p.tuple(tupleRule{end: "recursive"}); err != nil {
		return nil, err
	}
	if p.skipWord("if") {
		if n.filter, err = p.expression(true); err != nil {
			return nil, err
		}
	}
	n.recursive = p.skipWord("recursive")
	n.loop = p.name("loop")
	p.loops++
	n.body, err = p.inner(false, "endfor", "else")
	p.loops--
	if err != nil {
		return nil, err
	}
	if p.next().text == "else" {
		n.otherwise, err = p.inner(true, "endfor")
	}
	return n, err
}

func (p *parser) condition(int) (stmt, error) {
	n := &ifNode{}
	soft := p.soft
	defer func() { p.soft = soft }()
	for {
		p.soft = true
		test, err := p.tuple(tupleRule{})
		if err != nil {
			return nil, err
		}
		body, err := p.inner(false, "elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		n.tests, n.bodies = append(n.tests, test), append(n.bodies, body)
		switch p.next().text {
		case "elif":
			continue
		case "else":
			n.otherwise, err = p.inner(true, "endif")
		}
		return n, err
	}
}

func (p *parser) set(line int) (stmt, error) {
	target, err := p.target(tupleRule{namespace: true})
	if err != nil {
		return nil, err
	}
	if p.skip("=") {
		value, err := p.tuple(tupleRule{conditions: true})
		return &setNode{target: target, value: value, line: line}, err
	}
	n := &setBlockNode{target: target, line: line}
	if n.filter, err = p.filters(&heldNode{}, false); err != nil {
		return nil, err
	}
	n.body, err = p.inner(true, "endset")
	return n, err
}

func (p *parser) with(line int) (stmt, error) {
	n := &withNode{line: line}
	for !p.is(tokBlockEnd) {
		if n.targets != nil {
			if _, err := p.expect(","); err != nil {
				return nil, err
			}
		}
		target, err := p.target(tupleRule{})
		if err != nil {
			return nil, err
		}
		if _, err := p.expect("="); err != nil {
			return nil, err
		}
		value, err := p.expression(true)
		if err != nil {
			return nil, err
		}
		n.targets, n.values = append(n.targets, target), append(n.values, value)
	}
	var err error
	n.body, err = p.inner(true, "endwith")
	return n, err
}

// signature reads the parameters of a macro or call block.
func (p *parser) signature(m *macroNode) error {
	if _, err := p.expect("("); err != nil {
		return err
	}
	for !p.is(")") {
		if m.params != nil {
			if _, err := p.expect(","); err != nil {
				return err
			}
		}
		name, err := p.expect(tokName)
		if err != nil {
			return err
		}
		if constants[name.text] {
			return p.fail(name.line, "can't assign to 'name'")
		}
		param := macroParam{name: name.text, id: p.name(name.text)}
		if p.skip("=") {
			if param.value, err = p.expression(true); err != nil {
				return err
			}
		} else if n := len(m.params); n > 0 && m.params[n-1].value != nil {
			return p.fail(p.current().line, "non-default argument follows default argument")
		}
		m.params = append(m.params, param)
	}
	p.next()
	return nil
}

// macroBody reads a body in which break and continue find no loop around it.
func (p *parser) macroBody(m *macroNode, end string, signature func() error) error {
	p.macros = append(p.macros, m)
	loops := p.loops
	p.loops = 0
	defer func() {
		p.loops = loops
		p.macros = p.macros[:len(p.macros)-1]
	}()
	if err := signature(); err != nil {
		return err
	}
	var err error
	m.body, err = p.inner(true, end)
	for i, param := range m.params {
		m.ownCaller = m.ownCaller || param.name == "caller"
		if param.name == "caller" && m.usesCaller && m.params[i].value == nil {
			return p.fail(m.line, `When defining macros or call blocks the special "caller" argument must be omitted or be given a default.`)
		}
	}
	m.caller, m.varargs, m.kwargs = p.name("caller"), p.name("varargs"), p.name("kwargs")
	return err
}

func (p *parser) macro(line int) (stmt, error) {
	name, err := p.expect(tokName)
	if err != nil {
		return nil, err
	}
	m := &macroNode{line: line, name: name.text, id: p.name(name.text)}
	return m, p.macroBody(m, "endmacro", func() error { return p.signature(m) })
}

func (p *parser) call(line int) (stmt, error) {
	n := &callBlockNode{line: line, caller: &macroNode{line: line}}
	return n, p.macroBody(n.caller, "endcall", func() error {
		if p.is("(") {
			if err := p.signature(n.caller); err != nil {
				return err
			}
		}
		e, err := p.expression(true)
		if err != nil {
			return err
		}
		ok := false
		if n.call, ok = e.(*callNode); !ok {
			return p.fail(line, "expected call")
		}
		return nil
	})
}

func (p *parser) filterBlock(line int) (stmt, error) {
	filter, err := p.filters(&heldNode{}, true)
	if err != nil {
		return nil, err
	}
	n := &filterBlockNode{filter: filter, line: line}
	n.body, err = p.inner(true, "endfilter")
	return n, err
}

func (p *parser) print(int) (stmt, error) {
	var all group
	for !p.is(tokBlockEnd) {
		if all != nil {
			if _, err := p.expect(","); err != nil {
				return nil, err
			}
		}
		e, err := p.expression(true)
		if err != nil {
			return nil, err
		}
		all = append(all, &printNode{value: e})
	}
	return all, nil
}

func (p *parser) generation(int) (stmt, error) {
	p.blocks++
	body, err := p.inner(true, "endgeneration")
	return &generationNode{scopeNode{body}}, err
}

// autoescape is a scope: nothing is escaped where text goes to a model.
func (p *parser) autoescape(line int) (stmt, error) {
	e, err := p.expression(true)
	if err != nil {
		return nil, err
	}
	if c, ok := e.(*constNode); !ok || truth(c.value) {
		return nil, p.fail(line, "autoescape is not supported but with false")
	}
	body, err := p.inner(true, "endautoescape")
	return &scopeNode{body}, err
}

func (p *parser) block(int) (stmt, error) {
	name, err := p.expect(tokName)
	if err != nil {
		return nil, err
	}
	p.skipWord("scoped")
	p.skipWord("required")
	if p.is("-") {
		return nil, p.fail(p.current().line, "Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.")
	}
	loops := p.loops
	p.loops = 0
	body, err := p.inner(true, "endblock")
	p.loops = loops
	p.skipWord(name.text)
	return &scopeNode{body}, err
}

func (p *parser) jump(line int) (stmt, error) {
	word := p.tags[len(p.tags)-1]
	if p.loops == 0 {
		return nil, p.fail(line, "'%s' outside loop", word)
	}
	return &jumpNode{again: word == "continue"}, nil
}
