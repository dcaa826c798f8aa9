package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ardanlabs/jinja"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
)

// Message is one turn of a conversation.
type Message struct {
	Role, Content string
	Raw           json.RawMessage // the whole object as given, for the template; nil: role and content
}

// Conversation is what a chat template renders.
type Conversation struct {
	Messages []Message
	Tools    json.RawMessage // a list of tool definitions; nil: none
}

// Template is a model's chat template. It may be used by several goroutines once
// its date is set.
type Template struct {
	t       *Tokenizer
	date    time.Time
	limit   time.Duration
	source  string // where it comes from, for errors
	sources map[string]string
	chat    *compiledTemplate
	toolUse *compiledTemplate // for conversations with tools, where the model has one
}

type compiledTemplate struct {
	plain  *jinja.Template
	marked *jinja.Template // with marks for {% generation %}; nil where there is none
}

// LoadTemplate gives the chat template of the model in dir: with override "auto"
// its own (chat_template.jinja, else the one in tokenizer_config.json), with
// "none" none, else the one in the file override. Without a template the result
// is nil, and so is the error.
func LoadTemplate(dir, override string, t *Tokenizer) (*Template, error) {
	var sources map[string]string
	from := ""
	var err error
	switch override {
	case "none":
		return nil, nil
	case "auto", "":
		sources, from, err = ownTemplates(dir, t)
	default:
		from = override
		sources, err = templateFile(override)
		if errors.Is(err, os.ErrNotExist) {
			err = hint.New(fmt.Errorf("chat_template: %s: not found", override), "chat_template is auto, none or a file")
		}
	}
	if err != nil || len(sources) == 0 {
		return nil, err
	}
	tpl := &Template{t: t, date: time.Now(), limit: templateRun, source: from, sources: sources}
	src, ok := sources["default"]
	if !ok {
		return nil, fmt.Errorf("%s: chat_template: none of the templates is named \"default\"; found %q",
			from, slices.Sorted(maps.Keys(sources)))
	}
	if tpl.chat, err = compileTemplate(src); err != nil {
		return nil, fmt.Errorf("%s: chat template: %w", from, err)
	}
	if src, ok := sources["tool_use"]; ok {
		if tpl.toolUse, err = compileTemplate(src); err != nil {
			return nil, fmt.Errorf("%s: chat template \"tool_use\": %w", from, err)
		}
	}
	return tpl, nil
}

func templateFile(path string) (map[string]string, error) {
	data, err := files.Read(path, maxFile)
	if err != nil {
		return nil, err
	}
	return map[string]string{"default": string(data)}, nil
}

// ownTemplates are the model's: files go before tokenizer_config.json.
func ownTemplates(dir string, t *Tokenizer) (sources map[string]string, from string, err error) {
	from = filepath.Join(dir, "chat_template.jinja")
	sources, err = templateFile(from)
	if errors.Is(err, os.ErrNotExist) {
		return t.config.templates, filepath.Join(dir, "tokenizer_config.json"), nil
	}
	if err != nil {
		return nil, from, err
	}
	more, err := templateFile(filepath.Join(dir, "additional_chat_templates", "tool_use.jinja"))
	if err == nil {
		sources["tool_use"] = more["default"]
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, from, err
	}
	return sources, from, nil
}

func compileTemplate(src string) (c *compiledTemplate, err error) {
	if strings.ContainsAny(src, marks) {
		return nil, errMarks
	}
	c = &compiledTemplate{}
	if c.plain, err = compileRewritten(src, false); err == nil && hasGeneration(src) {
		c.marked, err = compileRewritten(src, true)
	}
	return c, err
}

func compileRewritten(src string, marked bool) (*jinja.Template, error) {
	rewritten, err := rewriteTemplate(src, marked)
	if err != nil {
		return nil, err
	}
	return jinja.Compile(rewritten)
}

// SetDate fixes what strftime_now tells; it is the time of LoadTemplate otherwise.
func (tpl *Template) SetDate(date time.Time) { tpl.date = date }

// Render is the text of a conversation, with addGenerationPrompt up to where the
// assistant begins. It is to be encoded without adding special tokens. An error
// carries the template's own message.
func (tpl *Template) Render(c Conversation, addGenerationPrompt bool) (string, error) {
	messages, err := tpl.messages(c)
	if err != nil {
		return "", err
	}
	r, err := tpl.renderer(c)
	if err != nil {
		return "", err
	}
	return r.render(messages, addGenerationPrompt)
}

// renderer renders one conversation, whole, in part, or with marks.
type renderer struct {
	tpl      *Template
	compiled *compiledTemplate
	tools    jinja.Value
	deadline time.Time // for all renderings together
	stopped  error     // a rendering went over a limit of the guard
}

func (tpl *Template) renderer(c Conversation) (*renderer, error) {
	r := &renderer{tpl: tpl, compiled: tpl.chat, tools: jinja.None(), deadline: time.Now().Add(tpl.limit)}
	if isNull(c.Tools) {
		return r, nil
	}
	if tpl.toolUse != nil {
		r.compiled = tpl.toolUse
	}
	var err error
	if r.tools, err = jinjaValue(c.Tools); err != nil {
		return nil, fmt.Errorf("tools: %w", err)
	}
	return r, nil
}

// messages are the turns as the template sees them.
func (tpl *Template) messages(c Conversation) ([]jinja.Value, error) {
	all := make([]jinja.Value, len(c.Messages))
	for i, m := range c.Messages {
		raw := m.Raw
		if raw == nil {
			var err error
			raw, err = json.Marshal(struct {
				Role    string `json:"role"`
				Content string `json:"content"`
			}{m.Role, m.Content})
			if err != nil {
				return nil, err
			}
		}
		v, err := jinjaValue(raw)
		if err == nil && !v.IsDict() {
			err = fmt.Errorf("want an object, found %.40s", raw)
		}
		if err != nil {
			return nil, fmt.Errorf("message %d: %w", i, err)
		}
		all[i] = aliasReasoning(v)
	}
	return all, nil
}

// aliasReasoning gives a message's reasoning under the names templates read, as
// transformers does.
func aliasReasoning(m jinja.Value) jinja.Value {
	for _, name := range []string{"reasoning_content", "thinking", "reasoning"} {
		reasoning, ok := m.AsDict().Get(name)
		if !ok || reasoning.IsNone() {
			continue
		}
		out := jinja.NewDict()
		out.AsDict().Set("thinking", reasoning)
		for _, key := range m.AsDict().OrderedKeys() {
			v, _ := m.AsDict().Get(key)
			out.AsDict().Set(key, v)
		}
		out.AsDict().Set("reasoning_content", reasoning)
		return out
	}
	return m
}

func (r *renderer) render(messages []jinja.Value, addGenerationPrompt bool) (string, error) {
	return r.execute(r.compiled.plain, messages, addGenerationPrompt)
}

func (r *renderer) execute(t *jinja.Template, messages []jinja.Value, addGenerationPrompt bool) (text string, err error) {
	vars := map[string]jinja.Value{
		"messages":              jinja.NewList(slices.Clone(messages)),
		"tools":                 r.tools,
		"documents":             jinja.None(),
		"add_generation_prompt": jinja.NewBool(addGenerationPrompt),
		"strftime_now":          jinja.NewCallable("strftime_now", r.strftimeNow),
	}
	g := newGuard(r.tpl.limit, r.deadline)
	for name, f := range functions() {
		vars[ours+name] = g.callable(name, f)
	}
	for name, f := range globals {
		vars[name] = g.callable(name, f)
	}
	for name, s := range r.tpl.t.config.special {
		vars[name] = jinja.NewString(s)
	}
	defer func() { // the renderer panics on some mistakes of a template
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: chat template: %v", r.tpl.source, p)
		}
	}()
	text, err = t.RenderValues(vars)
	if err != nil {
		err = fmt.Errorf("%s: chat template: %w", r.tpl.source, err)
		if over := stopped(""); errors.As(err, &over) {
			r.stopped = err
		}
		return "", err
	}
	return text, nil
}

func (r *renderer) strftimeNow(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	if len(args) != 1 || !args[0].IsString() {
		return jinja.Undefined(), errors.New("strftime_now: want a format")
	}
	s, err := strftime(r.tpl.date, args[0].AsString())
	return jinja.NewString(s), err
}
