package chat

import (
	"errors"
	"fmt"

	"example.com/finetune/internal/jsontree"
	"example.com/finetune/tokenizer/jinja"
)

// Message is one message of a conversation.
type Message struct {
	Role, Content string
	Object        jsontree.Value // the whole message as given, for the template; absent: role and content
	Untrained     bool           // the model is not to learn it, though it is the assistant's
}

// Conversation is what a chat template renders.
type Conversation struct {
	Messages []Message
	Tools    jsontree.Value // a list of tool definitions; absent or null: none
}

var (
	// ErrEmpty is a conversation without messages.
	ErrEmpty = errors.New("a conversation without messages")
	// ErrEndless is in the chain of the error of a template that does not come to an
	// end, or makes too much of a conversation.
	ErrEndless = jinja.ErrLimit
)

// Render is the text of a conversation, with addGenerationPrompt up to where the
// assistant begins. It is to be encoded without adding special tokens. An error
// carries the template's own message.
func (tpl *Template) Render(c Conversation, addGenerationPrompt bool) (string, error) {
	r, err := tpl.renderer(c)
	if err != nil {
		return "", err
	}
	out, err := r.render(len(r.messages), addGenerationPrompt)
	return out.String, err
}

// renderer renders one conversation, whole or in part, on one budget of steps.
type renderer struct {
	template  *jinja.Template
	messages  []jinja.Value // dicts; the origin of what they hold is their number from 1
	variables map[string]jinja.Value
	budget    *jinja.Budget
}

func (tpl *Template) renderer(c Conversation) (*renderer, error) {
	if len(c.Messages) == 0 {
		return nil, ErrEmpty
	}
	r := &renderer{template: tpl.chat, budget: jinja.NewBudget(), variables: map[string]jinja.Value{
		"documents":    nil,
		"tools":        nil,
		"strftime_now": jinja.StrftimeNow(tpl.date),
	}}
	for name, token := range tpl.named {
		r.variables[name] = jinja.String(token)
	}
	if !c.Tools.IsNull() {
		if tpl.toolUse != nil {
			r.template = tpl.toolUse
		}
		tools, err := jinja.FromTree(c.Tools, 0)
		if err != nil {
			return nil, fmt.Errorf("tools: %w", err)
		}
		r.variables["tools"] = tools
	}
	for i, m := range c.Messages {
		d, err := m.dict(i + 1)
		if err != nil {
			return nil, fmt.Errorf("message %d: %w", i, err)
		}
		r.messages = append(r.messages, d)
	}
	return r, nil
}

// reasoningNames are the names under which messages have their reasoning; of several
// the last counts.
var reasoningNames = []string{"reasoning", "thinking", "reasoning_content"}

// toolResponses is the key of a message, in Gemma 4's own form, under which it holds what
// tools answered: the model does not write that.
const toolResponses = "tool_responses"

// dict is the message as the template sees it: without keys that are null, and with
// its reasoning under the names that templates read. All that it holds has the origin,
// but for the role, which belongs to the header, and for what tools answered, which has
// another's.
func (m *Message) dict(origin int) (*jinja.Dict, error) {
	d := jinja.NewDict()
	if m.Object.Kind() == jsontree.Absent {
		d.Set("role", jinja.String(m.Role))
		d.Set("content", jinja.From(m.Content, origin))
		return d.Item(origin), nil
	}
	v, err := jinja.FromTree(m.Object, origin)
	if err != nil {
		return nil, err
	}
	given, ok := v.(*jinja.Dict)
	if !ok {
		return nil, m.Object.Wrong("an object")
	}
	var reasoning jinja.Value
	for _, name := range reasoningNames {
		if v, ok := given.Get(name); ok && v != nil {
			reasoning = v
		}
	}
	if reasoning != nil {
		d.Set("thinking", reasoning)
	}
	for _, key := range given.Keys() {
		v, _ := given.Get(key)
		if key == toolResponses && v != nil {
			if v, err = jinja.FromTree(m.Object.Get(key), -origin); err != nil {
				return nil, err
			}
		}
		switch v := v.(type) {
		case nil:
		case *jinja.Str:
			if key == "role" {
				d.Set(key, jinja.String(v.String()))
			} else {
				d.Set(key, v)
			}
		default:
			d.Set(key, v)
		}
	}
	if reasoning != nil {
		d.Set("reasoning_content", reasoning)
	}
	return d.Item(origin), nil
}

// render renders the first n messages.
func (r *renderer) render(n int, addGenerationPrompt bool) (jinja.Text, error) {
	r.variables["messages"] = jinja.NewList(r.messages[:n]...)
	r.variables["add_generation_prompt"] = addGenerationPrompt
	r.budget.Bytes = jinja.DefaultBytes // the values of the rendering before are gone
	return r.template.Render(r.variables, r.budget)
}
