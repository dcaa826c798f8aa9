package jinja

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
)

func addTextMethods() {
	text := func(name string, f func(s string) string) {
		cMethod("str", name, 0, 0, func(m *machine, of Value, _ []Value) (Value, error) {
			s := of.(*Str)
			return s.mapped(f), m.spend(len(s.text))
		})
	}
	text("upper", upper)
	text("lower", lower)
	text("title", title)
	text("capitalize", capitalize)
	text("swapcase", swapCase)
	text("casefold", foldCase)
	ask := func(name string, f func(s string) bool) {
		cMethod("str", name, 0, 0, func(m *machine, of Value, _ []Value) (Value, error) {
			s := of.(*Str).text
			return f(s), m.step(len(s)>>4 + 1)
		})
	}
	runes := func(name string, f func(r rune) bool) { ask(name, func(s string) bool { return allRunes(s, f) }) }
	ask("islower", func(s string) bool { return hasCase(s, isLower, isUpper) })
	ask("isupper", func(s string) bool { return hasCase(s, isUpper, isLower) })
	ask("istitle", isTitled)
	ask("isascii", isASCII)
	ask("isprintable", func(s string) bool { return s == "" || allRunes(s, unicode.IsPrint) })
	ask("isidentifier", isIdentifier)
	runes("isspace", isSpace)
	runes("isalpha", unicode.IsLetter)
	runes("isdigit", isDigitRune)
	runes("isdecimal", func(r rune) bool { return unicode.Is(unicode.Nd, r) })
	runes("isnumeric", unicode.IsNumber)
	runes("isalnum", func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) })
	addFormatMethods()
	addStripMethods()
	addSplitMethods()
	addPartMethods()
	addFindMethods()
	addReplaceMethods()
	addPadMethods()
	addFillMethods()
}

// addFormatMethods adds format, and refuses what bytes are needed for.
func addFormatMethods() {
	put("str", "format", func(m *machine, of Value, a *args) (Value, error) { return m.format(of.(*Str), a) })
	put("str", "format_map", func(m *machine, of Value, a *args) (Value, error) {
		if len(a.names) > 0 {
			return nil, raise(typeError, "format_map() takes no keyword arguments")
		}
		if len(a.plain) != 1 {
			return nil, raise(typeError, "format_map() takes exactly one argument (%d given)", len(a.plain))
		}
		d, ok := a.plain[0].(*Dict)
		if !ok {
			return nil, raise(typeError, "%s object is not subscriptable", quote(typeName(a.plain[0])))
		}
		return m.format(of.(*Str), &args{nil, d.Keys(), d.values})
	})
	for _, name := range []string{"encode", "maketrans", "translate"} {
		put("str", name, func(*machine, Value, *args) (Value, error) {
			return nil, raise(runtimeError, "the method %s is not supported", name)
		})
	}
}

func isIdentifier(s string) bool {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.In(r, unicode.Nd, unicode.Mn, unicode.Mc, unicode.Pc)) {
			return false
		}
	}
	return s != ""
}

func foldCase(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return cases.Fold().String(s)
}

func addStripMethods() {
	for name, sides := range map[string][2]bool{"strip": {true, true}, "lstrip": {true, false}, "rstrip": {false, true}} {
		cMethod("str", name, 0, 1, func(m *machine, of Value, a []Value) (Value, error) {
			s := of.(*Str)
			if a[0] == missing || a[0] == nil {
				return strip(s, nil, sides[0], sides[1]), nil
			}
			chars, ok := a[0].(*Str)
			if !ok {
				return nil, raise(typeError, "%s arg must be None or str", name)
			}
			return strip(s, chars, sides[0], sides[1]), m.step((len(s.text)>>4 + 1) * (len(chars.text)>>4 + 1))
		})
	}
	for name, prefix := range map[string]bool{"removeprefix": true, "removesuffix": false} {
		cMethod("str", name, 1, 1, func(_ *machine, of Value, a []Value) (Value, error) {
			s := of.(*Str)
			cut, ok := a[0].(*Str)
			switch {
			case !ok:
				return nil, raise(typeError, "%s() argument must be str, not %s", name, typeName(a[0]))
			case prefix && strings.HasPrefix(s.text, cut.text):
				return s.slice(len(cut.text), len(s.text)), nil
			case !prefix && strings.HasSuffix(s.text, cut.text):
				return s.slice(0, len(s.text)-len(cut.text)), nil
			}
			return s, nil
		})
	}
}

func addSplitMethods() {
	for name, right := range map[string]bool{"split": false, "rsplit": true} {
		b := define(name+" self sep=None maxsplit=-1", func(m *machine, a []Value) (Value, error) {
			s := a[0].(*Str)
			n, err := integer(a[2])
			if err != nil {
				return nil, err
			}
			var parts []Value
			if a[1] == nil {
				parts = splitSpace(s, n, right)
			} else {
				separator, ok := a[1].(*Str)
				if !ok {
					return nil, raise(typeError, "must be str or None, not %s", typeName(a[1]))
				}
				if separator.text == "" {
					return nil, raise(valueError, "empty separator")
				}
				parts = splitAt(s, separator.text, n, right)
			}
			if right {
				slices.Reverse(parts)
			}
			return NewList(parts...), m.items(2*len(parts) + len(s.text)>>4)
		})
		b.native = true
		put("str", name, func(m *machine, of Value, a *args) (Value, error) {
			if n := len(a.plain) + len(a.names); n > 2 {
				return nil, raise(typeError, "%s() takes at most 2 arguments (%d given)", name, n)
			}
			return b.apply(m, of, a)
		})
	}
}

// addPartMethods adds the methods that cut a text otherwise, and the one that joins.
func addPartMethods() {
	lines := define("splitlines self keepends=False", func(m *machine, a []Value) (Value, error) {
		parts := splitLines(a[0].(*Str), truth(a[1]))
		return NewList(parts...), m.items(2*len(parts) + 1)
	})
	lines.native = true
	put("str", "splitlines", func(m *machine, of Value, a *args) (Value, error) { return lines.apply(m, of, a) })
	for name, right := range map[string]bool{"partition": false, "rpartition": true} {
		cMethod("str", name, 1, 1, func(m *machine, of Value, a []Value) (Value, error) {
			s := of.(*Str)
			separator, ok := a[0].(*Str)
			if !ok {
				return nil, raise(typeError, "must be str, not %s", typeName(a[0]))
			}
			if separator.text == "" {
				return nil, raise(valueError, "empty separator")
			}
			parts := splitAt(s, separator.text, 1, right)
			if right {
				slices.Reverse(parts)
			}
			switch {
			case len(parts) == 2:
				return newTuple(parts[0], separator, parts[1]), m.items(3)
			case right:
				return newTuple(emptyText, emptyText, s), m.items(3)
			}
			return newTuple(s, emptyText, emptyText), m.items(3)
		})
	}
	cMethod("str", "join", 1, 1, func(m *machine, of Value, a []Value) (Value, error) {
		items, err := m.iterate(a[0])
		if err != nil {
			return nil, raise(typeError, "can only join an iterable")
		}
		for i, v := range items {
			if _, ok := v.(*Str); !ok {
				return nil, raise(typeError, "sequence item %d: expected str instance, %s found", i, typeName(v))
			}
		}
		return m.concat(items, of.(*Str))
	})
}

// within is the part of a string that start and end, in characters, cut out, and the
// number of bytes before it; ok is false where start lies behind the end.
func within(s *Str, start, end Value) (text string, skipped int, ok bool, err error) {
	n := strLen(s)
	i, j := 0, n
	for k, v := range []Value{start, end} {
		if v == missing || v == nil {
			continue
		}
		at, err := integer(v)
		if err != nil {
			return "", 0, false, raise(typeError, "slice indices must be integers or None or have an __index__ method")
		}
		if at < 0 {
			at = max(at+n, 0)
		}
		if k == 0 {
			i = at
		} else {
			j = min(at, n)
		}
	}
	if i > j {
		return "", 0, false, nil
	}
	skipped = byteOf(s.text, i)
	return s.text[skipped:byteOf(s.text, j)], skipped, true, nil
}

func addFindMethods() {
	find := func(name string, index func(s, sub string) int, fails bool) {
		cMethod("str", name, 1, 3, func(m *machine, of Value, a []Value) (Value, error) {
			s := of.(*Str)
			sub, ok := a[0].(*Str)
			if !ok {
				return nil, raise(typeError, "must be str, not %s", typeName(a[0]))
			}
			text, skipped, ok, err := within(s, a[1], a[2])
			if err != nil {
				return nil, err
			}
			if at := index(text, sub.text); ok && at >= 0 {
				return utf8.RuneCountInString(s.text[:skipped+at]), m.step(len(s.text)>>6 + 1)
			}
			if fails {
				return nil, raise(valueError, "substring not found")
			}
			return -1, m.step(len(s.text)>>6 + 1)
		})
	}
	find("find", strings.Index, false)
	find("rfind", strings.LastIndex, false)
	find("index", strings.Index, true)
	find("rindex", strings.LastIndex, true)
	cMethod("str", "count", 1, 3, func(m *machine, of Value, a []Value) (Value, error) {
		sub, ok := a[0].(*Str)
		if !ok {
			return nil, raise(typeError, "must be str, not %s", typeName(a[0]))
		}
		text, _, ok, err := within(of.(*Str), a[1], a[2])
		if err != nil || !ok {
			return 0, err
		}
		return strings.Count(text, sub.text), m.step(len(text)>>6 + 1)
	})
}

// addReplaceMethods adds replace, and the questions for a beginning or end.
func addReplaceMethods() {
	for name, has := range map[string]func(s, sub string) bool{"startswith": strings.HasPrefix, "endswith": strings.HasSuffix} {
		cMethod("str", name, 1, 3, func(m *machine, of Value, a []Value) (Value, error) {
			return startsWith(m, name, has, of.(*Str), a)
		})
	}
	cMethod("str", "replace", 2, 3, func(m *machine, of Value, a []Value) (Value, error) {
		var texts [2]*Str
		for i := range texts {
			s, ok := a[i].(*Str)
			if !ok {
				return nil, raise(typeError, "replace() argument %d must be str, not %s", i+1, typeName(a[i]))
			}
			texts[i] = s
		}
		n, err := integer(given(a[2], -1))
		if err != nil {
			return nil, err
		}
		return m.replace(of.(*Str), texts[0], texts[1], n)
	})
}

func startsWith(m *machine, name string, has func(s, sub string) bool, s *Str, a []Value) (Value, error) {
	text, _, ok, err := within(s, a[1], a[2])
	if err != nil {
		return nil, err
	}
	choices := []Value{a[0]}
	if l, isList := a[0].(*List); isList && l.kind.isTuple() {
		choices = l.items
	}
	for _, v := range choices {
		sub, isText := v.(*Str)
		if !isText {
			if len(choices) == 1 && v == a[0] {
				return nil, raise(typeError, "%s first arg must be str or a tuple of str, not %s", name, typeName(v))
			}
			return nil, raise(typeError, "tuple for %s must only contain str, not %s", name, typeName(v))
		}
		if ok && has(text, sub.text) {
			return true, nil
		}
	}
	return false, m.step(1)
}

func addPadMethods() {
	pad := func(name string, do func(m *machine, s *Str, width int, fill string) (Value, error)) {
		cMethod("str", name, 1, 2, func(m *machine, of Value, a []Value) (Value, error) {
			width, err := integer(a[0])
			if err != nil {
				return nil, err
			}
			fill, ok := given(a[1], String(" ")).(*Str)
			if !ok {
				return nil, raise(typeError, "The fill character must be a unicode character, not %s", typeName(a[1]))
			}
			if n := strLen(fill); n != 1 {
				return nil, raise(typeError, "The fill character must be exactly one character long")
			}
			return do(m, of.(*Str), width, fill.text)
		})
	}
	pad("center", func(m *machine, s *Str, width int, fill string) (Value, error) { return m.center(s, width, fill) })
	pad("ljust", func(m *machine, s *Str, width int, fill string) (Value, error) {
		return m.pad(s, 0, width-strLen(s), fill)
	})
	pad("rjust", func(m *machine, s *Str, width int, fill string) (Value, error) {
		return m.pad(s, width-strLen(s), 0, fill)
	})
}

// addFillMethods adds zfill and expandtabs.
func addFillMethods() {
	cMethod("str", "zfill", 1, 1, func(m *machine, of Value, a []Value) (Value, error) {
		width, err := integer(a[0])
		if err != nil {
			return nil, err
		}
		s := of.(*Str)
		zeros := width - strLen(s)
		if zeros > 0 && s.text != "" && strings.IndexByte("+-", s.text[0]) >= 0 {
			tail, err := m.pad(s.slice(1, len(s.text)), zeros, 0, "0")
			if err != nil {
				return nil, err
			}
			return m.join(s.slice(0, 1), tail.(*Str))
		}
		return m.pad(s, zeros, 0, "0")
	})
	tabs := define("expandtabs self tabsize=8", func(m *machine, a []Value) (Value, error) {
		size, err := integer(a[1])
		if err != nil {
			return nil, err
		}
		return m.expandTabs(a[0].(*Str), size)
	})
	tabs.native = true
	put("str", "expandtabs", func(m *machine, of Value, a *args) (Value, error) { return tabs.apply(m, of, a) })
}

func (m *machine) expandTabs(s *Str, size int) (Value, error) {
	var r rope
	column, start := 0, 0
	for i, c := range s.text {
		switch c {
		case '\t':
			r.str(s.slice(start, i))
			start = i + 1
			if size > 0 {
				gap := size - column%size
				if err := m.spend(min(gap, maxText+1)); err != nil {
					return nil, err
				}
				r.text(strings.Repeat(" ", gap))
				column += gap
			}
		case '\n', '\r':
			column = 0
		default:
			column++
		}
	}
	r.str(s.slice(start, len(s.text)))
	return r.value(), m.spend(len(r.buf))
}
