package recipe

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"example.com/finetune/internal/hint"
	"example.com/finetune/train/data"
)

// Names are a list, as one text with commas or spaces between.
type Names []string

// UnmarshalText reads "q_proj,v_proj".
func (n *Names) UnmarshalText(text []byte) error {
	*n = strings.FieldsFunc(string(text), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
	return nil
}

func (n Names) String() string { return strings.Join(n, ",") }

// A Count is a number of rows, or all of them.
type Count int

// All stands for every row.
const All Count = -1

// UnmarshalText reads a number or "all".
func (c *Count) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	if s == "all" {
		*c = All
		return nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || octal(s) {
		return fmt.Errorf(`%.60q, want a number or "all"`, s)
	}
	*c = Count(n)
	return nil
}

// MarshalJSON returns the number, or "all".
func (c Count) MarshalJSON() ([]byte, error) {
	if c == All {
		return []byte(`"all"`), nil
	}
	return []byte(c.String()), nil
}

// MarshalYAML returns the same.
func (c Count) MarshalYAML() (any, error) {
	if c == All {
		return "all", nil
	}
	return int(c), nil
}

func (c Count) String() string {
	if c == All {
		return "all"
	}
	return strconv.Itoa(int(c))
}

// Of returns how many of n rows are meant.
func (c Count) Of(n int) int {
	if c == All {
		return n
	}
	return min(int(c), n)
}

// Columns are what map holds: a field's name to a column's.
type Columns data.Columns

// UnmarshalText reads "prompt=question,completion=answer".
func (c *Columns) UnmarshalText(text []byte) error {
	d, err := data.ParseColumns(string(text))
	if err != nil {
		return withoutKey(err, "map")
	}
	*c = Columns(d)
	return nil
}

// check returns an error for a field that no format has.
func (c Columns) check() error { return withoutKey(data.Columns(c).Check(), "map") }

// withoutKey takes "key: " off the front of an error: its caller says it.
func withoutKey(err error, key string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s", strings.TrimPrefix(err.Error(), key+": "))
}

func (c Columns) String() string { return data.Columns(c).String() }

// A Size is a number of bytes, which flags and files give as 2GB, 1.5 GiB or
// 800000000.
type Size int64

// leastSize is less than any run takes: a smaller number lacks its unit.
const leastSize = 1_000_000

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil || n > 1<<60 {
		return fmt.Errorf("%.60q, want a size such as 2GB", text)
	}
	if n > 0 && n < leastSize {
		err := fmt.Errorf("%.60q, which is %s, want a size such as 2GB", text, humanize.Bytes(n))
		if _, e := strconv.ParseFloat(string(text), 64); e == nil {
			return hint.Newf(err, "did you mean %sGB?", text)
		}
		return err
	}
	*s = Size(n)
	return nil
}
