package recipe

import (
	"fmt"
	"math"
	"os"
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
	*n = nil
	if list := strings.FieldsFunc(string(text), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' }); len(list) > 0 {
		*n = list
	}
	return nil
}

func (n Names) String() string { return strings.Join(n, ",") }

// A Folder is that of an adapter.
type Folder string

// UnmarshalText reads a path. In axolotl's files "lora" stands there and says what is
// trained: it is no folder unless there is one.
func (f *Folder) UnmarshalText(text []byte) error {
	*f = Folder(text)
	if _, err := os.Stat(string(text)); err != nil && *f == "lora" {
		*f = ""
	}
	return nil
}

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

// An AutoCount is a whole number of at least 0, or auto: chosen by the plan of the run.
type AutoCount int

// Chosen stands for auto.
const Chosen AutoCount = math.MinInt32

// MostEvalRows is the most rows that an evaluation chosen for a run has, and what runs that are
// compared all have.
const MostEvalRows = 100

// UnmarshalText reads a number or "auto".
func (c *AutoCount) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	if s == string(Auto) {
		*c = Chosen
		return nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || octal(s) {
		return fmt.Errorf(`%.60q, want a whole number, or "auto"`, s)
	}
	*c = AutoCount(n)
	return nil
}

// MarshalJSON returns the number, or "auto".
func (c AutoCount) MarshalJSON() ([]byte, error) {
	if c == Chosen {
		return []byte(`"auto"`), nil
	}
	return []byte(c.String()), nil
}

// MarshalYAML returns the same.
func (c AutoCount) MarshalYAML() (any, error) {
	if c == Chosen {
		return string(Auto), nil
	}
	return int(c), nil
}

// given is the number, 0 for auto.
func (c AutoCount) given() int {
	if c == Chosen {
		return 0
	}
	return int(c)
}

func (c AutoCount) String() string {
	if c == Chosen {
		return string(Auto)
	}
	return strconv.Itoa(int(c))
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
