package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// asInt is the int of a bool or int.
func asInt(v Value) (int, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int:
		return v, true
	}
	return 0, false
}

// asBig is any integer, bools among them.
func asBig(v Value) (*big.Int, bool) {
	if b, ok := v.(*big.Int); ok {
		return b, true
	}
	i, ok := asInt(v)
	return big.NewInt(int64(i)), ok
}

// asFloat is the float of any number.
func asFloat(v Value) (f float64, number bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		check(!math.IsInf(f, 0), overflowError, "int too large to convert to float")
		return f, true
	}
	i, ok := asInt(v)
	return float64(i), ok
}

// floatOf is a value that has to be a number.
func floatOf(v Value) float64 {
	f, ok := asFloat(v)
	if !ok {
		panic(wrongType("a number", v))
	}
	return f
}

// exact is a number without any loss; NaN is none.
func exact(v Value) (*big.Float, bool) {
	if f, ok := v.(float64); ok {
		if math.IsNaN(f) {
			return nil, false
		}
		return new(big.Float).SetFloat64(f), true
	}
	i, ok := asBig(v)
	return new(big.Float).SetPrec(uint(max(64, i.BitLen()))).SetInt(i), ok
}

func isNumber(v Value) bool {
	switch v.(type) {
	case bool, int, float64, *big.Int:
		return true
	}
	return false
}

// integer is a value that has to be an integer, or the nearest int to it.
func integer(v Value) int {
	if i, ok := asInt(v); ok {
		return i
	}
	b, ok := asBig(v)
	if !ok {
		panic(wrongType("an integer", v))
	}
	return b.Sign() * math.MaxInt
}

// normBig is the value of an integer: an int where it fits.
func normBig(i *big.Int) Value {
	if i.IsInt64() {
		return int(i.Int64())
	}
	check(i.BitLen() <= maxBits, limitError, "makes an integer of more than %d bits", maxBits)
	return i
}

// binary does an operator of arithmetic.
func (m *machine) binary(op string, a, b Value) Value {
	s, isText := a.(*Str)
	if isText && op == "%" {
		return m.percent(s, b)
	}
	defined(a, b)
	if isNumber(a) && isNumber(b) {
		return arithmetic(op, a, b)
	}
	switch op {
	case "+":
		if t, ok := b.(*Str); ok && isText {
			return m.join(s, t)
		}
		x, okx := a.(*List)
		y, oky := b.(*List)
		if !okx || !oky || x.kind.isTuple() != y.kind.isTuple() || !x.plain() || !y.plain() {
			break
		}
		m.items(len(x.items) + len(y.items))
		out := &List{items: append(x.items[:len(x.items):len(x.items)], y.items...)}
		if x.kind.isTuple() {
			out.kind = tuple
		}
		return out
	case "*":
		if _, ok := asBig(a); ok {
			a, b = b, a
		}
		if _, ok := asBig(b); ok {
			if v := m.repeat(a, min(max(integer(b), 0), 1<<40)); v != nil {
				return v
			}
		}
	}
	panic(raise(typeError, "unsupported operand type(s) for %s: %s and %s", op, quote(typeName(a)), quote(typeName(b))))
}

// plain says whether a list is a list or tuple, not a range or view.
func (l *List) plain() bool { return l.kind == list || l.kind.isTuple() }

// repeat is v * n; nil where v is no sequence.
func (m *machine) repeat(v Value, n int) Value {
	switch v := v.(type) {
	case *Str:
		if v.text == "" || n == 0 {
			return emptyText
		}
		m.spend(min(len(v.text), 1<<20) * n)
		var r rope
		for range n {
			r.str(v)
		}
		return &Str{text: string(r.buf), pieces: r.pieces}
	case *List:
		if !v.plain() {
			return nil
		}
		out := &List{kind: v.kind, origin: v.origin}
		if len(v.items) == 0 {
			return out
		}
		m.items(min(len(v.items), 1<<20) * n)
		for range n {
			out.items = append(out.items, v.items...)
		}
		return out
	}
	return nil
}

func arithmetic(op string, a, b Value) Value {
	_, fa := a.(float64)
	_, fb := b.(float64)
	if fa || fb || op == "/" {
		x, _ := asFloat(a)
		y, _ := asFloat(b)
		return floats(op, x, y)
	}
	x, okx := asInt(a)
	y, oky := asInt(b)
	if okx && oky && isSmall(x) && isSmall(y) {
		switch op {
		case "+":
			return x + y
		case "-":
			return x - y
		case "*":
			return x * y
		}
		if y > 0 {
			rest := (x%y + y) % y
			switch op {
			case "%":
				return rest
			case "//":
				return (x - rest) / y
			}
		}
	}
	p, _ := asBig(a)
	q, _ := asBig(b)
	return bigs(op, p, q)
}

// isSmall says whether the products of such integers are ints.
func isSmall(i int) bool { return -1<<31 < i && i < 1<<31 }

// bigs calculates with integers.
func bigs(op string, x, y *big.Int) Value {
	z := new(big.Int)
	switch op {
	case "+":
		z.Add(x, y)
	case "-":
		z.Sub(x, y)
	case "*":
		z.Mul(x, y)
	case "//", "%":
		check(y.Sign() != 0, divisionError, "integer division or modulo by zero")
		r := new(big.Int)
		z.DivMod(x, y, r) // r is not negative
		if y.Sign() < 0 && r.Sign() != 0 {
			z.Sub(z, big.NewInt(1))
			r.Add(r, y)
		}
		if op == "%" {
			z = r
		}
	case "**":
		if y.Sign() < 0 {
			f, _ := asFloat(normBig(x))
			e, _ := asFloat(normBig(y))
			return floats(op, f, e)
		}
		if x.BitLen() > 1 && (y.BitLen() > 20 || int(y.Int64())*x.BitLen() > maxBits+x.BitLen()) {
			panic(raise(limitError, "makes an integer of more than %d bits", maxBits))
		}
		if x.BitLen() <= 1 { // -1, 0 and 1: only whether y is even matters, or zero
			y = big.NewInt(int64(y.Bit(0)) + 2*int64(y.Sign()))
		}
		z.Exp(x, y, nil)
	}
	return normBig(z)
}

// floats calculates with floats; // and % follow CPython's float_divmod.
func floats(op string, x, y float64) Value {
	check(y != 0 || !strings.Contains("// %", op), divisionError, "float division by zero")
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "/":
		return x / y
	case "**":
		return power(x, y)
	}
	mod := math.Mod(x, y)
	div := (x - mod) / y
	if mod == 0 {
		mod = math.Copysign(0, y)
	} else if (y < 0) != (mod < 0) {
		mod += y
		div--
	}
	if op == "%" {
		return mod
	}
	if div == 0 {
		return math.Copysign(0, x/y)
	}
	return math.Round(div)
}

func power(x, y float64) Value {
	z := math.Pow(x, y)
	check(x != 0 || y >= 0, divisionError, "0.0 cannot be raised to a negative power")
	check(!math.IsNaN(z) || math.IsNaN(x) || math.IsNaN(y), limitError, "complex numbers are not supported")
	check(!math.IsInf(z, 0) || math.IsInf(x, 0) || math.IsInf(y, 0), overflowError, "(34, 'Numerical result out of range')")
	return z
}

// sign is -v or +v.
func sign(op string, v Value) Value {
	defined(v)
	check(isNumber(v), typeError, "bad operand type for unary %s: %s", op, quote(typeName(v)))
	switch f, isFloat := v.(float64); {
	case isFloat && op == "-":
		return -f
	case isFloat:
		return f
	case op == "-":
		return arithmetic("*", v, -1)
	}
	return arithmetic("+", v, 0)
}

// separated takes the underscores out of digits; Python allows single ones between them.
func separated(s string) (string, bool) {
	s = strings.TrimFunc(s, isSpace)
	wrong := strings.HasPrefix(s, "_") || strings.HasSuffix(s, "_") || strings.Contains(s, "__")
	return strings.ReplaceAll(s, "_", ""), !wrong
}

// toFloat is Python's float(v).
func toFloat(v Value) (float64, bool) {
	s, isText := v.(*Str)
	if !isText {
		return asFloat(v)
	}
	digits, ok := separated(s.text)
	f, err := strconv.ParseFloat(digits, 64)
	return f, ok && (err == nil || math.IsInf(f, 0)) && !strings.ContainsAny(digits, "xXpP")
}

// toInt is Python's int(v), with a base for texts.
func toInt(v Value, base int) (Value, bool) {
	switch v := v.(type) {
	case *Str:
		return parseInt(v.text, base)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, false
		}
		b, _ := big.NewFloat(v).Int(nil)
		return normBig(b), true
	}
	b, ok := asBig(v)
	return normBig(b), ok
}

func parseInt(s string, base int) (Value, bool) {
	if base != 0 && (base < 2 || base > 36) {
		return nil, false
	}
	s, ok := separated(s)
	unsigned := strings.TrimLeft(s, "+-")
	for prefix, of := range map[string]int{"0x": 16, "0o": 8, "0b": 2} {
		if len(unsigned) > 2 && strings.EqualFold(unsigned[:2], prefix) && base == of {
			s = s[:len(s)-len(unsigned)] + unsigned[2:]
		}
	}
	if len(s) > maxDigits {
		return nil, false
	}
	i, read := new(big.Int).SetString(s, base)
	if !ok || !read {
		return nil, false
	}
	return normBig(i), true
}
