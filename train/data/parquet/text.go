package parquet

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"time"
	"unicode/utf8"
)

// An appendFunc appends the JSON text of a value. An error is a mistake of the row; what
// it appended is then of no use.
type appendFunc func(text []byte, v value) ([]byte, error)

// appender returns what a leaf's type is called and how its values are written; nil for
// bytes that are no text.
func appender(e element) (string, appendFunc, error) {
	a := e.annotation
	whole := e.physical == physicalInt32 || e.physical == physicalInt64
	bytes := e.physical == physicalBytes || e.physical == physicalFixed
	if e.physical == physicalFixed && e.length <= 0 {
		return "", nil, fmt.Errorf("values of %d bytes", e.length)
	}
	switch {
	case a.kind == asNull: // has no values
		return "null", appendNothing, nil
	case e.physical == physicalBoolean:
		return "bool", appendBool, nil
	case a.kind == asDecimal && (whole || bytes):
		if a.scale < 0 || a.scale > maxScale {
			return "", nil, fmt.Errorf("a decimal of %d digits behind its point, want at most %d", a.scale, maxScale)
		}
		return "decimal", decimal(e.physical, a.scale), nil
	case a.kind == asDate && e.physical == physicalInt32:
		return "date", appendDate, nil
	case a.kind == asTime && whole && a.unit > 0:
		return "time", clock(e.physical, a.unit), nil
	case a.kind == asTimestamp && e.physical == physicalInt64 && a.unit > 0:
		return "timestamp", timestamp(a.unit, a.utc), nil
	case whole:
		return "int", integer(e.physical, a.unsigned), nil
	case e.physical == physicalInt96:
		return "timestamp", appendInt96, nil
	case e.physical == physicalFloat:
		return "float", appendFloat32, nil
	case e.physical == physicalDouble:
		return "float", appendFloat64, nil
	case a.kind == asJSON && bytes:
		return "json", appendJSON, nil
	case (a.kind == asString || a.kind == asEnum) && bytes:
		return "string", appendText, nil
	case a.kind == asUUID && e.physical == physicalFixed && e.length == 16:
		return "uuid", appendUUID, nil
	case a.kind == asFloat16 && e.physical == physicalFixed && e.length == 2:
		return "float", appendFloat16, nil
	case bytes:
		return "binary", nil, nil
	}
	return "", nil, fmt.Errorf("physical type %d is not supported", e.physical)
}

func appendNothing([]byte, value) ([]byte, error) {
	return nil, errors.New("a value in a column of nulls")
}

func appendBool(text []byte, v value) ([]byte, error) {
	return strconv.AppendBool(text, v.number != 0), nil
}

// signed returns the number of an INT32 or INT64.
func signed(physical int, v value) int64 {
	if physical == physicalInt32 {
		return int64(int32(v.number))
	}
	return int64(v.number)
}

func integer(physical int, unsigned bool) appendFunc {
	switch {
	case !unsigned:
		return func(text []byte, v value) ([]byte, error) {
			return strconv.AppendInt(text, signed(physical, v), 10), nil
		}
	case physical == physicalInt32:
		return func(text []byte, v value) ([]byte, error) {
			return strconv.AppendUint(text, uint64(uint32(v.number)), 10), nil
		}
	}
	return func(text []byte, v value) ([]byte, error) {
		return strconv.AppendUint(text, v.number, 10), nil
	}
}

func appendFloat64(text []byte, v value) ([]byte, error) {
	return appendFloat(text, math.Float64frombits(v.number))
}

func appendFloat32(text []byte, v value) ([]byte, error) {
	return appendFloat(text, float64(math.Float32frombits(uint32(v.number))))
}

// appendFloat16 reads an IEEE 754 half: sign, 5 bits of exponent, 10 of fraction.
func appendFloat16(text []byte, v value) ([]byte, error) {
	h := binary.LittleEndian.Uint16(v.bytes)
	exponent, fraction := int(h>>10&0x1f), float64(h&0x3ff)
	var x float64
	switch {
	case exponent == 0x1f && fraction != 0:
		x = math.NaN()
	case exponent == 0x1f:
		x = math.Inf(1)
	case exponent == 0:
		x = math.Ldexp(fraction, -24)
	default:
		x = math.Ldexp(fraction+1024, exponent-25)
	}
	if h>>15 == 1 {
		x = -x
	}
	return appendFloat(text, x)
}

// appendFloat writes x as Python's repr does: the shortest digits that are x again, with
// an exponent below 1e-4 and from 1e16 on, and a point where there is none.
func appendFloat(text []byte, x float64) ([]byte, error) {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil, fmt.Errorf("%v, want a finite number", x)
	}
	if size := math.Abs(x); size != 0 && (size < 1e-4 || size >= 1e16) {
		return strconv.AppendFloat(text, x, 'e', -1, 64), nil
	}
	start := len(text)
	text = strconv.AppendFloat(text, x, 'f', -1, 64)
	for _, b := range text[start:] {
		if b == '.' {
			return text, nil
		}
	}
	return append(text, ".0"...), nil
}

// maxScale is the longest fraction of a decimal; pyarrow's widest have 76 digits.
const maxScale = 1000

// decimal writes whole numbers of 10^-scale with all their digits.
func decimal(physical, scale int) appendFunc {
	return func(text []byte, v value) ([]byte, error) {
		var n big.Int
		switch physical {
		case physicalInt32, physicalInt64:
			n.SetInt64(signed(physical, v))
		default: // two's complement, the highest byte first
			if len(v.bytes) > maxScale {
				return nil, fmt.Errorf("a decimal of %d bytes, want at most %d", len(v.bytes), maxScale)
			}
			n.SetBytes(v.bytes)
			if len(v.bytes) > 0 && v.bytes[0] >= 0x80 {
				n.Sub(&n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(v.bytes))))
			}
		}
		if n.Sign() < 0 {
			text = append(text, '-')
			n.Neg(&n)
		}
		digits := n.Append(nil, 10)
		for i := len(digits); i <= scale; i++ {
			digits = append([]byte{'0'}, digits...)
		}
		text = append(text, digits[:len(digits)-scale]...)
		if scale > 0 {
			text = append(append(text, '.'), digits[len(digits)-scale:]...)
		}
		return text, nil
	}
}

// appendDate writes days since 1970.
func appendDate(text []byte, v value) ([]byte, error) {
	return appendTime(text, time.Unix(int64(int32(v.number))*86400, 0).UTC(), `"2006-01-02"`)
}

// clock writes the time of a day.
func clock(physical int, unit int64) appendFunc {
	return func(text []byte, v value) ([]byte, error) {
		n := signed(physical, v)
		if n < 0 || n/unit >= 86400 {
			return nil, fmt.Errorf("a time of day of %d/%d seconds", n, unit)
		}
		return appendTime(text, moment(n, unit), `"15:04:05`+fraction(n, unit)+`"`)
	}
}

// timestamp writes units since 1970.
func timestamp(unit int64, utc bool) appendFunc {
	zone := `"`
	if utc {
		zone = `+00:00"`
	}
	return func(text []byte, v value) ([]byte, error) {
		n := int64(v.number)
		return appendTime(text, moment(n, unit), `"2006-01-02T15:04:05`+fraction(n, unit)+zone)
	}
}

func moment(n, unit int64) time.Time {
	seconds, rest := n/unit, n%unit
	return time.Unix(seconds, rest*(1e9/unit)).UTC()
}

// fraction returns the format of the part of a second that n has, as isoformat does:
// none, microseconds or, as pandas adds, nanoseconds.
func fraction(n, unit int64) string {
	switch nanos := n % unit * (1e9 / unit); {
	case nanos == 0:
		return ""
	case nanos%1000 == 0:
		return ".000000"
	}
	return ".000000000"
}

// appendInt96 writes the timestamps of older Spark and Impala: nanoseconds of the day,
// then the Julian day, of which 2440588 is 1970-01-01.
func appendInt96(text []byte, v value) ([]byte, error) {
	nanos := int64(binary.LittleEndian.Uint64(v.bytes))
	day := int64(int32(binary.LittleEndian.Uint32(v.bytes[8:])))
	if nanos < 0 || nanos >= 86400e9 {
		return nil, fmt.Errorf("a time of day of %d nanoseconds", nanos)
	}
	return appendTime(text, time.Unix((day-2440588)*86400, nanos).UTC(), `"2006-01-02T15:04:05`+fraction(nanos, 1e9)+`"`)
}

func appendTime(text []byte, t time.Time, format string) ([]byte, error) {
	if t.Year() < 1 || t.Year() > 9999 {
		return nil, fmt.Errorf("a date in the year %d, want 1 to 9999", t.Year())
	}
	return t.AppendFormat(text, format), nil
}

func appendUUID(text []byte, v value) ([]byte, error) {
	text = append(text, '"')
	for i, cut := range []int{0, 4, 6, 8, 10} {
		end := [...]int{4, 6, 8, 10, 16}[i]
		if i > 0 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, v.bytes[cut:end])
	}
	return append(text, '"'), nil
}

func appendJSON(text []byte, v value) ([]byte, error) {
	if !json.Valid(v.bytes) || !utf8.Valid(v.bytes) {
		return nil, errors.New("not valid JSON, which its type promises")
	}
	return append(text, v.bytes...), nil
}

func appendText(text []byte, v value) ([]byte, error) {
	if !utf8.Valid(v.bytes) {
		return nil, errors.New("not valid UTF-8")
	}
	return appendString(text, v.bytes), nil
}

// appendString writes a JSON string of valid UTF-8. It escapes what must be, as
// json.dumps does, and nothing else.
func appendString[S string | []byte](text []byte, s S) []byte {
	const digits = "0123456789abcdef"
	text = append(text, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		b := s[i]
		if b >= ' ' && b != '"' && b != '\\' {
			continue
		}
		text = append(text, s[start:i]...)
		start = i + 1
		switch b {
		case '"', '\\':
			text = append(text, '\\', b)
		case '\n':
			text = append(text, '\\', 'n')
		case '\r':
			text = append(text, '\\', 'r')
		case '\t':
			text = append(text, '\\', 't')
		case '\b':
			text = append(text, '\\', 'b')
		case '\f':
			text = append(text, '\\', 'f')
		default:
			text = append(text, '\\', 'u', '0', '0', digits[b>>4], digits[b&15])
		}
	}
	return append(append(text, s[start:]...), '"')
}
