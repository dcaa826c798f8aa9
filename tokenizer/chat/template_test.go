package chat

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/finetune/internal/hint"
	"example.com/finetune/tokenizer/jinja"
)

func TestGoldenSmolLM2Chat(t *testing.T) {
	var golden struct {
		Template string
		Rows     []struct {
			Messages []json.RawMessage
			Add      bool `json:"add_generation_prompt"`
			Text     string
			IDs      []int32
		}
	}
	readJSON(t, "chat_smollm2.json", &golden)
	if len(golden.Rows) == 0 {
		t.Fatal("no rows")
	}
	tok := loadSmolLM2(t)
	tpl := templateOf(t, tok, golden.Template)
	for _, row := range golden.Rows {
		text, err := tpl.Render(raws(row.Messages, nil), row.Add)
		if err != nil {
			t.Fatal(err)
		}
		if text != row.Text {
			t.Errorf("found %q\nwant %q", text, row.Text)
		}
		if d := cmp.Diff(row.IDs, tok.Encode(text, false).IDs); d != "" {
			t.Errorf("ids (-want +got):\n%s", d)
		}
	}
}

// chats are renderings by transformers; made by testdata/golden.py.
type chats struct {
	Conversations map[string]struct {
		Messages []json.RawMessage
		Tools    json.RawMessage
	}
	Cases []struct {
		Template, Name string
		Add            bool `json:"add_generation_prompt"`
		Text           *string
		Spans          [][2]int
		Error          string
	}
}

func TestGoldenChats(t *testing.T) {
	var golden chats
	readJSON(t, "chats.json", &golden)
	if len(golden.Cases) < 200 {
		t.Fatalf("%d cases", len(golden.Cases))
	}
	tok := loadStories(t)
	for _, c := range golden.Cases {
		tpl := testTemplate(t, tok, c.Template)
		conv, ok := golden.Conversations[c.Name]
		if !ok {
			t.Fatalf("no conversation %q", c.Name)
		}
		name := c.Template + "/" + c.Name
		text, err := tpl.Render(raws(conv.Messages, conv.Tools), c.Add)
		switch {
		case c.Text == nil:
			if err == nil || !strings.Contains(err.Error(), c.Error) {
				t.Errorf("%s: found %v, want the error %q", name, err, c.Error)
			}
			continue
		case err != nil:
			t.Errorf("%s: %v", name, err)
			continue
		case text != *c.Text:
			t.Errorf("%s, prompt %v\nfound %q\nwant  %q", name, c.Add, text, *c.Text)
		}
		if c.Spans == nil {
			continue
		}
		r, err := tpl.RenderSpans(raws(conv.Messages, conv.Tools), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var spans [][2]int
		for _, s := range r.Spans {
			spans = append(spans, [2]int{s.Start, s.End})
		}
		if d := cmp.Diff(c.Spans, spans); d != "" && len(c.Spans)+len(spans) > 0 {
			t.Errorf("%s: spans (-want +got):\n%s", name, d)
		}
	}
}

func TestLoadTemplate(t *testing.T) {
	tok := loadStories(t)
	render := func(dir, override, tools string) string {
		t.Helper()
		tpl, err := Load(dir, override, fixedDate, tok)
		if err != nil {
			t.Fatal(err)
		}
		if tpl == nil {
			return "nil"
		}
		text, err := tpl.Render(Conversation{Messages: []Message{{Role: "user"}}, Tools: treeOf(json.RawMessage(tools))}, false)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	dir := t.TempDir()
	check := func(want, got string) {
		t.Helper()
		if got != want {
			t.Errorf("found %q, want %q", got, want)
		}
	}
	check("nil", render(dir, "auto", ""))
	writeFile(t, dir, "tokenizer_config.json", `{"chat_template": "alone"}`)
	check("alone", render(dir, "auto", "[]"))
	writeFile(t, dir, "tokenizer_config.json", `{"chat_template": [{"name": "default", "template": "config"}, {"name": "tool_use", "template": "config with tools"}]}`)
	check("config", render(dir, "auto", "null"))
	check("config with tools", render(dir, "auto", "[]"))
	check("nil", render(dir, "none", ""))
	writeFile(t, dir, "chat_template.jinja", "file{{ bos_token }}\n")
	check("file<s>", render(dir, "", ""))
	check("file<s>", render(dir, "auto", "[1]"))
	writeFile(t, dir, "additional_chat_templates/tool_use.jinja", "{{ tools[0] }}")
	check("1", render(dir, "auto", "[1]"))
	writeFile(t, dir, "mine.jinja", "mine")
	check("mine", render(dir, filepath.Join(dir, "mine.jinja"), ""))
}

func TestTemplateErrors(t *testing.T) {
	tok := loadStories(t)
	for _, c := range []struct{ name, source, want string }{
		{"statement", "a\n{% frob %}", "line 2: Encountered unknown tag 'frob'."},
		{"unclosed", "{% if x %}", "line 1: Unexpected end of template. Jinja was looking for the following tags: 'elif' or 'else' or 'endif'."},
		{"filter", "{{ messages | frobnicate }}", "line 1: No filter named 'frobnicate'."},
		{"files", "\n\n{% include 'x' %}", "line 3: include is not supported: there are no other templates"},
		{"import", "{% from 'x' import y %}", "from is not supported"},
		{"inheritance", "{% extends 'x' %}", "extends is not supported"},
	} {
		path := filepath.Join(t.TempDir(), "t.jinja")
		if err := os.WriteFile(path, []byte(c.source), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load("", path, fixedDate, tok)
		if err == nil || !strings.HasPrefix(err.Error(), path+": chat template: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: found %v", c.name, err)
		}
	}
	for config, want := range map[string]string{
		`{"chat_template": [{"name": "rag", "template": "x"}]}`: `none of the templates is named "default"; found ["rag"]`,
		`{"chat_template": 5}`:               "chat_template: 5, want a string or a list of named ones",
		`{"chat_template": [{"name": "a"}]}`: `chat_template[0]: want an object with the strings "name" and "template"`,
		`{"chat_template": `:                 "tokenizer_config.json",
	} {
		dir := t.TempDir()
		writeFile(t, dir, "tokenizer_config.json", config)
		if _, err := Load(dir, "auto", fixedDate, tok); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: found %v, want %s", config, err, want)
		}
	}
	_, err := Load("dir", "nowhere.jinja", fixedDate, tok)
	if err == nil || !strings.Contains(err.Error(), "nowhere.jinja: not found") || hint.Of(err) != "chat_template is auto, none or a file" {
		t.Errorf("found %v", err)
	}
}

func TestRenderErrors(t *testing.T) {
	tok := loadStories(t)
	for _, c := range []struct {
		name, source string
		conv         Conversation
		want         string
	}{
		{"raise", "{{ raise_exception('roles must alternate') }}", chat("user", "x"), ": chat template: line 1: roles must alternate"},
		{"a line", "a\n\n{{ messages[0].name.first }}", chat("user", "x"), ": chat template: line 3: 'dict object' has no attribute 'name'"},
		{"no messages", "x", Conversation{}, "a conversation without messages"},
		{"not an object", "x", raws([]json.RawMessage{json.RawMessage(`"hi"`)}, nil), `message 0: a string, want an object`},
		{"tools", "x", Conversation{Messages: []Message{{Role: "user"}}, Tools: treeOf(json.RawMessage("[" + strings.Repeat("9", 9999) + "]"))}, "tools: an integer of more than"},
		{"endless", "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", chat("user", "x"), "does not come to an end"},
	} {
		tpl := templateOf(t, tok, c.source)
		for _, err := range []error{errOf(tpl.Render(c.conv, false)), errOf(tpl.RenderSpans(c.conv, nil))} {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: found %v, want %s", c.name, err, c.want)
			}
		}
	}
}

func errOf[T any](_ T, err error) error { return err }

func TestNullIsAbsence(t *testing.T) {
	tok := loadStories(t)
	c := raws([]json.RawMessage{json.RawMessage(`{"role": "user", "content": null, "name": null, "x": {"y": null}}`)}, json.RawMessage("null"))
	got, err := templateOf(t, tok, "{{ messages[0] }}{{ messages[0].content is defined }}{{ tools }}{{ documents }}").Render(c, false)
	if want := "{'role': 'user', 'x': {'y': None}}FalseNoneNone"; err != nil || got != want {
		t.Errorf("found %q, %v, want %q", got, err, want)
	}
}

func TestDigestSeesTheDateWhereItShows(t *testing.T) {
	tok := loadStories(t)
	digest := func(source string, day int) [32]byte {
		t.Helper()
		path := filepath.Join(t.TempDir(), "a.jinja")
		if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		tpl, err := Load("", path, time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC), tok)
		if err != nil {
			t.Fatal(err)
		}
		return tpl.Digest()
	}
	const plain, dated = "{{ bos_token }}", "{{ strftime_now('%d') }}"
	if digest(plain, 1) != digest(plain, 2) || digest(dated, 1) == digest(dated, 2) || digest(plain, 1) == digest("{{ eos_token }}", 1) {
		t.Error("a digest sees too little, or a date that does not show")
	}
}

// TestLimitsHoldForAllRenderingsTogether: a conversation of many messages is rendered
// many times, on one budget, which grows with what it takes to render it once.
func TestLimitsHoldForAllRenderingsTogether(t *testing.T) {
	tpl := templateOf(t, loadStories(t), "{% for m in messages %}{% for a in range(2400) %}{% endfor %}{{ m.content }}{% endfor %}")
	var turns []string
	for range 60 {
		turns = append(turns, "user", "u", "assistant", "one")
	}
	long := chat(turns...)
	if r, err := tpl.RenderSpans(long, nil); err != nil || len(r.Spans) != 60 {
		t.Errorf("found %d spans, %v", len(r.Spans), err)
	}
	last := chat(turns...)
	for i := range last.Messages[:119] {
		last.Messages[i].Untrained = true
	}
	r, err := tpl.RenderSpans(last, nil)
	if want := []Span{{237, 240, 119}}; err != nil || !slices.Equal(r.Spans, want) || r.Skipped != nil {
		t.Errorf("found %v, %v skipped, %v, want %v", r.Spans, r.Skipped, err, want)
	}
	defer func(n int) { mostSteps = n }(mostSteps)
	mostSteps = jinja.DefaultSteps / 16
	if _, err := tpl.RenderSpans(long, nil); !errors.Is(err, ErrEndless) {
		t.Errorf("found %v", err)
	}
	// Of 6 bytes, "uoneuo", the first two answers are wanted, and one behind them is looked for.
	r, err = tpl.RenderSpans(long, func(string) int { return 6 })
	if want := []Span{{1, 4, 1}, {5, 8, 3}, {9, 12, 5}}; err != nil || !slices.Equal(r.Spans, want) || r.Skipped != nil {
		t.Errorf("found %v, %v skipped, %v, want %v", r.Spans, r.Skipped, err, want)
	}
}
