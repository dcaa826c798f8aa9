package data

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/jsontree"
)

// An Origin is where a row stands: the file as it was given, and the line from 1, in a
// table the number of the row.
type Origin struct {
	File string
	Line int
}

func (o Origin) String() string { return fmt.Sprintf("%s:%d", o.File, o.Line) }

// A Format is the shape of a row.
type Format uint8

// The formats. An index on disk holds their numbers.
const (
	Messages         Format = iota + 1 // messages
	PromptMessages                     // prompt and completion, each a list of messages
	PromptCompletion                   // prompt and completion, each a string
	Text                               // text
	Alpaca                             // instruction and output
	ShareGPT                           // conversations
	Segments                           // segments
)

func (f Format) String() string {
	return [...]string{
		"none", "messages", "prompt and completion as messages", "prompt and completion", "text",
		"instruction and output", "conversations", "segments",
	}[f]
}

// A Row is one verified row of a file.
type Row struct {
	Origin
	Format Format
	Digest [sha256.Size]byte // of the row's JSON text

	Messages []Message      // of a chat; of a prompt in words, what goes before it
	Tools    jsontree.Value // a list of tool definitions; absent: none
	First    int            // the first message that may be trained

	Prompt string // PromptCompletion, Alpaca
	Text   string // the completion or output, all of a Text row, the joined segments
	spans  []span // Segments: the trained ones

	unread []key // what nothing reads
	given  []key // what only the template may read
}

// A shape is what makes a row one of a format: the columns that it needs and those that
// it may have.
type shape struct {
	needs, may []string
	read       func(*Row, *object) error
}

// shapes are tried in this order. A text beside columns that say what is asked and what
// is answered is those columns rendered by somebody else's template: it comes last.
var shapes = []shape{
	{[]string{"messages"}, []string{"tools", "system"}, (*Row).readMessages},
	{[]string{"prompt", "completion"}, []string{"tools", "system"}, (*Row).readPrompt},
	{[]string{"instruction", "output"}, []string{"input", "system", "history"}, (*Row).readAlpaca},
	{[]string{"conversations"}, []string{"tools", "system"}, (*Row).readShareGPT},
	{[]string{"segments"}, nil, (*Row).readSegments},
	{[]string{"text"}, nil, (*Row).readText},
}

// has reports whether the format has a column of this name.
func (s *shape) has(name string) bool {
	return slices.Contains(s.needs, name) || slices.Contains(s.may, name)
}

// parseRow verifies one row.
func parseRow(text string, where Origin, columns Columns) (Row, error) {
	row := Row{Origin: where, Digest: sha256.Sum256([]byte(text))}
	v, err := jsontree.Parse(text)
	if err != nil {
		return row, row.syntax(text, err)
	}
	if v.Kind() != jsontree.Object {
		return row, v.Wrong("an object")
	}
	o := &object{v, columns}
	if err := o.checkMap(); err != nil {
		return row, err
	}
	if o.has("chosen") && o.has("rejected") {
		return row, hint.New(errors.New("preference data (chosen, rejected) are not supported"), "keep the chosen answers as prompt and completion")
	}
	for i := range shapes {
		s := &shapes[i]
		if slices.ContainsFunc(s.needs, func(name string) bool { return !o.has(name) }) {
			continue
		}
		if err := o.checkFields(s); err != nil {
			return row, err
		}
		row.unread = o.unread(s)
		return row, s.read(&row, o)
	}
	return row, o.unknown()
}

// syntax says what is wrong with a text that is no JSON, and moves the row's place to
// the line where it goes wrong.
func (r *Row) syntax(text string, err error) error {
	var e *jsontree.Error
	if !errors.As(err, &e) {
		return err
	}
	r.Line += e.Line - 1
	at := e.Offset - strings.LastIndexByte(text[:e.Offset], '\n') // from 1 in its line
	switch e.Cause {
	case jsontree.InvalidUTF8:
		return fmt.Errorf("not valid UTF-8 at byte %d", at)
	case jsontree.DuplicateKey, jsontree.HalfSurrogate:
		return fmt.Errorf("%s, at byte %d", e.Text, at)
	}
	err = fmt.Errorf("not valid JSON at byte %d: %s", at, e.Text)
	for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
		if strings.HasPrefix(text[e.Offset:], word) {
			return hint.Newf(err, `JSON has no %s: write null for a value that is missing; pandas does with df.to_json("rows.jsonl", orient="records", lines=True)`, word)
		}
	}
	return err
}

// readText reads a row that is trained from its first token on.
func (r *Row) readText(o *object) (err error) {
	r.Format = Text
	r.Text, err = o.filled("text")
	return err
}

// An object is a row whose columns are found under the names that formats have.
type object struct {
	value   jsontree.Value
	columns Columns
}

// get returns the value of a column, absent where the row does not have it. A column
// that has the name of a mapped field, or is mapped to another, does not count.
func (o *object) get(name string) jsontree.Value {
	if len(o.columns) > 0 {
		if column, mapped := o.columns[name]; mapped {
			return o.value.Get(column)
		}
		if o.columns.field(name) != "" {
			return jsontree.Value{}
		}
	}
	return o.value.Get(name)
}

// has reports whether a column is there and not null.
func (o *object) has(name string) bool { return !o.get(name).IsNull() }

// str returns a column of words, "" where it is absent or null.
func (o *object) str(name string) (string, error) { return stringOf(name, o.get(name)) }

// filled returns a column that must have words.
func (o *object) filled(name string) (string, error) {
	s, err := o.str(name)
	if err == nil && strings.TrimSpace(s) == "" {
		err = fmt.Errorf("%q is empty", name)
	}
	return s, err
}

// stringOf returns the string v, "" where it is absent or null. name is for errors.
func stringOf(name string, v jsontree.Value) (string, error) {
	if v.IsNull() {
		return "", nil
	}
	s, err := v.Str()
	if err != nil {
		return "", fmt.Errorf("%q is %w", name, err)
	}
	return s, nil
}

// names lists the keys of an object that are not null, for an error.
func names(v jsontree.Value) string {
	var list []string
	for name, member := range v.Members() {
		if !member.IsNull() {
			list = append(list, name)
		}
	}
	if v.Len() > 0 {
		return listed(list, "nothing but null")
	}
	return listed(list, "nothing")
}

// checkMap returns an error where the row lacks a column that the map names. One that
// is null is there.
func (o *object) checkMap() error {
	for _, name := range o.columns.fields() {
		if o.value.Get(o.columns[name]).Kind() == jsontree.Absent {
			return fmt.Errorf("no column %q, which map names for %s; found %s", o.columns[name], name, names(o.value))
		}
	}
	return nil
}

// checkFields returns an error where the map names a field that the format lacks.
func (o *object) checkFields(s *shape) error {
	for _, name := range o.columns.fields() {
		if !s.has(name) {
			return hint.Newf(fmt.Errorf("map names a column for %q, which a row of %s does not have", name, strings.Join(s.needs, " and ")),
				"its columns are %s", strings.Join(slices.Concat(s.needs, s.may), ", "))
		}
	}
	return nil
}

// A key is a name in the rows of a file.
type key struct{ what, name string }

// The kinds of names.
const (
	columnKey  = "column"
	messageKey = "message key"
	turnKey    = "turn key"
	partKey    = "key of a content part"
)

// unread returns the columns that rows of the format do not have.
func (o *object) unread(s *shape) (list []key) {
	for name, v := range o.value.Members() {
		field := o.columns.field(name)
		if field == "" && o.columns[name] == "" {
			field = name
		}
		if !v.IsNull() && !s.has(field) {
			list = append(list, key{columnKey, name})
		}
	}
	return list
}
