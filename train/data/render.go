package data

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/jsontree"
	"example.com/finetune/tokenizer"
	"example.com/finetune/tokenizer/chat"
)

// conversation returns the row as its template will see it.
func (n *encoder) conversation(messages []Message, tools jsontree.Value) chat.Conversation {
	c := chat.Conversation{Messages: make([]chat.Message, len(messages)), Tools: tools}
	for i, m := range messages {
		if m.Parts && !n.parts {
			m.Object = withContent(m.Object, m.Content)
		}
		c.Messages[i] = m.Message
	}
	return c
}

// render takes a row through the chat template, which writes its special tokens
// itself.
func (e *encoded) render(n *encoder, r *Row) error {
	messages := learned(r.chat(), r.First, n.o.TrainOn)
	kept := func(text string) int { // the answers behind what max_length leaves need not be found
		e.tokenise(n, text, false)
		return e.textAt(n.o.MaxLength)
	}
	rendered, err := n.o.Template.RenderSpans(n.conversation(messages, r.Tools), kept)
	if err != nil {
		return n.advise(err, messages, r.Tools)
	}
	var spans []span
	for _, s := range rendered.Spans {
		spans = append(spans, span{s.Start, s.End})
	}
	e.skipped = len(rendered.Skipped)
	if n.o.TrainOn == Everything {
		if e.skipped > 0 {
			return fmt.Errorf("message %d is not to be learned, and what the chat template makes of it cannot be told from the rest", rendered.Skipped[0]+1)
		}
		spans = between(spans, len(rendered.Text))
	}
	for _, i := range rendered.Empty {
		if m := messages[i]; strings.TrimSpace(m.Content) == "" && n.o.TrainOn != Everything {
			return hint.New(fmt.Errorf("message %d: the assistant's content is empty, and the chat template writes nothing else of it; found %s", i+1, names(m.Object)),
				"the model would learn to say nothing: take such messages out, or name a template that reads what they have with --chat-template")
		}
	}
	e.mask(n, spans)
	return nil
}

// learned marks the messages that are not to be learned: of the assistant's all before
// first, or all but the last. Of everything it is the other way round: those that are to be
// learned are marked, so that the others are found and left out.
func learned(messages []Message, first int, trainOn TrainOn) []Message {
	messages = slices.Clone(messages)
	for i := len(messages) - 1; i >= 0; i-- {
		m := &messages[i]
		if trainOn == Everything {
			m.Untrained = !m.Untrained
			continue
		}
		if i < first {
			m.Untrained = true
		}
		if m.assistant() && trainOn == LastAnswer {
			first = max(first, i)
		}
	}
	return messages
}

// between returns what spans leave of so many bytes.
func between(spans []span, size int) (list []span) {
	from := 0
	for _, s := range spans {
		list = append(list, span{from, s.start})
		from = s.end
	}
	return append(list, span{from, size})
}

// advise adds to a template's refusal what would pass.
func (n *encoder) advise(err error, messages []Message, tools jsontree.Value) error {
	passes := func(changed []Message) bool {
		_, err := n.o.Template.Render(n.conversation(changed, tools), false)
		return err == nil
	}
	if errors.Is(err, chat.ErrEndless) {
		return err
	}
	merged := mergeRepeated(messages)
	without := slices.DeleteFunc(slices.Clone(messages), func(m Message) bool { return m.Role == "system" })
	const other = ", or name another template with --chat-template"
	switch {
	case len(without) < len(messages) && passes(without):
		return hint.New(err, "this template takes no system message: put its text at the beginning of the first user message"+other)
	case len(merged) < len(messages) && passes(merged):
		return hint.New(err, "this template wants user and assistant in turn: join messages of the same role that follow each other"+other)
	case len(without) < len(messages) && len(merged) < len(messages) && passes(mergeRepeated(without)):
		return hint.New(err, "this template takes no system message, and wants user and assistant in turn: join the texts of messages that follow each other"+other)
	}
	return err
}

// mergeRepeated joins neighbours of the same role that have nothing but a text.
func mergeRepeated(messages []Message) (list []Message) {
	for _, m := range messages {
		if k := len(list) - 1; k >= 0 && list[k].Role == m.Role {
			list[k] = plainMessage(m.Role, list[k].Content+"\n\n"+m.Content)
			continue
		}
		list = append(list, m)
	}
	return list
}

// EndTokens returns the tokens that generation stops at: those of the model's
// configuration, the tokenizer's, and the special token that the template, which may be
// nil, puts behind an answer.
func EndTokens(t *tokenizer.Tokenizer, template *chat.Template, configured []int) (ends []int32) {
	for _, id := range configured {
		ends = append(ends, int32(id))
	}
	if id, ok := t.EOS(); ok {
		ends = append(ends, id)
	}
	if template == nil {
		return ends
	}
	rendered, err := template.RenderSpans(chat.Conversation{Messages: []chat.Message{
		{Role: "user", Content: "question"}, {Role: "assistant", Content: "answer"},
	}}, nil)
	if err != nil || len(rendered.Spans) == 0 { // a template may refuse such a chat
		return ends
	}
	last := rendered.Spans[len(rendered.Spans)-1]
	answer := strings.TrimRightFunc(rendered.Text[last.Start:last.End], unicode.IsSpace) // {% generation %} may have some behind
	ids := t.Encode(answer, false).IDs
	if n := len(ids); n > 0 && t.IsSpecial(ids[n-1]) {
		ends = append(ends, ids[n-1])
	}
	return ends
}

// readsParts reports whether a template reads contents that are lists of parts. One that
// does not fails on them, or writes them as Python spells a list.
func readsParts(template *chat.Template) bool {
	if template == nil {
		return false
	}
	const first, second = "one part of a content", "another part of it"
	var probe chat.Conversation
	for _, role := range []string{"user", "assistant"} {
		raw := fmt.Sprintf(`{"role": %q, "content": [{"type": "text", "text": %q}, {"type": "text", "text": %q}]}`, role, first, second)
		probe.Messages = append(probe.Messages, chat.Message{Role: role, Content: first + second, Object: treeOf([]byte(raw))})
	}
	text, err := template.Render(probe, false)
	return err == nil && strings.Count(text, first) == 2 && strings.Count(text, second) == 2 && !strings.Contains(text, "'type'") && !strings.Contains(text, `"type"`)
}
