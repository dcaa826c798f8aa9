package tokenizer

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/ardanlabs/jinja"
)

// write is print for the text of the rendering, or of a macro or block in it.
func (g *guard) write(v jinja.Value) (jinja.Value, error) {
	v, err := g.print(v)
	if err != nil {
		return v, err
	}
	if g.written += len(v.AsString()); g.written > maxValue {
		return v, stopped(fmt.Sprintf("writes more than %d MiB", maxValue>>20))
	}
	return v, nil
}

// print is what {{ v }} writes: Python's str(v), and nothing of an undefined value.
func (g *guard) print(v jinja.Value) (jinja.Value, error) {
	switch {
	case v.IsString():
		return v, g.room(len(v.AsString()))
	case v.IsUndefined(), v.IsCallable():
		return jinja.NewString(""), g.spend(0)
	case v.IsDict() && g.spaces[v.AsDict()]:
		return v, fmt.Errorf("a namespace cannot be written")
	}
	var b strings.Builder
	if err := g.repr(&b, v); err != nil {
		return v, err
	}
	return jinja.NewString(b.String()), g.room(b.Len())
}

// repr writes Python's repr(v).
func (g *guard) repr(b *strings.Builder, v jinja.Value) error {
	if b.Len() > maxText {
		return g.room(b.Len())
	}
	switch {
	case v.IsNone():
		b.WriteString("None")
	case v.IsBool():
		b.WriteString(map[bool]string{true: "True", false: "False"}[v.AsBool()])
	case v.IsInt():
		b.WriteString(strconv.FormatInt(v.AsInt(), 10))
	case v.IsFloat():
		b.WriteString(pythonFloat(v.AsFloat()))
	case v.IsString():
		reprString(b, v.AsString())
	case v.IsList():
		b.WriteByte('[')
		for i, item := range v.AsList().Items {
			if i > 0 {
				b.WriteString(", ")
			}
			if err := g.repr(b, item); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	case v.IsDict():
		b.WriteByte('{')
		for i, key := range v.AsDict().Keys {
			if i > 0 {
				b.WriteString(", ")
			}
			reprString(b, key)
			b.WriteString(": ")
			if err := g.repr(b, v.AsDict().Data[key]); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	default:
		b.WriteString("Undefined")
	}
	return nil
}

// reprString writes a string in quotes: single ones unless there are only such inside.
func reprString(b *strings.Builder, s string) {
	quote := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	b.WriteRune(quote)
	for _, r := range s {
		switch {
		case r == quote || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			fmt.Fprintf(b, `\U%08x`, r)
		}
	}
	b.WriteRune(quote)
}

// pythonFloat is repr(f): shortest digits, an exponent below 1e-4 and from 1e16 on.
func pythonFloat(f float64) string {
	s := strconv.FormatFloat(f, 'e', -1, 64)
	_, exp, ok := strings.Cut(s, "e")
	if n, err := strconv.Atoi(exp); !ok || err != nil || n < -4 || n >= 16 {
		return s
	}
	s = strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
