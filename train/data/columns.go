package data

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/jsontree"
)

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
		name = strings.TrimSpace(name)
		if _, twice := c[name]; twice {
			return nil, fmt.Errorf("map: two columns for %s", name)
		}
		c[name] = strings.TrimSpace(column)
	}
	return c, c.Check()
}

// Check returns an error for a field that no format has.
func (c Columns) Check() error {
	known := allFields()
	for _, name := range c.fields() {
		if !slices.Contains(known, name) {
			return fmt.Errorf("map: unknown field %q, want one of %s", name, strings.Join(known, ", "))
		}
		if c[name] == "" {
			return fmt.Errorf("map: no column for %s", name)
		}
	}
	return nil
}

// allFields are the columns of all formats, those of the usual ones first.
func allFields() (list []string) {
	for i := range shapes {
		for _, name := range slices.Concat(shapes[i].needs, shapes[i].may) {
			if !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	}
	return list
}

// String returns the form that ParseColumns reads, sorted.
func (c Columns) String() string {
	parts := make([]string, 0, len(c))
	for _, name := range c.fields() {
		parts = append(parts, name+"="+c[name])
	}
	return strings.Join(parts, ",")
}

// fields returns the fields that have a column, sorted.
func (c Columns) fields() []string {
	if len(c) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(c))
}

// field returns the field that a column stands for, "" where it is not mapped.
func (c Columns) field(column string) string {
	for name, mapped := range c {
		if mapped == column {
			return name
		}
	}
	return ""
}

// unknown says what is missing from a row of no format, and proposes a map, or a way to
// the rows that it holds.
func (o *object) unknown() error {
	err := o.missing()
	if guess := guessColumns(o); len(guess) > 0 {
		return hint.New(err, mapHint(guess))
	}
	if name := wrapped(o.value); name != "" {
		return hint.Newf(fmt.Errorf("the rows are a list under %q", name),
			"write them to a file of their own: jq -c '.[%q][]' FILE > rows.jsonl", name)
	}
	return err
}

// mapHint is the advice to use a map, as a shell takes it.
func mapHint(c Columns) string {
	var parts []string
	for _, name := range allFields() {
		if c[name] != "" {
			parts = append(parts, name+"="+c[name])
		}
	}
	text := strings.Join(parts, ",")
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || strings.ContainsRune("\"'`$&|;<>()*?[]{}~#!\\", r) }) {
		text = "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
	}
	return "--map " + text
}

func (o *object) missing() error {
	found := names(o.value)
	for _, pair := range [][2]string{{"prompt", "completion"}, {"instruction", "output"}} {
		for i, name := range pair {
			if o.has(name) {
				return fmt.Errorf("%q without %q; found %s", name, pair[1-i], found)
			}
		}
	}
	return errors.New(`neither "messages", "prompt" and "completion", nor "text"; found ` + found)
}

// wrapped returns the name of the one list of objects that an object holds, "" where
// there is none: the rows of a file may be wrapped in it.
func wrapped(v jsontree.Value) (name string) {
	for key, member := range v.Members() {
		if member.Len() == 0 || member.Kind() != jsontree.List {
			continue
		}
		row := firstItem(member)
		if row.Kind() != jsontree.Object || row.Has("role") || row.Has("from") || name != "" {
			return ""
		}
		name = key
	}
	return name
}

// firstItem returns the first item of a list, absent where there is none.
func firstItem(v jsontree.Value) jsontree.Value {
	for _, item := range v.Items() {
		return item
	}
	return jsontree.Value{}
}

// A guess is names of columns, seen in public data sets, for a field, best first: in
// small letters and without signs.
type guess struct {
	field string
	names []string
}

// guesses are the fields of a format together, the first two needed.
var guesses = [][]guess{
	{{"output", []string{"output", "response", "answer", "completion", "target"}}, {"instruction", []string{"instruction"}}, {"input", []string{"input", "context"}}},
	{
		{"prompt", []string{"prompt", "question", "query", "instruction", "problem", "input", "source", "user", "human"}},
		{"completion", []string{"completion", "answer", "response", "output", "target", "solution", "summary", "assistant"}},
	},
	{{"messages", []string{"messages", "dialog", "dialogue", "chat", "conversation", "conversations"}}},
	{{"text", []string{"text", "content", "document", "body"}}},
}

// guessColumns proposes a whole map for a row of no format, or nothing.
func guessColumns(o *object) Columns {
	found := map[string]string{} // by the plain name; the first of equals
	for name, v := range o.value.Members() {
		if plain := plainName(name); !v.IsNull() && found[plain] == "" && !strings.ContainsAny(name, ",=") {
			found[plain] = name
		}
	}
	for _, format := range guesses {
		if c := guessFormat(o, format, found); len(c) > 0 {
			return c
		}
	}
	return nil
}

// guessFormat proposes columns for the fields of one format, or nothing.
func guessFormat(o *object, format []guess, found map[string]string) Columns {
	c := Columns{}
	for k, g := range format {
		column := o.columns[g.field]
		for i := 0; i < len(g.names) && column == ""; i++ {
			column = found[g.names[i]]
		}
		switch {
		case column == "" && k < 2:
			return nil
		case column != "" && column != g.field:
			c[g.field] = column
		}
	}
	if column := c["messages"]; column != "" && firstItem(o.value.Get(column)).Has("from") {
		c = Columns{"conversations": column}
	}
	return c
}

// plainName is a name without capitals and signs: "Model-Answer" is "modelanswer".
func plainName(name string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if strings.ContainsRune("_- .", r) {
			return -1
		}
		return r
	}, strings.TrimSpace(name)))
}

// guessRows is how many rows are looked at for their columns.
const guessRows = 100

// GuessColumns proposes names of columns for the file at path from its first good row.
// It is empty where the names are those of a format, or say nothing.
func GuessColumns(path string) (Columns, error) {
	if err := checkExtension(path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the data: %w", err)
	}
	defer f.Close()
	var c Columns
	rows := 0
	_ = scan(path, f, func(r raw) error { // what ends it is for the real reading to say
		rows++
		v, err := jsontree.Parse(r.text)
		if r.part == nil && r.err == nil && err == nil && v.Kind() == jsontree.Object {
			if _, err := parseRow(r.text, Origin{path, r.line}, nil); err != nil {
				c = guessColumns(&object{value: v})
			}
			return io.EOF
		}
		if rows == guessRows {
			return io.EOF
		}
		return nil
	})
	return c, nil
}
