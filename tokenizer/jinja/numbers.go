package jinja

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

func abs(_ *machine, a []Value) (Value, error) {
	if u, ok := a[0].(*Undefined); ok {
		return nil, raise(typeError, "bad operand type for abs(): %s", quote(typeName(u)))
	}
	if f, ok := a[0].(float64); ok {
		return math.Abs(f), nil
	}
	i, ok := asBig(a[0])
	if !ok {
		return nil, raise(typeError, "bad operand type for abs(): %s", quote(typeName(a[0])))
	}
	return normBig(new(big.Int).Abs(i)), nil
}

func fileSize(m *machine, a []Value) (Value, error) {
	size, err := m.toFloat(a[0])
	if err != nil {
		return nil, err
	}
	base, units := 1000.0, []string{"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"}
	if truth(a[1]) {
		base, units = 1024, []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"}
	}
	if size == 1 {
		return String("1 Byte"), nil
	}
	if size < base {
		return String(fmt.Sprintf("%d Bytes", int(size))), nil
	}
	unit := base
	for i, name := range units {
		if unit *= base; size < unit || i == len(units)-1 {
			return String(fmt.Sprintf("%.1f %s", base*size/unit, name)), nil
		}
	}
	return nil, nil
}

// toFloat is Python's float(v).
func (m *machine) toFloat(v Value) (float64, error) {
	switch v := v.(type) {
	case *Str:
		text := strings.TrimFunc(v.text, isSpace)
		plain := strings.ReplaceAll(text, "_", "")
		f, err := strconv.ParseFloat(plain, 64)
		bad := strings.Contains(text, "__") || strings.HasPrefix(text, "_") || strings.HasSuffix(text, "_") || strings.ContainsAny(text, "xXpP")
		if err != nil && !math.IsInf(f, 0) || bad {
			return 0, raise(valueError, "could not convert string to float: %s", quote(v.text))
		}
		return f, nil
	case *Undefined:
		return 0, v.fail()
	}
	f, ok, err := asFloat(v)
	if err == nil && !ok {
		err = raise(typeError, "float() argument must be a string or a real number, not %s", quote(typeName(v)))
	}
	return f, err
}

func floatFilter(m *machine, a []Value) (Value, error) {
	f, err := m.toFloat(a[0])
	if raised(err, typeError, valueError) {
		return a[1], nil
	}
	return f, err
}

// toInt is Python's int(v), with a base for texts.
func (m *machine) toInt(v Value, base int) (Value, error) {
	switch v := v.(type) {
	case *Str:
		return parseInt(v.text, base)
	case float64:
		switch {
		case math.IsNaN(v):
			return nil, raise(valueError, "cannot convert float NaN to integer")
		case math.IsInf(v, 0):
			return nil, raise(overflowError, "cannot convert float infinity to integer")
		}
		b, _ := big.NewFloat(v).Int(nil)
		return normBig(b), nil
	case *Undefined:
		return nil, v.fail()
	}
	if b, ok := asBig(v); ok {
		return normBig(b), nil
	}
	return nil, raise(typeError, "int() argument must be a string, a bytes-like object or a real number, not %s", quote(typeName(v)))
}

func parseInt(text string, base int) (Value, error) {
	bad := raise(valueError, "invalid literal for int() with base %d: %s", base, quote(text))
	if base != 0 && (base < 2 || base > 36) {
		return nil, raise(valueError, "int() base must be >= 2 and <= 36, or 0")
	}
	s := strings.TrimFunc(text, isSpace)
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	for prefix, of := range map[string]int{"0x": 16, "0o": 8, "0b": 2} {
		if len(s) > 2 && strings.EqualFold(s[:2], prefix) && (base == of || base == 0) {
			s, base = strings.TrimPrefix(s[2:], "_"), of
		}
	}
	if base == 0 {
		if base = 10; len(s) > 1 && s[0] == '0' && strings.Trim(s, "0_") != "" {
			return nil, bad
		}
	}
	s = strings.Map(func(r rune) rune { // digits of other scripts
		if r >= utf8.RuneSelf && unicode.Is(unicode.Nd, r) {
			zero := r
			for unicode.Is(unicode.Nd, zero-1) && r-zero < 9 {
				zero--
			}
			return '0' + r - zero
		}
		return r
	}, s)
	if s == "" || strings.HasPrefix(s, "_") || strings.HasSuffix(s, "_") || strings.Contains(s, "__") || strings.ContainsAny(s, "+-") {
		return nil, bad
	}
	s = strings.ReplaceAll(s, "_", "")
	if len(s) > maxDigits {
		return nil, raise(valueError, "Exceeds the limit (%d digits) for integer string conversion: value has %d digits; use sys.set_int_max_str_digits() to increase the limit", maxDigits, len(s))
	}
	i, ok := new(big.Int).SetString(s, base)
	if !ok {
		return nil, bad
	}
	if negative {
		i.Neg(i)
	}
	return normBig(i), nil
}

func intFilter(m *machine, a []Value) (Value, error) {
	base := 10
	if _, ok := a[0].(*Str); ok {
		var err error
		if base, err = integer(a[2]); err != nil {
			return nil, err
		}
	}
	i, err := m.toInt(a[0], base)
	if !raised(err, typeError, valueError) {
		return i, err
	}
	f, err := m.toFloat(a[0])
	if err == nil {
		i, err = m.toInt(f, 10)
	}
	if raised(err, typeError, valueError, overflowError) {
		return a[1], nil
	}
	return i, err
}

func round(m *machine, a []Value) (Value, error) {
	method, ok := a[2].(*Str)
	if !ok || method.text != "common" && method.text != "ceil" && method.text != "floor" {
		return nil, raise(filterError, "method must be common, ceil or floor")
	}
	if method.text == "common" {
		return roundCommon(a[0], a[1])
	}
	scale, err := m.binary("**", 10, a[1])
	if err != nil {
		return nil, err
	}
	v, err := m.binary("*", a[0], scale)
	if err != nil {
		return nil, err
	}
	f, ok, err := asFloat(v)
	if err == nil && !ok {
		err = raise(typeError, "must be real number, not %s", typeName(v))
	}
	if err != nil {
		return nil, err
	}
	if method.text == "ceil" {
		f = math.Ceil(f)
	} else {
		f = math.Floor(f)
	}
	i, err := m.toInt(f, 10)
	if err != nil {
		return nil, err
	}
	return m.binary("/", i, scale)
}

// roundCommon is Python's round(v, n): half to even.
func roundCommon(v, precision Value) (Value, error) {
	if u, ok := v.(*Undefined); ok {
		return nil, raise(typeError, "type %s doesn't define __round__ method", typeName(u))
	}
	if !isNumber(v) {
		return nil, raise(typeError, "type %s doesn't define __round__ method", typeName(v))
	}
	n, err := integer(precision)
	if err != nil {
		return nil, err
	}
	f, float := v.(float64)
	if !float {
		i, _ := asBig(v)
		if n >= 0 {
			return normBig(i), nil
		}
		return roundInt(i, -n)
	}
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0) || n > 323:
		return f, nil
	case n < -308:
		return math.Copysign(0, f), nil
	case n >= 0:
		f, err := strconv.ParseFloat(strconv.FormatFloat(f, 'f', n, 64), 64)
		if err != nil {
			return nil, raise(overflowError, "rounded value too large to represent")
		}
		return f, nil
	}
	return math.RoundToEven(f/math.Pow10(-n)) * math.Pow10(-n), nil
}

func roundInt(i *big.Int, digits int) (Value, error) {
	if digits > maxDigits {
		return 0, nil
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)
	quotient, rest := new(big.Int).DivMod(i, unit, new(big.Int))
	switch rest.Lsh(rest, 1).Cmp(unit) {
	case 1:
		quotient.Add(quotient, big.NewInt(1))
	case 0:
		quotient.Add(quotient, big.NewInt(int64(quotient.Bit(0))))
	}
	return normBig(quotient.Mul(quotient, unit)), nil
}
