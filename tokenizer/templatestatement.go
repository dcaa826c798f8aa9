package tokenizer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// statement writes {% … %}, watched: a loop ticks, a macro counts itself.
func (s *sourceWriter) statement(t tag) error {
	body := strings.TrimSpace(t.body)
	n := 0
	for n < len(body) && isNameByte(body[n]) {
		n++
	}
	word, rest := body[:n], body[n:]
	switch word {
	case "if", "elif":
		e, err := rewriteExpression(rest)
		s.block(word + " " + e)
		return err
	case "for":
		return s.loop(rest, t)
	case "set":
		return s.set(rest)
	case "macro":
		return s.macro(rest)
	case "call":
		return s.call(rest)
	case "else", "endif", "endfor", "endset", "endcall", "break", "continue", "generation", "endgeneration", "endmacro":
		if strings.TrimSpace(rest) != "" {
			return fmt.Errorf("unexpected %q after %s", strings.TrimSpace(rest), word)
		}
		s.plain(word)
		return nil
	}
	return fmt.Errorf("unknown statement %q", word)
}

// plain writes a statement that is one word.
func (s *sourceWriter) plain(word string) {
	switch {
	case word == "endmacro":
		s.output(ourCall("leave"))
	case word == "endgeneration" && s.marked:
		s.output(quoteForTemplate(markEnd))
	}
	s.block(word)
	if word == "generation" && s.marked {
		s.output(quoteForTemplate(markStart))
	}
}

func (s *sourceWriter) block(text string)  { s.b.WriteString("{% " + text + " %}") }
func (s *sourceWriter) output(expr string) { s.b.WriteString("{{ " + expr + " }}") }

// loop is for a[, b] in items [if condition]. What its body sets is as before the
// loop at the start of every round, as in jinja2; the renderer would keep it.
func (s *sourceWriter) loop(rest string, t tag) error {
	w, err := newExprWriter(rest)
	if err != nil {
		return err
	}
	targets := []string{w.target()}
	for w.take(",") {
		targets = append(targets, w.target())
	}
	w.want("in")
	head := "for " + strings.Join(targets, ", ") + " in " + ourCall("items", w.or())
	if w.take("if") {
		if len(targets) > 1 {
			w.fail("a loop with two variables and a condition is not supported")
		}
		head += " if " + w.condition()
	}
	if err := w.end(); err != nil {
		return err
	}
	var before, round []string
	for _, name := range s.sets[t.start] {
		if !slices.Contains(targets, name) {
			kept := ours + strconv.Itoa(t.start) + name
			before, round = append(before, "set "+kept+" = "+name), append(round, "set "+name+" = "+kept)
		}
	}
	for _, text := range before {
		s.block(text)
	}
	s.block(head)
	s.output(ourCall("tick"))
	for _, text := range round {
		s.block(text)
	}
	return nil
}

// target is a name that gets a value.
func (w *exprWriter) target() string {
	t := w.next()
	if t.kind != tokenName {
		return w.fail("want a name, found %q", t.text)
	}
	return w.name(t.text)
}

// set is set a = b, set space.a = b, or the start of a block.
func (s *sourceWriter) set(rest string) error {
	w, err := newExprWriter(rest)
	if err != nil {
		return err
	}
	name := w.target()
	switch {
	case w.take("."):
		attr := w.target()
		w.want("=")
		s.block("set " + name + "." + attr + " = " + ourCall("attribute", name, w.condition()))
	case w.take("="):
		s.block("set " + name + " = " + ourCall("keep", w.condition()))
	default:
		s.block("set " + name)
	}
	return w.end()
}

// macro is name(a, b=default).
func (s *sourceWriter) macro(rest string) error {
	w, err := newExprWriter(rest)
	if err != nil {
		return err
	}
	name := w.target()
	w.want("(")
	params := w.list(")", func() string {
		param := w.target()
		if w.take("=") {
			param += "=" + w.literal()
		}
		return param
	})
	s.block("macro " + name + "(" + params + ")")
	s.output(ourCall("enter"))
	return w.end()
}

// literal is a macro's default, which the renderer finds by its commas.
func (w *exprWriter) literal() string {
	switch {
	case w.take("["):
		w.want("]")
		return "[]"
	case w.take("{"):
		w.want("}")
		return "{}"
	}
	out := w.unary(false)
	if strings.Contains(out, ",") {
		return w.fail("a macro's default is to be a name or a literal without commas")
	}
	return out
}

// call is call[(a, b)] name(arguments): a block given to a macro.
func (s *sourceWriter) call(rest string) error {
	w, err := newExprWriter(rest)
	if err != nil {
		return err
	}
	params := ""
	if w.take("(") {
		params = "(" + w.list(")", w.target) + ")"
	}
	name := w.target()
	w.want("(")
	s.block("call" + params + " " + name + w.arguments())
	return w.end()
}

// setsInLoops are the names that the body of each loop sets, by where the loop starts.
func setsInLoops(all []tag) (map[int][]string, error) {
	sets := map[int][]string{}
	var open []tag // loops, macros and conditions around
	for _, t := range all {
		if t.kind != '%' || t.raw {
			continue
		}
		words := strings.Fields(t.body)
		if len(words) == 0 {
			continue
		}
		switch word := words[0]; {
		case strings.HasPrefix(word, "end"):
			if n := len(open); n > 0 && word != "endset" && word != "endgeneration" {
				open = open[:n-1]
			}
		case word == "for" || word == "macro" || strings.HasPrefix(word, "call") || strings.HasPrefix(word, "if"):
			t.body = word
			open = append(open, t)
		case word == "set" && len(words) > 1:
			name, _, _ := strings.Cut(words[1], "=")
			i := len(open) - 1
			for i >= 0 && strings.HasPrefix(open[i].body, "if") {
				i--
			}
			if i >= 0 && open[i].body == "for" && !strings.Contains(name, ".") && !slices.Contains(sets[open[i].start], name) {
				sets[open[i].start] = append(sets[open[i].start], name)
			}
		}
		if len(open) > maxNesting {
			return nil, fmt.Errorf("more than %d blocks in one another", maxNesting)
		}
	}
	return sets, nil
}
