package tokenizer

import (
	"fmt"
	"slices"
	"strings"
)

// ours makes the names of our functions, which the renderer finds among the variables.
const ours = "finetune_"

// maxNesting bounds brackets, signs and negations in one another: the parsers recurse.
const maxNesting = 100

// exprWriter reads an expression by jinja2's grammar and writes it so that the
// renderer computes what jinja2 computes: operators whose precedence or meaning
// differs, and all that can make a large value, become calls of our functions.
// Its methods are the rules of the grammar and give what they wrote.
type exprWriter struct {
	tokens  []token
	at      int
	nesting int
	err     error // the first one; afterwards no tokens are left
}

// rewriteExpression is the whole of an expression.
func rewriteExpression(s string) (string, error) {
	w, err := newExprWriter(s)
	if err != nil {
		return "", err
	}
	out := w.condition()
	return out, w.end()
}

func newExprWriter(s string) (*exprWriter, error) {
	tokens, err := lexExpression(s)
	return &exprWriter{tokens: tokens}, err
}

func (w *exprWriter) peek() token { return w.tokens[w.at] }

func (w *exprWriter) next() token {
	t := w.tokens[w.at]
	if t.kind != tokenEnd {
		w.at++
	}
	return t
}

func (w *exprWriter) fail(format string, args ...any) string {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
		w.at = len(w.tokens) - 1
	}
	return ""
}

// end is the error, or that something follows the expression.
func (w *exprWriter) end() error {
	if t := w.peek(); w.err == nil && t.kind != tokenEnd {
		w.fail("unexpected %q", t.text)
	}
	return w.err
}

// is says whether one of the operators or keywords comes next.
func (w *exprWriter) is(texts ...string) bool {
	t := w.peek()
	return (t.kind == tokenOperator || t.kind == tokenName) && slices.Contains(texts, t.text)
}

func (w *exprWriter) take(text string) bool {
	if !w.is(text) {
		return false
	}
	w.at++
	return true
}

func (w *exprWriter) want(text string) {
	if !w.take(text) {
		w.fail("want %q, found %q", text, w.peek().text)
	}
}

func (w *exprWriter) nested(rule func() string) string {
	if w.nesting++; w.nesting > maxNesting {
		return w.fail("more than %d brackets in one another", maxNesting)
	}
	out := rule()
	w.nesting--
	return out
}

func ourCall(name string, args ...string) string {
	return ours + name + "(" + strings.Join(args, ", ") + ")"
}

// condition is a if b else c.
func (w *exprWriter) condition() string {
	value := w.or()
	for w.take("if") {
		value = "(" + value + " if " + w.or()
		if w.take("else") {
			value += " else " + w.nested(w.condition)
		}
		value += ")"
	}
	return value
}

func (w *exprWriter) or() string  { return w.logic("or", w.and) }
func (w *exprWriter) and() string { return w.logic("and", w.not) }

func (w *exprWriter) logic(word string, operand func() string) string {
	out := operand()
	for w.take(word) {
		out = "(" + out + " " + word + " " + operand() + ")"
	}
	return out
}

func (w *exprWriter) not() string {
	if w.take("not") {
		return "(not " + w.nested(w.not) + ")"
	}
	return w.compare()
}

func (w *exprWriter) compare() string {
	left := w.sum()
	for n := 0; ; n++ {
		op := w.peek().text
		var out string
		switch {
		case w.is("==", "!=", "<", "<=", ">", ">="):
			w.at++
			out = "(" + left + " " + op + " " + w.sum() + ")"
		case w.take("in"):
			out = ourCall("in", left, w.sum())
		case w.is("not") && w.tokens[w.at+1] == (token{tokenName, "in"}):
			w.at += 2
			out = "(not " + ourCall("in", left, w.sum()) + ")"
		default:
			return left
		}
		if n > 0 {
			return w.fail("comparisons in a row are not supported: use \"and\"")
		}
		left = out
	}
}

func (w *exprWriter) sum() string {
	out := w.joined()
	for w.is("+", "-") {
		if w.next().text == "+" {
			out = ourCall("add", out, w.joined())
		} else {
			out = "(" + out + " - " + w.joined() + ")"
		}
	}
	return out
}

// joined is a ~ b, which binds tighter than +.
func (w *exprWriter) joined() string {
	parts := []string{w.product()}
	for w.take("~") {
		parts = append(parts, w.product())
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return ourCall("concat", parts...)
}

func (w *exprWriter) product() string {
	out := w.power()
	for w.is("*", "/", "//", "%") {
		switch op := w.next().text; op {
		case "*":
			out = ourCall("times", out, w.power())
		case "//":
			out = ourCall("floordiv", out, w.power())
		case "%":
			out = ourCall("mod", out, w.power())
		default:
			out = "(" + out + " " + op + " " + w.power() + ")"
		}
	}
	return out
}

func (w *exprWriter) power() string {
	out := w.unary(true)
	for w.take("**") {
		out = ourCall("power", out, w.unary(true))
	}
	return out
}

// unary is a sign, or a value with what follows it; filters come after the sign.
func (w *exprWriter) unary(filters bool) string {
	var out string
	if w.is("-", "+") {
		sign := w.next().text
		out = "(" + sign + w.nested(func() string { return w.unary(false) }) + ")"
	} else {
		out = w.postfix(w.primary())
	}
	for filters {
		switch {
		case w.take("|"):
			out = w.filter(out)
		case w.take("is"):
			out = w.test(out)
		case w.take("("):
			out = ourCall("keep", out+w.arguments())
		default:
			return out
		}
	}
	return out
}

func (w *exprWriter) primary() string {
	t := w.next()
	switch {
	case t.kind == tokenNumber:
		return numeral(t.text)
	case t.kind == tokenString:
		out := t.text
		for w.peek().kind == tokenString { // "a" "b" is one string
			out += w.next().text
		}
		return quoteForTemplate(out)
	case t.kind == tokenName:
		return w.name(t.text)
	case t.text == "(":
		return w.nested(w.tuple)
	case t.text == "[":
		return w.nested(func() string { return ourCall("keep", "["+w.list("]", w.condition)+"]") })
	case t.text == "{":
		return w.nested(func() string { return ourCall("keep", "{"+w.list("}", w.pair)+"}") })
	case t.kind == tokenEnd:
		return w.fail("an expression ends too early")
	}
	return w.fail("unexpected %q", t.text)
}

// numeral is a number as the renderer reads it: it knows no exponent without a point.
func numeral(s string) string {
	if i := strings.IndexAny(s, "eE"); i >= 0 && !strings.Contains(s, ".") {
		return s[:i] + ".0" + s[i:]
	}
	return s
}

func (w *exprWriter) name(name string) string {
	if strings.HasPrefix(name, ours) {
		return w.fail("names that begin with %q are taken", ours)
	}
	switch name {
	case "not", "and", "or", "in", "is", "if", "else":
		return w.fail("unexpected %q", name)
	case "null": // no keyword in Python
		return ours + "undefined"
	}
	return name
}

func (w *exprWriter) tuple() string {
	if w.take(")") {
		return ourCall("keep", "[]")
	}
	first := w.condition()
	if w.take(")") {
		return "(" + first + ")"
	}
	w.want(",")
	return ourCall("keep", "["+strings.TrimSuffix(first+", "+w.list(")", w.condition), ", ")+"]")
}

// list is items up to the closing bracket, with commas between.
func (w *exprWriter) list(closer string, item func() string) string {
	var items []string
	for w.err == nil && !w.take(closer) {
		items = append(items, item())
		if !w.is(closer) {
			w.want(",")
		}
	}
	return strings.Join(items, ", ")
}

func (w *exprWriter) pair() string {
	key := w.condition()
	w.want(":")
	return key + ": " + w.condition()
}

// arguments are those of a call, from after its opening bracket, in brackets.
func (w *exprWriter) arguments() string {
	return "(" + w.nested(func() string { return w.list(")", w.argument) }) + ")"
}

func (w *exprWriter) argument() string {
	if w.is("*", "**") {
		return w.fail("unexpected %q among arguments", w.peek().text)
	}
	if t := w.peek(); t.kind == tokenName && w.tokens[w.at+1] == (token{tokenOperator, "="}) {
		w.at += 2
		return t.text + "=" + w.condition()
	}
	return w.condition()
}
