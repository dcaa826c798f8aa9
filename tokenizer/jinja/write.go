package jinja

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"example.com/finetune/internal/jsontree"
)

// str is Python's str(v).
func (m *machine) str(v Value) *Str {
	switch v := v.(type) {
	case *Str:
		return v
	case int:
		return String(strconv.Itoa(v))
	case *Undefined:
		return emptyText
	}
	return m.repr(v)
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

// writer writes values as Python's repr or json.dumps do.
type writer struct {
	m            *machine
	out          rope
	origin       int // of what is written now
	comma, colon string
	json         bool // and what only JSON has:
	ascii        bool
	sorted       bool
	lines        bool // each item on a line of its own
	indent       string
}

// repr is Python's repr(v).
func (m *machine) repr(v Value) *Str {
	w := &writer{m: m, comma: ", ", colon: ": "}
	return w.run(v)
}

// repr0 is the repr of a value in an error message.
func repr0(v Value) (text string) {
	var err error
	defer catch(&err, "", new(int))
	text = "..." // where it is too long
	m := &machine{budget: &Budget{Steps: 1 << 16, Bytes: 1 << 20}}
	return m.repr(v).text
}

// toJSON is the filter tojson, as transformers defines it.
func toJSON(m *machine, a []Value) Value {
	w := &writer{m: m, json: true, ascii: truth(a[1]), sorted: truth(a[4]), comma: ", ", colon: ": "}
	if a[2] != nil {
		w.lines, w.comma, w.indent = true, ",", m.margin(a[2]).text
	}
	if a[3] != nil {
		comma, colon := m.pair(a[3])
		w.comma, w.colon = textOf(comma).text, textOf(colon).text
	}
	return w.run(a[0])
}

// margin is a text, or as many spaces as a number says.
func (m *machine) margin(v Value) *Str {
	if s, ok := v.(*Str); ok {
		return s
	}
	n := max(integer(v), 0)
	m.spend(n)
	return String(strings.Repeat(" ", n))
}

func (w *writer) run(v Value) *Str {
	w.value(v, 0)
	w.m.spend(len(w.out.buf))
	return w.out.value()
}

// write appends text of the origin that is current.
func (w *writer) write(s string) {
	at := len(w.out.buf)
	w.out.buf = append(w.out.buf, s...)
	w.out.add(Piece{Start: at, End: len(w.out.buf), Origin: w.origin})
}

func (w *writer) value(v Value, depth int) {
	w.m.deeper(depth)
	checkText(len(w.out.buf))
	outer := w.origin
	if o := originOf(v); o != 0 {
		w.origin = o
	}
	switch v := v.(type) {
	case *Str:
		w.write(w.quoted(v.text))
	case *List:
		w.list(v, depth)
	case *Dict:
		w.dict(v, depth)
	case *Namespace:
		check(!w.json, typeError, "Object of type Namespace is not JSON serializable")
		w.write("<Namespace ")
		w.dict(&v.attrs, depth)
		w.write(">")
	default:
		w.write(w.scalar(v))
	}
	w.origin = outer
}

func (w *writer) list(l *List, depth int) {
	open, shut := "[", "]"
	switch {
	case w.json:
		check(l.plain(), typeError, "Object of type %s is not JSON serializable", l.kind.typeName())
	case l.kind == rangeList:
		text := fmt.Sprintf("range(%d, %d, %d)", l.bounds[0], l.bounds[1], l.bounds[2])
		w.write(strings.Replace(text, ", 1)", ")", 1))
		return
	case l.kind.isView():
		open, shut = l.kind.typeName()+"([", "])"
	case l.kind.isTuple() && len(l.items) == 1:
		open, shut = "(", ",)"
	case l.kind.isTuple():
		open, shut = "(", ")"
	}
	w.all(open, shut, len(l.items), depth, func(i int) { w.value(l.items[i], depth+1) })
}

func (w *writer) dict(d *Dict, depth int) {
	keys := d.keys
	if w.sorted {
		keys = w.m.sorted(keys, keys, false)
	}
	w.all("{", "}", len(keys), depth, func(i int) {
		v := d.values[i]
		if w.sorted {
			v = d.values[d.find(mustHash(keys[i]))]
		}
		if s, isText := keys[i].(*Str); isText && w.json {
			w.write(w.quoted(s.text))
		} else if w.json {
			w.write(w.quoted(w.scalar(keys[i])))
		} else {
			w.value(keys[i], depth+1)
		}
		w.write(w.colon)
		w.value(v, depth+1)
	})
}

// all writes n items between brackets.
func (w *writer) all(open, shut string, n, depth int, one func(i int)) {
	w.write(open)
	for i := range n {
		if i > 0 {
			w.write(w.comma)
		}
		w.line(depth + 1)
		one(i)
	}
	if n > 0 {
		w.line(depth)
	}
	w.write(shut)
}

// line begins a new one where there is an indent.
func (w *writer) line(depth int) {
	if w.lines {
		checkText(len(w.out.buf) + depth*len(w.indent))
		w.write("\n" + strings.Repeat(w.indent, depth))
	}
}

// scalar spells what is no text and holds nothing.
func (w *writer) scalar(v Value) string {
	if !w.json {
		return scalarText(v)
	}
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case int, *big.Int:
		return scalarText(v)
	case float64:
		return jsonFloats.Replace(floatText(v))
	}
	panic(raise(typeError, "Object of type %s is not JSON serializable", typeName(v)))
}

var jsonFloats = strings.NewReplacer("nan", "NaN", "inf", "Infinity")

func (w *writer) quoted(s string) string {
	if w.json {
		return quoteJSON(s, w.ascii)
	}
	return quote(s)
}

// scalarText is the repr of what holds no other values, without an address.
func scalarText(v Value) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int:
		return strconv.Itoa(v)
	case *big.Int:
		return bigText(v)
	case float64:
		return floatText(v)
	case *Undefined:
		return "Undefined"
	case *macroValue:
		if v.name == "" {
			return "<Macro anonymous>"
		}
		return "<Macro " + quote(v.name) + ">"
	case *loopValue:
		return fmt.Sprintf("<LoopContext %d/%d>", v.at+1, len(v.items))
	case *function:
		return "<function " + v.name + ">"
	}
	return "<" + typeName(v) + " object>"
}

// bigText is an integer in digits, of which Python writes no more than 4300.
func bigText(i *big.Int) string {
	check(float64(i.BitLen())*math.Log10(2) <= maxDigits+1, valueError, "Exceeds the limit (%d digits) for integer string conversion", maxDigits)
	return i.String()
}

// floatText is a float as Python spells it: the shortest digits that give it back,
// with an exponent below 1e-4 and from 1e16 on.
func floatText(f float64) string {
	a := math.Abs(f)
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	case a != 0 && (a < 1e-4 || a >= 1e16):
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
	q := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	b := make([]byte, 0, len(s)+2)
	b = append(b, byte(q))
	for _, r := range s {
		i := strings.IndexRune("\n\r\t", r)
		switch {
		case r == q || r == '\\':
			b = append(b, '\\', byte(r))
		case i >= 0:
			b = append(b, '\\', "nrt"[i])
		case unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, escapeOf(r)...)
		}
	}
	return string(append(b, byte(q)))
}

func escapeOf(r rune) string {
	switch {
	case r < 0x100:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}

// quoteJSON is a string in JSON.
func quoteJSON(s string, ascii bool) string {
	b := make([]byte, 0, len(s)+2)
	b = append(b, '"')
	for _, r := range s {
		switch i := strings.IndexRune("\b\f\n\r\t", min(r, ' ')); {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case i >= 0:
			b = append(b, '\\', "bfnrt"[i])
		case r < ' ' || ascii && r > 126 && r <= 0xffff:
			b = fmt.Appendf(b, `\u%04x`, r)
		case ascii && r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, hi, lo)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return string(append(b, '"'))
}

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
		if strings.ContainsAny(v.Raw(), ".eE") {
			f, _ := strconv.ParseFloat(v.Raw(), 64) // too large: infinite, as in Python
			return f, nil
		}
		i, ok := parseInt(v.Raw(), 10)
		if !ok {
			return nil, fmt.Errorf("an integer of more than %d digits", maxDigits)
		}
		return i, nil
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
			d.put(From(key, origin), value)
		}
		return d, nil
	}
	return nil, nil
}
