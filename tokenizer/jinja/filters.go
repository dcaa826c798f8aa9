package jinja

import (
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// filters by name: here those of texts and numbers, in lists.go those of lists.
var filters map[string]*builtin

func init() {
	filters = map[string]*builtin{
		"abs":        define("_", abs),
		"attr":       define("obj name", attr),
		"capitalize": mapText(capitalize),
		"center": define("value width=80", func(m *machine, a []Value) Value {
			return m.center(m.str(a[0]), integer(a[1])-m.str(a[0]).length(), " ")
		}),
		"default":        define("value default_value= boolean=False", fallback),
		"escape":         mapText(htmlEscaper.Replace),
		"filesizeformat": define("value binary=False", fileSize),
		"float":          define("value default=0.0", floatFilter),
		"format":         {raw: formatFilter},
		"indent":         define("s width=4 first=False blank=False", indent),
		"int":            define("value default=0 base=10", intFilter),
		"lower":          mapText(lower),
		"pprint":         define("value", func(m *machine, a []Value) Value { return m.repr(a[0]) }),
		"replace":        define("s old new count=None", replaceFilter),
		"round":          define("value precision=0 method=common", round),
		"string":         mapText(func(s string) string { return s }),
		"striptags":      mapText(stripTags),
		"title":          mapText(titleWords),
		"tojson":         define("x ensure_ascii=False indent=None separators=None sort_keys=False", toJSON),
		"trim":           define("value chars=None", func(m *machine, a []Value) Value { return stripped(m, m.str(a[0]), a[1], true, true) }),
		"truncate":       define("s length=255 killwords=False end=... leeway=None", truncate),
		"upper":          mapText(upper),
		"urlencode":      define("value", urlEncode),
		"urlize": {raw: func(*machine, *args) Value {
			panic(raise(runtimeError, "the filter urlize is not supported: it writes HTML"))
		}},
		"wordcount": define("s", wordCount),
		"wordwrap":  define("s width=79 break_long_words=True wrapstring=None break_on_hyphens=True", wordWrap),
		"xmlattr":   define("d autospace=True", xmlAttr),
	}
	filters["d"], filters["e"], filters["forceescape"], filters["safe"] = filters["default"], filters["escape"], filters["escape"], filters["string"]
	addListFilters()
}

// mapText is a filter that does f to the text of its value.
func mapText(f func(string) string) *builtin {
	return define("s", func(m *machine, a []Value) Value { return m.str(a[0]).mapped(f) })
}

func abs(_ *machine, a []Value) Value {
	if math.Signbit(floatOf(a[0])) {
		return sign("-", a[0])
	}
	return sign("+", a[0])
}

func attr(m *machine, a []Value) Value {
	name := textOf(a[1])
	if v, found := ownAttribute(a[0], name.text); found {
		return v
	}
	return unsafeOr(a[0], name)
}

func fallback(_ *machine, a []Value) Value {
	if _, ok := a[0].(*Undefined); ok || truth(a[2]) && !truth(a[0]) {
		return a[1]
	}
	return a[0]
}

func fileSize(_ *machine, a []Value) Value {
	size, ok := toFloat(a[0])
	if !ok {
		size = floatOf(a[0])
	}
	base, units, suffix := 1000.0, "kMGTPEZY", "B"
	if truth(a[1]) {
		base, units, suffix = 1024, "KMGTPEZY", "iB"
	}
	if size == 1 {
		return String("1 Byte")
	} else if size < base {
		return String(fmt.Sprintf("%d Bytes", int(size)))
	}
	for size /= base; len(units) > 1 && size >= base; size /= base {
		units = units[1:]
	}
	return String(fmt.Sprintf("%.1f %c%s", size, units[0], suffix))
}

func floatFilter(_ *machine, a []Value) Value {
	defined(a[0])
	if f, ok := toFloat(a[0]); ok {
		return f
	}
	return a[1]
}

func intFilter(_ *machine, a []Value) Value {
	defined(a[0])
	i, ok := toInt(a[0], integer(a[2]))
	if f, isFloat := toFloat(a[0]); !ok && isFloat && isType[*Str](a[0]) { // as in '1.5'
		i, ok = toInt(f, 10)
	}
	if !ok {
		return a[1]
	}
	return i
}

func formatFilter(m *machine, a *args) Value {
	if len(a.plain) == 0 || len(a.plain) > 1 && len(a.names) > 0 {
		panic(raise(filterError, "can't handle positional and keyword arguments at the same time"))
	}
	if len(a.names) == 0 {
		return m.percent(m.str(a.plain[0]), newTuple(a.plain[1:]...))
	}
	return m.percent(m.str(a.plain[0]), m.dictOf(&args{plain: nil, names: a.names, named: a.named}))
}

func indent(m *machine, a []Value) Value {
	defined(a[0])
	s, margin := textOf(a[0]), m.margin(a[1])
	lines := m.join(s, String("\n")).splitLines(false)
	m.spend(min(len(margin.text), maxText)*len(lines) + len(s.text))
	var r rope
	if truth(a[2]) {
		r.str(margin)
	}
	for i, line := range lines {
		if i > 0 {
			r.text("\n")
			if line.(*Str).text != "" || truth(a[3]) {
				r.str(margin)
			}
		}
		r.str(line.(*Str))
	}
	return r.value()
}

func replaceFilter(m *machine, a []Value) Value {
	n := -1
	if a[3] != nil {
		n = integer(a[3])
	}
	return m.replace(m.str(a[0]), m.str(a[1]), m.str(a[2]), n)
}

// round rounds half to even, or up or down.
func round(m *machine, a []Value) Value {
	method, n := m.str(a[2]).text, integer(a[1])
	check(slices.Contains([]string{"common", "ceil", "floor"}, method), filterError, "method must be common, ceil or floor")
	floatOf(a[0])
	if method != "common" {
		scale := m.binary("**", 10, n)
		f := floatOf(m.binary("*", a[0], scale))
		i, _ := toInt(map[string]float64{"ceil": math.Ceil(f), "floor": math.Floor(f)}[method], 10)
		return m.binary("/", i, scale)
	}
	f, isFloat := a[0].(float64)
	switch {
	case !isFloat && n >= 0:
		return sign("+", a[0])
	case !isFloat:
		f = floatOf(a[0])
		i, _ := toInt(math.RoundToEven(f/math.Pow10(-n))*math.Pow10(-n), 10)
		return i
	case math.IsNaN(f) || math.IsInf(f, 0) || n > 323:
		return f
	case n < 0:
		return math.RoundToEven(f/math.Pow10(-n)) * math.Pow10(-n)
	}
	f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'f', n, 64), 64)
	return f
}

func stripTags(s string) string {
	for _, pair := range [][2]string{{"<!--", "-->"}, {"<", ">"}} {
		var b strings.Builder
		for {
			i := strings.Index(s, pair[0])
			j := strings.Index(s[max(i, 0):], pair[1])
			if i < 0 || j < 0 {
				break
			}
			b.WriteString(s[:i])
			s = s[i+j+len(pair[1]):]
		}
		s = b.String() + s
	}
	return htmlUnescaper.Replace(strings.Join(strings.FieldsFunc(s, isSpace), " "))
}

var htmlUnescaper = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&#39;", "'", "&#34;", `"`, "&quot;", `"`, "&amp;", "&", "&nbsp;", "\u00a0")

// titleWords is the filter title: a word begins behind white space, a hyphen or an
// opening bracket.
func titleWords(s string) string {
	var b strings.Builder
	begins := true
	for _, r := range s {
		if begins {
			b.WriteString(upper(string(r)))
		} else {
			b.WriteString(lower(string(r)))
		}
		begins = isSpace(r) || strings.ContainsRune("-({[<", r)
	}
	return b.String()
}

func truncate(m *machine, a []Value) Value {
	size, end, leeway := integer(a[1]), textOf(a[3]), 5
	if a[4] != nil {
		leeway = integer(a[4])
	}
	check(size >= end.length() && leeway >= 0, "AssertionError", "truncate: want a length of at least %d and no negative leeway", end.length())
	if length(a[0]) <= size+leeway {
		return a[0]
	}
	s := textOf(a[0])
	cut := s.slice(0, s.byteOf(size-end.length()))
	if i := strings.LastIndexByte(cut.text, ' '); i >= 0 && !truth(a[2]) {
		cut = cut.slice(0, i)
	}
	return m.join(cut, end)
}

// urlEncode quotes a text, or the pairs of a dict or list as a query.
func urlEncode(m *machine, a []Value) Value {
	quoted := func(v Value) string {
		s := m.str(v).text
		m.spend(3 * len(s))
		return url.QueryEscape(s)
	}
	pairs := a[0]
	switch v := a[0].(type) {
	case *Dict:
		pairs = NewList(v.pairs()...)
	case *List, *Undefined, *iterator:
	default:
		return String(strings.NewReplacer("+", "%20", "%2F", "/").Replace(quoted(v)))
	}
	var out []string
	for _, pair := range m.iterate(pairs) {
		k, v := m.pair(pair)
		out = append(out, quoted(k)+"="+quoted(v))
	}
	return String(strings.Join(out, "&"))
}

func wordCount(m *machine, a []Value) Value {
	s := m.str(a[0]).text
	return len(strings.FieldsFunc(s, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsNumber(r) }))
}

func wordWrap(m *machine, a []Value) Value {
	defined(a[0])
	s, width, newline := textOf(a[0]), integer(a[1]), String("\n")
	if a[3] != nil {
		newline = m.str(a[3])
	}
	var lines []Value
	for _, line := range s.splitLines(false) {
		check(width > 0, valueError, "invalid width %d (must be > 0)", width)
		lines = append(lines, m.concat(wrapText(line.(*Str), width, truth(a[2])), newline))
	}
	return m.concat(lines, newline)
}

// wrapText is Python's textwrap.wrap of one line, without tabs and replaced white space;
// words are not cut at hyphens.
func wrapText(s *Str, width int, breakLong bool) []Value {
	var out []Value
	for rest := s; rest.text != ""; {
		if len(out) > 0 {
			rest = rest.strip(nil, true, false)
		}
		var line int // bytes
		for used := 0; line < len(rest.text); {
			chunk := chunkRule.FindString(rest.text[line:])
			n := utf8.RuneCountInString(chunk)
			if used+n > width && n > width && breakLong && used < width {
				line += rest.slice(line, len(rest.text)).byteOf(width - used)
				break
			}
			if used+n > width && (used > 0 || breakLong) {
				break
			}
			line, used = line+len(chunk), used+n
		}
		if one := rest.slice(0, line).strip(nil, false, true); one.text != "" {
			out = append(out, one)
		}
		rest = rest.slice(line, len(rest.text))
	}
	return out
}

// chunkRule is white space or a word.
var chunkRule = regexp.MustCompile(`^(?:` + space + `+|[^` + space[1:len(space)-1] + `]+)`)

func xmlAttr(m *machine, a []Value) Value {
	d := dictOrFail(a[0])
	var parts []Value
	for i, k := range d.keys {
		if _, ok := d.values[i].(*Undefined); ok || d.values[i] == nil {
			continue
		}
		key := textOf(k)
		check(!strings.ContainsAny(key.text, " \t\n\r\f\v/>="), valueError, "Invalid character in attribute name: %s", quote(key.text))
		parts = append(parts, m.concat([]Value{key, String(`="`), m.str(d.values[i]).mapped(htmlEscaper.Replace), String(`"`)}, emptyText))
	}
	if len(parts) > 0 && truth(a[1]) {
		parts = slices.Insert(parts, 0, Value(emptyText))
	}
	return m.concat(parts, String(" "))
}
