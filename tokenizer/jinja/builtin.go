package jinja

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// builtin is a filter, a test, a global function or a method, with the signature that
// Python knows it by: its errors tell how many arguments that takes.
type builtin struct {
	name   string // of the Python function
	params []parameter
	native bool // written in C: an unknown name is said otherwise
	hidden int  // arguments that jinja2 itself passes first: context, environment
	run    func(m *machine, a []Value) (Value, error)
	raw    func(m *machine, a *args) (Value, error) // instead of run: takes what comes
}

type parameter struct {
	name     string
	value    Value // the default
	optional bool
}

// define reads a signature such as "do_replace/1 s old new count=None": a name, the
// number of hidden arguments, parameters with defaults.
func define(signature string, run func(m *machine, a []Value) (Value, error)) *builtin {
	words := strings.Fields(signature)
	b := &builtin{run: run}
	name, hidden, _ := strings.Cut(words[0], "/")
	b.name = name
	b.hidden, _ = strconv.Atoi(hidden)
	for _, w := range words[1:] {
		name, text, optional := strings.Cut(w, "=")
		p := parameter{name: name, optional: optional}
		switch n, err := strconv.Atoi(text); {
		case !optional || text == "None":
		case text == "True" || text == "False":
			p.value = text == "True"
		case err == nil:
			p.value = n
		case text == "0.0":
			p.value = 0.0
		default:
			p.value = String(text)
		}
		b.params = append(b.params, p)
	}
	return b
}

// anything is a builtin that takes what comes.
func anything(name string, raw func(m *machine, a *args) (Value, error)) *builtin {
	return &builtin{name: name, raw: raw}
}

// apply calls with v before the arguments.
func (b *builtin) apply(m *machine, v Value, a *args) (Value, error) {
	if b.raw == nil && len(a.plain) == 0 && len(a.names) == 0 && len(b.params) == 1 {
		return b.run(m, []Value{v})
	}
	return b.call(m, &args{append([]Value{v}, a.plain...), a.names, a.named})
}

func (b *builtin) call(m *machine, a *args) (Value, error) {
	if b.raw != nil {
		return b.raw(m, a)
	}
	values, err := b.bind(a)
	if err != nil {
		return nil, err
	}
	return b.run(m, values)
}

// bind gives every parameter its argument, by Python's rules.
func (b *builtin) bind(a *args) ([]Value, error) {
	if len(a.plain) > len(b.params) {
		return nil, b.tooMany(len(a.plain))
	}
	values := make([]Value, len(b.params))
	given := make([]bool, len(b.params))
	for i, v := range a.plain {
		values[i], given[i] = v, true
	}
	for k, name := range a.names {
		i := slices.IndexFunc(b.params, func(p parameter) bool { return p.name == name })
		switch {
		case i < 0 && b.native:
			return nil, raise(typeError, "%s is an invalid keyword argument for %s()", quote(name), b.name)
		case i < 0:
			return nil, raise(typeError, "%s() got an unexpected keyword argument %s", b.name, quote(name))
		case given[i]:
			return nil, raise(typeError, "%s() got multiple values for argument %s", b.name, quote(name))
		}
		values[i], given[i] = a.named[k], true
	}
	var lacking []string
	for i, p := range b.params {
		if !given[i] {
			values[i] = p.value
			if !p.optional {
				lacking = append(lacking, quote(p.name))
			}
		}
	}
	if lacking != nil {
		return nil, b.tooFew(lacking)
	}
	return values, nil
}

func (b *builtin) tooFew(names []string) error {
	n, s := len(names), ""
	text := names[0]
	switch {
	case n == 2:
		text = names[0] + " and " + names[1]
	case n > 2:
		text = strings.Join(names[:n-1], ", ") + ", and " + names[n-1]
	}
	if n > 1 {
		s = "s"
	}
	return raise(typeError, "%s() missing %d required positional argument%s: %s", b.name, n, s, text)
}

func (b *builtin) tooMany(given int) error {
	least := 0
	for _, p := range b.params {
		if !p.optional {
			least++
		}
	}
	least, most, given := least+b.hidden, len(b.params)+b.hidden, given+b.hidden
	takes := fmt.Sprint(most)
	if least < most {
		takes = fmt.Sprintf("from %d to %d", least, most)
	}
	s := "s"
	if most == 1 {
		s = ""
	}
	return raise(typeError, "%s() takes %s positional argument%s but %d were given", b.name, takes, s, given)
}

// native is a builtin written in C, whose errors count otherwise and which takes no
// arguments by name. An argument that is not given is missing.
func native(name string, least, most int, run func(m *machine, a []Value) (Value, error)) *builtin {
	return anything(name, func(m *machine, a *args) (Value, error) {
		values, err := byPosition(name, least, most, a)
		if err != nil {
			return nil, err
		}
		return run(m, values)
	})
}

func byPosition(name string, least, most int, a *args) ([]Value, error) {
	n := len(a.plain)
	if n < least || n > most || len(a.names) > 0 {
		return nil, wrongCount(name, least, most, a)
	}
	if n == most {
		return a.plain, nil
	}
	values := make([]Value, most)
	copy(values, a.plain)
	for i := n; i < most; i++ {
		values[i] = missing
	}
	return values, nil
}

func wrongCount(name string, least, most int, a *args) error {
	n, short := len(a.plain), name[strings.LastIndexByte(name, '.')+1:]
	plural := func(n int) string {
		if n == 1 {
			return "1 argument"
		}
		return fmt.Sprint(n, " arguments")
	}
	switch {
	case len(a.names) > 0:
		return raise(typeError, "%s() takes no keyword arguments", name)
	case most == 0:
		return raise(typeError, "%s() takes no arguments (%d given)", name, n)
	case most == 3 && strings.HasPrefix(name, "str.") && least == 1 && n < least: // those that find something
		return raise(typeError, "%s() takes at least 1 argument (%d given)", short, n)
	case least == 1 && most == 1:
		return raise(typeError, "%s() takes exactly one argument (%d given)", name, n)
	case least == most:
		return raise(typeError, "%s expected %s, got %d", short, plural(least), n)
	case n < least:
		return raise(typeError, "%s expected at least %s, got %d", short, plural(least), n)
	}
	return raise(typeError, "%s expected at most %s, got %d", short, plural(most), n)
}

// noAttribute is Python's error of a method that a value does not have.
func noAttribute(v Value, name string) error {
	if _, ok := v.(*Namespace); ok {
		return raise(attributeError, "%s", name)
	}
	return raise(attributeError, "%s object has no attribute %s", quote(typeName(v)), quote(name))
}

// integer is an argument that has to be an int.
func integer(v Value) (int, error) {
	if u, ok := v.(*Undefined); ok {
		return 0, raise(typeError, "%s object cannot be interpreted as an integer", quote(typeName(u)))
	}
	b, ok := asBig(v)
	if !ok {
		return 0, raise(typeError, "%s object cannot be interpreted as an integer", quote(typeName(v)))
	}
	return int(clampInt(b)), nil
}

// textOf is an argument that has to be a string.
func textOf(v Value, otherwise func() error) (*Str, error) {
	s, ok := v.(*Str)
	if !ok {
		return nil, otherwise()
	}
	return s, nil
}
