package tokenizer

import (
	"fmt"
	"slices"
	"strings"
)

// postfix is attributes, items, slices and calls.
func (w *exprWriter) postfix(out string) string {
	for w.err == nil {
		switch {
		case w.take("."):
			t := w.next()
			switch {
			case t.kind != tokenName && t.kind != tokenNumber:
				return w.fail("want a name after \".\", found %q", t.text)
			case t.kind == tokenNumber:
				out = defined(out) + "[" + t.text + "]"
			case w.take("("):
				out = w.method(out, t.text)
			default:
				out = defined(out) + "." + t.text
			}
		case w.take("["):
			out = w.nested(func() string { return w.item(out) })
		case w.take("("):
			out = ourCall("keep", out+w.arguments())
		default:
			return out
		}
	}
	return out
}

// defined is a value that has to be defined: its attributes are asked for.
func defined(value string) string { return ourCall("found", value) }

// mutators are the methods that change a value, which jinja2's sandbox refuses.
var mutators = strings.Fields("add append clear discard extend insert pop popitem remove reverse setdefault sort update")

func (w *exprWriter) method(object, name string) string {
	args := w.arguments()
	switch {
	case slices.Contains(mutators, name):
		return w.fail("access to attribute %q is unsafe: a template may not change a value", name)
	case methods[name] != nil:
		return ourCall("method", append([]string{quoteForTemplate(name), object}, inner(args)...)...)
	}
	return ourCall("keep", defined(object)+"."+name+args)
}

// inner is arguments without their brackets, if there are any.
func inner(args string) []string {
	if args == "()" {
		return nil
	}
	return []string{strings.TrimSuffix(strings.TrimPrefix(args, "("), ")")}
}

func (w *exprWriter) item(object string) string {
	var parts []string // of a slice, or the one key
	part := ""
	slice := false
	for w.err == nil && !w.is("]") {
		if w.take(":") {
			parts, part, slice = append(parts, part), "", true
			continue
		}
		if part != "" {
			return w.fail("want \"]\", found %q", w.peek().text)
		}
		part = w.condition()
	}
	w.want("]")
	if !slice {
		if part == "" {
			return w.fail("nothing between \"[\" and \"]\"")
		}
		return defined(object) + "[" + part + "]"
	}
	if parts = append(parts, part); len(parts) > 3 {
		return w.fail("a slice of %d parts", len(parts))
	}
	return ourCall("keep", defined(object)+"["+strings.Join(parts, ":")+"]")
}

// filter is name(args) after "|".
func (w *exprWriter) filter(value string) string {
	t := w.next()
	if t.kind != tokenName {
		return w.fail("want the name of a filter, found %q", t.text)
	}
	args := "()"
	if w.take("(") {
		args = w.arguments()
	}
	out, err := writeFilter(value, t.text, args)
	if err != nil {
		return w.fail("%w", err)
	}
	return out
}

// theirs are the renderer's filters that are right, by what is done to their input.
var theirs = map[string]string{
	"title": "print", "capitalize": "print", "wordcount": "print",
	"first": "items", "last": "items", "sort": "items", "sum": "items", "max": "items", "min": "items",
	"select": "items", "reject": "items", "selectattr": "items", "rejectattr": "items",
	"default": "keep", "d": "keep", "int": "keep", "float": "keep", "abs": "keep", "items": "keep",
	"dictsort": "keep", "safe": "keep", "fromjson": "keep", "from_json": "keep", "reverse": "keep",
}

func writeFilter(value, name, args string) (string, error) {
	if filters[name] != nil {
		return ourCall("filter", append([]string{quoteForTemplate(name), value}, inner(args)...)...), nil
	}
	if name == "map" {
		return ourCall("map", append([]string{value}, inner(args)...)...), nil
	}
	input, ok := theirs[name]
	if !ok {
		return "", fmt.Errorf("unknown filter %q", name)
	}
	return ourCall("keep", ourCall(input, value)+"|"+name+args), nil
}

// test is [not] name [args] after "is".
func (w *exprWriter) test(value string) string {
	negated := w.take("not")
	t := w.next()
	if t.kind != tokenName {
		return w.fail("want the name of a test, found %q", t.text)
	}
	args := ""
	switch next := w.peek(); {
	case w.take("("):
		args = w.arguments()
	case next.kind == tokenString, next.kind == tokenNumber, w.is("[", "{"),
		next.kind == tokenName && !w.is("else", "or", "and", "is", "if", "not", "in"):
		args = "(" + w.postfix(w.primary()) + ")"
	}
	out := "(" + value + " is " + t.text + args + ")"
	if t.text == "sequence" { // strings and mappings are sequences too
		out = "(" + value + " is iterable)"
	}
	if negated {
		out = "(not " + out + ")"
	}
	return out
}
