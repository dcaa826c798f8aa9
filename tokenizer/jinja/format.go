package jinja

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// spec is how one value is written: of % or of str.format.
type spec struct {
	fill      string
	align     string // < > = ^
	sign      string // + or space; "": none
	alternate bool
	width     int
	precision int    // -1: none
	grouping  string // , or _
	verb      string // "": none
}

// size reads digits of a width or precision.
func size(s string, otherwise int) int {
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		n = maxText + 1
	}
	checkText(n)
	return n
}

// isBase says whether the verb writes digits of another base than ten.
func (f *spec) isBase() bool { return f.verb != "" && strings.Contains("boxX", f.verb) }

// pad writes text in the width of the spec. A sign and a base's prefix stay in front
// where the alignment is =.
func (f *spec) pad(m *machine, out *rope, text *Str) {
	gap := max(f.width-text.length(), 0)
	m.spend(len(text.text) + gap)
	left, right := gap, 0
	switch f.align {
	case "<":
		left, right = 0, gap
	case "^":
		left, right = gap/2, gap-gap/2
	case "=":
		n := len(text.text) - len(strings.TrimLeft(text.text, "+- "))
		if f.alternate && f.isBase() {
			n += 2
		}
		out.str(text.slice(0, n))
		text = text.slice(n, len(text.text))
	}
	out.text(strings.Repeat(f.fill, left))
	out.str(text)
	out.text(strings.Repeat(f.fill, right))
}

// number spells a number by the verb, not padded yet: Go's fmt writes as C's printf.
func (f *spec) number(v Value) *Str {
	var text string
	var negative bool
	if i, ok := asBig(v); ok && (f.isBase() || f.verb == "d") {
		negative = i.Sign() < 0
		bigText(i)                                                                      // no more digits than Python writes
		verb := map[bool]string{false: f.verb, true: "O"}[f.verb == "o" && f.alternate] // 0o17
		text = fmt.Sprintf("%"+f.flags("")+verb, new(big.Int).Abs(i))
	} else {
		x, ok := asFloat(v)
		if !ok || f.isBase() || f.verb == "d" {
			panic(wrongType("a number as the verb wants it", v))
		}
		negative = math.Signbit(x) && !math.IsNaN(x)
		text = f.float(math.Abs(x))
	}
	if f.grouping != "" {
		text = f.grouped(text)
	}
	if negative {
		return String("-" + text)
	}
	return String(f.sign + text)
}

// flags are those of the spec as Go spells them, with a precision if there is none.
func (f *spec) flags(precision string) string {
	if f.precision >= 0 {
		precision = "." + strconv.Itoa(min(f.precision, 1<<12))
	}
	if f.alternate {
		return "#" + precision
	}
	return precision
}

func (f *spec) float(x float64) string {
	switch {
	case math.IsInf(x, 0) || math.IsNaN(x) || f.verb == "" && f.precision < 0:
		return floatText(x)
	case f.verb == "%":
		return fmt.Sprintf("%"+f.flags(".6")+"f%%", x*100)
	case f.verb != "":
		return fmt.Sprintf("%"+f.flags(".6")+f.verb, x)
	}
	text := fmt.Sprintf("%"+f.flags("")+"g", x)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text
}

// grouped puts separators between digits; where zeros fill the width they are grouped too.
func (f *spec) grouped(text string) string {
	size, fraction := 3, ""
	if f.isBase() {
		size = 4
	} else if i := strings.IndexAny(text, ".e"); i >= 0 {
		text, fraction = text[:i], text[i:]
	}
	if f.fill == "0" && f.align == "=" {
		for len(text)+(len(text)-1)/size+len(fraction) < f.width-1 && len(text) < maxDigits {
			text = "0" + text
		}
	}
	for at := len(text) - size; at > 0; at -= size {
		text = text[:at] + f.grouping + text[at:]
	}
	return text + fraction
}

// percentRule is %[(key)][flags][width][.precision][size]type; without a type it is a mistake.
var percentRule = rule(`%(?:\(([^)]*)\))?([-#0 +]*)([0-9]*)(?:\.([0-9]*))?[hlL]?([diouxXeEfFgGcrs%]?)`)

// percent is Python's s % v.
func (m *machine) percent(s *Str, v Value) Value {
	values := []Value{v}
	mapping, lenient := v.(*Dict) // what can be asked for items may be left over
	switch v := v.(type) {
	case *List:
		if lenient = !v.kind.isTuple(); !lenient {
			values = v.items
		}
	case *Undefined:
		lenient = true
	}
	var out rope
	for {
		g := percentRule.FindStringSubmatchIndex(s.text)
		if g == nil {
			break
		}
		part := func(i int) string { return s.text[max(g[2*i], 0):max(g[2*i+1], 0)] }
		out.str(s.slice(0, g[0]))
		f := &spec{fill: " ", align: ">", width: size(part(3), 0), precision: size(part(4), -1), verb: part(5)}
		if g[8] >= 0 {
			f.precision = max(f.precision, 0)
		}
		f.percentFlags(part(2))
		var value Value
		switch {
		case f.verb == "":
			panic(raise(valueError, "unsupported or incomplete format: %s", quote(s.text[g[0]:])))
		case g[2] >= 0:
			check(mapping != nil, typeError, "format requires a mapping")
			found := false
			value, found = mapping.Get(part(1))
			check(found, keyError, "%s", part(1))
		case f.verb != "%":
			check(len(values) > 0, typeError, "not enough arguments for format string")
			value, values = values[0], values[1:]
		}
		f.percent(m, &out, value)
		s = s.slice(g[1], len(s.text))
		checkText(len(out.buf))
	}
	out.str(s)
	check(len(values) == 0 || lenient, typeError, "not all arguments converted during string formatting")
	return out.value()
}

func (f *spec) percentFlags(flags string) {
	f.alternate = strings.Contains(flags, "#")
	if strings.Contains(flags, "+") {
		f.sign = "+"
	} else if strings.Contains(flags, " ") {
		f.sign = " "
	}
	if strings.Contains(flags, "-") {
		f.align = "<"
	} else if strings.Contains(flags, "0") && !strings.Contains("crs", f.verb) {
		f.fill, f.align = "0", "="
	}
}

// percent writes one value.
func (f *spec) percent(m *machine, out *rope, v Value) {
	if !strings.Contains("sr", f.verb) {
		defined(v)
	}
	var text *Str
	switch f.verb {
	case "%":
		out.text("%")
		return
	case "s":
		text = m.str(v)
	case "r":
		text = m.repr(v)
	case "c":
		f.precision = -1
		if text, _ = v.(*Str); text == nil {
			text = String(string(rune(integer(v))))
		}
		check(text.length() == 1, typeError, "%%c requires int or char")
	case "d", "i", "u":
		f.verb = "d"
		if _, isFloat := v.(float64); isFloat {
			v, _ = toInt(v, 10)
		}
	}
	if text == nil {
		text = f.number(v)
	} else if f.precision >= 0 {
		text = text.slice(0, text.byteOf(f.precision))
	}
	f.pad(m, out, text)
}

// formatter is one call of str.format.
type formatter struct {
	m      *machine
	a      *args
	auto   int  // the next number of {}
	manual bool // a number was given
}

// format is Python's s.format(…), as the sandbox's string.Formatter does it.
func (m *machine) format(a *args) Value {
	f := &formatter{m: m, a: &args{plain: a.plain[1:], names: a.names, named: a.named}}
	var out rope
	f.run(&out, a.plain[0].(*Str), 2)
	m.spend(len(out.buf))
	return out.value()
}

// braceRule is a doubled brace, a field, which may hold others, or a brace alone.
var braceRule = rule(`\{\{|\}\}|\{((?:[^{}]|\{[^{}]*\})*)\}|[{}]`)

// run writes a format string, whose specs may hold fields again, depth levels down.
func (f *formatter) run(out *rope, s *Str, depth int) {
	check(depth >= 0, valueError, "Max string recursion exceeded")
	for {
		g := braceRule.FindStringSubmatchIndex(s.text)
		if g == nil {
			out.str(s)
			return
		}
		out.str(s.slice(0, g[0]))
		if g[2] >= 0 {
			f.field(out, s.text[g[2]:g[3]], depth)
		} else {
			check(g[1] == g[0]+2, valueError, "Single '%s' encountered in format string", s.text[g[0]:g[1]])
			out.text(s.text[g[0] : g[0]+1])
		}
		s = s.slice(g[1], len(s.text))
		checkText(len(out.buf))
	}
}

// A field is a name, attributes and items, a conversion and a spec.
var (
	fieldRule = rule(`(?s)^([^.\[!:]*)((?:\.[^.\[!:]+|\[[^\]]+\])*)(?:!([sr]))?(?::(.*))?$`)
	partRule  = rule(`(\.|\[)([^.\[\]]+)\]?`)
)

func (f *formatter) field(out *rope, field string, depth int) {
	parts := fieldRule.FindStringSubmatch(field)
	check(parts != nil, valueError, "wrong field {%s} in a format string", field)
	value := f.argument(parts[1])
	for _, part := range partRule.FindAllStringSubmatch(parts[2], -1) {
		if n, err := strconv.ParseUint(part[2], 10, 31); part[1] == "[" && err == nil {
			value = f.m.item(value, int(n))
		} else if part[1] == "[" {
			value = f.m.item(value, String(part[2]))
		} else {
			value = f.m.attribute(value, String(part[2]))
		}
	}
	switch parts[3] {
	case "s":
		value = f.m.str(value)
	case "r":
		value = f.m.repr(value)
	}
	var inner rope
	f.run(&inner, String(parts[4]), depth-1)
	f.m.formatValue(out, value, string(inner.buf))
}

func (f *formatter) argument(name string) Value {
	i := f.auto
	if name == "" {
		f.auto++
	} else {
		n, err := strconv.ParseUint(name, 10, 31)
		if err != nil {
			k := f.a.find(name)
			check(k >= 0, keyError, "%s", name)
			return f.a.named[k]
		}
		f.manual, i = true, int(n)
	}
	check(!f.manual || f.auto == 0, valueError, "cannot switch between manual field specification and automatic field numbering")
	check(i < len(f.a.plain), indexError, "format has no argument %d", i)
	return f.a.plain[i]
}

// specRule is [[fill]align][sign][#][0][width][grouping][.precision][type].
var specRule = rule(`(?s)^(?:(.)?([<>=^]))?([-+ ]?)(#?)(0?)([0-9]*)([,_]?)(?:\.([0-9]+))?([bdoxXeEfFgGs%]?)$`)

// formatValue is Python's format(v, spec).
func (m *machine) formatValue(out *rope, v Value, text string) {
	if text == "" {
		out.str(m.str(v))
		return
	}
	s, isText := v.(*Str)
	check(isText || isNumber(v), typeError, "unsupported format string passed to %s.__format__", typeName(v))
	parts := specRule.FindStringSubmatch(text)
	check(parts != nil, valueError, "Invalid format specifier '%s'", text)
	f := &spec{
		fill: " ", align: ">", sign: strings.TrimLeft(parts[3], "-"), alternate: parts[4] != "", width: size(parts[6], 0),
		grouping: parts[7], precision: size(parts[8], -1), verb: parts[9],
	}
	if isText {
		f.align = "<"
	}
	if parts[5] != "" {
		if f.fill = "0"; !isText {
			f.align = "="
		}
	}
	if parts[2] != "" {
		f.align = parts[2]
	}
	if parts[1] != "" {
		f.fill = parts[1]
	}
	_, isFloat := v.(float64)
	if !isText && !isFloat && f.verb == "" {
		f.verb = "d"
	}
	integral := f.verb == "d" || f.isBase()
	wrong := integral && (isFloat || f.precision >= 0) || !isText && f.verb == "s" ||
		isText && (f.verb != "" && f.verb != "s" || f.align == "=" || parts[3] != "")
	check(!wrong, valueError, "Invalid format specifier '%s' for object of type '%s'", text, typeName(v))
	if !isText {
		s = f.number(v)
	} else if f.precision >= 0 {
		s = s.slice(0, s.byteOf(f.precision))
	}
	f.pad(m, out, s)
}
