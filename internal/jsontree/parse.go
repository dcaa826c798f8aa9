package jsontree

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds lists and objects in one another, as encoding/json does: the parser
// recurses.
const maxDepth = 10000

// manyMembers is from how many on an object gets an index: fewer keys are compared
// faster than hashed.
const manyMembers = 16

// A Cause is a kind of mistake in a text.
type Cause uint8

// The causes. A caller that knows more than one text, such as one line of many, can
// tell from them what may have happened.
const (
	Syntax        Cause = iota // what none of the others says: NaN, a comma too many
	Truncated                  // the text ends within a value
	Trailing                   // more text after the value
	InvalidUTF8                // bytes that are no UTF-8
	HalfSurrogate              // \ud800 without the other half, or the other half alone
	DuplicateKey               // a key that its object has already
	TooLarge                   // more text, values, or lists in one another than are taken
)

// An Error is the first mistake of a text.
type Error struct {
	Cause  Cause
	Offset int    // of the first wrong byte, from 0; of a value or string, where it begins
	Line   int    // of it, from 1
	Text   string // what is wrong
}

// Error returns the place, bytes counted from 1 as lines are, and what is wrong.
func (e *Error) Error() string {
	return fmt.Sprintf("line %d, byte %d: %s", e.Line, e.Offset+1, e.Text)
}

// Parse returns the one value of a text. Its error is an [*Error].
func Parse(text string) (Value, error) { return ParseAtMost(text, math.MaxUint32) }

// ParseAtMost is [Parse] for a text that is not trusted with memory: more than most
// values and keys, of 20 bytes each, are an error.
func ParseAtMost(text string, most int) (Value, error) {
	p := parser{tree: &tree{text: text}, most: most}
	if len(text) > math.MaxUint32 {
		return Value{}, p.fail(TooLarge, 0, "%d bytes, want less than 4 GiB", len(text))
	}
	if !utf8.ValidString(text) {
		return Value{}, p.fail(InvalidUTF8, invalidAt(text), "invalid UTF-8")
	}
	if err := p.value(); err != nil {
		return Value{}, err
	}
	if c := p.peek(); c != 0 || p.at < len(text) {
		return Value{}, p.fail(Trailing, p.at, "more text after the value: %s", p.word(p.at))
	}
	return Value{p.tree, 0}, nil
}

// invalidAt returns the offset of the first byte that is no UTF-8.
func invalidAt(text string) int {
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd") {
			return i
		}
	}
	return len(text)
}

// A parser fills a tree.
type parser struct {
	*tree
	most  int // values and keys
	at    int // the next byte
	depth int
	keys  []string // of the objects that are open and have no index yet
}

func (p *parser) fail(cause Cause, at int, format string, args ...any) error {
	return &Error{
		Cause: cause, Offset: at,
		Line: 1 + strings.Count(p.text[:at], "\n"),
		Text: fmt.Sprintf(format, args...),
	}
}

// unexpected says what stands at the next byte in place of what is wanted there.
func (p *parser) unexpected(want string) error {
	if p.at >= len(p.text) {
		return p.fail(Truncated, len(p.text), "the text ends, want %s", want)
	}
	return p.fail(Syntax, p.at, "found %s, want %s", p.word(p.at), want)
}

// word quotes what stands at an offset: a run of letters, digits and signs, else one
// character.
func (p *parser) word(at int) string {
	text := p.text[at:min(at+32, len(p.text))]
	n := strings.IndexAny(text, " \t\r\n,:[]{}\"")
	switch {
	case n > 0:
		text = text[:n]
	case n == 0:
		text = text[:1]
	}
	return strconv.Quote(strings.ToValidUTF8(text, ""))
}

// peek returns the next byte that is no white space, 0 at the end.
func (p *parser) peek() byte {
	for ; p.at < len(p.text); p.at++ {
		if c := p.text[p.at]; c > ' ' || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c
		}
	}
	return 0
}

// add adds a node that begins at the next byte.
func (p *parser) add(kind Kind) uint32 {
	p.nodes = append(p.nodes, node{start: uint32(p.at), kind: kind})
	return uint32(len(p.nodes) - 1)
}

// close ends a node behind the last byte that was read.
func (p *parser) close(i uint32, count int) {
	n := &p.nodes[i]
	n.end, n.next, n.count = uint32(p.at), uint32(len(p.nodes)), uint32(count)
}

func (p *parser) value() error {
	c := p.peek()
	if len(p.nodes) >= p.most {
		return p.fail(TooLarge, p.at, "more than %d values and keys", p.most)
	}
	switch {
	case c == '{' || c == '[':
		if p.depth++; p.depth > maxDepth {
			return p.fail(TooLarge, p.at, "more than %d lists and objects in one another", maxDepth)
		}
		defer func() { p.depth-- }()
		if c == '{' {
			return p.object()
		}
		return p.list()
	case c == '"':
		return p.quoted()
	case c == '-' || isDigit(c):
		return p.number()
	case c == 'n':
		return p.literal("null", Null)
	case c == 't':
		return p.literal("true", Bool)
	case c == 'f':
		return p.literal("false", Bool)
	}
	return p.unexpected("a value")
}

func (p *parser) literal(text string, kind Kind) error {
	rest := p.text[p.at:]
	switch {
	case strings.HasPrefix(rest, text):
		i := p.add(kind)
		p.at += len(text)
		p.close(i, 0)
		return nil
	case strings.HasPrefix(text, rest):
		p.at = len(p.text)
	}
	return p.unexpected("a value")
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// digits reads digits and reports whether there were any.
func (p *parser) digits() bool {
	from := p.at
	for p.at < len(p.text) && isDigit(p.text[p.at]) {
		p.at++
	}
	return p.at > from
}

// take reads one byte out of set, if the next is one.
func (p *parser) take(set string) bool {
	if p.at < len(p.text) && strings.IndexByte(set, p.text[p.at]) >= 0 {
		p.at++
		return true
	}
	return false
}

// number reads -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (p *parser) number() error {
	i, start := p.add(Number), p.at
	p.take("-")
	ok := p.take("0") || p.digits()
	if ok && p.take(".") {
		ok = p.digits()
	}
	if ok && p.take("eE") {
		p.take("+-")
		ok = p.digits()
	}
	switch {
	case !ok && p.at == len(p.text):
		return p.unexpected("a digit")
	case !ok || p.at < len(p.text) && isDigit(p.text[p.at]): // 01
		return p.fail(Syntax, start, "found %s, want a number", p.word(start))
	}
	p.close(i, 0)
	return nil
}

func (p *parser) list() error {
	i, count := p.add(List), 0
	p.at++
	if p.peek() == ']' {
		p.at++
		p.close(i, 0)
		return nil
	}
	for {
		if err := p.value(); err != nil {
			return err
		}
		count++
		switch p.peek() {
		case ',':
			p.at++
		case ']':
			p.at++
			p.close(i, count)
			return nil
		default:
			return p.unexpected(`"," or "]"`)
		}
	}
}

func (p *parser) object() error {
	i, count, base := p.add(Object), 0, len(p.keys)
	p.at++
	if p.peek() == '}' {
		p.at++
		p.close(i, 0)
		return nil
	}
	for {
		if err := p.member(i, base); err != nil {
			return err
		}
		count++
		switch p.peek() {
		case ',':
			p.at++
		case '}':
			p.at++
			p.close(i, count)
			p.keys = p.keys[:base]
			return nil
		default:
			return p.unexpected(`"," or "}"`)
		}
	}
}

// member reads a key and its value. The keys of the object, whose node is i, are
// keys[base:], or in its index.
func (p *parser) member(i uint32, base int) error {
	if p.peek() != '"' {
		return p.unexpected("a key in quotes")
	}
	at := uint32(len(p.nodes))
	if err := p.quoted(); err != nil {
		return err
	}
	if key := p.string(at); !p.note(i, base, at, key) {
		return p.fail(DuplicateKey, int(p.nodes[at].start), "duplicate key %s", strconv.Quote(shorten(key)))
	}
	if p.peek() != ':' {
		return p.unexpected(`":"`)
	}
	p.at++
	return p.value()
}

// note keeps a key, whose node is at, and reports whether it is new in its object.
func (p *parser) note(object uint32, base int, at uint32, key string) bool {
	index := p.index[object]
	if index == nil {
		for _, k := range p.keys[base:] {
			if k == key {
				return false
			}
		}
		if p.keys = append(p.keys, key); len(p.keys)-base < manyMembers {
			return true
		}
		index = make(map[string]uint32, 2*manyMembers)
		for k := object + 1; k < at; k = p.nodes[k+1].next {
			index[p.string(k)] = k + 1
		}
		if p.index == nil {
			p.index = map[uint32]map[string]uint32{}
		}
		p.index[object], p.keys = index, p.keys[:base]
	}
	if _, twice := index[key]; twice {
		return false
	}
	index[key] = at + 1
	return true
}

// quoted reads a string.
func (p *parser) quoted() error {
	i, start := p.add(String), p.at
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			p.close(i, 0)
			return nil
		case c == '\\':
			p.nodes[i].escaped = true
			if err := p.escape(); err != nil {
				return err
			}
		case c < ' ':
			return p.fail(Syntax, p.at, "a control character %#02x in a string, want \\u%04x", c, c)
		}
	}
	return p.fail(Truncated, start, "a string is not closed")
}

// escape reads an escape from its backslash to its last byte.
func (p *parser) escape() error {
	start := p.at
	p.at++
	switch {
	case p.at == len(p.text):
		return p.fail(Truncated, start, "the text ends in an escape")
	case strings.IndexByte(`"\/bfnrt`, p.text[p.at]) >= 0:
		return nil
	}
	r := hex(p.text[start:])
	switch {
	case r < 0 && strings.IndexByte(p.text[start:], '"') < 0:
		return p.fail(Truncated, start, "the text ends in an escape")
	case r < 0:
		return p.fail(Syntax, start, "found %s, want an escape", p.word(start))
	}
	p.at = start + 5
	if !utf16.IsSurrogate(r) {
		return nil
	}
	if utf16.DecodeRune(r, hex(p.text[start+6:])) == utf8.RuneError {
		return p.fail(HalfSurrogate, start, "half a surrogate pair: %s", p.text[start:start+6])
	}
	p.at = start + 11
	return nil
}

// hex returns the value of \uXXXX at the start of text, -1 where there is none.
func hex(text string) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	n := rune(0)
	for _, c := range []byte(text[2:6]) {
		switch {
		case isDigit(c):
			n = n<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			n = n<<4 | rune(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return n
}

// string returns the text of a string's node.
func (t *tree) string(i uint32) string {
	n := &t.nodes[i]
	quoted := t.text[n.start+1 : n.end-1]
	if !n.escaped {
		return quoted
	}
	b := make([]byte, 0, len(quoted))
	for len(quoted) > 0 {
		at := strings.IndexByte(quoted, '\\')
		if at < 0 {
			break
		}
		b, quoted = append(b, quoted[:at]...), quoted[at:]
		if k := strings.IndexByte(`"\/bfnrt`, quoted[1]); k >= 0 {
			b, quoted = append(b, "\"\\/\b\f\n\r\t"[k]), quoted[2:]
			continue
		}
		r := hex(quoted)
		if quoted = quoted[6:]; utf16.IsSurrogate(r) {
			r, quoted = utf16.DecodeRune(r, hex(quoted)), quoted[6:]
		}
		b = utf8.AppendRune(b, r)
	}
	return string(append(b, quoted...))
}
