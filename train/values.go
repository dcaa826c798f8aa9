package train

import (
	"fmt"
	"strconv"
	"strings"

	"example.com/finetune/train/data"
)

// Names are a list that a flag and a YAML file may also give as one text with
// commas.
type Names []string

// UnmarshalText reads "q_proj,v_proj".
func (n *Names) UnmarshalText(text []byte) error {
	*n = nil
	for s := range strings.SplitSeq(string(text), ",") {
		if s = strings.TrimSpace(s); s != "" {
			*n = append(*n, s)
		}
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
	if err != nil {
		return fmt.Errorf(`%.60q, want a number or "all"`, s)
	}
	*c = Count(n)
	return nil
}

// MarshalYAML returns the number, or "all".
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

// of returns how many of n rows are meant.
func (c Count) of(n int) int {
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
	*c = Columns(d)
	return err
}

// check returns an error for a field that no format has.
func (c Columns) check() error { return data.Columns(c).Check() }
