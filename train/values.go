package train

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

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

// UnmarshalYAML reads a list or a text.
func (n *Names) UnmarshalYAML(text []byte) error {
	var list []string
	if err := yaml.Unmarshal(text, &list); err == nil {
		*n = list
		return nil
	}
	var s string
	if err := yaml.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("%q is neither a list of names nor a text", text)
	}
	return n.UnmarshalText([]byte(s))
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
		return fmt.Errorf(`%q, want a number or "all"`, s)
	}
	*c = Count(n)
	return nil
}

// UnmarshalYAML reads a number or "all".
func (c *Count) UnmarshalYAML(text []byte) error {
	var s string
	if err := yaml.Unmarshal(text, &s); err != nil {
		return fmt.Errorf(`%q, want a number or "all"`, text)
	}
	return c.UnmarshalText([]byte(s))
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

// UnmarshalYAML reads a map, or a text as a flag takes it.
func (c *Columns) UnmarshalYAML(text []byte) error {
	var m map[string]string
	if err := yaml.Unmarshal(text, &m); err == nil {
		*c = m
		return data.Columns(m).Check()
	}
	var s string
	if err := yaml.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("%q is neither field=column pairs nor a map", text)
	}
	return c.UnmarshalText([]byte(s))
}
