package ollama

import (
	"errors"
	"fmt"
	"strings"
	"text/template"
)

// A Message is one of a chat.
type Message struct{ Role, Content string }

// A Render returns what a model's own template makes of a chat, up to where the assistant
// is to go on.
type Render func(chat []Message) (string, error)

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
	for _, part := range []string{p.start, p.final, p.answer, p.user, p.system, p.systemUser} {
		if strings.Contains(part, "{{") || strings.Contains(part, `"""`) {
			return "", fmt.Errorf("it writes %q, which cannot stand in a Modelfile", part)
		}
	}
	text := p.template()
	if err := prove(text, render); err != nil {
		return "", err
	}
	return text, nil
}

// behind returns what render gives behind begin.
func behind(render Render, begin string) Render {
	return func(chat []Message) (string, error) {
		text, err := render(chat)
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
	start  string // before the first user's content, in a chat without a system message
	answer string // between a user's content and the answer
	user   string // between an answer and the next user's content
	final  string // behind the last user's content, where the assistant is to go on

	withSystem         bool   // false: the template refuses one
	system, systemUser string // before the system's content, and between it and the user's
}

var errChanges = errors.New("a message changes what stands before it")

// partsOf takes renderings apart.
func partsOf(render Render) (*parts, error) {
	short, err := render([]Message{{"user", first}})
	if err != nil {
		return nil, err
	}
	long, err := render([]Message{{"user", first}, {"assistant", answer}, {"user", second}})
	if err != nil {
		return nil, err
	}
	p := &parts{}
	var ok [4]bool
	p.start, p.final, ok[0] = strings.Cut(short, first)
	long, ok[1] = strings.CutPrefix(long, p.start+first)
	p.answer, long, ok[2] = strings.Cut(long, answer)
	p.user, long, ok[3] = strings.Cut(long, second)
	if ok != [4]bool{true, true, true, true} || long != p.final {
		return nil, errChanges
	}
	led, err := render([]Message{{"system", rules}, {"user", first}})
	if err != nil {
		return p, nil
	}
	var found [2]bool
	p.system, led, found[0] = strings.Cut(led, rules)
	p.systemUser, led, found[1] = strings.Cut(led, first)
	if p.withSystem = true; found != [2]bool{true, true} || led != p.final {
		return nil, errors.New("a system message is not written before the user's")
	}
	return p, nil
}

// template writes the parts as a template over .Messages.
func (p *parts) template() string {
	var b strings.Builder
	b.WriteString(`{{- range $i, $m := .Messages }}{{ $last := eq (len (slice $.Messages $i)) 1 }}{{ if eq .Role "user" }}{{ if eq $i 0 }}` + p.start + `{{ end }}{{ .Content }}`)
	b.WriteString(`{{ if $last }}` + p.final + `{{ else }}` + p.answer + `{{ end }}`)
	if p.withSystem {
		b.WriteString(`{{ else if eq .Role "system" }}` + p.system + `{{ .Content }}` + p.systemUser)
	}
	b.WriteString(`{{ else }}{{ .Content }}{{ if not $last }}` + p.user + `{{ end }}{{ end }}{{ end }}`)
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
		want, err := render(chat)
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
