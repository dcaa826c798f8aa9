package jinja

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"unicode/utf8"
)

// percent is Python's s % v.
func (m *machine) percent(s *Str, v Value) (Value, error) {
	p := &percenter{m: m, s: s}
	if l, ok := v.(*List); ok && l.kind.isTuple() {
		p.values = l.items
	} else {
		p.values = []Value{v}
		p.mapping, _ = v.(*Dict)
		_, isList := v.(*List)
		_, undefined := v.(*Undefined)
		p.lenient = p.mapping != nil || isList || undefined // what can be asked for items may be left over
	}
	if err := p.run(); err != nil {
		return nil, err
	}
	if p.used < len(p.values) && !p.lenient {
		return nil, raise(typeError, "not all arguments converted during string formatting")
	}
	return p.out.value(), m.spend(len(p.out.buf))
}

type percenter struct {
	m       *machine
	s       *Str
	at      int
	values  []Value
	used    int
	mapping *Dict
	lenient bool
	out     rope
}

func (p *percenter) next() (Value, error) {
	if p.used == len(p.values) {
		return nil, raise(typeError, "not enough arguments for format string")
	}
	p.used++
	return p.values[p.used-1], nil
}

func (p *percenter) run() error {
	text := p.s.text
	for {
		i := strings.IndexByte(text[p.at:], '%')
		if i < 0 {
			p.out.str(p.s.slice(p.at, len(text)))
			return nil
		}
		p.out.str(p.s.slice(p.at, p.at+i))
		p.at += i + 1
		if err := p.directive(); err != nil {
			return err
		}
		if len(p.out.buf) > maxText {
			return limit("makes a text of more than %d MiB", maxText>>20)
		}
	}
}

// byte is the next byte of a directive.
func (p *percenter) byte() (byte, error) {
	if p.at == len(p.s.text) {
		return 0, raise(valueError, "incomplete format")
	}
	p.at++
	return p.s.text[p.at-1], nil
}

// directive reads what is behind a % and writes it.
func (p *percenter) directive() error {
	f := spec{fill: " ", precision: -1}
	var value Value
	keyed := false
	c, err := p.byte()
	if err == nil && c == '(' {
		keyed = true
		if value, err = p.key(); err == nil {
			c, err = p.byte()
		}
	}
	if err == nil {
		c, err = p.flags(&f, c)
	}
	if err == nil {
		c, err = p.sizes(&f, c)
	}
	if err != nil {
		return err
	}
	if c == '%' {
		p.out.text("%")
		return nil
	}
	if f.verb = c; !keyed {
		if value, err = p.next(); err != nil {
			return err
		}
	}
	if f.align == '=' && strings.IndexByte("diouxXeEfFgG", c) < 0 { // zeros fill up numbers alone
		f.fill, f.align = " ", '>'
	}
	return p.write(f, value)
}

// flags reads #, 0, -, space and + from c on, and gives the byte behind.
func (p *percenter) flags(f *spec, c byte) (byte, error) {
	left, zero := false, false
	var err error
	for ; err == nil && strings.IndexByte("#0- +", c) >= 0; c, err = p.byte() {
		switch c {
		case '#':
			f.alternate = true
		case '0':
			zero = true
		case '-':
			left = true
		case '+':
			f.sign = '+'
		case ' ':
			if f.sign == 0 {
				f.sign = ' '
			}
		}
	}
	switch f.align = '>'; {
	case left:
		f.align = '<'
	case zero:
		f.fill, f.align = "0", '='
	}
	return c, err
}

// sizes reads the width, the precision and C's letters for sizes, which mean nothing.
func (p *percenter) sizes(f *spec, c byte) (byte, error) {
	var err error
	if f.width, c, err = p.number(c); err != nil {
		return 0, err
	}
	if f.width < 0 {
		f.fill, f.align, f.width = " ", '<', -f.width
	}
	if c == '.' {
		if c, err = p.byte(); err == nil {
			f.precision, c, err = p.number(c)
			f.precision = max(f.precision, 0)
		}
	}
	for err == nil && strings.IndexByte("hlL", c) >= 0 {
		c, err = p.byte()
	}
	return c, err
}

// key reads (name) and looks it up.
func (p *percenter) key() (Value, error) {
	if p.mapping == nil {
		return nil, raise(typeError, "format requires a mapping")
	}
	depth, start := 1, p.at
	for ; p.at < len(p.s.text); p.at++ {
		switch p.s.text[p.at] {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			name := p.s.text[start:p.at]
			p.at++
			v, ok := p.mapping.Get(name)
			if !ok {
				return nil, raise(keyError, "%s", quote(name))
			}
			return v, nil
		}
	}
	return nil, raise(valueError, "incomplete format key")
}

// number reads digits from c on, or * for an argument, and gives the byte behind.
func (p *percenter) number(c byte) (int, byte, error) {
	if c == '*' {
		v, err := p.next()
		if err != nil {
			return 0, 0, err
		}
		n, ok := asInt(v)
		if !ok {
			return 0, 0, raise(typeError, "* wants int")
		}
		c, err = p.byte()
		return n, c, err
	}
	n := 0
	var err error
	for ; err == nil && isDecimal(c); c, err = p.byte() {
		if n = n*10 + int(c-'0'); n > maxText {
			return 0, 0, limit("makes a text of more than %d MiB", maxText>>20)
		}
	}
	return n, c, err
}

func (p *percenter) write(f spec, v Value) error {
	var text *Str
	var err error
	switch f.verb {
	case 's':
		text, err = p.m.str(v)
	case 'r', 'a':
		if text, err = p.m.repr(v); err == nil && f.verb == 'a' {
			text = text.mapped(asciiEscapes)
		}
	case 'c':
		text, err = character(v)
	case 'd', 'i', 'u', 'x', 'X', 'o':
		text, err = f.percentInt(v)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		n, number, e := asFloat(v)
		if err = e; err == nil && !number {
			err = raise(typeError, "must be real number, not %s", typeName(v))
			if u, ok := v.(*Undefined); ok {
				err = u.fail()
			}
		}
		if err == nil {
			return p.pad(f, String(f.float(n)))
		}
	default:
		r, _ := utf8.DecodeRuneInString(p.s.text[p.at-1:])
		at := utf8.RuneCountInString(p.s.text[:p.at-1])
		shown := string(r)
		if r < 32 || r > 126 {
			shown = "?"
		}
		return raise(valueError, "unsupported format character '%s' (0x%x) at index %d", shown, r, at)
	}
	if err != nil {
		return err
	}
	if n := f.precision; n >= 0 && strings.IndexByte("sra", f.verb) >= 0 {
		text = text.slice(0, byteOf(text.text, n))
	}
	return p.pad(f, text)
}

func (p *percenter) pad(f spec, text *Str) error {
	if err := p.m.spend(len(text.text) + min(f.width, maxText+1)); err != nil {
		return err
	}
	f.pad(&p.out, text)
	return nil
}

func (f *spec) percentInt(v Value) (*Str, error) {
	var i *big.Int
	switch n := v.(type) {
	case float64:
		if strings.IndexByte("xXo", f.verb) >= 0 {
			return nil, raise(typeError, "%%%c format: an integer is required, not float", f.verb)
		}
		switch {
		case math.IsNaN(n):
			return nil, raise(valueError, "cannot convert float NaN to integer")
		case math.IsInf(n, 0):
			return nil, raise(overflowError, "cannot convert float infinity to integer")
		}
		i, _ = big.NewFloat(n).Int(nil)
	case *Undefined:
		if strings.IndexByte("xXo", f.verb) < 0 {
			return nil, n.fail()
		}
	default:
		if isNumber(v) {
			i, _ = asBig(v)
		}
	}
	if i == nil {
		want := "a real number"
		if strings.IndexByte("xXo", f.verb) >= 0 {
			want = "an integer"
		}
		return nil, raise(typeError, "%%%c format: %s is required, not %s", f.verb, want, typeName(v))
	}
	g := *f
	g.width = 0
	digits, err := g.integer(i)
	if err != nil {
		return nil, err
	}
	sign := ""
	if digits != "" && strings.IndexByte("+- ", digits[0]) >= 0 {
		sign, digits = digits[:1], digits[1:]
	}
	if missing := f.precision - len(digits); missing > 0 && missing <= maxText {
		digits = strings.Repeat("0", missing) + digits
	}
	return String(sign + digits), nil
}

func character(v Value) (*Str, error) {
	if s, ok := v.(*Str); ok && strLen(s) == 1 {
		return s, nil
	}
	i, ok := asInt(v)
	if !ok {
		return nil, raise(typeError, "%%c requires int or char")
	}
	if i < 0 || i > utf8.MaxRune {
		return nil, raise(overflowError, "%%c arg not in range(0x110000)")
	}
	return String(string(rune(i))), nil
}

func asciiEscapes(s string) string {
	var b []byte
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf:
			b = append(b, byte(r))
		case r < 0x100:
			b = fmt.Appendf(b, `\x%02x`, r)
		case r < 0x10000:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = fmt.Appendf(b, `\U%08x`, r)
		}
	}
	return string(b)
}
