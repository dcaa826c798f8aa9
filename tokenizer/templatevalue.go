package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/ardanlabs/jinja"
)

// errMarks refuses the two characters that mark what is trained.
var errMarks = errors.New("contains U+E000 or U+E001, which mark what is trained")

// jinjaValue is a JSON value for templates: key order is kept, and 1 is not 1.0.
func jinjaValue(raw json.RawMessage) (jinja.Value, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return decodeValue(d)
}

func decodeValue(d *json.Decoder) (jinja.Value, error) {
	t, err := d.Token()
	if err != nil {
		return jinja.Value{}, err
	}
	switch v := t.(type) {
	case string:
		if strings.ContainsAny(v, marks) {
			return jinja.Value{}, errMarks
		}
	case json.Delim:
		if v == '{' {
			return decodeDict(d)
		}
		var items []jinja.Value
		for d.More() {
			item, err := decodeValue(d)
			if err != nil {
				return jinja.Value{}, err
			}
			items = append(items, item)
		}
		_, err := d.Token()
		return jinja.NewList(items), err
	}
	return jinja.FromGoValue(t), nil
}

func decodeDict(d *json.Decoder) (jinja.Value, error) {
	v := jinja.NewDict()
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return v, err
		}
		item, err := decodeValue(d)
		if err != nil {
			return v, err
		}
		v.AsDict().Set(key.(string), item)
	}
	_, err := d.Token()
	return v, err
}

// filterPrefix makes names for our filters, which the renderer finds among the variables.
const filterPrefix = "finetune_"

// printed is what {{ … }} prints: None and floats as Python writes them.
func printed(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	switch v := args[0]; {
	case v.IsNone():
		return jinja.NewString("None"), nil
	case v.IsFloat():
		return jinja.NewString(pythonFloat(v.AsFloat())), nil
	}
	return args[0], nil
}

// toString is the filter string.
func toString(args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	v, err := printed(args, kwargs)
	if err != nil || v.IsString() || v.IsUndefined() {
		return v, err
	}
	return jinja.NewString(v.String()), nil
}

// tojson is transformers' filter: json.dumps(x, ensure_ascii, indent, separators, sort_keys).
func tojson(args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	if len(args) == 0 {
		return jinja.Undefined(), errors.New("tojson: nothing to write")
	}
	given := map[string]jinja.Value{}
	for i, name := range []string{"ensure_ascii", "indent", "separators", "sort_keys"} {
		if i+1 < len(args) {
			given[name] = args[i+1]
		}
		if v, ok := kwargs[name]; ok {
			given[name] = v
		}
	}
	w := dumper{ascii: given["ensure_ascii"].IsTruthy(), sorted: given["sort_keys"].IsTruthy(), item: ", ", key: ": "}
	switch indent := given["indent"]; {
	case indent.IsInt():
		w.newline, w.indent, w.item = true, strings.Repeat(" ", int(min(max(indent.AsInt(), 0), 64))), ","
	case indent.IsString():
		w.newline, w.indent, w.item = true, indent.AsString(), ","
	}
	if s := given["separators"]; s.IsList() {
		l := s.AsList()
		if l.Len() != 2 || !l.Get(0).IsString() || !l.Get(1).IsString() {
			return jinja.Undefined(), errors.New("tojson: separators: want two strings")
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
	b                 strings.Builder
	ascii, sorted     bool
	newline           bool
	indent, item, key string
}

func (w *dumper) write(v jinja.Value, depth int) error {
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
		return errors.New("tojson: an undefined value")
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

// directives are strftime's, by their Go layouts.
var directives = map[string]string{
	"Y": "2006", "m": "01", "d": "02", "H": "15", "M": "04", "S": "05", "B": "January", "b": "Jan", "A": "Monday",
	"a": "Mon", "p": "PM", "I": "03", "y": "06", "j": "002", "Z": "MST", "z": "-0700", "F": "2006-01-02",
	"T": "15:04:05", "D": "01/02/06", "e": "_2", "-d": "2", "-m": "1", "-I": "3", "-M": "4", "-S": "5",
}

// strftime formats as Python does in the C locale.
func strftime(t time.Time, format string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		n := 1
		if strings.HasPrefix(format[i+1:], "-") {
			n = 2
		}
		name := format[i+1 : min(i+1+n, len(format))]
		layout, ok := directives[name]
		switch {
		case ok:
			b.WriteString(t.Format(layout))
		case name == "%":
			b.WriteByte('%')
		case name == "-H":
			b.WriteString(strconv.Itoa(t.Hour()))
		default:
			return "", fmt.Errorf("strftime_now: unknown directive %%%s in %q", name, format)
		}
		i += n
	}
	return b.String(), nil
}
