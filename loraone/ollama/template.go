package ollama

import (
	"errors"
	"fmt"
	"strings"
	"text/template"
)

// A Message is one of a chat.
type Message struct{ Role, Content string }

// A Render returns what a model's own template makes of a chat, with prompt up to where
// the assistant begins.
type Render func(chat []Message, prompt bool) (string, error)

// Contents that no template has in it, so that they are found again.
const (
	first  = "Zq1first"
	answer = "Zq2answer"
	second = "Zq3second"
	rules  = "Zq4rules"
)

// Template returns a template for Ollama that renders as the model's own. begin is what
// is put before every text by llama.cpp, "" for nothing. The error says why there is none.
func Template(render Render, begin string) (string, error) {
	render = behind(render, begin)
	p, err := partsOf(render)
	if err != nil {
		return "", err
	}
	text := p.template()
	for _, part := range p.all() {
		if strings.Contains(part, "{{") || strings.Contains(part, `"""`) {
			return "", fmt.Errorf("it writes %q, which cannot stand in a Modelfile", part)
		}
	}
	return text, prove(text, render)
}

// behind returns what render gives behind begin.
func behind(render Render, begin string) Render {
	return func(chat []Message, prompt bool) (string, error) {
		text, err := render(chat, prompt)
		if err != nil {
			return "", err
		}
		rest, ok := strings.CutPrefix(text, begin)
		if !ok {
			return "", fmt.Errorf("it does not begin with %q, which llama.cpp puts before every text", begin)
		}
		return rest, nil
	}
}

// parts are the texts around the contents of a chat.
type parts struct {
	start       string // before the first user's content, in a chat without a system message
	system      string // before the system's content; systemUser between it and the user's
	systemUser  string
	noSystem    bool // the template refuses one
	user        string // before a later user's content
	afterUser   string
	assistant   string
	afterAnswer string
	generate    string // where the assistant is to go on
}

func (p *parts) all() []string {
	return []string{p.start, p.system, p.systemUser, p.user, p.afterUser, p.assistant, p.afterAnswer, p.generate}
}

// partsOf takes renderings apart.
func partsOf(render Render) (*parts, error) {
	one := []Message{{"user", first}}
	two := append(one, Message{"assistant", answer})
	three := append(two, Message{"user", second})
	var texts [4]string
	for i, r := range []struct {
		chat   []Message
		prompt bool
	}{{one, false}, {one, true}, {two, false}, {three, false}} {
		text, err := render(r.chat, r.prompt)
		if err != nil {
			return nil, err
		}
		texts[i] = text
	}
	p := &parts{}
	var ok [6]bool
	p.start, p.afterUser, ok[0] = strings.Cut(texts[0], first)
	p.generate, ok[1] = strings.CutPrefix(texts[1], texts[0])
	p.assistant, ok[2] = strings.CutPrefix(texts[2], texts[0])
	p.assistant, p.afterAnswer, ok[3] = strings.Cut(p.assistant, answer)
	p.user, ok[4] = strings.CutPrefix(texts[3], texts[2])
	p.user, _, ok[5] = strings.Cut(p.user, second)
	if ok != [6]bool{true, true, true, true, true, true} {
		return nil, errors.New("a message changes what stands before it")
	}
	text, err := render(append([]Message{{"system", rules}}, one...), false)
	if err != nil {
		p.noSystem = true
		return p, nil
	}
	var found [2]bool
	p.system, text, found[0] = strings.Cut(text, rules)
	p.systemUser, _, found[1] = strings.Cut(text, first)
	if !found[0] || !found[1] {
		return nil, errors.New("a system message is not written before the user's")
	}
	return p, nil
}

// template writes the parts as a template over .Messages.
func (p *parts) template() string {
	var b strings.Builder
	b.WriteString(`{{- range $i, $m := .Messages }}{{ if eq .Role "user" }}{{ if eq $i 0 }}` + p.start)
	if !p.noSystem {
		b.WriteString(`{{ else if and (eq $i 1) (eq (index $.Messages 0).Role "system") }}` + p.systemUser)
	}
	b.WriteString(`{{ else }}` + p.user + `{{ end }}{{ .Content }}` + p.afterUser)
	if !p.noSystem {
		b.WriteString(`{{ else if eq .Role "system" }}` + p.system + `{{ .Content }}`)
	}
	b.WriteString(`{{ else }}` + p.assistant + `{{ .Content }}` + p.afterAnswer + `{{ end }}{{ end }}` + p.generate)
	return b.String()
}

// chats are what a template is proved on. Runs of one role are left out: Ollama makes
// one message of them.
var chats = [][]Message{
	{{"user", "Hi"}},
	{{"user", "What is 2+2?"}},
	{{"user", "<b>&amp; \"quoted\" 'text' {{ .Content }} {% if %}</b>"}},
	{{"user", "several\nlines\n\nof text"}},
	{{"user", "你好，世界! Ünïcödé 🚀"}},
	{{"user", "Hi"}, {"assistant", "Hello. How can I help?"}, {"user", "What is LoRA?"}},
	{{"user", "1"}, {"assistant", "2"}, {"user", "3"}, {"assistant", "4"}, {"user", "5"}},
	{{"user", "a"}, {"assistant", "b\nc"}, {"user", "d"}, {"assistant", "e"}, {"user", "f"}, {"assistant", "g"}, {"user", "h"}},
	{{"system", "You are a pirate."}, {"user", "Hi"}},
	{{"system", "Answer in\ntwo lines."}, {"user", "Why?"}},
	{{"system", "Be brief."}, {"user", "Hi"}, {"assistant", "Hello."}, {"user", "Go on"}},
	{{"system", "x"}, {"user", "1"}, {"assistant", "2"}, {"user", "3"}, {"assistant", "4"}, {"user", "5"}},
}

// prove returns an error for the first chat that a template renders otherwise.
func prove(text string, render Render) error {
	t, err := template.New("").Parse(text)
	if err != nil {
		return err
	}
	for _, chat := range chats {
		want, err := render(chat, true)
		if err != nil {
			if chat[0].Role == "system" {
				continue // the model has no system message: there is nothing to be equal to
			}
			return err
		}
		var got strings.Builder
		if err := t.Execute(&got, map[string]any{"Messages": chat, "System": "", "Response": ""}); err != nil {
			return err
		}
		if got.String() != want {
			return fmt.Errorf("a chat of %d messages that begins with %s %q comes out otherwise", len(chat), chat[0].Role, chat[0].Content)
		}
	}
	return nil
}

// A Modelfile is what one says.
type Modelfile struct {
	From, Adapter string // a model's name or a file
	Template      string // "" for none
	Stops         []string
}

// String returns the text of the file.
func (m Modelfile) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "FROM %s\n", m.From)
	fmt.Fprintf(&b, "ADAPTER %s\n", m.Adapter)
	if m.Template != "" {
		fmt.Fprintf(&b, "TEMPLATE \"\"\"%s\"\"\"\n", m.Template)
	}
	for _, s := range m.Stops {
		if !strings.ContainsAny(s, "\"\n") {
			fmt.Fprintf(&b, "PARAMETER stop %q\n", s)
		}
	}
	return b.String()
}
