package data

import (
	"errors"
	"fmt"
	"strings"

	"example.com/finetune/internal/jsontree"
)

// readPrompt reads prompt and completion, both strings or both lists of messages.
func (r *Row) readPrompt(o *object) (err error) {
	if o.get("prompt").Kind() == jsontree.List {
		return r.readPromptMessages(o)
	}
	r.Format = PromptCompletion
	if r.Prompt, err = o.str("prompt"); err != nil {
		return err
	}
	if completion := o.get("completion"); completion.Kind() != jsontree.String {
		return fmt.Errorf(`"completion" is %w, as "prompt" is`, completion.Wrong("a string"))
	}
	if r.Text, err = o.filled("completion"); err != nil {
		return err
	}
	if err := r.readSystem(o); err != nil {
		return err
	}
	return r.readTools(o)
}

// readAlpaca reads an instruction with its input and output. The prompt is the
// instruction, a blank line and the input; system and history are messages before it.
func (r *Row) readAlpaca(o *object) error {
	r.Format = Alpaca
	instruction, err := o.str("instruction")
	if err != nil {
		return err
	}
	input, err := o.str("input")
	if err != nil {
		return err
	}
	if r.Text, err = o.filled("output"); err != nil {
		return err
	}
	r.Prompt = instruction
	if strings.TrimSpace(input) != "" {
		r.Prompt = strings.TrimPrefix(instruction+"\n\n"+input, "\n\n")
	}
	if err := r.readSystem(o); err != nil {
		return err
	}
	return r.readHistory(o.get("history"))
}

// readHistory reads the earlier questions and answers of an Alpaca row.
func (r *Row) readHistory(v jsontree.Value) error {
	if v.IsNull() {
		return nil
	}
	if v.Kind() != jsontree.List {
		return fmt.Errorf(`"history" is %w of questions and answers`, v.Wrong("a list"))
	}
	for i, pair := range v.Items() {
		if pair.Kind() != jsontree.List {
			return fmt.Errorf("history[%d]: %w of a question and its answer", i, pair.Wrong("a list"))
		}
		if pair.Len() != 2 {
			return fmt.Errorf("history[%d]: %s, want a question and its answer", i, plural(pair.Len(), "value"))
		}
		for k, item := range pair.Items() {
			content, err := item.Str()
			if err != nil {
				return fmt.Errorf("history[%d][%d]: %w", i, k, err)
			}
			if k == 1 && strings.TrimSpace(content) == "" {
				return fmt.Errorf("history[%d]: the answer is empty", i)
			}
			r.Messages = append(r.Messages, plainMessage([]string{"user", "assistant"}[k], content))
		}
	}
	return nil
}

// readSegments reads pieces of one text, each with a label that says whether it is
// trained. Nothing is put around the text: it has its special tokens itself.
func (r *Row) readSegments(o *object) error {
	r.Format = Segments
	list := o.get("segments")
	if list.Kind() != jsontree.List {
		return fmt.Errorf(`"segments" is %w`, list.Wrong("a list"))
	}
	var b strings.Builder
	for i, v := range list.Items() {
		text, label, err := r.segment(v)
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

func (r *Row) segment(v jsontree.Value) (text string, label bool, err error) {
	if v.Kind() != jsontree.Object {
		return "", false, v.Wrong("an object")
	}
	for _, name := range []string{"text", "label"} {
		if !v.Has(name) {
			return "", false, fmt.Errorf("no %q; found %s", name, names(v))
		}
	}
	for name, member := range v.Members() {
		if !member.IsNull() && name != "text" && name != "label" {
			r.unread = addKey(r.unread, "key of a segment", name)
		}
	}
	if text, err = stringOf("text", v.Get("text")); err != nil {
		return "", false, err
	}
	if label, err = v.Get("label").Bool(); err != nil {
		return "", false, fmt.Errorf(`"label" is %w`, err)
	}
	return text, label, nil
}

// chat returns the messages of a row as a chat: those of a prompt in words too.
func (r *Row) chat() []Message {
	if r.Format != PromptCompletion && r.Format != Alpaca {
		return r.Messages
	}
	before := r.Messages
	return append(before[:len(before):len(before)], plainMessage("user", r.Prompt), plainMessage("assistant", r.Text))
}
