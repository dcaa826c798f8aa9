package jinja

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// spec is how one value is written: of % or of format.
type spec struct {
	fill      string
	align     byte // < > = ^, 0: by type
	sign      byte // + - or space; 0: -
	alternate bool
	zero      bool // negative zero is written as zero
	width     int
	grouping  byte // , or _; 0: none
	precision int  // -1: none
	verb      byte // 0: none
}

// pad writes text in the width of the spec. A sign and a base's prefix stay in front
// where the alignment is =.
func (f *spec) pad(out *rope, text *Str) {
	gap := f.width - strLen(text)
	if gap <= 0 {
		out.str(text)
		return
	}
	left, right := gap, 0
	switch f.align {
	case '<':
		left, right = 0, gap
	case '^':
		left, right = gap/2, gap-gap/2
	case '=':
		n := 0
		if text.text != "" && strings.IndexByte("+- ", text.text[0]) >= 0 {
			n = 1
		}
		if f.alternate && len(text.text) > n+1 && text.text[n] == '0' && strings.IndexByte("xXob", text.text[n+1]) >= 0 {
			n += 2
		}
		out.str(text.slice(0, n))
		text = text.slice(n, len(text.text))
	}
	out.text(strings.Repeat(f.fill, left))
	out.str(text)
	out.text(strings.Repeat(f.fill, right))
}

// integer writes an integer with sign and prefix.
func (f *spec) integer(i *big.Int) (string, error) {
	base := map[byte]int{'b': 2, 'o': 8, 'x': 16, 'X': 16}[f.verb]
	var digits string
	if base == 0 {
		var err error
		if digits, err = bigText(new(big.Int).Abs(i)); err != nil {
			return "", err
		}
	} else {
		digits = new(big.Int).Abs(i).Text(base)
	}
	if f.verb == 'X' {
		digits = strings.ToUpper(digits)
	}
	if f.grouping != 0 {
		size := 3
		if base != 0 {
			size = 4
		}
		digits = f.group(digits, size)
	}
	if f.alternate && base != 0 {
		digits = "0" + string(f.verb) + digits
	}
	return f.signed(digits, i.Sign() < 0), nil
}

func (f *spec) signed(digits string, negative bool) string {
	switch {
	case negative:
		return "-" + digits
	case f.sign == '+' || f.sign == ' ':
		return string(f.sign) + digits
	}
	return digits
}

// group puts separators between digits; where zeros fill the width they are grouped too.
func (f *spec) group(digits string, size int) string {
	whole, fraction := digits, ""
	if i := strings.IndexAny(digits, ".e"); i >= 0 {
		whole, fraction = digits[:i], digits[i:]
	}
	if f.fill == "0" && f.align == '=' {
		for len(whole)+(len(whole)-1)/size+len(fraction) < f.width-1 && len(whole) < maxDigits {
			whole = "0" + whole
		}
	}
	var parts []string
	for len(whole) > size {
		parts = append(parts, whole[len(whole)-size:])
		whole = whole[:len(whole)-size]
	}
	parts = append(parts, whole)
	slices.Reverse(parts)
	return strings.Join(parts, string(f.grouping)) + fraction
}

// float writes a float as C's printf does; without a verb as Python's str.
func (f *spec) float(x float64) string {
	verb, n := f.verb, f.precision
	if verb == 0 && n < 0 {
		text := strings.TrimPrefix(floatText(x), "-")
		if f.grouping != 0 {
			text = f.group(text, 3)
		}
		return f.signed(text, math.Signbit(x) && !math.IsNaN(x))
	}
	if n < 0 {
		n = 6
	}
	n = min(n, 1<<12)
	a := math.Abs(x)
	if verb == '%' {
		a *= 100
	}
	var text string
	switch verb {
	case 'e', 'E':
		text = strconv.FormatFloat(a, 'e', n, 64)
	case 'f', 'F', '%':
		text = strconv.FormatFloat(a, 'f', n, 64)
		if f.alternate && n == 0 {
			text += "."
		}
	default:
		text = f.general(a, max(n, 1), verb == 0)
	}
	switch {
	case math.IsInf(a, 0):
		text = "inf"
	case math.IsNaN(a):
		text = "nan"
	}
	if f.zero && strings.Trim(text, "0.%") == "" {
		a, x = 0, 0
	}
	if verb == 'E' || verb == 'F' || verb == 'G' {
		text = strings.ToUpper(text)
	}
	if f.grouping != 0 {
		text = f.group(text, 3)
	}
	if verb == '%' {
		text += "%"
	}
	return f.signed(text, math.Signbit(x) && !math.IsNaN(x))
}

// general is %g; point keeps one digit behind the point, as format does without a verb.
func (f *spec) general(a float64, n int, point bool) string {
	text := strconv.FormatFloat(a, 'e', n-1, 64)
	mantissa, exponent, _ := strings.Cut(text, "e")
	e, _ := strconv.Atoi(exponent)
	limit := n
	if point {
		limit = n - 1
	}
	if e < -4 || e >= max(limit, 1) && !(point && e < limit) {
		if !f.alternate && strings.Contains(mantissa, ".") {
			mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
		}
		return mantissa + "e" + exponent
	}
	text = strconv.FormatFloat(a, 'f', max(n-1-e, 0), 64)
	if !f.alternate && strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if point && !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// alignment reads [[fill]align] and gives the rest.
func (f *spec) alignment(s string) (rest string, aligned, filled bool) {
	_, size := utf8.DecodeRuneInString(s)
	if len(s) > size && strings.IndexByte("<>=^", s[size]) >= 0 {
		f.fill, f.align = s[:size], s[size]
		return s[size+1:], true, true
	}
	if strings.IndexByte("<>=^", s[0]) >= 0 {
		f.align = s[0]
		return s[1:], true, false
	}
	return s, false, false
}

// parseSpec reads [[fill]align][sign][z][#][0][width][grouping][.precision][type].
func parseSpec(s string, v Value) (*spec, error) {
	f := &spec{fill: " ", precision: -1, align: '>'}
	_, isText := v.(*Str)
	if isText {
		f.align = '<'
	}
	whole := s
	s, aligned, filled := f.alignment(s)
	take := func(set string) byte {
		if s != "" && strings.IndexByte(set, s[0]) >= 0 {
			c := s[0]
			s = s[1:]
			return c
		}
		return 0
	}
	f.sign = take("+- ")
	f.zero = take("z") != 0
	f.alternate = take("#") != 0
	if take("0") != 0 {
		if !filled {
			f.fill = "0"
		}
		if !aligned && !isText {
			f.align = '='
		}
	}
	number := func() (int, bool) {
		n := 0
		for n < len(s) && isDecimal(s[n]) {
			n++
		}
		value, err := strconv.Atoi(s[:n])
		s = s[n:]
		return value, err == nil
	}
	f.width, _ = number()
	f.grouping = take(",_")
	if take(".") != 0 {
		n, ok := number()
		if !ok {
			return nil, raise(valueError, "Format specifier missing precision")
		}
		f.precision = n
	}
	if len(s) > 1 {
		return nil, raise(valueError, "Invalid format specifier '%s' for object of type %s", whole, quote(typeName(v)))
	}
	if s != "" {
		f.verb = s[0]
	}
	if f.width > maxText || f.precision > maxText {
		return nil, limit("makes a text of more than %d MiB", maxText>>20)
	}
	return f, nil
}
