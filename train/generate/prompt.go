package generate

import (
	"errors"

	"example.com/finetune/internal/hint"
	"example.com/finetune/model"
	"example.com/finetune/tokenizer/chat"
	"example.com/finetune/train/data"
)

// A Prompt is what a model goes on from.
type Prompt struct {
	IDs  []int32 // at least one
	Ends []int32 // tokens that end the answer; they are no part of it
}

// Text returns a text as the beginning of one. An empty one is BOS alone.
func (g *Generator) Text(text string) (Prompt, error) {
	p := Prompt{IDs: g.tok.Encode(text, true).IDs, Ends: data.EndTokens(g.tok, nil, g.engine.Model().Config.EOS)}
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
		return Prompt{}, withoutSystem(err, template, c)
	}
	p := Prompt{IDs: g.tok.Encode(text, false).IDs, Ends: data.EndTokens(g.tok, template, g.engine.Model().Config.EOS)}
	if len(p.IDs) == 0 {
		return Prompt{}, hint.New(errors.New("the chat template makes nothing of this prompt"), "--raw sends it as it is")
	}
	return p, nil
}

// withoutSystem adds to a template's refusal of a system message what would pass.
func withoutSystem(err error, template *chat.Template, c chat.Conversation) error {
	if len(c.Messages) < 2 || c.Messages[0].Role != "system" {
		return err
	}
	c.Messages = c.Messages[1:]
	if _, e := template.Render(c, true); e != nil {
		return err
	}
	return hint.New(err, "this template takes no system message: put its text at the beginning of the first question")
}

// Asks reports whether tokens are more than the beginning of a text.
func (g *Generator) Asks(ids []int32) bool {
	bos, ok := g.tok.BOS()
	return len(ids) > 1 || len(ids) == 1 && !(ok && ids[0] == bos)
}

// After returns the text of tokens behind a prompt.
func (g *Generator) After(p Prompt, ids []int32) string {
	stream, text := g.stream(p), ""
	for _, id := range ids {
		text += stream.Next(id)
	}
	return text + stream.Flush()
}

// Tokens returns those of a text within another.
func (g *Generator) Tokens(text string) []int32 { return g.tok.Encode(text, false).IDs }

// Engine returns the engine that writes.
func (g *Generator) Engine() *model.Engine { return g.engine }
