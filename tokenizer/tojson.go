package tokenizer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/ardanlabs/jinja"
)

// tojson is transformers' filter: json.dumps(x, ensure_ascii, indent, separators, sort_keys).
func tojson(g *guard, args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	p := params{args[1:], kwargs}
	w := dumper{g: g, ascii: p.get(0, "ensure_ascii").IsTruthy(), sorted: p.get(3, "sort_keys").IsTruthy(), item: ", ", key: ": "}
	switch indent := p.get(1, "indent"); {
	case indent.IsInt():
		w.newline, w.indent, w.item = true, strings.Repeat(" ", int(min(max(indent.AsInt(), 0), 64))), ","
	case indent.IsString():
		w.newline, w.indent, w.item = true, indent.AsString(), ","
	}
	if s := p.get(2, "separators"); s.IsList() {
		l := s.AsList()
		if l.Len() != 2 || !l.Get(0).IsString() || !l.Get(1).IsString() {
			return jinja.Undefined(), errors.New("separators: want two strings")
		}
		w.item, w.key = l.Get(0).AsString(), l.Get(1).AsString()
	}
	if err := w.write(args[0], 0); err != nil {
		return jinja.Undefined(), err
	}
	return jinja.NewString(w.b.String()), nil
}

// dumper writes JSON as Python does.
type dumper struct {
	g                 *guard
	b                 strings.Builder
	ascii, sorted     bool
	newline           bool
	indent, item, key string
}

func (w *dumper) write(v jinja.Value, depth int) error {
	if size := w.b.Len() + depth*len(w.indent); size > maxText {
		return w.g.room(size)
	}
	switch {
	case v.IsNone():
		w.b.WriteString("null")
	case v.IsBool():
		w.b.WriteString(strconv.FormatBool(v.AsBool()))
	case v.IsInt():
		w.b.WriteString(strconv.FormatInt(v.AsInt(), 10))
	case v.IsFloat():
		w.b.WriteString(pythonFloat(v.AsFloat()))
	case v.IsString():
		w.string(v.AsString())
	case v.IsList():
		return w.list("[]", v.AsList().Len(), depth, func(i int) error { return w.write(v.AsList().Get(i), depth+1) })
	case v.IsDict():
		keys := v.AsDict().OrderedKeys()
		if w.sorted {
			slices.Sort(keys)
		}
		return w.list("{}", len(keys), depth, func(i int) error {
			w.string(keys[i])
			w.b.WriteString(w.key)
			item, _ := v.AsDict().Get(keys[i])
			return w.write(item, depth+1)
		})
	default:
		return fmt.Errorf("object of type %s is not JSON serializable", typeName(v))
	}
	return nil
}

func (w *dumper) list(brackets string, n, depth int, item func(i int) error) error {
	w.b.WriteByte(brackets[0])
	for i := range n {
		if i > 0 {
			w.b.WriteString(w.item)
		}
		w.line(depth + 1)
		if err := item(i); err != nil {
			return err
		}
	}
	if n > 0 {
		w.line(depth)
	}
	w.b.WriteByte(brackets[1])
	return nil
}

func (w *dumper) line(depth int) {
	if w.newline {
		w.b.WriteByte('\n')
		w.b.WriteString(strings.Repeat(w.indent, depth))
	}
}

func (w *dumper) string(s string) {
	w.b.WriteByte('"')
	for _, r := range s {
		if i := strings.IndexRune("\"\\\n\r\t\b\f", r); i >= 0 {
			w.b.WriteByte('\\')
			w.b.WriteByte("\"\\nrtbf"[i])
		} else if r < ' ' || w.ascii && r > '~' {
			for _, u := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&w.b, `\u%04x`, u)
			}
		} else {
			w.b.WriteRune(r)
		}
	}
	w.b.WriteByte('"')
}
