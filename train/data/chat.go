package data

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/tokenizer/chat"
)

// readMessages reads a row of messages, and tools where it has them.
func (r *Row) readMessages(o object) error {
	r.Format = Messages
	var err error
	if r.Chat.Messages, err = parseMessages("messages", o.get("messages")); err != nil {
		return err
	}
	return r.finishChat(o, `"messages"`)
}

// readPromptMessages reads two lists of messages; those of the completion may be
// trained.
func (r *Row) readPromptMessages(o object) error {
	r.Format = PromptMessages
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

// finishChat reads the tools and looks for something to learn.
func (r *Row) finishChat(o object, where string) error {
	if r.Chat.Tools = o.get("tools"); r.Chat.Tools != nil {
		if _, err := parseList(r.Chat.Tools); err != nil {
			return fmt.Errorf(`"tools" is %w`, err)
		}
		if err := checkDeep(r.Chat.Tools); err != nil {
			return fmt.Errorf("tools: %w", err)
		}
	}
	if !slices.ContainsFunc(r.Chat.Messages[r.First:], isAssistant) {
		return fmt.Errorf("no assistant message in %s to learn from", where)
	}
	return nil
}

func isAssistant(m chat.Message) bool { return m.Role == "assistant" }

// parseMessages reads a list of messages. name is for errors.
func parseMessages(name string, text []byte) ([]chat.Message, error) {
	return parseEach(name, text, parseMessage)
}

// parseEach reads a list of messages, each by parse.
func parseEach(name string, text []byte, parse func(object, json.RawMessage) (chat.Message, error)) ([]chat.Message, error) {
	list, err := parseList(text)
	if err != nil {
		return nil, fmt.Errorf("%q is %w of messages", name, err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%q is empty", name)
	}
	messages := make([]chat.Message, len(list))
	for i, raw := range list {
		o, err := parseObject(raw)
		if err == nil {
			messages[i], err = parse(o, raw)
		}
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", name, i, err)
		}
	}
	return messages, nil
}

// parseMessage reads one message. All of it goes to the template as it stands: a
// content of null too, which templates print or refuse as they like.
func parseMessage(o object, raw json.RawMessage) (chat.Message, error) {
	m := chat.Message{Raw: raw}
	if !o.has("role") {
		err := errors.New(`no "role"; found ` + o.names())
		if o.has("from") {
			err = hint.New(err, `ShareGPT messages: --map conversations=messages`)
		}
		return m, err
	}
	var err error
	if m.Role, err = o.str("role"); err != nil {
		return m, err
	}
	if m.Role == "" {
		return m, errors.New(`"role" is empty`)
	}
	// A message that calls tools, or only reasons, needs no content.
	others := false
	for _, f := range o {
		if f.name != "role" && f.name != "content" && string(f.value) != "null" {
			others = true
			if err := checkDeep(f.value); err != nil {
				return m, fmt.Errorf("%s: %w", f.name, err)
			}
		}
	}
	if o.find("content") == nil && !others {
		return m, errors.New(`no "content"; found ` + o.names())
	}
	if m.Content, err = o.str("content"); err != nil {
		return m, err
	}
	if m.Role == "assistant" && !others && strings.TrimSpace(m.Content) == "" {
		return m, errors.New("the assistant's content is empty")
	}
	return m, nil
}
