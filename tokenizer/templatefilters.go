package tokenizer

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ardanlabs/jinja"
	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// filters are those that the renderer gets wrong or would fill the memory with.
var filters = map[string]function{
	"tojson": tojson, "length": lengthOf, "count": lengthOf, "join": joinFilter, "round": roundNumber,
	"string":  onText(func(_ *guard, s string, _ params) (string, error) { return s, nil }),
	"trim":    onText(trimFilter),
	"lower":   onText(lowerText),
	"upper":   onText(upperText),
	"replace": onText(replaceText),
	"indent":  onText(indentText),
	"format":  onText(formatText),
	"list": func(g *guard, args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
		return items(g, args[0])
	},
}

// params are the arguments after a filter's or method's input, by place or by name.
type params struct {
	args   []jinja.Value
	kwargs map[string]jinja.Value
}

// get is an argument; an undefined value if it is not given.
func (p params) get(i int, name string) jinja.Value {
	if v, ok := p.kwargs[name]; ok {
		return v
	}
	if i < len(p.args) {
		return p.args[i]
	}
	return jinja.Undefined()
}

// text is a string argument.
func (p params) text(i int, name string) (string, error) {
	v := p.get(i, name)
	if !v.IsString() {
		return "", fmt.Errorf("want a string for %s, found %s", name, typeName(v))
	}
	return v.AsString(), nil
}

// count is an integer argument, or otherwise what it is without one.
func (p params) count(i int, name string, otherwise int) (int, error) {
	switch v := p.get(i, name); {
	case v.IsInt():
		return int(max(-1, min(v.AsInt(), maxText+1))), nil
	case v.IsUndefined(), v.IsNone():
		return otherwise, nil
	default:
		return 0, fmt.Errorf("want an integer for %s, found %s", name, typeName(v))
	}
}

// onText is a filter of what its input prints as.
func onText(f func(*guard, string, params) (string, error)) function {
	return func(g *guard, args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
		v, err := g.print(args[0])
		if err != nil {
			return v, err
		}
		s, err := f(g, v.AsString(), params{args[1:], kwargs})
		return jinja.NewString(s), err
	}
}

func lowerText(_ *guard, s string, _ params) (string, error) {
	if isASCII(s) {
		return strings.ToLower(s), nil
	}
	return cases.Lower(language.Und).String(s), nil
}

func upperText(_ *guard, s string, _ params) (string, error) {
	if isASCII(s) {
		return strings.ToUpper(s), nil
	}
	return cases.Upper(language.Und).String(s), nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func trimFilter(_ *guard, s string, p params) (string, error) {
	if v := p.get(0, "chars"); v.IsUndefined() || v.IsNone() {
		return strings.TrimFunc(s, isPythonSpace), nil
	}
	chars, err := p.text(0, "chars")
	return strings.Trim(s, chars), err
}

// replaceText is replace(old, new, count=-1), whose result is measured before it is made.
func replaceText(g *guard, s string, p params) (string, error) {
	from, err := p.text(0, "old")
	if err != nil {
		return "", err
	}
	to, err := p.text(1, "new")
	if err != nil {
		return "", err
	}
	count, err := p.count(2, "count", -1)
	if err != nil {
		return "", err
	}
	n := strings.Count(s, from)
	if count >= 0 {
		n = min(n, count)
	}
	if err := g.room(len(s) + n*(len(to)-len(from))); err != nil {
		return "", err
	}
	return strings.Replace(s, from, to, count), nil
}

// indentText is jinja2's indent(width=4, first=false, blank=false).
func indentText(g *guard, s string, p params) (string, error) {
	by := ""
	if v := p.get(0, "width"); v.IsString() {
		by = v.AsString()
	} else {
		width, err := p.count(0, "width", 4)
		if err != nil {
			return "", err
		}
		if err := g.room(width); err != nil {
			return "", err
		}
		by = strings.Repeat(" ", max(width, 0))
	}
	lines := strings.Split(s, "\n")
	if err := g.room(len(s) + len(by)*len(lines)); err != nil {
		return "", err
	}
	for i, line := range lines {
		if i > 0 && (line != "" || p.get(2, "blank").IsTruthy()) || i == 0 && p.get(1, "first").IsTruthy() {
			lines[i] = by + line
		}
	}
	return strings.Join(lines, "\n"), nil
}

// lengthOf counts characters, items or keys.
func lengthOf(_ *guard, args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	n := 0
	switch v := args[0]; {
	case v.IsUndefined():
	case v.IsString():
		n = utf8.RuneCountInString(v.AsString())
	case v.IsList():
		n = v.AsList().Len()
	case v.IsDict():
		n = v.AsDict().Len()
	default:
		return v, fmt.Errorf("object of type '%s' has no len()", typeName(v))
	}
	return jinja.NewInt(int64(n)), nil
}

// joinFilter is join(d="", attribute=none): all items as strings.
func joinFilter(g *guard, args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	p := params{args[1:], kwargs}
	sep, err := g.print(p.get(0, "d"))
	if err != nil {
		return sep, err
	}
	list, err := items(g, args[0])
	if err != nil {
		return list, err
	}
	name := p.get(1, "attribute")
	return g.join(list.AsList().Items, sep.AsString(), func(v jinja.Value) (jinja.Value, error) {
		if !name.IsUndefined() && !name.IsNone() {
			v = member(v, name)
		}
		return g.print(v)
	})
}

// join makes one string of items; text makes a string of each.
func (g *guard) join(items []jinja.Value, sep string, text func(jinja.Value) (jinja.Value, error)) (jinja.Value, error) {
	parts := make([]string, len(items))
	n := 0
	for i, v := range items {
		s, err := text(v)
		if err != nil {
			return s, err
		}
		parts[i] = s.AsString()
		if n += len(sep) + len(parts[i]); n > maxText {
			return s, g.room(n)
		}
	}
	return jinja.NewString(strings.Join(parts, sep)), nil
}

// member is the item or attribute of v that name gives.
func member(v, name jinja.Value) jinja.Value {
	switch {
	case v.IsDict() && name.IsString():
		if item, ok := v.AsDict().Get(name.AsString()); ok {
			return item
		}
	case v.IsList() && name.IsInt():
		if i := name.AsInt(); 0 <= i && i < int64(v.AsList().Len()) {
			return v.AsList().Get(int(i))
		}
	}
	return jinja.Undefined()
}

// mapOver is map(attribute=name, default=value), or map("filter", arguments…).
func mapOver(g *guard, args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	list, err := items(g, args[0])
	if err != nil {
		return list, err
	}
	apply := func(v jinja.Value) (jinja.Value, error) {
		item := member(v, kwargs["attribute"])
		if d, ok := kwargs["default"]; ok && item.IsUndefined() {
			item = d
		}
		return item, nil
	}
	if _, ok := kwargs["attribute"]; !ok {
		name, err := params{args[1:], nil}.text(0, "a filter's name")
		if err != nil {
			return list, fmt.Errorf("map: %w", err)
		}
		if filters[name] == nil {
			return list, fmt.Errorf("map: filter %q is not supported", name)
		}
		apply = func(v jinja.Value) (jinja.Value, error) {
			return filters[name](g, append([]jinja.Value{v}, args[2:]...), kwargs)
		}
	}
	out := make([]jinja.Value, list.AsList().Len())
	for i, v := range list.AsList().Items {
		if out[i], err = apply(v); err != nil {
			return list, err
		}
		if _, err := g.keep(out[i]); err != nil {
			return list, err
		}
	}
	return g.keep(jinja.NewList(out))
}

// roundNumber is round(precision=0): to the nearest, or the even one of two.
func roundNumber(_ *guard, args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	p := params{args[1:], kwargs}
	_, f, ok := asNumber(args[0])
	digits, err := p.count(0, "precision", 0)
	switch {
	case err != nil:
		return args[0], err
	case !ok || !p.get(1, "method").IsUndefined() || digits < 0 || digits > 20:
		return args[0], fmt.Errorf("rounding %s like this is not supported", typeName(args[0]))
	}
	f, err = strconv.ParseFloat(strconv.FormatFloat(f, 'f', digits, 64), 64)
	return jinja.NewFloat(f), err
}
