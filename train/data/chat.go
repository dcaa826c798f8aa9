package data

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/finetune/tokenizer"
)

// readMessages reads a row of messages, and tools where it has them.
func (r *Row) readMessages(o object) error {
	var err error
	if r.Chat.Messages, err = parseMessages("messages", o.get("messages")); err != nil {
		return err
	}
	return r.finishChat(o, `"messages"`)
}

// readPromptMessages reads two lists of messages; those of the completion may be
// trained.
func (r *Row) readPromptMessages(o object) error {
	prompt, err := parseMessages("prompt", o.get("prompt"))
	if err != nil {
		return err
	}
	if kind(o.get("completion")) != "a list" {
		return fmt.Errorf(`"completion" is %s, want a list of messages, as "prompt" is`, kind(o.get("completion")))
	}
	completion, err := parseMessages("completion", o.get("completion"))
	if err != nil {
		return err
	}
	r.First = len(prompt)
	r.Chat.Messages = append(prompt, completion...)
	return r.finishChat(o, `"completion"`)
}

func (r *Row) finishChat(o object, where string) error {
	if r.Chat.Tools = o.get("tools"); r.Chat.Tools != nil {
		if _, err := parseList(r.Chat.Tools); err != nil {
			return fmt.Errorf(`"tools" is %w`, err)
		}
	}
	if !slices.ContainsFunc(r.Chat.Messages[r.First:], isAssistant) {
		return fmt.Errorf("no assistant message in %s to learn from", where)
	}
	return nil
}

func isAssistant(m tokenizer.Message) bool { return m.Role == "assistant" }

// parseMessages reads a list of messages. name is for errors.
func parseMessages(name string, text []byte) ([]tokenizer.Message, error) {
	list, err := parseList(text)
	if err != nil {
		return nil, fmt.Errorf("%q is %w of messages", name, err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%q is empty", name)
	}
	messages := make([]tokenizer.Message, len(list))
	for i, raw := range list {
		if messages[i], err = parseMessage(raw); err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", name, i, err)
		}
	}
	return messages, nil
}

func parseMessage(raw []byte) (tokenizer.Message, error) {
	m := tokenizer.Message{Raw: raw}
	o, err := parseObject(raw)
	if err != nil {
		return m, err
	}
	if !o.has("role") {
		if o.has("from") {
			return m, hint(errors.New(`no "role"; found `+o.names()), `ShareGPT messages: rename "from" to "role" and "value" to "content"`)
		}
		return m, errors.New(`no "role"; found ` + o.names())
	}
	if m.Role, err = parseString(o.get("role")); err != nil {
		return m, fmt.Errorf(`"role" is %w`, err)
	}
	if m.Role == "" {
		return m, errors.New(`"role" is empty`)
	}
	// A message that calls tools, or only reasons, needs no content.
	others := slices.ContainsFunc(o, func(f field) bool {
		return f.name != "role" && f.name != "content" && o.has(f.name)
	})
	content := o.get("content")
	if content == nil {
		if !others {
			return m, errors.New(`no "content"; found ` + o.names())
		}
		return m, nil
	}
	if m.Content, err = parseString(content); err != nil {
		return m, fmt.Errorf(`"content" is %w`, err)
	}
	if m.Role == "assistant" && !others && strings.TrimSpace(m.Content) == "" {
		return m, errors.New("the assistant's content is empty")
	}
	return m, nil
}
