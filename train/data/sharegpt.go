package data

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/finetune/tokenizer/chat"
)

// speakers are the names that ShareGPT files have for the roles.
var speakers = map[string]string{
	"human": "user", "user": "user",
	"gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant", "model": "assistant",
	"system": "system",
	"tool":   "tool", "observation": "tool", "function_response": "tool",
}

// readShareGPT reads a conversation of from and value.
func (r *Row) readShareGPT(o object) error {
	r.Format = ShareGPT
	messages, err := parseEach("conversations", o.get("conversations"), parseTurn)
	if err != nil {
		return err
	}
	if r.Chat.Messages, err = systemMessage(o); err != nil {
		return err
	}
	if len(r.Chat.Messages) > 0 && messages[0].Role == "system" {
		return errors.New(`"system", and a first turn of the system too`)
	}
	r.Chat.Messages = append(r.Chat.Messages, messages...)
	return r.finishChat(o, `"conversations"`)
}

// parseTurn reads one turn. Turns of role and content, which some files have under
// this name, are messages.
func parseTurn(o object, raw json.RawMessage) (chat.Message, error) {
	if o.has("role") && !o.has("from") {
		return parseMessage(o, raw)
	}
	var m chat.Message
	for _, name := range []string{"from", "value"} {
		if !o.has(name) {
			return m, fmt.Errorf("no %q; found %s", name, o.names())
		}
	}
	from, err := o.str("from")
	if err != nil {
		return m, err
	}
	role, known := speakers[from]
	if !known {
		return m, fmt.Errorf("from %q: unknown, want one of %s", from, strings.Join(slices.Sorted(maps.Keys(speakers)), ", "))
	}
	m.Role = role
	if m.Content, err = o.str("value"); err != nil {
		return m, err
	}
	if role == "assistant" && strings.TrimSpace(m.Content) == "" {
		return m, errors.New("the assistant's value is empty")
	}
	return m, nil
}
