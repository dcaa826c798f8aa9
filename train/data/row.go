package data

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"example.com/finetune/tokenizer"
)

// An Origin is where a row stands: the file as it was given, and the line from 1.
type Origin struct {
	File string
	Line int
}

func (o Origin) String() string { return fmt.Sprintf("%s:%d", o.File, o.Line) }

// A Format is the shape of a row.
type Format uint8

// The formats, in the order in which a row's keys are tried.
const (
	Messages         Format = iota + 1 // messages, and tools
	PromptMessages                     // prompt and completion, each a list of messages
	PromptCompletion                   // prompt and completion, each a string
	Text                               // text
)

func (f Format) String() string {
	return [...]string{"none", "messages", "prompt and completion as messages", "prompt and completion", "text"}[f]
}

// A Row is one verified row of a file.
type Row struct {
	Origin
	Format Format
	Digest [sha256.Size]byte // of the row's JSON text

	Chat  tokenizer.Conversation // Messages, PromptMessages
	First int                    // the first message that may be trained

	Prompt string // PromptCompletion
	Text   string // the completion, or all of a Text row
}

// A foreign is a known format of others that is refused by name.
type foreign struct {
	keys []string
	name string
	hint string
}

var foreigners = []foreign{
	{[]string{"chosen", "rejected"}, "preference data (chosen, rejected)", "keep the chosen answers as prompt and completion"},
	{[]string{"instruction", "output"}, "Alpaca rows (instruction, input, output)", "rows without input: --map prompt=instruction,completion=output; else write prompt and completion"},
	{[]string{"conversations"}, "ShareGPT rows (conversations)", `write {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}`},
	{[]string{"segments"}, "rows of segments", "write prompt and completion, or messages"},
}

// parseRow verifies one row. where is for its Origin alone.
func parseRow(text []byte, where Origin, columns Columns) (Row, error) {
	row := Row{Origin: where, Digest: sha256.Sum256(text)}
	if err := checkJSON(text); err != nil {
		return row, err
	}
	o, err := parseObject(text)
	if err != nil {
		return row, err
	}
	if o, err = columns.apply(o); err != nil {
		return row, err
	}
	switch {
	case o.has("chosen") && o.has("rejected"):
		err = unknownFormat(o)
	case o.has("messages"):
		row.Format = Messages
		err = row.readMessages(o)
	case o.has("prompt") && o.has("completion"):
		err = row.readPrompt(o)
	case o.has("text"):
		row.Format = Text
		if row.Text, err = parseString(o.get("text")); err != nil {
			err = fmt.Errorf(`"text" is %w`, err)
		} else if strings.TrimSpace(row.Text) == "" {
			err = errors.New(`"text" is empty`)
		}
	default:
		err = unknownFormat(o)
	}
	return row, err
}

// unknownFormat says what is missing from a row, and names the format where it is
// one of others.
func unknownFormat(o object) error {
	for _, f := range foreigners {
		all := true
		for _, k := range f.keys {
			all = all && o.has(k)
		}
		if all {
			return hint(fmt.Errorf("%s are not supported", f.name), "%s", f.hint)
		}
	}
	switch {
	case o.has("prompt"):
		return fmt.Errorf(`"prompt" without "completion"; found %s`, o.names())
	case o.has("completion"):
		return fmt.Errorf(`"completion" without "prompt"; found %s`, o.names())
	}
	err := fmt.Errorf(`neither "messages", "prompt" and "completion", nor "text"; found %s`, o.names())
	if m := guessColumns(o); m != "" {
		return hint(err, "--map %s", m)
	}
	return err
}

// guesses are column names seen in public data sets, best first.
var guesses = map[string][]string{
	"prompt":     {"question", "query", "input", "instruction", "source"},
	"completion": {"answer", "response", "output", "target", "summary"},
	"text":       {"content", "document", "body"},
}

// guessColumns proposes a value for map, or nothing.
func guessColumns(o object) string {
	find := func(name string) string {
		for _, g := range guesses[name] {
			if o.has(g) {
				return g
			}
		}
		return ""
	}
	if p, c := find("prompt"), find("completion"); p != "" && c != "" {
		return "prompt=" + p + ",completion=" + c
	}
	if t := find("text"); t != "" {
		return "text=" + t
	}
	return ""
}

// readPrompt reads prompt and completion, both strings or both lists of messages.
func (r *Row) readPrompt(o object) error {
	prompt, completion := o.get("prompt"), o.get("completion")
	if kind(prompt) == "a list" {
		r.Format = PromptMessages
		return r.readPromptMessages(o)
	}
	r.Format = PromptCompletion
	var err error
	if r.Prompt, err = parseString(prompt); err != nil {
		return fmt.Errorf(`"prompt" is %w`, err)
	}
	if r.Text, err = parseString(completion); err != nil {
		return fmt.Errorf(`"completion" is %w, as "prompt" is`, err)
	}
	if strings.TrimSpace(r.Text) == "" {
		return errors.New(`"completion" is empty`)
	}
	return nil
}

// conversation returns a prompt and completion as a chat of two turns.
func (r *Row) conversation() tokenizer.Conversation {
	if r.Format != PromptCompletion {
		return r.Chat
	}
	return tokenizer.Conversation{Messages: []tokenizer.Message{
		{Role: "user", Content: r.Prompt},
		{Role: "assistant", Content: r.Text},
	}}
}
