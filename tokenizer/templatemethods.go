package tokenizer

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/ardanlabs/jinja"
)

// methods are those of strings that the renderer lacks, gets wrong or would fill the memory with.
var methods = map[string]function{
	"strip":      onString(func(g *guard, s string, p params) (string, error) { return stripText(s, p, true, true) }),
	"lstrip":     onString(func(g *guard, s string, p params) (string, error) { return stripText(s, p, true, false) }),
	"rstrip":     onString(func(g *guard, s string, p params) (string, error) { return stripText(s, p, false, true) }),
	"lower":      onString(lowerText),
	"upper":      onString(upperText),
	"replace":    onString(replaceText),
	"startswith": affix("startswith", strings.HasPrefix),
	"endswith":   affix("endswith", strings.HasSuffix),
	"split":      splitText,
	"join":       joinMethod,
	"format":     onString(braceFormat),
}

// noAttribute is the error of a method of what is no string.
type noAttribute string

func (of noAttribute) Error() string { return "'" + string(of) + "' has no such attribute" }

// receiver is the string whose method is called.
func receiver(v jinja.Value) (string, error) {
	switch {
	case v.IsString():
		return v.AsString(), nil
	case v.IsUndefined():
		return "", errUndefined
	case v.IsNone():
		return "", noAttribute("None") // as jinja2 calls it
	}
	return "", noAttribute(typeName(v) + " object")
}

func onString(f func(*guard, string, params) (string, error)) function {
	return func(g *guard, args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
		s, err := receiver(args[0])
		if err != nil {
			return args[0], err
		}
		s, err = f(g, s, params{args[1:], kwargs})
		return jinja.NewString(s), err
	}
}

// isPythonSpace is str.isspace: Unicode's white space and four separators.
func isPythonSpace(r rune) bool {
	return unicode.IsSpace(r) || 0x1C <= r && r <= 0x1F
}

func stripText(s string, p params, left, right bool) (string, error) {
	in := isPythonSpace
	if v := p.get(0, "chars"); !v.IsUndefined() && !v.IsNone() {
		chars, err := p.text(0, "chars")
		if err != nil {
			return "", err
		}
		in = func(r rune) bool { return strings.ContainsRune(chars, r) }
	}
	if left {
		s = strings.TrimLeftFunc(s, in)
	}
	if right {
		s = strings.TrimRightFunc(s, in)
	}
	return s, nil
}

// affix is startswith and endswith, of a string or of one of several.
func affix(name string, has func(s, part string) bool) function {
	return func(_ *guard, args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
		s, err := receiver(args[0])
		if err != nil {
			return args[0], err
		}
		p := params{args[1:], kwargs}
		if v := p.get(0, name); v.IsList() {
			p.args = v.AsList().Items
		}
		is := false
		for i := range p.args {
			part, err := p.text(i, "a part")
			if err != nil {
				return args[0], err
			}
			is = is || has(s, part)
		}
		return jinja.NewBool(is), nil
	}
}

// splitText is split(sep=none, maxsplit=-1); without sep at white space.
func splitText(g *guard, args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	s, err := receiver(args[0])
	if err != nil {
		return args[0], err
	}
	p := params{args[1:], kwargs}
	n, err := p.count(1, "maxsplit", -1)
	if err != nil {
		return args[0], err
	}
	var parts []string
	if v := p.get(0, "sep"); v.IsUndefined() || v.IsNone() {
		parts = fields(s, n)
	} else {
		sep, err := p.text(0, "sep")
		if err == nil && sep == "" {
			err = errors.New("empty separator")
		}
		if err != nil {
			return args[0], err
		}
		if n >= 0 {
			n++
		}
		parts = strings.SplitN(s, sep, n)
	}
	list := make([]jinja.Value, len(parts))
	for i, part := range parts {
		list[i] = jinja.NewString(part)
	}
	return jinja.NewList(list), nil
}

// fields splits at runs of white space, at most n times if n is not negative.
func fields(s string, n int) []string {
	var all []string
	for s = strings.TrimLeftFunc(s, isPythonSpace); s != ""; s = strings.TrimLeftFunc(s, isPythonSpace) {
		i := strings.IndexFunc(s, isPythonSpace)
		if i < 0 || len(all) == n {
			return append(all, s)
		}
		all, s = append(all, s[:i]), s[i:]
	}
	return all
}

// joinMethod is sep.join(strings).
func joinMethod(g *guard, args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	sep, err := receiver(args[0])
	if err != nil {
		return args[0], err
	}
	if len(args) != 2 {
		return args[0], fmt.Errorf("want one argument, found %d", len(args)-1)
	}
	list, err := items(g, args[1])
	if err != nil {
		return list, err
	}
	return g.join(list.AsList().Items, sep, func(v jinja.Value) (jinja.Value, error) {
		if !v.IsString() {
			return v, fmt.Errorf("expected str instance, %s found", typeName(v))
		}
		return v, nil
	})
}

// braceFormat puts arguments in the place of {}, one after the other.
func braceFormat(g *guard, s string, p params) (string, error) {
	pieces := strings.Split(s, "{}")
	if strings.ContainsAny(strings.Join(pieces, ""), "{}") || len(p.kwargs) > 0 {
		return "", errors.New("no more than {} is supported")
	}
	if len(p.args) < len(pieces)-1 {
		return "", errors.New("replacement index out of range")
	}
	var b strings.Builder
	for i, piece := range pieces {
		b.WriteString(piece)
		if i == len(pieces)-1 {
			break
		}
		v, err := g.print(p.args[i])
		if err != nil {
			return "", err
		}
		b.WriteString(v.AsString())
		if err := g.room(b.Len()); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}
