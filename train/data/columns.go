package data

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// fields are the names a column can be given.
var fields = []string{
	"messages", "tools", "prompt", "completion", "text",
	"instruction", "input", "output", "system", "history", "conversations", "segments",
}

// A Columns renames a file's columns: field name to column name, such as prompt
// to question.
type Columns map[string]string

// ParseColumns reads "prompt=question,completion=answer".
func ParseColumns(s string) (Columns, error) {
	c := Columns{}
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, column, ok := strings.Cut(part, "=")
		if !ok {
			return nil, fmt.Errorf("map: %q, want field=column, such as prompt=question", part)
		}
		if _, twice := c[name]; twice {
			return nil, fmt.Errorf("map: %s stands twice", name)
		}
		c[strings.TrimSpace(name)] = strings.TrimSpace(column)
	}
	return c, c.Check()
}

// Check returns an error for a field that no format has.
func (c Columns) Check() error {
	for _, name := range slices.Sorted(maps.Keys(c)) {
		if !slices.Contains(fields, name) {
			return fmt.Errorf("map: unknown field %q, want one of %s", name, strings.Join(fields, ", "))
		}
		if c[name] == "" {
			return fmt.Errorf("map: no column for %s", name)
		}
	}
	return nil
}

// String returns the form that ParseColumns reads, sorted.
func (c Columns) String() string {
	parts := make([]string, 0, len(c))
	for _, name := range slices.Sorted(maps.Keys(c)) {
		parts = append(parts, name+"="+c[name])
	}
	return strings.Join(parts, ",")
}

// apply renames the columns of a row. A column that already has a mapped field's
// name gives way to it.
func (c Columns) apply(o object) (object, error) {
	if len(c) == 0 {
		return o, nil
	}
	out := make(object, 0, len(o))
	for _, name := range slices.Sorted(maps.Keys(c)) {
		i := slices.IndexFunc(o, func(f field) bool { return f.name == c[name] })
		if i < 0 {
			return nil, fmt.Errorf("no column %q, which map names for %s; found %s", c[name], name, o.names())
		}
		out = append(out, field{name, o[i].value})
	}
	for _, f := range o {
		if _, mapped := c[f.name]; !mapped {
			out = append(out, f)
		}
	}
	return out, nil
}
