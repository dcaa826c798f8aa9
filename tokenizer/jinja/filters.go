package jinja

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// filters by name: here those of texts and numbers, in sequences.go those of lists.
var filters map[string]*builtin

func init() {
	filters = map[string]*builtin{
		"abs":            native("abs", 1, 1, abs),
		"attr":           define("do_attr/1 obj name", attr),
		"capitalize":     define("do_capitalize s", mapText(capitalize)),
		"center":         define("do_center value width=80", centerFilter),
		"default":        define("do_default value default_value boolean=False", fallback),
		"escape":         define("escape s", func(m *machine, a []Value) (Value, error) { s, err := m.str(a[0]); return escaped(s, err) }),
		"filesizeformat": define("do_filesizeformat value binary=False", fileSize),
		"float":          define("do_float value default=0.0", floatFilter),
		"forceescape":    define("do_forceescape value", func(m *machine, a []Value) (Value, error) { s, err := m.str(a[0]); return escaped(s, err) }),
		"format":         anything("do_format", formatFilter),
		"indent":         define("do_indent s width=4 first=False blank=False", indent),
		"int":            define("do_int value default=0 base=10", intFilter),
		"lower":          define("do_lower s", mapText(lower)),
		"pprint":         define("do_pprint value", func(m *machine, a []Value) (Value, error) { return m.repr(a[0]) }),
		"replace":        define("do_replace/1 s old new count=None", replaceFilter),
		"round":          define("do_round value precision=0 method=common", round),
		"safe":           define("do_mark_safe value", safe),
		"string":         define("soft_str s", func(m *machine, a []Value) (Value, error) { return m.str(a[0]) }),
		"striptags":      define("do_striptags value", stripTags),
		"title":          define("do_title s", mapText(titleWords)),
		"tojson":         define("tojson x ensure_ascii=False indent=None separators=None sort_keys=False", toJSON),
		"trim":           define("do_trim value chars=None", trim),
		"truncate":       define("do_truncate/1 s length=255 killwords=False end=... leeway=None", truncate),
		"upper":          define("do_upper s", mapText(upper)),
		"urlencode":      define("do_urlencode value", urlEncode),
		"urlize":         define("do_urlize/1 value trim_url_limit=None nofollow=False target=None rel=None extra_schemes=None", urlize),
		"wordcount":      define("do_wordcount s", wordCount),
		"wordwrap":       define("do_wordwrap/1 s width=79 break_long_words=True wrapstring=None break_on_hyphens=True", wordWrap),
		"xmlattr":        define("do_xmlattr/1 d autospace=True", xmlAttr),
	}
	filters["default"].params[1] = parameter{"default_value", emptyText, true}
	filters["d"], filters["e"] = filters["default"], filters["escape"]
	addSequenceFilters()
}

// mapText is a filter that does f to the text of its value.
func mapText(f func(string) string) func(m *machine, a []Value) (Value, error) {
	return func(m *machine, a []Value) (Value, error) {
		s, err := m.str(a[0])
		if err != nil {
			return nil, err
		}
		return s.mapped(f), m.spend(len(s.text))
	}
}

func escaped(s *Str, err error) (Value, error) {
	if err != nil {
		return nil, err
	}
	return escape(s), nil
}

func safe(m *machine, a []Value) (Value, error) {
	s, err := m.str(a[0])
	if err != nil {
		return nil, err
	}
	out := *s
	out.markup = true
	return &out, nil
}

func attr(m *machine, a []Value) (Value, error) {
	name, ok := a[1].(*Str)
	if !ok {
		return nil, raise(typeError, "attribute name must be string, not %s", quote(typeName(a[1])))
	}
	v, found, err := m.ownAttribute(a[0], name.text)
	if found || err != nil {
		return v, err
	}
	if u, ok := a[0].(*Undefined); ok {
		return nil, u.fail()
	}
	return &Undefined{of: a[0], any: true, name: name}, nil
}

func centerFilter(m *machine, a []Value) (Value, error) {
	s, err := m.str(a[0])
	if err != nil {
		return nil, err
	}
	width, err := integer(a[1])
	if err != nil {
		return nil, err
	}
	return m.center(s, width, " ")
}

func fallback(_ *machine, a []Value) (Value, error) {
	if _, ok := a[0].(*Undefined); ok || truth(a[2]) && !truth(a[0]) {
		return a[1], nil
	}
	return a[0], nil
}

func formatFilter(m *machine, a *args) (Value, error) {
	if len(a.plain) == 0 {
		return nil, raise(typeError, "do_format() missing 1 required positional argument: 'value'")
	}
	s, err := m.str(a.plain[0])
	if err != nil {
		return nil, err
	}
	if len(a.names) == 0 {
		return m.percent(s, newTuple(a.plain[1:]...))
	}
	if len(a.plain) > 1 {
		return nil, raise(filterError, "can't handle positional and keyword arguments at the same time")
	}
	d := NewDict()
	for i, name := range a.names {
		d.Set(name, a.named[i])
	}
	return m.percent(s, d)
}

func indent(m *machine, a []Value) (Value, error) {
	pad, ok := a[1].(*Str)
	if !ok {
		n, err := integer(a[1])
		if err != nil {
			return nil, raise(typeError, "can't multiply sequence by non-int of type %s", quote(typeName(a[1])))
		}
		if err := m.spend(min(max(n, 0), maxText+1)); err != nil {
			return nil, err
		}
		pad = String(strings.Repeat(" ", max(n, 0)))
	}
	s, ok := a[0].(*Str)
	if !ok {
		return nil, notIndented(m, a[0])
	}
	var with rope
	with.str(s)
	with.text("\n")
	lines := splitLines(with.value(), false)
	if err := m.spend(min(len(pad.text), maxText)*len(lines) + len(s.text)); err != nil {
		return nil, err
	}
	var r rope
	if truth(a[2]) {
		r.str(pad)
	}
	for i, line := range lines {
		if i > 0 {
			r.text("\n")
			if line.(*Str).text != "" || truth(a[3]) {
				r.str(pad)
			}
		}
		r.str(line.(*Str))
	}
	return r.value(), nil
}

// notIndented is the error of s += newline where s is no text.
func notIndented(m *machine, v Value) error {
	switch v := v.(type) {
	case *Undefined:
		return v.fail()
	case *List:
		if v.kind == list { // += makes a list longer by characters
			return noAttribute(v, "splitlines")
		}
		if v.kind.isTuple() {
			_, err := m.add(v, emptyText)
			return err
		}
	}
	return unsupported("+=", v, emptyText)
}

func replaceFilter(m *machine, a []Value) (Value, error) {
	var texts [3]*Str
	for i := range texts {
		var err error
		if texts[i], err = m.str(a[i]); err != nil {
			return nil, err
		}
	}
	n := -1
	if a[3] != nil {
		var err error
		if n, err = integer(a[3]); err != nil {
			return nil, err
		}
	}
	return m.replace(texts[0], texts[1], texts[2], n)
}

func stripTags(m *machine, a []Value) (Value, error) {
	s, err := m.str(a[0])
	if err != nil {
		return nil, err
	}
	if err := m.spend(2 * len(s.text)); err != nil {
		return nil, err
	}
	return s.mapped(func(s string) string {
		for _, pair := range [][2]string{{"<!--", "-->"}, {"<", ">"}} {
			for {
				i := strings.Index(s, pair[0])
				if i < 0 {
					break
				}
				j := strings.Index(s[i:], pair[1])
				if j < 0 {
					break
				}
				s = s[:i] + s[i+j+len(pair[1]):]
			}
		}
		return htmlUnescaper.Replace(strings.Join(strings.FieldsFunc(s, isSpace), " "))
	}), nil
}

var htmlUnescaper = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&#39;", "'", "&#34;", `"`, "&quot;", `"`, "&amp;", "&", "&nbsp;", "\u00a0")

// titleWords is the filter title: a word begins behind white space, a hyphen or an
// opening bracket.
func titleWords(s string) string {
	var b strings.Builder
	for s != "" {
		i := strings.IndexFunc(s, func(r rune) bool { return isSpace(r) || strings.ContainsRune("-({[<", r) })
		if i < 0 {
			i = len(s)
		}
		if i > 0 {
			_, size := utf8.DecodeRuneInString(s)
			b.WriteString(upper(s[:size]) + lower(s[size:i]))
		} else {
			_, i = utf8.DecodeRuneInString(s)
			b.WriteString(s[:i])
		}
		s = s[i:]
	}
	return b.String()
}

func trim(m *machine, a []Value) (Value, error) {
	s, err := m.str(a[0])
	if err != nil || a[1] == nil {
		if err == nil {
			s = strip(s, nil, true, true)
		}
		return s, err
	}
	chars, ok := a[1].(*Str)
	if !ok {
		return nil, raise(typeError, "strip arg must be None or str")
	}
	return strip(s, chars, true, true), m.step(len(chars.text) + 1)
}

func truncate(m *machine, a []Value) (Value, error) {
	size, err := integer(a[1])
	if err != nil {
		return nil, raise(typeError, "'>=' not supported between instances of %s and 'int'", quote(typeName(a[1])))
	}
	end, err := textOf(a[3], func() error { return raise(typeError, "object of type %s has no len()", quote(typeName(a[3]))) })
	if err != nil {
		return nil, err
	}
	leeway := 5
	if a[4] != nil {
		if leeway, err = integer(a[4]); err != nil {
			return nil, err
		}
	}
	tail, _ := runes(end.text)
	if size < tail {
		return nil, raise("AssertionError", "expected length >= %d, got %d", tail, size)
	}
	if leeway < 0 {
		return nil, raise("AssertionError", "expected leeway >= 0, got %d", leeway)
	}
	if n, err := length(a[0]); err != nil || n <= size+leeway {
		return a[0], err
	}
	s, ok := a[0].(*Str)
	if !ok {
		return nil, noAttribute(a[0], "rsplit")
	}
	cut := s.slice(0, byteOf(s.text, size-tail))
	if !truth(a[2]) {
		if i := strings.LastIndexByte(cut.text, ' '); i >= 0 {
			cut = cut.slice(0, i)
		}
	}
	return m.join(cut, end)
}

// quoteURL is urllib's quote of a text; for a query a space is +, and / is not kept.
func quoteURL(s string, query bool) string {
	s = url.QueryEscape(s)
	if query {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "+", "%20"), "%2F", "/")
}

func urlEncode(m *machine, a []Value) (Value, error) {
	plain := func(v Value, query bool) (string, error) {
		s, err := m.str(v)
		if err != nil {
			return "", err
		}
		return quoteURL(s.text, query), m.spend(3 * len(s.text))
	}
	var pairs []Value
	var err error
	switch v := a[0].(type) {
	case *Dict:
		for i, k := range v.keys {
			pairs = append(pairs, newTuple(k, v.values[i]))
		}
	case *List, *Undefined, *iterator:
		pairs, err = m.iterate(v)
	default:
		text, err := plain(v, false)
		return String(text), err
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, pair := range pairs {
		kv, err := m.iterate(pair)
		if err != nil {
			return nil, raise(typeError, "cannot unpack non-iterable %s object", typeName(pair))
		}
		if len(kv) != 2 {
			if len(kv) < 2 {
				return nil, raise(valueError, "not enough values to unpack (expected 2, got %d)", len(kv))
			}
			return nil, raise(valueError, "too many values to unpack (expected 2)")
		}
		k, err := plain(kv[0], true)
		if err != nil {
			return nil, err
		}
		v, err := plain(kv[1], true)
		if err != nil {
			return nil, err
		}
		out = append(out, k+"="+v)
	}
	return String(strings.Join(out, "&")), nil
}

func urlize(*machine, []Value) (Value, error) {
	return nil, raise(runtimeError, "the filter urlize is not supported: it writes HTML")
}

func wordCount(m *machine, a []Value) (Value, error) {
	s, err := m.str(a[0])
	if err != nil {
		return nil, err
	}
	word := func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }
	return len(strings.FieldsFunc(s.text, func(r rune) bool { return !word(r) })), m.step(len(s.text))
}

func wordWrap(m *machine, a []Value) (Value, error) {
	s, ok := a[0].(*Str)
	if !ok {
		if u, ok := a[0].(*Undefined); ok {
			return nil, u.fail()
		}
		return nil, noAttribute(a[0], "splitlines")
	}
	width, err := integer(a[1])
	if err != nil {
		return nil, err
	}
	newline := String("\n")
	if a[3] != nil {
		if newline, err = m.str(a[3]); err != nil {
			return nil, err
		}
	}
	if err := m.items(4 * len(s.text)); err != nil {
		return nil, err
	}
	var lines []Value
	for _, line := range splitLines(s, false) {
		if width <= 0 {
			return nil, raise(valueError, "invalid width %d (must be > 0)", width)
		}
		wrapped, err := m.concat(wrapText(line.(*Str), width, truth(a[2]), truth(a[4])), newline)
		if err != nil {
			return nil, err
		}
		lines = append(lines, wrapped)
	}
	return m.concat(lines, newline)
}

func xmlAttr(m *machine, a []Value) (Value, error) {
	d, ok := a[0].(*Dict)
	if !ok {
		if u, ok := a[0].(*Undefined); ok {
			return nil, u.fail()
		}
		return nil, noAttribute(a[0], "items")
	}
	var parts []Value
	for i, k := range d.keys {
		if _, ok := d.values[i].(*Undefined); ok || d.values[i] == nil {
			continue
		}
		key, ok := k.(*Str)
		if !ok {
			return nil, raise(typeError, "expected string or bytes-like object, got %s", quote(typeName(k)))
		}
		if strings.ContainsAny(key.text, " \t\n\r\f\v/>=") {
			return nil, raise(valueError, "Invalid character in attribute name: %s", quote(key.text))
		}
		value, err := m.str(d.values[i])
		if err != nil {
			return nil, err
		}
		one, err := m.concat([]Value{escape(key), String(`="`), escape(value), String(`"`)}, nil)
		if err != nil {
			return nil, err
		}
		parts = append(parts, one)
	}
	if len(parts) > 0 && truth(a[1]) {
		parts = slices.Insert(parts, 0, Value(emptyText))
	}
	return m.concat(parts, String(" "))
}
