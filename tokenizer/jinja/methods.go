package jinja

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

var methods map[string]map[string]*builtin // by type and name

// methodOf is the method of a value, or nil.
func methodOf(v Value, name string) *builtin {
	switch v := v.(type) {
	case *Str:
		return methods["str"][name]
	case *Dict:
		return methods["dict"][name]
	case *List:
		if v.plain() || v.kind == rangeList {
			return methods["list"][name]
		}
	case float64:
		return methods["float"][name]
	case *loopValue:
		return methods["loop"][name]
	case *cyclerValue:
		return methods["cycler"][name]
	}
	return nil
}

// ownAttribute is an attribute of a value itself, not one of its items.
func ownAttribute(v Value, name string) (Value, bool) {
	if f := methodOf(v, name); f != nil {
		return &function{name, v, f}, true
	}
	switch v := v.(type) {
	case *loopValue:
		if f := loopAttributes[name]; f != nil {
			return f(v), true
		}
	case *Namespace:
		return v.attrs.Get(name)
	case *cyclerValue:
		return v.items[v.at], name == "current"
	case *List:
		if i := slices.Index([]string{"grouper", "list"}, name); i >= 0 && v.kind == groupTuple {
			return v.items[i], true
		}
	case *macroValue:
		return v.attributes().Get(name)
	}
	return nil, false
}

// attributes are what jinja2 documents of macros.
func (n *macro) attributes() *Dict {
	d, names := NewDict(), newTuple()
	for _, p := range n.params {
		names.items = append(names.items, String(p.name))
	}
	d.Set("name", String(n.name))
	d.Set("arguments", names)
	d.Set("caller", n.usesCaller)
	d.Set("catch_kwargs", n.usesKwargs)
	d.Set("catch_varargs", n.usesVarargs)
	return d
}

// The methods that the sandbox keeps from templates, by type: they change a value.
var unsafeNames = map[string][]string{
	"dict": {"clear", "pop", "popitem", "setdefault", "update"},
	"list": {"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"},
}

// unsafeOr is an attribute that is not there, or that the sandbox hides: besides the
// methods above all that Python calls __name__.
func unsafeOr(v Value, name *Str) Value {
	u := &Undefined{of: v, name: name}
	defined(v)
	hidden := len(name.text) > 4 && strings.HasPrefix(name.text, "__") && strings.HasSuffix(name.text, "__")
	if hidden || slices.Contains(unsafeNames[typeName(v)], name.text) {
		u.kind = securityError
		u.hint = fmt.Sprintf("access to attribute %s of %s object is unsafe.", quote(name.text), quote(typeName(v)))
	}
	return u
}

func init() {
	str := map[string]*builtin{}
	methods = map[string]map[string]*builtin{
		"str": str,
		"list": {
			"count": define("of _", countItems),
			"index": define("of _ _=0 _=None", indexOf),
			"copy":  define("of", func(_ *machine, a []Value) Value { return a[0] }),
		},
		"dict": {
			"keys":   view(keysView, func(d *Dict) []Value { return d.keys }),
			"values": view(valuesView, func(d *Dict) []Value { return d.values }),
			"items":  view(itemsView, (*Dict).pairs),
			"copy":   define("of", func(_ *machine, a []Value) Value { return a[0] }),
			"get": define("of _ _=None", func(_ *machine, a []Value) Value {
				d := a[0].(*Dict)
				if i := d.find(mustHash(a[1])); i >= 0 {
					return d.values[i]
				}
				return a[2]
			}),
		},
		"float": {"is_integer": define("of", func(_ *machine, a []Value) Value {
			f := a[0].(float64)
			return f == math.Trunc(f) && !math.IsInf(f, 0)
		})},
		"loop": {
			"cycle":   {raw: cycle},
			"changed": {raw: changed},
		},
		"cycler": {
			"next": define("of", func(_ *machine, a []Value) Value {
				c := a[0].(*cyclerValue)
				v := c.items[c.at]
				c.at = (c.at + 1) % len(c.items)
				return v
			}),
			"reset": define("of", func(_ *machine, a []Value) Value { a[0].(*cyclerValue).at = 0; return nil }),
		},
	}
	str["format"] = &builtin{raw: func(m *machine, a *args) Value { return m.format(a) }}
	for _, name := range []string{"encode", "expandtabs", "format_map", "isidentifier", "maketrans", "translate"} {
		str[name] = &builtin{raw: func(*machine, *args) Value { panic(raise(runtimeError, "the method %s is not supported", name)) }}
	}
	addText(str)
	addCutting(str)
	addFinding(str)
	addPadding(str)
}

// addText adds the methods that change letters, and those that ask what they are.
func addText(str map[string]*builtin) {
	for name, f := range map[string]func(s string) string{
		"upper": upper, "lower": lower, "title": title, "capitalize": capitalize, "swapcase": swapCase, "casefold": cases.Fold().String,
	} {
		str[name] = define("of", func(m *machine, a []Value) Value {
			s := a[0].(*Str)
			return s.mapped(f)
		})
	}
	each := func(f func(r rune) bool) func(s string) bool {
		return func(s string) bool { return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !f(r) }) }
	}
	for name, f := range map[string]func(s string) bool{
		"islower":     func(s string) bool { return hasCase(s, isLower, isUpper) },
		"isupper":     func(s string) bool { return hasCase(s, isUpper, isLower) },
		"istitle":     func(s string) bool { return hasCase(s, isUpper, unicode.IsTitle) && title(s) == s },
		"isascii":     isASCII,
		"isprintable": func(s string) bool { return s == "" || each(unicode.IsPrint)(s) },
		"isspace":     each(isSpace),
		"isalpha":     each(unicode.IsLetter),
		"isdigit":     each(isDigit),
		"isdecimal":   each(func(r rune) bool { return unicode.Is(unicode.Nd, r) }),
		"isnumeric":   each(unicode.IsNumber),
		"isalnum":     each(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }),
	} {
		str[name] = define("of", func(m *machine, a []Value) Value {
			s := a[0].(*Str).text
			return f(s)
		})
	}
}

func view(kind listKind, items func(d *Dict) []Value) *builtin {
	return define("of", func(m *machine, a []Value) Value {
		d := a[0].(*Dict)
		return &List{kind: kind, items: items(d), origin: d.origin}
	})
}

func countItems(m *machine, a []Value) Value {
	n := 0
	for _, v := range a[0].(*List).items {
		if m.equal(v, a[1], 0) {
			n++
		}
	}
	return n
}

func indexOf(m *machine, a []Value) Value {
	l := a[0].(*List)
	start, stop, _ := (&sliceValue{[3]Value{a[2], a[3]}}).indices(len(l.items))
	for i := start; i < stop; i++ {
		if m.equal(l.items[i], a[1], 0) {
			return i
		}
	}
	panic(raise(valueError, "%s is not in list", repr0(a[1])))
}

// cycle is loop.cycle(a, b, …).
func cycle(_ *machine, a *args) Value {
	check(len(a.plain) != 1, typeError, "no items for cycling given")
	return a.plain[1+a.plain[0].(*loopValue).at%(len(a.plain)-1)]
}

// changed is loop.changed(a, b, …).
func changed(m *machine, a *args) Value {
	l, values := a.plain[0].(*loopValue), a.plain[1:]
	if l.changed != nil && len(l.changed) == len(values) && m.equalItems(l.changed, values, 0) {
		return false
	}
	l.changed = values
	return true
}

// addCutting adds the methods that take strings apart, and the one that joins them.
func addCutting(str map[string]*builtin) {
	for name, sides := range map[string][2]bool{"strip": {true, true}, "lstrip": {true, false}, "rstrip": {false, true}} {
		str[name] = define("of _=None", func(m *machine, a []Value) Value { return stripped(m, a[0].(*Str), a[1], sides[0], sides[1]) })
	}
	for name, right := range map[string]bool{"split": false, "rsplit": true} {
		str[name] = define("of sep=None maxsplit=-1", func(m *machine, a []Value) Value {
			s, n := a[0].(*Str), integer(a[2])
			var parts []Value
			if a[1] == nil {
				parts = s.splitSpace(n, right)
			} else {
				parts = s.splitAt(separator(a[1]).text, n, right)
			}
			return NewList(parts...)
		})
	}
	for name, right := range map[string]bool{"partition": false, "rpartition": true} {
		str[name] = define("of _", func(m *machine, a []Value) Value {
			s, at := a[0].(*Str), separator(a[1])
			parts := s.splitAt(at.text, 1, right)
			switch {
			case len(parts) == 2:
				return newTuple(parts[0], at, parts[1])
			case right:
				return newTuple(emptyText, emptyText, s)
			}
			return newTuple(s, emptyText, emptyText)
		})
	}
	str["splitlines"] = define("of keepends=False", func(m *machine, a []Value) Value {
		parts := a[0].(*Str).splitLines(truth(a[1]))
		return NewList(parts...)
	})
	str["removeprefix"] = define("of _", func(_ *machine, a []Value) Value {
		s, cut := a[0].(*Str), textOf(a[1]).text
		return s.slice(len(s.text)-len(strings.TrimPrefix(s.text, cut)), len(s.text))
	})
	str["removesuffix"] = define("of _", func(_ *machine, a []Value) Value {
		s, cut := a[0].(*Str), textOf(a[1]).text
		return s.slice(0, len(strings.TrimSuffix(s.text, cut)))
	})
	str["join"] = define("of _", func(m *machine, a []Value) Value {
		items := m.iterate(a[1])
		for _, v := range items {
			textOf(v)
		}
		return m.concat(items, a[0].(*Str))
	})
}

// stripped is s without characters at its ends; nil: without white space.
func stripped(m *machine, s *Str, chars Value, left, right bool) Value {
	if chars == nil {
		return s.strip(nil, left, right)
	}
	m.step((len(s.text)>>4 + 1) * (len(textOf(chars).text)>>4 + 1))
	return s.strip(textOf(chars), left, right)
}

func separator(v Value) *Str {
	s := textOf(v)
	check(s.text != "", valueError, "empty separator")
	return s
}

// addFinding adds the methods that look for strings in others, or replace them.
func addFinding(str map[string]*builtin) {
	find := func(index func(s, sub string) int, fails bool) *builtin {
		return define("of _ _=None _=None", func(m *machine, a []Value) Value {
			s, sub := a[0].(*Str), textOf(a[1])
			text, skipped, ok := within(s, a[2], a[3])
			if at := index(text, sub.text); ok && at >= 0 {
				return utf8.RuneCountInString(s.text[:skipped+at])
			}
			check(!fails, valueError, "substring not found")
			return -1
		})
	}
	str["find"], str["rfind"] = find(strings.Index, false), find(strings.LastIndex, false)
	str["index"], str["rindex"] = find(strings.Index, true), find(strings.LastIndex, true)
	str["count"] = define("of _ _=None _=None", func(m *machine, a []Value) Value {
		text, _, ok := within(a[0].(*Str), a[2], a[3])
		if sub := textOf(a[1]).text; ok {
			return strings.Count(text, sub)
		}
		return 0
	})
	for name, has := range map[string]func(s, sub string) bool{"startswith": strings.HasPrefix, "endswith": strings.HasSuffix} {
		str[name] = define("of _ _=None _=None", func(m *machine, a []Value) Value {
			text, _, ok := within(a[0].(*Str), a[2], a[3])
			choices := a[1:2]
			if l, isList := a[1].(*List); isList && l.kind.isTuple() {
				choices = l.items
			}
			return slices.ContainsFunc(choices, func(v Value) bool { return has(text, textOf(v).text) && ok })
		})
	}
	str["replace"] = define("of _ _ _=-1", func(m *machine, a []Value) Value {
		return m.replace(a[0].(*Str), textOf(a[1]), textOf(a[2]), integer(a[3]))
	})
}

// within is the part of a string that start and end, in characters, cut out, and the
// number of bytes before it; ok is false where start lies behind the end.
func within(s *Str, start, end Value) (text string, skipped int, ok bool) {
	if start == nil && end == nil {
		return s.text, 0, true
	}
	n := s.length()
	i, j, _ := (&sliceValue{[3]Value{start, end}}).indices(n)
	if start != nil && integer(start) > n || i > j {
		return "", 0, false
	}
	skipped = s.byteOf(i)
	return s.text[skipped:s.byteOf(j)], skipped, true
}

// addPadding adds the methods that make strings longer.
func addPadding(str map[string]*builtin) {
	pad := func(do func(m *machine, s *Str, gap int, fill string) Value) *builtin {
		return define("of _ _=None", func(m *machine, a []Value) Value {
			s, fill := a[0].(*Str), " "
			if a[2] != nil {
				fill = textOf(a[2]).text
			}
			check(utf8.RuneCountInString(fill) == 1, typeError, "The fill character must be exactly one character long")
			return do(m, s, integer(a[1])-s.length(), fill)
		})
	}
	str["center"] = pad(func(m *machine, s *Str, gap int, fill string) Value { return m.center(s, gap, fill) })
	str["ljust"] = pad(func(m *machine, s *Str, gap int, fill string) Value { return m.pad(s, 0, gap, fill) })
	str["rjust"] = pad(func(m *machine, s *Str, gap int, fill string) Value { return m.pad(s, gap, 0, fill) })
	str["zfill"] = define("of _", func(m *machine, a []Value) Value {
		s := a[0].(*Str)
		zeros := integer(a[1]) - s.length()
		if zeros > 0 && s.text != "" && strings.IndexByte("+-", s.text[0]) >= 0 {
			return m.join(s.slice(0, 1), m.pad(s.slice(1, len(s.text)), zeros, 0, "0"))
		}
		return m.pad(s, zeros, 0, "0")
	})
}

// isSpace is Python's str.isspace of a character.
func isSpace(r rune) bool {
	return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

func upper(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

func lower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return cases.Lower(language.Und).String(s)
}

// titleRune is the title case of one character.
func titleRune(r rune) string {
	if r < utf8.RuneSelf {
		return string(unicode.ToUpper(r))
	}
	return cases.Title(language.Und, cases.NoLower).String(string(r))
}

func capitalize(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return ""
	}
	return titleRune(r) + lower(s[size:])
}

// title is str.title: every run of letters with case begins with a capital.
func title(s string) string {
	var b strings.Builder
	inWord := false
	for _, r := range s {
		cased := isUpper(r) || isLower(r) || unicode.IsTitle(r)
		switch {
		case !cased:
			b.WriteRune(r)
		case inWord:
			b.WriteString(lower(string(r)))
		default:
			b.WriteString(titleRune(r))
		}
		inWord = cased
	}
	return b.String()
}

func swapCase(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsUpper(r) {
			b.WriteString(lower(string(r)))
		} else {
			b.WriteString(upper(string(r)))
		}
	}
	return b.String()
}

// hasCase answers isupper and islower: some letter has that case, and none another.
func hasCase(s string, want, other func(rune) bool) bool {
	return strings.ContainsFunc(s, want) && !strings.ContainsFunc(s, func(r rune) bool { return other(r) || unicode.IsTitle(r) })
}

func isLower(r rune) bool { return unicode.IsLower(r) || unicode.Is(unicode.Other_Lowercase, r) }
func isUpper(r rune) bool { return unicode.IsUpper(r) || unicode.Is(unicode.Other_Uppercase, r) }

// isDigit is Python's isdigit: decimals, and digits above or below the line.
func isDigit(r rune) bool {
	return unicode.Is(unicode.Nd, r) || strings.ContainsRune("²³¹⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", r)
}
