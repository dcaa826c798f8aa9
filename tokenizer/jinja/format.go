package jinja

import (
	"math/big"
	"strconv"
	"strings"
)

// formatter is one call of str.format.
type formatter struct {
	m      *machine
	a      *args
	auto   int  // the next number of {}
	manual bool // a number was given
}

// format is Python's s.format(…), as the sandbox's string.Formatter does it.
func (m *machine) format(s *Str, a *args) (Value, error) {
	f := &formatter{m: m, a: a}
	var out rope
	if err := f.run(&out, s, 2); err != nil {
		return nil, err
	}
	return out.value(), m.spend(len(out.buf))
}

// run writes a format string, whose specs may hold fields again, depth levels down.
func (f *formatter) run(out *rope, s *Str, depth int) error {
	if depth < 0 {
		return raise(valueError, "Max string recursion exceeded")
	}
	text, at := s.text, 0
	for {
		i := strings.IndexAny(text[at:], "{}")
		if i < 0 {
			out.str(s.slice(at, len(text)))
			return nil
		}
		out.str(s.slice(at, at+i))
		brace := text[at+i]
		at += i + 1
		if at < len(text) && text[at] == brace {
			out.text(string(brace))
			at++
			continue
		}
		if brace == '}' || at == len(text) {
			return raise(valueError, "Single '%c' encountered in format string", brace)
		}
		field, n := fieldLength(text[at:])
		if n < 0 {
			return raise(valueError, "expected '}' before end of string")
		}
		at += n
		if err := f.field(out, field, depth); err != nil {
			return err
		}
		if len(out.buf) > maxText {
			return limit("makes a text of more than %d MiB", maxText>>20)
		}
	}
}

// fieldLength cuts a field off, up to its closing brace.
func fieldLength(s string) (field string, n int) {
	depth := 1
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth == 0 {
			return s[:i], i + 1
		}
	}
	return "", -1
}

func (f *formatter) field(out *rope, field string, depth int) error {
	name, rest := field, ""
	inBrackets := false
	for i, c := range field {
		if c == '[' {
			inBrackets = true
		} else if c == ']' {
			inBrackets = false
		}
		if !inBrackets && (c == '!' || c == ':') {
			name, rest = field[:i], field[i:]
			break
		}
	}
	conversion := byte(0)
	if strings.HasPrefix(rest, "!") {
		if len(rest) < 2 {
			return raise(valueError, "end of string while looking for conversion specifier")
		}
		conversion, rest = rest[1], rest[2:]
		if rest != "" && rest[0] != ':' {
			return raise(valueError, "expected ':' after conversion specifier")
		}
	}
	value, err := f.lookup(name)
	if err != nil {
		return err
	}
	switch conversion {
	case 's':
		value, err = f.m.str(value)
	case 'r', 'a':
		var s *Str
		if s, err = f.m.repr(value); err == nil && conversion == 'a' {
			s = s.mapped(asciiEscapes)
		}
		value = s
	case 0:
	default:
		return raise(valueError, "Unknown conversion specifier %c", conversion)
	}
	if err != nil {
		return err
	}
	var inner rope
	if err := f.run(&inner, String(strings.TrimPrefix(rest, ":")), depth-1); err != nil {
		return err
	}
	return f.m.formatValue(out, value, string(inner.buf))
}

// lookup finds what a field names: an argument, and attributes and items of it.
func (f *formatter) lookup(name string) (Value, error) {
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	first, rest := name[:end], name[end:]
	v, err := f.argument(first)
	for err == nil && rest != "" {
		if rest[0] == '[' {
			i := strings.IndexByte(rest, ']')
			if i < 0 {
				return nil, raise(valueError, "Missing ']' in format string")
			}
			var key Value = String(rest[1:i])
			if n, err := strconv.Atoi(rest[1:i]); err == nil && n >= 0 {
				key = n
			}
			if i == 1 {
				return nil, raise(valueError, "Empty attribute in format string")
			}
			v, err = f.m.item(v, key)
			if rest = rest[i+1:]; rest != "" && rest[0] != '.' && rest[0] != '[' {
				return nil, raise(valueError, "Only '.' or '[' may follow ']' in format field specifier")
			}
			continue
		}
		end := strings.IndexAny(rest[1:], ".[") + 1
		if end == 0 {
			end = len(rest)
		}
		if end == 1 {
			return nil, raise(valueError, "Empty attribute in format string")
		}
		v, err = f.m.attribute(v, String(rest[1:end]))
		rest = rest[end:]
	}
	return v, err
}

func (f *formatter) argument(name string) (Value, error) {
	i := f.auto
	if name == "" {
		if f.manual {
			return nil, raise(valueError, "cannot switch from manual field specification to automatic field numbering")
		}
		f.auto++
	} else {
		n, err := strconv.Atoi(name)
		if err != nil || n < 0 {
			for k, have := range f.a.names {
				if have == name {
					return f.a.named[k], nil
				}
			}
			return nil, raise(keyError, "%s", quote(name))
		}
		if f.auto > 0 {
			return nil, raise(valueError, "cannot switch from manual field specification to automatic field numbering")
		}
		f.manual, i = true, n
	}
	if i >= len(f.a.plain) {
		return nil, raise(indexError, "tuple index out of range")
	}
	return f.a.plain[i], nil
}

// formatValue is Python's format(v, spec).
func (m *machine) formatValue(out *rope, v Value, text string) error {
	if text == "" {
		s, err := m.str(v)
		if err == nil {
			out.str(s)
		}
		return err
	}
	_, isText := v.(*Str)
	if !isText && !isNumber(v) {
		return raise(typeError, "unsupported format string passed to %s.__format__", typeName(v))
	}
	f, err := parseSpec(text, v)
	if err != nil {
		return err
	}
	if err := m.spend(min(f.width, maxText+1)); err != nil {
		return err
	}
	s, err := m.formatted(f, v)
	if err == nil {
		f.pad(out, s)
	}
	return err
}

func (m *machine) formatted(f *spec, v Value) (*Str, error) {
	unknown := raise(valueError, "Unknown format code '%c' for object of type %s", f.verb, quote(typeName(v)))
	if s, ok := v.(*Str); ok {
		if f.verb != 0 && f.verb != 's' {
			return nil, unknown
		}
		if f.sign != 0 {
			return nil, raise(valueError, "Sign not allowed in string format specifier")
		}
		if f.align == '=' {
			return nil, raise(valueError, "'=' alignment not allowed in string format specifier")
		}
		if f.precision >= 0 {
			s = s.slice(0, byteOf(s.text, f.precision))
		}
		return s, nil
	}
	_, isFloat := v.(float64)
	switch f.verb {
	case 'e', 'E', 'f', 'F', 'g', 'G', '%', 0, 'n':
		if f.verb == 0 && !isFloat {
			break
		}
		if f.verb == 'n' {
			f.verb = 'g'
		}
		x, _, err := asFloat(v)
		return String(f.float(x)), err
	}
	i, _ := asBig(v)
	switch {
	case isFloat:
		return nil, unknown
	case f.precision >= 0:
		return nil, raise(valueError, "Precision not allowed in integer format specifier")
	case f.verb == 'c':
		return character(normBig(i))
	case strings.IndexByte("\x00bdoxX", f.verb) < 0:
		return nil, unknown
	}
	if b, ok := v.(bool); ok && f.verb == 0 {
		i = big.NewInt(map[bool]int64{true: 1, false: 0}[b])
	}
	text, err := f.integer(i)
	return String(text), err
}
