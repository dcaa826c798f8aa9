package data

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/tokenizer/chat"
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
	Alpaca                             // instruction, input, output, system, history
	ShareGPT                           // conversations, system, tools
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

	Chat  chat.Conversation // Messages, PromptMessages, ShareGPT; what goes before an Alpaca prompt
	First int               // the first message that may be trained

	Prompt string // PromptCompletion, Alpaca
	Text   string // the completion or output, all of a Text row, the joined segments
	spans  []span // Segments: the trained ones
}

// parseRow verifies one row.
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
		err = hint.New(errors.New("preference data (chosen, rejected) are not supported"), "keep the chosen answers as prompt and completion")
	case o.has("messages"):
		err = row.readMessages(o)
	case o.has("prompt") && o.has("completion"):
		err = row.readPrompt(o)
	case o.has("text"):
		row.Format = Text
		row.Text, err = filled(o, "text")
	case o.has("instruction") && o.has("output"):
		err = row.readAlpaca(o)
	case o.has("conversations"):
		err = row.readShareGPT(o)
	case o.has("segments"):
		err = row.readSegments(o)
	default:
		err = unknownFormat(o)
	}
	return row, err
}

// filled returns a string member that must have words.
func filled(o object, name string) (string, error) {
	s, err := o.str(name)
	if err == nil && strings.TrimSpace(s) == "" {
		err = fmt.Errorf("%q is empty", name)
	}
	return s, err
}
