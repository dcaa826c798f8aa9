package generate

import (
	"errors"
	"slices"

	"example.com/finetune/internal/hint"
	"example.com/finetune/tokenizer"
	"example.com/finetune/tokenizer/chat"
)

// A Prompt is what a model goes on from.
type Prompt struct {
	IDs  []int32 // at least one
	Ends []int32 // tokens that end the answer; they are no part of it
}

// Text returns a text as the beginning of one. An empty one is BOS alone.
func (g *Generator) Text(text string) (Prompt, error) {
	p := Prompt{IDs: g.tok.Encode(text, true).IDs, Ends: g.ends}
	if len(p.IDs) > 0 {
		return p, nil
	}
	id, ok := g.tok.BOS()
	if bos := g.engine.Model().Config.BOS; !ok && bos >= 0 {
		id, ok = int32(bos), true
	}
	if !ok {
		return Prompt{}, hint.New(errors.New("an empty prompt starts from BOS, and this model has none"), "give it a few words")
	}
	p.IDs = []int32{id}
	return p, nil
}

// Chat returns a conversation up to where the assistant is to speak.
func (g *Generator) Chat(template *chat.Template, c chat.Conversation) (Prompt, error) {
	text, err := template.Render(c, true)
	if err != nil {
		return Prompt{}, err
	}
	p := Prompt{IDs: g.tok.Encode(text, false).IDs, Ends: g.ends}
	if len(p.IDs) == 0 {
		return Prompt{}, hint.New(errors.New("the chat template makes nothing of this prompt"), "--raw sends it as it is")
	}
	if id, ok := endOfAnswer(template, g.tok); ok {
		p.Ends = append(slices.Clone(g.ends), id)
	}
	return p, nil
}

// endOfAnswer returns the special token that a template puts behind an answer.
func endOfAnswer(template *chat.Template, t *tokenizer.Tokenizer) (int32, bool) {
	rendered, err := template.RenderSpans(chat.Conversation{Messages: []chat.Message{
		{Role: "user", Content: "question"}, {Role: "assistant", Content: "answer"},
	}})
	if err != nil || len(rendered.Spans) == 0 { // a template may refuse such a chat; the model's EOS remains
		return 0, false
	}
	span := rendered.Spans[len(rendered.Spans)-1]
	ids := t.Encode(rendered.Text[span.Start:span.End], false).IDs
	if n := len(ids); n > 0 && t.IsSpecial(ids[n-1]) {
		return ids[n-1], true
	}
	return 0, false
}
