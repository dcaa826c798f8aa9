package jinja

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"example.com/finetune/internal/jsontree"
)

// FromJSON reads a value whose strings, lists and dicts all have this origin. Keys keep
// their order.
func FromJSON(data []byte, origin int) (Value, error) {
	v, err := jsontree.Parse(string(data))
	if err != nil {
		return nil, err
	}
	return FromTree(v, origin)
}

// FromTree is FromJSON of what was read already.
func FromTree(v jsontree.Value, origin int) (Value, error) {
	switch v.Kind() {
	case jsontree.Bool:
		return v.Raw() == "true", nil
	case jsontree.Number:
		return number(v.Raw())
	case jsontree.String:
		s, err := v.Str()
		return From(s, origin), err
	case jsontree.List:
		l := &List{origin: origin, items: make([]Value, v.Len())}
		for i, item := range v.Items() {
			var err error
			if l.items[i], err = FromTree(item, origin); err != nil {
				return nil, err
			}
		}
		return l, nil
	case jsontree.Object:
		d := &Dict{origin: origin}
		for key, member := range v.Members() {
			value, err := FromTree(member, origin)
			if err != nil {
				return nil, err
			}
			d.put(From(key, origin), key, value)
		}
		return d, nil
	}
	return nil, nil
}

func number(text string) (Value, error) {
	if strings.ContainsAny(text, ".eE") {
		f, err := strconv.ParseFloat(text, 64)
		if math.IsInf(f, 0) {
			err = nil // as in Python
		}
		return f, err
	}
	if i, err := strconv.Atoi(text); err == nil {
		return i, nil
	}
	i, ok := new(big.Int).SetString(text, 10)
	if !ok || len(text) > maxDigits {
		return nil, fmt.Errorf("an integer of more than %d digits", maxDigits)
	}
	return normBig(i), nil
}

// jsonWriter is one json.dumps.
type jsonWriter struct {
	m             *machine
	out           rope
	origin        int // of what is written now
	ascii, sorted bool
	indent        string
	lines         bool
	comma, colon  string
	quoted        []byte
}

// toJSON is the filter tojson, as transformers defines it.
func toJSON(m *machine, a []Value) (Value, error) {
	w := &jsonWriter{m: m, ascii: truth(a[1]), sorted: truth(a[4]), comma: ", ", colon: ": "}
	if a[2] != nil {
		w.lines, w.comma = true, ","
		if s, ok := a[2].(*Str); ok {
			w.indent = s.text
		} else {
			n, err := integer(a[2])
			if err != nil {
				return nil, raise(typeError, "can't multiply sequence by non-int of type %s", quote(typeName(a[2])))
			}
			if err := m.spend(min(max(n, 0), maxText+1)); err != nil {
				return nil, err
			}
			w.indent = strings.Repeat(" ", max(n, 0))
		}
	}
	if a[3] != nil {
		if err := w.separators(a[3]); err != nil {
			return nil, err
		}
	}
	if err := w.value(a[0], 0); err != nil {
		return nil, err
	}
	return w.out.value(), m.spend(len(w.out.buf))
}

func (w *jsonWriter) separators(v Value) error {
	items, err := w.m.iterate(v)
	if err != nil {
		return raise(typeError, "cannot unpack non-iterable %s object", typeName(v))
	}
	if len(items) < 2 {
		return raise(valueError, "not enough values to unpack (expected 2, got %d)", len(items))
	}
	if len(items) > 2 {
		return raise(valueError, "too many values to unpack (expected 2)")
	}
	comma, ok1 := items[0].(*Str)
	colon, ok2 := items[1].(*Str)
	if !ok1 || !ok2 {
		return raise(typeError, "tojson: separators: want two strings")
	}
	w.comma, w.colon = comma.text, colon.text
	return nil
}

// write appends text of the origin that is current.
func (w *jsonWriter) write(s string) {
	at := len(w.out.buf)
	w.out.buf = append(w.out.buf, s...)
	w.out.add(Piece{Start: at, End: len(w.out.buf), Origin: w.origin})
}

func (w *jsonWriter) value(v Value, depth int) error {
	if err := w.m.step(1); err != nil {
		return err
	}
	if len(w.out.buf) > maxText {
		return limit("makes a text of more than %d MiB", maxText>>20)
	}
	if err := deeper(depth); err != nil {
		return err
	}
	outer := w.origin
	if o := originOf(v); o != 0 {
		w.origin = o
		defer func() { w.origin = outer }()
	}
	switch v := v.(type) {
	case *Str:
		w.text(v.text)
		return nil
	case *List:
		if v.kind == list || v.kind.isTuple() {
			return w.list(v, depth)
		}
	case *Dict:
		return w.dict(v, depth)
	default:
		text, ok, err := w.scalar(v)
		if ok || err != nil {
			w.write(text)
			return err
		}
	}
	return raise(typeError, "Object of type %s is not JSON serializable", typeName(v))
}

// scalar spells what is no text and holds nothing.
func (w *jsonWriter) scalar(v Value) (text string, ok bool, err error) {
	switch v := v.(type) {
	case nil:
		return "null", true, nil
	case bool:
		return strconv.FormatBool(v), true, nil
	case int:
		return strconv.Itoa(v), true, nil
	case *big.Int:
		text, err = bigText(v)
		return text, true, err
	case float64:
		text = floatText(v)
		if r, ok := map[string]string{"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[text]; ok {
			text = r
		}
		return text, true, nil
	}
	return "", false, nil
}

func (w *jsonWriter) list(l *List, depth int) error {
	if len(l.items) == 0 {
		w.write("[]")
		return nil
	}
	w.write("[")
	for i, v := range l.items {
		if i > 0 {
			w.write(w.comma)
		}
		w.line(depth + 1)
		if err := w.value(v, depth+1); err != nil {
			return err
		}
	}
	w.line(depth)
	w.write("]")
	return nil
}

// line begins a new one where there is an indent.
func (w *jsonWriter) line(depth int) {
	if w.lines {
		w.write("\n")
		for range depth {
			if len(w.out.buf) <= maxText {
				w.write(w.indent)
			}
		}
	}
}

func (w *jsonWriter) dict(d *Dict, depth int) error {
	if len(d.keys) == 0 {
		w.write("{}")
		return nil
	}
	pairs := d.pairs()
	if w.sorted {
		var err error
		if pairs, err = w.m.sorted(pairs, d.keys, false); err != nil {
			return err
		}
	}
	w.write("{")
	for i, pair := range pairs {
		if i > 0 {
			w.write(w.comma)
		}
		w.line(depth + 1)
		if err := w.key(pair.(*List).items[0]); err != nil {
			return err
		}
		w.write(w.colon)
		if err := w.value(pair.(*List).items[1], depth+1); err != nil {
			return err
		}
	}
	w.line(depth)
	w.write("}")
	return nil
}

func (w *jsonWriter) key(k Value) error {
	if s, ok := k.(*Str); ok {
		w.text(s.text)
		return nil
	}
	text, ok, err := w.scalar(k)
	if err == nil && !ok {
		err = raise(typeError, "keys must be str, int, float, bool or None, not %s", typeName(k))
	}
	w.text(text)
	return err
}

func (w *jsonWriter) text(s string) {
	b := append(w.quoted[:0], '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ':
			if i := slices.Index([]rune("\b\f\n\r\t"), r); i >= 0 {
				b = append(b, '\\', "bfnrt"[i])
			} else {
				b = fmt.Appendf(b, `\u%04x`, r)
			}
		case w.ascii && r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, hi, lo)
		case w.ascii && r > 126:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	w.quoted = append(b, '"')
	w.write(string(w.quoted))
}
