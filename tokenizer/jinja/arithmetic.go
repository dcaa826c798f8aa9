package jinja

import (
	"math"
	"math/big"
	"math/bits"
)

// unsupported is Python's error of an operator.
func unsupported(op string, a, b Value) error {
	if op == "**" {
		op = "** or pow()"
	}
	return raise(typeError, "unsupported operand type(s) for %s: %s and %s", op, quote(typeName(a)), quote(typeName(b)))
}

// binary does an operator of arithmetic.
func (m *machine) binary(op string, a, b Value) (Value, error) {
	s, text := a.(*Str)
	if op == "%" && text {
		return m.percent(s, b)
	}
	for _, v := range []Value{a, b} {
		if u, ok := v.(*Undefined); ok {
			return nil, u.fail()
		}
	}
	if isNumber(a) && isNumber(b) {
		return arithmetic(op, a, b)
	}
	switch op {
	case "+":
		return m.add(a, b)
	case "*":
		if n, ok := asBig(b); ok {
			return m.repeat(a, n, unsupported(op, a, b))
		}
		if n, ok := asBig(a); ok {
			return m.repeat(b, n, unsupported(op, a, b))
		}
		for _, v := range []Value{a, b} {
			other := b
			if v == b {
				other = a
			}
			if isSequence(v) {
				return nil, raise(typeError, "can't multiply sequence by non-int of type %s", quote(typeName(other)))
			}
		}
	}
	return nil, unsupported(op, a, b)
}

func isSequence(v Value) bool {
	switch v := v.(type) {
	case *Str:
		return true
	case *List:
		return v.kind == list || v.kind.isTuple()
	}
	return false
}

func (m *machine) add(a, b Value) (Value, error) {
	switch x := a.(type) {
	case *Str:
		y, ok := b.(*Str)
		if !ok {
			return nil, raise(typeError, `can only concatenate str (not "%s") to str`, typeName(b))
		}
		return m.join(x, y)
	case *List:
		if x.kind != list && !x.kind.isTuple() {
			break
		}
		y, ok := b.(*List)
		if !ok || x.kind.isTuple() != y.kind.isTuple() || y.kind != list && !y.kind.isTuple() {
			name := "list"
			if x.kind.isTuple() {
				name = "tuple"
			}
			return nil, raise(typeError, `can only concatenate %s (not "%s") to %s`, name, typeName(b), name)
		}
		if err := m.items(len(x.items) + len(y.items)); err != nil {
			return nil, err
		}
		kind := x.kind
		if kind == groupTuple {
			kind = tuple
		}
		return &List{items: append(x.items[:len(x.items):len(x.items)], y.items...), kind: kind}, nil
	}
	return nil, unsupported("+", a, b)
}

// join is a + b of strings. One that is escaped escapes the other.
func (m *machine) join(a, b *Str) (Value, error) {
	if a.markup != b.markup {
		if a.markup {
			b = escape(b)
		} else {
			a = escape(a)
		}
	}
	switch {
	case a.text == "":
		return b, nil
	case b.text == "":
		return a, nil
	}
	if err := m.spend(len(a.text) + len(b.text)); err != nil {
		return nil, err
	}
	if a.pieces == nil && b.pieces == nil {
		return &Str{text: a.text + b.text, markup: a.markup}, nil
	}
	r := rope{buf: make([]byte, 0, len(a.text)+len(b.text)), pieces: make([]Piece, 0, len(a.pieces)+len(b.pieces))}
	r.str(a)
	r.str(b)
	return &Str{text: string(r.buf), pieces: r.pieces, markup: a.markup}, nil
}

func (m *machine) repeat(v Value, n *big.Int, otherwise error) (Value, error) {
	count := 0
	if n.Sign() > 0 {
		count = 1 << 40
		if n.IsInt64() {
			count = int(min(n.Int64(), 1<<40))
		}
	}
	switch v := v.(type) {
	case *Str:
		if v.text == "" || count == 0 {
			return emptyText, nil
		}
		if err := m.spend(min(len(v.text), 1<<20) * count); err != nil {
			return nil, err
		}
		var r rope
		for range count {
			r.str(v)
		}
		return &Str{text: string(r.buf), pieces: r.pieces, markup: v.markup}, nil
	case *List:
		if v.kind != list && !v.kind.isTuple() {
			return nil, otherwise
		}
		out := &List{kind: v.kind, origin: v.origin}
		if len(v.items) == 0 || count == 0 {
			return out, nil
		}
		if err := m.items(min(len(v.items), 1<<20) * count); err != nil {
			return nil, err
		}
		for range count {
			out.items = append(out.items, v.items...)
		}
		return out, nil
	}
	return nil, otherwise
}

func arithmetic(op string, a, b Value) (Value, error) {
	_, fa := a.(float64)
	_, fb := b.(float64)
	if fa || fb || op == "/" {
		return floatArithmetic(op, a, b)
	}
	x, okx := asInt(a)
	y, oky := asInt(b)
	if okx && oky {
		if v, ok := smallArithmetic(op, x, y); ok {
			return v, nil
		}
	}
	p, _ := asBig(a)
	q, _ := asBig(b)
	return bigArithmetic(op, p, q)
}

// smallArithmetic is not ok where the result is no int, or an error.
func smallArithmetic(op string, x, y int) (Value, bool) {
	switch op {
	case "+":
		z := x + y
		return z, (z > x) == (y > 0)
	case "-":
		z := x - y
		return z, (z < x) == (y > 0)
	case "*":
		hi, lo := bits.Mul64(uint64(max(x, -x)), uint64(max(y, -y)))
		return x * y, hi == 0 && lo < 1<<63 && x != math.MinInt && y != math.MinInt
	case "//", "%":
		if y == 0 || y == -1 {
			return nil, false
		}
		q, r := x/y, x%y
		if r != 0 && (r < 0) != (y < 0) {
			q, r = q-1, r+y
		}
		if op == "%" {
			return r, true
		}
		return q, true
	}
	return nil, false
}

func bigArithmetic(op string, x, y *big.Int) (Value, error) {
	z := new(big.Int)
	switch op {
	case "+":
		z.Add(x, y)
	case "-":
		z.Sub(x, y)
	case "*":
		if x.BitLen()+y.BitLen() > maxBits {
			return nil, limit("makes an integer of more than %d bits", maxBits)
		}
		z.Mul(x, y)
	case "//", "%":
		if y.Sign() == 0 {
			if op == "%" {
				return nil, raise(divisionError, "integer modulo by zero")
			}
			return nil, raise(divisionError, "integer division or modulo by zero")
		}
		r := new(big.Int)
		z.QuoRem(x, y, r)
		if r.Sign() != 0 && r.Sign() != y.Sign() {
			z.Sub(z, big.NewInt(1))
			r.Add(r, y)
		}
		if op == "%" {
			z = r
		}
	case "**":
		return bigPower(x, y)
	}
	if z.BitLen() > maxBits {
		return nil, limit("makes an integer of more than %d bits", maxBits)
	}
	return normBig(z), nil
}

func bigPower(x, y *big.Int) (Value, error) {
	if y.Sign() < 0 {
		return floatArithmetic("**", normBig(x), normBig(y))
	}
	if x.BitLen() > 1 && (!y.IsInt64() || y.Int64() > maxBits || int(y.Int64())*x.BitLen() > maxBits) {
		return nil, limit("makes an integer of more than %d bits", maxBits)
	}
	if x.BitLen() <= 1 { // -1, 0 and 1
		switch {
		case y.Sign() == 0:
			return 1, nil
		case x.Sign() < 0 && y.Bit(0) == 0:
			return 1, nil
		}
		return normBig(x), nil
	}
	return normBig(new(big.Int).Exp(x, y, nil)), nil
}

func floatArithmetic(op string, a, b Value) (Value, error) {
	x, _, err := asFloat(a)
	if err != nil {
		if op == "/" {
			return bigQuotient(a, b)
		}
		return nil, err
	}
	y, _, err := asFloat(b)
	if err != nil {
		if op == "/" {
			return bigQuotient(a, b)
		}
		return nil, err
	}
	switch op {
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	case "/":
		if math.Abs(x) > 1<<53 || math.Abs(y) > 1<<53 {
			if _, ok := asBig(a); ok {
				if _, ok := asBig(b); ok {
					return bigQuotient(a, b)
				}
			}
		}
		if y == 0 {
			_, fa := a.(float64)
			_, fb := b.(float64)
			if fa || fb {
				return nil, raise(divisionError, "float division by zero")
			}
			return nil, raise(divisionError, "division by zero")
		}
		return x / y, nil
	case "//", "%":
		return floorDivide(op, x, y)
	}
	return floatPower(x, y)
}

// bigQuotient divides integers that are too large for floats.
func bigQuotient(a, b Value) (Value, error) {
	x, okx := asBig(a)
	y, oky := asBig(b)
	if !okx || !oky {
		return nil, raise(overflowError, "int too large to convert to float")
	}
	if y.Sign() == 0 {
		return nil, raise(divisionError, "division by zero")
	}
	f, _ := new(big.Rat).SetFrac(x, y).Float64()
	if math.IsInf(f, 0) {
		return nil, raise(overflowError, "integer division result too large for a float")
	}
	return f, nil
}

// floorDivide follows CPython's float_divmod.
func floorDivide(op string, x, y float64) (Value, error) {
	if y == 0 {
		if op == "%" {
			return nil, raise(divisionError, "float modulo")
		}
		return nil, raise(divisionError, "float floor division by zero")
	}
	mod := math.Mod(x, y)
	div := (x - mod) / y
	if mod != 0 {
		if (y < 0) != (mod < 0) {
			mod += y
			div--
		}
	} else {
		mod = math.Copysign(0, y)
	}
	if op == "%" {
		return mod, nil
	}
	if div == 0 {
		return math.Copysign(0, x/y), nil
	}
	floor := math.Floor(div)
	if div-floor > 0.5 {
		floor++
	}
	return floor, nil
}

func floatPower(x, y float64) (Value, error) {
	if x == 0 && y < 0 {
		return nil, raise(divisionError, "0.0 cannot be raised to a negative power")
	}
	if x < 0 && y != math.Trunc(y) && !math.IsInf(y, 0) && !math.IsInf(x, 0) {
		return nil, limit("complex numbers are not supported")
	}
	z := exactPower(x, y)
	if math.IsInf(z, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		return nil, raise(overflowError, "(34, 'Numerical result out of range')")
	}
	return z, nil
}

// exactPower rounds once where it can: math.Pow is a digit off at times. Whole and
// half exponents that are not large are multiplied out.
func exactPower(x, y float64) float64 {
	n := 2 * math.Abs(y)
	if n != math.Trunc(n) || n > 256 || x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return math.Pow(x, y)
	}
	const precision = 1 << 14
	base := new(big.Float).SetPrec(precision).SetFloat64(x)
	power := new(big.Float).SetPrec(precision).SetInt64(1)
	for range int(n) / 2 {
		power.Mul(power, base)
	}
	if int(n)%2 == 1 {
		power.Mul(power, new(big.Float).SetPrec(precision).Sqrt(base))
	}
	if y < 0 {
		power.Quo(new(big.Float).SetPrec(precision).SetInt64(1), power)
	}
	z, _ := power.Float64()
	return z
}

// sign is -v or +v.
func sign(op string, v Value) (Value, error) {
	if u, ok := v.(*Undefined); ok {
		return nil, u.fail()
	}
	if f, ok := v.(float64); ok {
		if op == "-" {
			return -f, nil
		}
		return f, nil
	}
	i, ok := asBig(v)
	if !ok {
		return nil, raise(typeError, "bad operand type for unary %s: %s", op, quote(typeName(v)))
	}
	if op == "-" {
		i = new(big.Int).Neg(i)
	}
	return normBig(i), nil
}
