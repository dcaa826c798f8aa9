package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// layouts are directives of strftime as layouts of Go.
var layouts = map[byte]string{
	'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'B': "January", 'b': "Jan", 'h': "Jan", 'A': "Monday",
	'a': "Mon", 'p': "PM", 'I': "03", 'y': "06", 'j': "002", 'F': "2006-01-02", 'T': "15:04:05", 'D': "01/02/06", 'x': "01/02/06",
	'X': "15:04:05", 'e': "_2", 'R': "15:04", 'c': "Mon Jan _2 15:04:05 2006", 'r': "03:04:05 PM", 'P': "pm", 'n': "\n", 't': "\t",
	'Z': "", 'z': "", // the time that a template is told has no zone
}

// strftime formats as Python does in the C locale, glibc's %-d and the like among it.
func strftime(t time.Time, format string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		rest := format[i+1:]
		flag := byte(0)
		if rest != "" && strings.IndexByte("-_0", rest[0]) >= 0 {
			flag, rest = rest[0], rest[1:]
			i++
		}
		if rest == "" {
			b.WriteByte('%') // glibc leaves it
			return b.String(), nil
		}
		i++
		text, ok := directive(t, rest[0])
		if !ok {
			return "", fmt.Errorf("strftime_now: unknown directive %%%s in %s", rest[:1], quote(format))
		}
		if digits := strings.TrimLeft(text, "0 "); flag != 0 && text != "" && strings.Trim(text, "0123456789 ") == "" && rest[0] != 'F' {
			if digits == "" {
				digits = "0"
			}
			fill := map[byte]string{'-': "", '_': " ", '0': "0"}[flag]
			text = strings.Repeat(fill, max(len(text)-len(digits), 0)) + digits
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

func directive(t time.Time, d byte) (string, bool) {
	if layout, ok := layouts[d]; ok {
		return t.Format(layout), true
	}
	year, week := t.ISOWeek()
	weekday := int(t.Weekday())
	switch d {
	case '%':
		return "%", true
	case 'w':
		return strconv.Itoa(weekday), true
	case 'u':
		return strconv.Itoa((weekday+6)%7 + 1), true
	case 'f':
		return fmt.Sprintf("%06d", t.Nanosecond()/1000), true
	case 's':
		return strconv.FormatInt(t.Unix(), 10), true
	case 'C':
		return fmt.Sprintf("%02d", t.Year()/100), true
	case 'G':
		return strconv.Itoa(year), true
	case 'g':
		return fmt.Sprintf("%02d", year%100), true
	case 'V':
		return fmt.Sprintf("%02d", week), true
	case 'U':
		return fmt.Sprintf("%02d", (t.YearDay()+6-weekday)/7), true
	case 'W':
		return fmt.Sprintf("%02d", (t.YearDay()+6-(weekday+6)%7)/7), true
	case 'k':
		return fmt.Sprintf("%2d", t.Hour()), true
	case 'l':
		return fmt.Sprintf("%2d", (t.Hour()+11)%12+1), true
	}
	return "", false
}

// StrftimeNow is the function strftime_now of templates, which tells this time.
func StrftimeNow(now time.Time) Value {
	f := define("strftime_now format", func(m *machine, a []Value) (Value, error) {
		s, ok := a[0].(*Str)
		if !ok {
			return nil, raise(typeError, "strftime() argument 1 must be str, not %s", typeName(a[0]))
		}
		if err := m.spend(32 * len(s.text)); err != nil {
			return nil, err
		}
		text, err := strftime(now, s.text)
		if err != nil {
			return nil, raise(valueError, "%s", err)
		}
		return String(text), nil
	})
	return &function{name: "strftime_now", call: f.call}
}
