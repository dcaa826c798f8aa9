package tokenizer

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Marks around what is trained. They are private-use characters, so no text needs them.
const (
	markStart = "\uE000"
	markEnd   = "\uE001"
	marks     = markStart + markEnd
)

// sourceWriter writes a template so that the renderer gives what jinja2 gives with
// the settings of transformers:
//
//   - white space control (trim_blocks, lstrip_blocks, "-" and "+") is done here and
//     text becomes string literals: the renderer also strips across tags;
//   - expressions call our functions where the renderer computes differently;
//   - loops, macros and all that is written report to a guard.
//
// With marked, {% generation %} blocks put marks around what they hold.
type sourceWriter struct {
	b      strings.Builder
	marked bool
	sets   map[int][]string // names that each loop sets
}

// rewriteTemplate gives the template for the renderer. Errors name the line.
func rewriteTemplate(src string, marked bool) (string, error) {
	if len(src) > maxTemplate {
		return "", fmt.Errorf("longer than %d KiB", maxTemplate>>10)
	}
	src = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(src)
	src = strings.TrimSuffix(src, "\n")
	all := tags(src)
	sets, err := setsInLoops(all)
	if err != nil {
		return "", err
	}
	w := sourceWriter{marked: marked, sets: sets}
	done := 0
	lineStart := true // is the text before the next tag at the start of a line?
	for _, t := range all {
		w.text(textBefore(src[done:t.start], t, lineStart))
		if err := w.tag(t); err != nil {
			return "", fmt.Errorf("line %d: %w", 1+strings.Count(src[:t.start], "\n"), err)
		}
		done = t.end + trimAfter(src[t.end:], t)
		lineStart = done > t.end && src[done-1] == '\n'
	}
	w.text(src[done:])
	return w.b.String(), nil
}

// textBefore is the text before a tag, less what the tag strips.
func textBefore(s string, t tag, lineStart bool) string {
	switch {
	case t.left == '-':
		return strings.TrimRightFunc(s, unicode.IsSpace)
	case t.left == '+' || t.kind == '{':
		return s
	}
	line := strings.LastIndexByte(s, '\n') + 1
	if (line > 0 || lineStart) && strings.TrimSpace(s[line:]) == "" {
		return s[:line]
	}
	return s
}

// trimAfter is the number of bytes that a tag strips off the text after it.
func trimAfter(s string, t tag) int {
	switch {
	case t.right == '-':
		return len(s) - len(strings.TrimLeftFunc(s, unicode.IsSpace))
	case t.right != '+' && t.kind != '{' && strings.HasPrefix(s, "\n"):
		return 1
	}
	return 0
}

func (s *sourceWriter) text(text string) {
	if text != "" {
		s.output(ourCall("write", quoteForTemplate(text)))
	}
}

func (s *sourceWriter) tag(t tag) error {
	switch {
	case t.kind == 0:
		return fmt.Errorf("a tag is not closed: %.40q", t.body)
	case t.kind == '#':
	case t.kind == '{':
		e, err := rewriteExpression(t.body)
		s.output(ourCall("write", e))
		return err
	case t.raw:
		s.text(t.body)
	default:
		return s.statement(t)
	}
	return nil
}

// hasGeneration says whether a template has {% generation %} blocks.
func hasGeneration(src string) bool {
	for _, t := range tags(src) {
		if t.kind == '%' && !t.raw && strings.TrimSpace(t.body) == "generation" {
			return true
		}
	}
	return false
}

// tag is {{ … }}, {% … %} or {# … #}, or a whole {% raw %} block, or (kind 0) one that is not closed.
type tag struct {
	start, end  int // in the source, with the braces
	kind        byte
	body        string
	left, right byte // '-', '+' or 0: white space control
	raw         bool
}

// tags finds the tags of a template. Closers in quotes do not count, but for comments.
func tags(src string) []tag {
	var all []tag
	for at := 0; ; {
		i := strings.IndexByte(src[at:], '{')
		if i < 0 || at+i+1 >= len(src) {
			return all
		}
		i += at
		at = i + 1
		closer, ok := map[byte]string{'{': "}}", '%': "%}", '#': "#}"}[src[i+1]]
		if !ok {
			continue
		}
		end := closing(src, i+2, closer)
		if end < 0 {
			return append(all, tag{start: i, end: len(src), body: src[i:]})
		}
		t := tag{start: i, end: end, kind: src[i+1], body: src[i+2 : end-2]}
		if t.body != "" && strings.ContainsRune("-+", rune(t.body[0])) {
			t.left, t.body = t.body[0], t.body[1:]
		}
		if n := len(t.body) - 1; n >= 0 && strings.ContainsRune("-+", rune(t.body[n])) {
			t.right, t.body = t.body[n], t.body[:n]
		}
		if t.kind == '%' && strings.TrimSpace(t.body) == "raw" {
			t = rawBlock(src, t)
		}
		all = append(all, t)
		at = t.end
	}
}

// closing is the end of the closer that ends a tag, or -1.
func closing(src string, i int, closer string) int {
	for ; i < len(src); i++ {
		switch c := src[i]; {
		case strings.HasPrefix(src[i:], closer):
			return i + len(closer)
		case closer != "#}" && (c == '\'' || c == '"'):
			i = quoted(src, i)
		}
	}
	return -1
}

// quoted is the position of the quote that ends the string that begins at i.
func quoted(src string, i int) int {
	for j := i + 1; j < len(src); j++ {
		switch src[j] {
		case '\\':
			j++
		case src[i]:
			return j
		}
	}
	return len(src)
}

var endRaw = regexp.MustCompile(`\{%([-+]?)\s*endraw\s*([-+]?)%\}`)

// rawBlock makes one tag of a {% raw %} block, from its first tag.
func rawBlock(src string, first tag) tag {
	m := endRaw.FindStringSubmatchIndex(src[first.end:])
	if m == nil {
		return first
	}
	body := src[first.end : first.end+m[0]]
	if first.right == '-' {
		body = strings.TrimLeftFunc(body, unicode.IsSpace)
	}
	last := tag{kind: '%'}
	if m[2] < m[3] {
		last.left = src[first.end+m[2]]
	}
	t := tag{start: first.start, end: first.end + m[1], kind: '%', left: first.left, raw: true, body: textBefore(body, last, false)}
	if m[4] < m[5] {
		t.right = src[first.end+m[4]]
	}
	return t
}
