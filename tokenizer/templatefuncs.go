package tokenizer

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ardanlabs/jinja"
)

// function is one of ours, called by rewritten templates as finetune_NAME.
type function func(g *guard, args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error)

// functions are what operators and statements become, by name.
func functions() map[string]function {
	return map[string]function{
		"write": one(func(g *guard, v jinja.Value) (jinja.Value, error) { return g.write(v) }),
		"print": one(func(g *guard, v jinja.Value) (jinja.Value, error) { return g.print(v) }),
		"keep":  one(func(g *guard, v jinja.Value) (jinja.Value, error) { return g.keep(v) }),
		"found": one(found), "items": one(items), "enter": enterMacro, "leave": leaveMacro, "tick": tick,
		"attribute": attribute, "add": add, "concat": concat, "times": times, "mod": mod, "power": power, "floordiv": floordiv, "in": contains,
		"filter": dispatch(filters), "method": dispatch(methods), "map": mapOver,
	}
}

// globals are functions that templates call by name.
var globals = map[string]function{"range": rangeOf, "namespace": namespace}

// callable is a function as the renderer calls it.
func (g *guard) callable(name string, f function) jinja.Value {
	return jinja.NewCallable(name, func(args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
		return f(g, args, kwargs)
	})
}

func one(f func(*guard, jinja.Value) (jinja.Value, error)) function {
	return func(g *guard, args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
		if len(args) != 1 {
			return jinja.Undefined(), fmt.Errorf("want one argument, found %d", len(args))
		}
		return f(g, args[0])
	}
}

// dispatch calls the function that the first argument names.
func dispatch(table map[string]function) function {
	return func(g *guard, args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
		name := args[0].AsString()
		v, err := table[name](g, args[1:], kwargs)
		if err != nil {
			of, over := noAttribute(""), stopped("")
			switch {
			case errors.As(err, &of):
				err = fmt.Errorf("'%s' has no attribute '%s'", string(of), name)
			case !errors.As(err, &over):
				err = fmt.Errorf("%s: %w", name, err)
			}
			return v, err
		}
		return g.keep(v)
	}
}

var errUndefined = errors.New("an undefined value has no attributes")

func found(_ *guard, v jinja.Value) (jinja.Value, error) {
	if v.IsUndefined() {
		return v, errUndefined
	}
	return v, nil
}

// attribute is a value on its way into an attribute of a namespace.
func attribute(g *guard, args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	space, v := args[0], args[1]
	if !space.IsDict() || !g.spaces[space.AsDict()] {
		return v, errors.New("cannot assign attribute on non-namespace object")
	}
	if v.IsDict() && g.spaces[v.AsDict()] {
		return v, errInnerNamespace
	}
	return g.keep(v)
}

func enterMacro(g *guard, _ []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	return jinja.NewString(""), g.enter()
}

func leaveMacro(g *guard, _ []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	g.leave()
	return jinja.NewString(""), nil
}

func tick(g *guard, _ []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	return jinja.NewString(""), g.spend(0)
}

// contains is a in b.
func contains(g *guard, args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	a, b := args[0], args[1]
	is := false
	switch {
	case b.IsUndefined():
	case b.IsString() && a.IsString():
		is = strings.Contains(b.AsString(), a.AsString())
	case b.IsString():
		return a, fmt.Errorf("'in <string>' requires string as left operand, not %s", typeName(a))
	case b.IsDict():
		is = a.IsString() && b.AsDict().Has(a.AsString())
	case b.IsList():
		for _, item := range b.AsList().Items {
			if is = item.Equals(a); is {
				break
			}
		}
	default:
		return a, fmt.Errorf("argument of type '%s' is not iterable", typeName(b))
	}
	return jinja.NewBool(is), g.spend(0)
}

// items is what a loop or a filter goes through: the characters of a string, the
// keys of a dict, nothing of an undefined value.
func items(g *guard, v jinja.Value) (jinja.Value, error) {
	var list []jinja.Value
	switch {
	case v.IsList():
		return v, nil
	case v.IsUndefined():
	case v.IsString():
		for _, r := range v.AsString() {
			list = append(list, jinja.NewString(string(r)))
		}
	case v.IsDict():
		for _, k := range v.AsDict().Keys {
			list = append(list, jinja.NewString(k))
		}
	default:
		return v, fmt.Errorf("'%s' object is not iterable", typeName(v))
	}
	return g.keep(jinja.NewList(list))
}

func rangeOf(g *guard, args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	var n [3]int64
	for i, v := range args {
		if i == len(n) || !v.IsInt() {
			return jinja.Undefined(), errors.New("range: want one to three integers")
		}
		n[i] = v.AsInt()
	}
	start, stop, step := n[0], n[1], n[2]
	switch {
	case len(args) == 0:
		return jinja.Undefined(), errors.New("range: want one to three integers")
	case len(args) == 1:
		start, stop, step = 0, n[0], 1
	case len(args) == 2:
		step = 1
	case step == 0:
		return jinja.Undefined(), errors.New("range() arg 3 must not be zero")
	}
	var list []jinja.Value
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		if len(list) == maxRange {
			return jinja.Undefined(), stopped(fmt.Sprintf("makes a range of more than %d numbers", maxRange))
		}
		list = append(list, jinja.NewInt(i))
		if next := i + step; step > 0 == (next < i) { // beyond the integers
			break
		}
	}
	return g.keep(jinja.NewList(list))
}

func namespace(g *guard, _ []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	space := jinja.NewDict()
	for name, v := range kwargs {
		if v.IsDict() && g.spaces[v.AsDict()] {
			return v, errInnerNamespace
		}
		space.AsDict().Set(name, v)
	}
	g.spaces[space.AsDict()] = true
	return space, g.spend(0)
}
