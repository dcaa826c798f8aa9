package generate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"example.com/finetune/tokenizer/chat"
)

// A Conversation is what was said to a model and what it said. With a chat template its
// messages are rendered anew for each question; without one it is a plain text that the
// model continues.
type Conversation struct {
	System string // first message, "" for none; it may change at any time

	g        *Generator
	template *chat.Template
	said     []chat.Message // questions and answers in turn
}

// NewConversation returns one that nothing was said in. template may be nil.
func NewConversation(g *Generator, template *chat.Template) *Conversation {
	return &Conversation{g: g, template: template}
}

// OutgrownError is that of a question which the model has no room for.
type OutgrownError struct {
	Tokens int // of the conversation with the question
	Reads  int // tokens the model reads at most
}

func (e *OutgrownError) Error() string {
	return fmt.Sprintf("the conversation has %d tokens with this, but the model reads at most %d", e.Tokens, e.Reads)
}

// Ask hands the answer to a question to emit as it comes. Question and answer become
// part of the conversation once the model has begun to answer, and what it had said
// stays when ctx ends. Without a template the question is text that goes on, and "" lets
// the model continue.
func (c *Conversation) Ask(ctx context.Context, question string, o Options, emit func(string) error) (Result, error) {
	prompt, err := c.prompt(question)
	if err != nil {
		return Result{}, err
	}
	if room := c.g.Room(prompt); room < 1 {
		return Result{}, &OutgrownError{Tokens: len(prompt.IDs), Reads: room + len(prompt.IDs)}
	}
	var answer strings.Builder
	r, err := c.g.Write(ctx, prompt, o, func(text string) error {
		answer.WriteString(text)
		return emit(text)
	})
	if r.Tokens > 0 || r.Ended {
		c.said = append(c.said, chat.Message{Role: "user", Content: question}, chat.Message{Role: "assistant", Content: answer.String()})
	}
	return r, err
}

// prompt returns the conversation with a question.
func (c *Conversation) prompt(question string) (Prompt, error) {
	said := append(c.Messages(), chat.Message{Role: "user", Content: question})
	if c.template == nil {
		return c.g.Text(plain(said))
	}
	return c.g.Chat(c.template, chat.Conversation{Messages: said})
}

// Check reports whether the template can write the system message.
func (c *Conversation) Check() error {
	if c.template == nil {
		return nil
	}
	_, err := c.prompt("?")
	return err
}

// Room returns how many tokens the model has room for behind a question.
func (c *Conversation) Room(question string) (int, error) {
	prompt, err := c.prompt(question)
	return c.g.Room(prompt), err
}

// Messages returns what was said, with the system message first.
func (c *Conversation) Messages() (list []chat.Message) {
	if c.System != "" {
		list = append(list, chat.Message{Role: "system", Content: c.System})
	}
	return append(list, slices.Clone(c.said)...)
}

// Text returns what was said as one plain text.
func (c *Conversation) Text() string { return plain(c.said) }

// Undo takes the last question and its answer back; false says that there is none.
func (c *Conversation) Undo() bool {
	n := len(c.said)
	if n > 0 {
		c.said = c.said[:n-2]
	}
	return n > 0
}

// Reset forgets what was said, the system message apart.
func (c *Conversation) Reset() { c.said = nil }

// plain joins messages to a text: an answer follows its question as the model wrote it,
// and a question begins a new line.
func plain(said []chat.Message) string {
	var b strings.Builder
	last := ' '
	for _, m := range said {
		if m.Content == "" {
			continue
		}
		if m.Role == "user" && !unicode.IsSpace(last) {
			b.WriteByte('\n')
		}
		b.WriteString(m.Content)
		last, _ = utf8.DecodeLastRuneInString(m.Content)
	}
	return b.String()
}
