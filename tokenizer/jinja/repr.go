package jinja

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// str is Python's str(v).
func (m *machine) str(v Value) (*Str, error) {
	switch v := v.(type) {
	case *Str:
		return v, nil
	case nil:
		return noneText, nil
	case bool:
		if v {
			return trueText, nil
		}
		return falseText, nil
	case int:
		return String(strconv.Itoa(v)), nil
	case *Undefined:
		return emptyText, nil
	}
	s, err := m.repr(v)
	return s, err
}

var noneText, trueText, falseText, emptyText = String("None"), String("True"), String("False"), String("")

// repr is Python's repr(v).
func (m *machine) repr(v Value) (*Str, error) {
	w := &writer{m: m}
	if err := w.write(v, 0); err != nil {
		return nil, err
	}
	if err := m.spend(len(w.b)); err != nil {
		return nil, err
	}
	return From(string(w.b), originOf(v)), nil
}

// originOf is where a value came from as a whole.
func originOf(v Value) int {
	switch v := v.(type) {
	case *Str:
		return v.origin()
	case *List:
		return v.origin
	case *Dict:
		return v.origin
	}
	return 0
}

// repr0 is the repr of a value in an error message.
func repr0(v Value) string {
	w := &writer{m: &machine{budget: &Budget{Steps: 1 << 16, Bytes: 1 << 20}}}
	if err := w.write(v, 0); err != nil {
		return "..."
	}
	return string(w.b)
}

// writer writes the repr of values.
type writer struct {
	m *machine
	b []byte
}

func (w *writer) write(v Value, depth int) error {
	if err := w.m.step(1); err != nil {
		return err
	}
	if len(w.b) > maxText {
		return limit("makes a text of more than %d MiB", maxText>>20)
	}
	if err := deeper(depth); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		w.b = append(w.b, "None"...)
	case bool:
		w.b = append(w.b, map[bool]string{true: "True", false: "False"}[v]...)
	case int:
		w.b = strconv.AppendInt(w.b, int64(v), 10)
	case *big.Int:
		s, err := bigText(v)
		w.b = append(w.b, s...)
		return err
	case float64:
		w.b = append(w.b, floatText(v)...)
	case *Str:
		if v.markup {
			w.b = append(append(append(w.b, "Markup("...), quote(v.text)...), ')')
			return nil
		}
		w.b = append(w.b, quote(v.text)...)
	case *List:
		return w.list(v, depth)
	case *Dict:
		return w.dict(v, depth)
	case *Namespace:
		w.b = append(w.b, "<Namespace "...)
		err := w.dict(&v.attrs, depth)
		w.b = append(w.b, '>')
		return err
	default:
		w.b = append(w.b, objectText(v)...)
	}
	return nil
}

// objectText is the repr of what has no address here.
func objectText(v Value) string {
	switch v := v.(type) {
	case *Undefined:
		return "Undefined"
	case *macroValue:
		if v.node.name == "" {
			return "<Macro anonymous>"
		}
		return "<Macro " + quote(v.node.name) + ">"
	case *loopValue:
		return fmt.Sprintf("<LoopContext %d/%d>", v.at+1, len(v.items))
	case *function:
		if v.of != nil {
			return fmt.Sprintf("<built-in method %s of %s object>", v.name, typeName(v.of))
		}
		return "<function " + v.name + ">"
	}
	return "<" + typeName(v) + " object>"
}

func (w *writer) list(l *List, depth int) error {
	if l.kind == rangeList {
		w.b = fmt.Appendf(w.b, "range(%d, %d", l.bounds[0], l.bounds[1])
		if l.bounds[2] != 1 {
			w.b = fmt.Appendf(w.b, ", %d", l.bounds[2])
		}
		w.b = append(w.b, ')')
		return nil
	}
	open, shut := "[", "]"
	switch l.kind {
	case tuple, groupTuple:
		open, shut = "(", ")"
		if len(l.items) == 1 {
			shut = ",)"
		}
	case keysView, valuesView, itemsView:
		open, shut = l.kind.typeName()+"([", "])"
	}
	w.b = append(w.b, open...)
	for i, item := range l.items {
		if i > 0 {
			w.b = append(w.b, ", "...)
		}
		if err := w.write(item, depth+1); err != nil {
			return err
		}
	}
	w.b = append(w.b, shut...)
	return nil
}

func (w *writer) dict(d *Dict, depth int) error {
	w.b = append(w.b, '{')
	for i, k := range d.keys {
		if i > 0 {
			w.b = append(w.b, ", "...)
		}
		if err := w.write(k, depth+1); err != nil {
			return err
		}
		w.b = append(w.b, ": "...)
		if err := w.write(d.values[i], depth+1); err != nil {
			return err
		}
	}
	w.b = append(w.b, '}')
	return nil
}

// bigText is an integer in digits, of which Python writes no more than 4300.
func bigText(i *big.Int) (string, error) {
	if float64(i.BitLen())*math.Log10(2) > maxDigits+1 {
		return "", raise(valueError, "Exceeds the limit (%d digits) for integer string conversion; use sys.set_int_max_str_digits() to increase the limit", maxDigits)
	}
	return i.String(), nil
}

// floatText is a float as Python spells it: the shortest digits that give it back,
// with an exponent below 1e-4 and from 1e16 on.
func floatText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// quote is Python's repr of a string.
func quote(s string) string {
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	b := make([]byte, 0, len(s)+2)
	b = append(b, q)
	for i, r := range s {
		switch {
		case r == rune(q) || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			b = fmt.Appendf(b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		case r < 0x100:
			b = fmt.Appendf(b, `\x%02x`, r)
		case r < 0x10000:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = fmt.Appendf(b, `\U%08x`, r)
		}
	}
	return string(append(b, q))
}
