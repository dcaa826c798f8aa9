package data

import (
	"errors"
	"fmt"
	"strings"

	"example.com/finetune/tokenizer/chat"
)

// readPrompt reads prompt and completion, both strings or both lists of messages.
func (r *Row) readPrompt(o object) error {
	if kind(o.get("prompt")) == "a list" {
		return r.readPromptMessages(o)
	}
	r.Format = PromptCompletion
	var err error
	if r.Prompt, err = o.str("prompt"); err != nil {
		return err
	}
	if k := kind(o.get("completion")); k != "a string" {
		return fmt.Errorf(`"completion" is %s, want a string, as "prompt" is`, k)
	}
	r.Text, err = filled(o, "completion")
	return err
}

// readAlpaca reads an instruction with its input and output. The prompt is the
// instruction, a blank line and the input; system and history are turns before it.
func (r *Row) readAlpaca(o object) error {
	r.Format = Alpaca
	instruction, err := o.str("instruction")
	if err != nil {
		return err
	}
	input, err := o.str("input")
	if err != nil {
		return err
	}
	if r.Text, err = filled(o, "output"); err != nil {
		return err
	}
	r.Prompt = instruction
	if strings.TrimSpace(input) != "" {
		r.Prompt = strings.TrimPrefix(instruction+"\n\n"+input, "\n\n")
	}
	if r.Chat.Messages, err = systemMessage(o); err != nil {
		return err
	}
	return r.readHistory(o)
}

// readHistory reads the earlier questions and answers of an Alpaca row.
func (r *Row) readHistory(o object) error {
	if !o.has("history") {
		return nil
	}
	list, err := parseList(o.get("history"))
	if err != nil {
		return fmt.Errorf(`"history" is %w of questions and answers`, err)
	}
	for i, v := range list {
		pair, err := parseList(v)
		if err != nil {
			return fmt.Errorf("history[%d]: %w of a question and its answer", i, err)
		}
		if len(pair) != 2 {
			return fmt.Errorf("history[%d]: %s, want a question and its answer", i, plural(len(pair), "value"))
		}
		for k, role := range []string{"user", "assistant"} {
			content, err := parseString(pair[k])
			if err != nil {
				return fmt.Errorf("history[%d][%d]: %w", i, k, err)
			}
			if k == 1 && strings.TrimSpace(content) == "" {
				return fmt.Errorf("history[%d]: the answer is empty", i)
			}
			r.Chat.Messages = append(r.Chat.Messages, chat.Message{Role: role, Content: content})
		}
	}
	return nil
}

// systemMessage returns the message of a row's system member, if it has words.
func systemMessage(o object) ([]chat.Message, error) {
	system, err := o.str("system")
	if err != nil || strings.TrimSpace(system) == "" {
		return nil, err
	}
	return []chat.Message{{Role: "system", Content: system}}, nil
}

// conversation returns a row as a chat.
func (r *Row) conversation() chat.Conversation {
	if r.Format != PromptCompletion && r.Format != Alpaca {
		return r.Chat
	}
	before := r.Chat.Messages
	return chat.Conversation{Messages: append(before[:len(before):len(before)],
		chat.Message{Role: "user", Content: r.Prompt},
		chat.Message{Role: "assistant", Content: r.Text},
	)}
}

// readSegments reads pieces of one text, each with a label that says whether it is
// trained. Nothing is put around the text: it has its special tokens itself.
func (r *Row) readSegments(o object) error {
	r.Format = Segments
	list, err := parseList(o.get("segments"))
	if err != nil {
		return fmt.Errorf(`"segments" is %w`, err)
	}
	var b strings.Builder
	for i, v := range list {
		text, label, err := parseSegment(v)
		if err != nil {
			return fmt.Errorf("segments[%d]: %w", i, err)
		}
		if label && text != "" {
			r.spans = append(r.spans, span{b.Len(), b.Len() + len(text)})
		}
		b.WriteString(text)
	}
	if len(r.spans) == 0 {
		return errors.New(`no segment with a text and the label true to learn from`)
	}
	r.Text = b.String()
	return nil
}

func parseSegment(raw []byte) (text string, label bool, err error) {
	o, err := parseObject(raw)
	if err != nil {
		return "", false, err
	}
	for _, name := range []string{"text", "label"} {
		if !o.has(name) {
			return "", false, fmt.Errorf("no %q; found %s", name, o.names())
		}
	}
	if text, err = o.str("text"); err != nil {
		return "", false, err
	}
	switch v := string(o.get("label")); v {
	case "true", "false":
		return text, v == "true", nil
	}
	return "", false, fmt.Errorf(`"label" is %s, want true or false`, kind(o.get("label")))
}
