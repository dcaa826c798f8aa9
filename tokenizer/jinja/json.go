package jinja

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// FromJSON reads a value whose strings, lists and dicts all have this origin. Keys keep
// their order; of one that stands twice the last counts.
func FromJSON(data []byte, origin int) (Value, error) {
	r := &jsonReader{data: string(data), origin: origin}
	v, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if r.space(); r.at < len(r.data) {
		return nil, r.fail("more behind the value")
	}
	return v, nil
}

type jsonReader struct {
	data   string
	at     int
	origin int
}

func (r *jsonReader) fail(what string) error {
	return fmt.Errorf("not valid JSON at byte %d: %s", r.at, what)
}

func (r *jsonReader) space() {
	for r.at < len(r.data) && strings.IndexByte(" \t\n\r", r.data[r.at]) >= 0 {
		r.at++
	}
}

// punctuation reads one of these bytes, behind white space; 0 if there is another.
func (r *jsonReader) punctuation(set string) byte {
	if r.space(); r.at < len(r.data) && strings.IndexByte(set, r.data[r.at]) >= 0 {
		r.at++
		return r.data[r.at-1]
	}
	return 0
}

const maxJSON = 500 // lists in one another

func (r *jsonReader) value(depth int) (Value, error) {
	if depth > maxJSON {
		return nil, r.fail("nested too deep")
	}
	r.space()
	rest := r.data[r.at:]
	switch {
	case rest == "":
		return nil, r.fail("unexpected end")
	case rest[0] == '"':
		s, err := r.text()
		return from(s, r.origin), err
	case rest[0] == '{':
		return r.object(depth)
	case rest[0] == '[':
		return r.array(depth)
	}
	for word, v := range map[string]Value{"null": nil, "true": true, "false": false} {
		if strings.HasPrefix(rest, word) {
			r.at += len(word)
			return v, nil
		}
	}
	return r.number()
}

func (r *jsonReader) object(depth int) (Value, error) {
	d := &Dict{origin: r.origin}
	r.at++
	if r.punctuation("}") != 0 {
		return d, nil
	}
	for {
		if r.space(); r.at >= len(r.data) || r.data[r.at] != '"' {
			return nil, r.fail("want a key")
		}
		key, err := r.text()
		if err != nil {
			return nil, err
		}
		if r.punctuation(":") == 0 {
			return nil, r.fail("want : behind a key")
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		d.put(from(key, r.origin), key, v)
		switch r.punctuation(",}") {
		case '}':
			return d, nil
		case 0:
			return nil, r.fail("want , or } behind a value")
		}
	}
}

func (r *jsonReader) array(depth int) (Value, error) {
	l := &List{origin: r.origin}
	r.at++
	if r.punctuation("]") != 0 {
		return l, nil
	}
	for {
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		l.items = append(l.items, v)
		switch r.punctuation(",]") {
		case ']':
			return l, nil
		case 0:
			return nil, r.fail("want , or ] behind a value")
		}
	}
}

func (r *jsonReader) number() (Value, error) {
	start := r.at
	for r.at < len(r.data) && strings.IndexByte("+-.0123456789eE", r.data[r.at]) >= 0 {
		r.at++
	}
	text := r.data[start:r.at]
	digits := strings.TrimPrefix(text, "-")
	if n := digitsLength(digits, isDecimal); n == 0 || n > 1 && digits[0] == '0' || strings.HasSuffix(text, ".") || strings.Contains(text, ".e") || strings.Contains(text, ".E") {
		r.at = start
		return nil, r.fail("want a value")
	}
	if strings.ContainsAny(text, ".eE") {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil && f == 0 {
			return nil, r.fail("want a value")
		}
		return f, nil
	}
	if i, err := strconv.Atoi(text); err == nil {
		return i, nil
	}
	i, ok := new(big.Int).SetString(text, 10)
	if !ok || len(text) > maxDigits {
		return nil, r.fail("want a value")
	}
	return normBig(i), nil
}

// text reads a string.
func (r *jsonReader) text() (string, error) {
	r.at++
	i := r.at
	for i < len(r.data) && r.data[i] != '"' && r.data[i] != '\\' && r.data[i] >= ' ' {
		i++
	}
	if i < len(r.data) && r.data[i] == '"' {
		s := r.data[r.at:i]
		r.at = i + 1
		return strings.ToValidUTF8(s, "\uFFFD"), nil
	}
	var b []byte
	for {
		if r.at >= len(r.data) || r.data[r.at] < ' ' {
			return "", r.fail("a string is not closed")
		}
		c := r.data[r.at]
		r.at++
		switch c {
		case '"':
			return strings.ToValidUTF8(string(b), "\uFFFD"), nil
		case '\\':
			var err error
			if b, err = r.escape(b); err != nil {
				return "", err
			}
		default:
			b = append(b, c)
		}
	}
}

func (r *jsonReader) escape(b []byte) ([]byte, error) {
	if r.at >= len(r.data) {
		return nil, r.fail("a string is not closed")
	}
	c := r.data[r.at]
	r.at++
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		return append(b, "\"\\/\b\f\n\r\t"[i]), nil
	}
	code, ok := r.hex()
	if c != 'u' || !ok {
		return nil, r.fail("an unknown escape")
	}
	if utf16.IsSurrogate(code) {
		at := r.at
		if strings.HasPrefix(r.data[r.at:], `\u`) {
			r.at += 2
			if low, ok := r.hex(); ok {
				if both := utf16.DecodeRune(code, low); both != utf8.RuneError {
					return utf8.AppendRune(b, both), nil
				}
			}
		}
		r.at, code = at, utf8.RuneError
	}
	return utf8.AppendRune(b, code), nil
}

func (r *jsonReader) hex() (rune, bool) {
	if len(r.data)-r.at < 4 {
		return 0, false
	}
	code, err := strconv.ParseUint(r.data[r.at:r.at+4], 16, 32)
	r.at += 4
	return rune(code), err == nil
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
