package tokenizer

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// directives are strftime's, by their Go layouts.
var directives = map[string]string{
	"Y": "2006", "m": "01", "d": "02", "H": "15", "M": "04", "S": "05", "B": "January", "b": "Jan", "A": "Monday",
	"a": "Mon", "p": "PM", "I": "03", "y": "06", "j": "002", "Z": "MST", "z": "-0700", "F": "2006-01-02",
	"T": "15:04:05", "D": "01/02/06", "e": "_2", "-d": "2", "-m": "1", "-I": "3", "-M": "4", "-S": "5",
}

// strftime formats as Python does in the C locale.
func strftime(t time.Time, format string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		n := 1
		if strings.HasPrefix(format[i+1:], "-") {
			n = 2
		}
		name := format[i+1 : min(i+1+n, len(format))]
		layout, ok := directives[name]
		switch {
		case ok:
			b.WriteString(t.Format(layout))
		case name == "%":
			b.WriteByte('%')
		case name == "-H":
			b.WriteString(strconv.Itoa(t.Hour()))
		default:
			return "", fmt.Errorf("strftime_now: unknown directive %%%s in %q", name, format)
		}
		i += n
	}
	return b.String(), nil
}
