package data

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/jsontree"
	"example.com/finetune/tokenizer/chat"
)

// A Message is one message of a chat.
type Message struct {
	chat.Message
	Parts bool // Object has the content in parts, which Content has joined
}

func (m *Message) assistant() bool { return m.Role == "assistant" }

// readMessages reads a row of messages.
func (r *Row) readMessages(o *object) (err error) {
	r.Format = Messages
	if r.Messages, err = r.list("messages", o.get("messages"), r.message); err != nil {
		return err
	}
	return r.finishChat(o, "messages")
}

// readPromptMessages reads two lists of messages; those of the completion may be
// trained.
func (r *Row) readPromptMessages(o *object) (err error) {
	r.Format = PromptMessages
	if r.Messages, err = r.list("prompt", o.get("prompt"), r.message); err != nil {
		return err
	}
	completion := o.get("completion")
	if completion.Kind() != jsontree.List {
		return fmt.Errorf(`"completion" is %w of messages, as "prompt" is`, completion.Wrong("a list"))
	}
	answers, err := r.list("completion", completion, r.message)
	if err != nil {
		return err
	}
	r.First = len(r.Messages)
	r.Messages = append(r.Messages, answers...)
	return r.finishChat(o, "completion")
}

// finishChat reads what stands beside the messages, and looks for something to learn.
func (r *Row) finishChat(o *object, name string) error {
	if !slices.ContainsFunc(r.Messages[r.First:], func(m Message) bool { return m.assistant() }) {
		var roles []string
		for _, m := range r.Messages[r.First:] {
			roles = append(roles, m.Role)
		}
		slices.Sort(roles)
		return fmt.Errorf("no assistant message in %q to learn from; found %s", name, listed(slices.Compact(roles), "none"))
	}
	if err := r.readSystem(o); err != nil {
		return err
	}
	return r.readTools(o)
}

// readSystem reads the system column, which is the first message. Where the messages
// have one of their own, it must be the same.
func (r *Row) readSystem(o *object) error {
	system, err := o.str("system")
	if err != nil || strings.TrimSpace(system) == "" {
		return err
	}
	for i, m := range r.Messages {
		if m.Role != "system" {
			continue
		}
		if strings.TrimSpace(m.Content) != strings.TrimSpace(system) {
			return hint.Newf(fmt.Errorf(`"system", and another system message among the messages (number %d)`, i+1), "keep one of the two")
		}
		return nil
	}
	r.Messages = slices.Insert(r.Messages, 0, plainMessage("system", system))
	if r.First > 0 {
		r.First++
	}
	return nil
}

// readTools reads the list of tool definitions, or the JSON text of it.
func (r *Row) readTools(o *object) error {
	v := o.get("tools")
	if text, err := v.Str(); err == nil {
		if strings.TrimSpace(text) == "" {
			return nil
		}
		if v, err = jsontree.Parse(text); err != nil {
			return fmt.Errorf(`the JSON text of "tools": %w`, err)
		}
	}
	switch {
	case v.IsNull():
		return nil
	case v.Kind() != jsontree.List:
		return fmt.Errorf(`"tools" is %w of tool definitions, or its JSON text`, v.Wrong("a list"))
	case v.Len() > 0:
		r.Tools = withoutNulls(v)
	}
	return nil
}

// list reads a list of messages, each by read. name is for errors.
func (r *Row) list(name string, v jsontree.Value, read func(jsontree.Value) (Message, error)) ([]Message, error) {
	if v.Kind() != jsontree.List {
		return nil, hint.New(fmt.Errorf("%q is %w of messages", name, v.Wrong("a list")), textForList(name, v))
	}
	if v.Len() == 0 {
		return nil, fmt.Errorf("%q is empty", name)
	}
	messages := make([]Message, 0, v.Len()+3) // a system message, a prompt and its answer may follow
	for i, item := range v.Items() {
		if item.Kind() != jsontree.Object {
			return nil, fmt.Errorf("%s[%d]: %w", name, i, item.Wrong("an object"))
		}
		m, err := read(item)
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", name, i, err)
		}
		messages = append(messages, m)
	}
	return messages, nil
}

// textForList is advice for a text in the place of a list of messages, "" for anything
// else: how pandas makes the list of its JSON or Python spelling.
func textForList(name string, v jsontree.Value) string {
	text, err := v.Str()
	if err != nil {
		return ""
	}
	read := "json.loads"
	if list, err := jsontree.Parse(text); err != nil || list.Kind() != jsontree.List {
		if read = "ast.literal_eval"; !strings.HasPrefix(strings.TrimSpace(text), "[{'") {
			return fmt.Sprintf("--map text=%s trains on such a text as it is", name)
		}
	}
	return fmt.Sprintf(`the list is spelled out in a text; pandas reads it: df[%[1]q] = df[%[1]q].map(%s), and then df.to_json("rows.jsonl", orient="records", lines=True)`, name, read)
}

// message reads one message. All of it but what is null goes to the template.
func (r *Row) message(v jsontree.Value) (m Message, err error) {
	if !v.Has("role") {
		err := errors.New(`no "role"; found ` + names(v))
		if v.Has("from") {
			err = hint.New(err, `ShareGPT messages: --map conversations=messages`)
		}
		return m, err
	}
	if m.Role, err = stringOf("role", v.Get("role")); err != nil {
		return m, err
	}
	if m.Role == "" {
		return m, errors.New(`"role" is empty`)
	}
	others := false // a message that calls tools, or only reasons, needs no content
	for name, member := range v.Members() {
		if !member.IsNull() && !slices.Contains([]string{"role", "content", "weight", "train", "training"}, name) {
			others = true
			r.given = addKey(r.given, messageKey, name)
		}
	}
	content := v.Get("content")
	if m.Parts = content.Kind() == jsontree.List; m.Parts {
		m.Content, err = r.joinParts(content)
	} else {
		m.Content, err = stringOf("content", content)
	}
	if err == nil {
		m.Untrained, err = untrained(v)
	}
	switch {
	case err != nil:
	case content.IsNull() && !others:
		err = errors.New(`no "content"; found ` + names(v))
	case m.assistant() && !others && strings.TrimSpace(m.Content) == "":
		err = errors.New("the assistant's content is empty")
	}
	m.Object = withoutNulls(v)
	return m, err
}

// joinParts returns the texts of a content in parts, joined.
func (r *Row) joinParts(v jsontree.Value) (string, error) {
	var b strings.Builder
	for i, part := range v.Items() {
		text, err := r.part(part)
		if err != nil {
			return "", fmt.Errorf("content[%d]: %w", i, err)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

func (r *Row) part(v jsontree.Value) (string, error) {
	if v.Kind() != jsontree.Object {
		return "", v.Wrong(`an object of "type" and "text"`)
	}
	kind, err := stringOf("type", v.Get("type"))
	switch {
	case err != nil:
		return "", err
	case kind == "":
		return "", errors.New(`no "type"; found ` + names(v))
	case kind != "text":
		return "", hint.New(fmt.Errorf("a part of the type %q; only parts of text can be trained", kind), "take such rows out, or put what the part says into words")
	case !v.Has("text"):
		return "", errors.New(`no "text"; found ` + names(v))
	}
	for name, member := range v.Members() {
		if !member.IsNull() && name != "type" && name != "text" {
			r.given = addKey(r.given, partKey, name)
		}
	}
	return stringOf("text", v.Get("text"))
}

// addKey adds a key to a list, once, and no more than are counted.
func addKey(list []key, what, name string) []key {
	if k := (key{what, name}); len(list) < mostUnread && !slices.Contains(list, k) {
		list = append(list, k)
	}
	return list
}

// untrained reads what a message or turn says about being learned: "weight" of 0 or 1,
// "train" and "training".
func untrained(v jsontree.Value) (bool, error) {
	said, no := "", false
	for _, name := range []string{"weight", "train", "training"} {
		member := v.Get(name)
		if member.IsNull() {
			continue
		}
		learn, err := member.Bool()
		if name == "weight" {
			var weight float64
			if weight, err = member.Float(); err == nil && weight != 0 && weight != 1 {
				err = member.Wrong("0 or 1")
			}
			learn = weight == 1
		}
		if err != nil {
			return false, fmt.Errorf("%q is %w", name, err)
		}
		if said != "" && no == learn {
			return false, fmt.Errorf("%q and %q contradict each other", said, name)
		}
		said, no = name, !learn
	}
	return no, nil
}

// withoutNulls returns a value in which no key is null, at any depth: as a rule v itself.
func withoutNulls(v jsontree.Value) jsontree.Value {
	if !strings.Contains(v.Raw(), "null") {
		return v
	}
	return treeOf(appendWithoutNulls(nil, v))
}

// treeOf parses JSON text that was made of a tree.
func treeOf(text []byte) jsontree.Value {
	v, err := jsontree.Parse(string(text))
	if err != nil {
		panic("data: JSON made of a tree is none: " + err.Error())
	}
	return v
}

func appendWithoutNulls(b []byte, v jsontree.Value) []byte {
	switch v.Kind() {
	case jsontree.Object:
		b = append(b, '{')
		first := true
		for name, member := range v.Members() {
			if member.IsNull() {
				continue
			}
			if !first {
				b = append(b, ", "...)
			}
			first = false
			b = append(append(b, quote(name)...), ": "...)
			b = appendWithoutNulls(b, member)
		}
		return append(b, '}')
	case jsontree.List:
		b = append(b, '[')
		for i, item := range v.Items() {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendWithoutNulls(b, item)
		}
		return append(b, ']')
	}
	return append(b, v.Raw()...)
}

// quote returns a string as JSON text.
func quote(s string) []byte {
	b, _ := json.Marshal(s) // of valid UTF-8, which it changes to nothing that reads otherwise
	return b
}

func plainMessage(role, content string) Message {
	return Message{Message: chat.Message{Role: role, Content: content}}
}

// speakers are the names that ShareGPT files have for the roles.
var speakers = map[string]string{
	"human": "user", "user": "user",
	"gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant", "model": "assistant", "function_call": "assistant",
	"system": "system",
	"tool":   "tool", "observation": "tool", "function_response": "tool",
}

// readShareGPT reads a conversation of from and value.
func (r *Row) readShareGPT(o *object) (err error) {
	r.Format = ShareGPT
	if r.Messages, err = r.list("conversations", o.get("conversations"), r.turn); err != nil {
		return err
	}
	return r.finishChat(o, "conversations")
}

// turn reads one turn. Turns of role and content, which some files have under this
// name, are messages.
func (r *Row) turn(v jsontree.Value) (m Message, err error) {
	if v.Has("role") && !v.Has("from") {
		return r.message(v)
	}
	for _, name := range []string{"from", "value"} {
		if !v.Has(name) {
			return m, fmt.Errorf("no %q; found %s", name, names(v))
		}
	}
	from, err := stringOf("from", v.Get("from"))
	if err != nil {
		return m, err
	}
	role, known := speakers[strings.ToLower(from)]
	if !known {
		return m, fmt.Errorf("from %q: unknown, want one of %s", from, strings.Join(slices.Sorted(maps.Keys(speakers)), ", "))
	}
	for name, member := range v.Members() {
		if !member.IsNull() && !slices.Contains([]string{"from", "value", "weight", "train", "training"}, name) {
			r.unread = addKey(r.unread, turnKey, name)
		}
	}
	value, err := stringOf("value", v.Get("value"))
	if err != nil {
		return m, err
	}
	if role == "assistant" && strings.TrimSpace(value) == "" {
		return m, errors.New("the assistant's value is empty")
	}
	m = plainMessage(role, value)
	if from == "function_call" {
		if m.Message, err = callMessage(value); err != nil {
			return m, hint.New(err, `a call is {"name": …, "arguments": {…}}, or a list of them; from "gpt" has any text`)
		}
	}
	m.Untrained, err = untrained(v)
	return m, err
}

// callMessage reads the JSON text of one call, or of a list, into an assistant's message.
func callMessage(text string) (m chat.Message, err error) {
	v, err := jsontree.Parse(text)
	if err != nil {
		return m, fmt.Errorf("the value of a function_call is no JSON: %w", err)
	}
	calls := []jsontree.Value{v}
	if v.Kind() == jsontree.List {
		calls = calls[:0]
		for _, call := range v.Items() {
			calls = append(calls, call)
		}
	}
	b := []byte(`{"role": "assistant", "tool_calls": [`)
	for i, call := range calls {
		name, err := call.Get("name").Str()
		if err != nil || call.Get("arguments").IsNull() {
			return m, errors.New(`a function_call without "name" and "arguments"`)
		}
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(append(b, `{"type": "function", "function": {"name": `...), quote(name)...)
		b = appendWithoutNulls(append(b, `, "arguments": `...), call.Get("arguments"))
		b = append(b, "}}"...)
	}
	if len(calls) == 0 {
		return m, errors.New("a function_call without calls")
	}
	return chat.Message{Role: "assistant", Object: treeOf(append(b, "]}"...))}, nil
}

// withContent returns a message whose content is a text in place of what it was.
func withContent(v jsontree.Value, content string) jsontree.Value {
	b := []byte{'{'}
	for name, member := range v.Members() {
		if len(b) > 1 {
			b = append(b, ", "...)
		}
		b = append(append(b, quote(name)...), ": "...)
		if name == "content" {
			b = append(b, quote(content)...)
		} else {
			b = append(b, member.Raw()...)
		}
	}
	return treeOf(append(b, '}'))
}
