package tokenizer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ardanlabs/jinja"
)

// formatText puts arguments in the place of %s and %d, with a width, and of %%.
func formatText(g *guard, s string, p params) (string, error) {
	var b strings.Builder
	used := 0
	for {
		i := strings.IndexByte(s, '%')
		if i < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:i])
		s = s[i+1:]
		end := strings.IndexFunc(s, func(r rune) bool { return r != '-' && (r < '0' || r > '9') })
		if end < 0 {
			return "", errors.New("incomplete format")
		}
		spec, verb := s[:end], s[end]
		s = s[end+1:]
		if verb == '%' {
			b.WriteByte('%')
			continue
		}
		if used == len(p.args) {
			return "", errors.New("not enough arguments for format string")
		}
		if err := formatOne(g, &b, spec, verb, p.args[used]); err != nil {
			return "", err
		}
		used++
	}
	if used < len(p.args) {
		return "", errors.New("not all arguments converted during string formatting")
	}
	return b.String(), g.room(b.Len())
}

// formatOne writes v as %[-][0][width]s or d.
func formatOne(g *guard, b *strings.Builder, spec string, verb byte, v jinja.Value) error {
	width := strings.TrimLeft(spec, "-0")
	n, err := strconv.Atoi("0" + width)
	if err != nil || n > maxText || strings.Contains(width, "-") {
		return fmt.Errorf("%%%s%c: not a width", spec, verb)
	}
	left, pad := strings.HasPrefix(spec, "-"), " "
	text := ""
	switch {
	case verb == 'd' && v.IsInt():
		text = strconv.FormatInt(v.AsInt(), 10)
		if !left && strings.HasPrefix(spec, "0") {
			pad = "0"
		}
	case verb == 's':
		s, err := g.print(v)
		if err != nil {
			return err
		}
		text = s.AsString()
	default:
		return fmt.Errorf("%%%s%c of %s is not supported", spec, verb, typeName(v))
	}
	fill := strings.Repeat(pad, max(0, n-len([]rune(text))))
	switch {
	case left:
		text += fill
	case pad == "0" && strings.HasPrefix(text, "-"):
		text = "-" + fill + text[1:]
	default:
		text = fill + text
	}
	b.WriteString(text)
	return g.room(b.Len())
}
