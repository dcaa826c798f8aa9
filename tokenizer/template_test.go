package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fixedDate is the day of the renderings in chats.json.
var fixedDate = time.Date(2024, 7, 6, 9, 5, 3, 0, time.UTC)

// templateOf loads a template from its source.
func templateOf(t testing.TB, tok *Tokenizer, source string) *Template {
	t.Helper()
	path := filepath.Join(t.TempDir(), "t.jinja")
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	tpl, err := LoadTemplate("", path, tok)
	if err != nil {
		t.Fatal(err)
	}
	tpl.SetDate(fixedDate)
	return tpl
}

// testTemplate loads testdata/templates/name.
func testTemplate(t testing.TB, tok *Tokenizer, name string) *Template {
	t.Helper()
	tpl, err := LoadTemplate("", filepath.Join("testdata/templates", name), tok)
	if err != nil {
		t.Fatal(err)
	}
	tpl.SetDate(fixedDate)
	return tpl
}

func raws(messages []json.RawMessage, tools json.RawMessage) Conversation {
	c := Conversation{Tools: tools}
	for _, m := range messages {
		c.Messages = append(c.Messages, Message{Raw: m})
	}
	return c
}

// chat is a conversation of alternating roles and contents.
func chat(turns ...string) Conversation {
	var c Conversation
	for i := 0; i < len(turns); i += 2 {
		c.Messages = append(c.Messages, Message{Role: turns[i], Content: turns[i+1]})
	}
	return c
}

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
		r, err := tpl.RenderSpans(raws(conv.Messages, conv.Tools))
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

// writeFile writes dir/name, making folders.
func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLoadTemplate(t *testing.T) {
	tok := loadStories(t)
	render := func(dir, override, tools string) string {
		t.Helper()
		tpl, err := LoadTemplate(dir, override, tok)
		if err != nil {
			t.Fatal(err)
		}
		if tpl == nil {
			return "nil"
		}
		text, err := tpl.Render(Conversation{Tools: json.RawMessage(tools)}, false)
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
	tok.config.templates = map[string]string{"default": "config", "tool_use": "config with tools"}
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
	tok.config.templates = map[string]string{"rag": "x"}
	for _, c := range []struct{ name, source, want string }{
		{"statement", "{% frob %}", "frob"},
		{"unclosed", "{% if x %}", "if"},
		{"unclosed tag", "a\n{{ x", `line 2: a tag is not closed: "{{ x"`},
		{"filter", "{{ messages | frobnicate }}", `line 1: unknown filter "frobnicate"`},
		{"comparisons", "{{ 1 < 2 < 3 }}", "comparisons in a row are not supported"},
		{"open string", "{{ 'x }}", "a tag is not closed"},
		{"character", "{{ a ? b }}", "unexpected character '?'"},
		{"operator", "{{ a + }}", "an expression ends too early"},
		{"rest", "{{ a b }}", `unexpected "b"`},
		{"comma", "{{ a, b }}", `unexpected ","`},
		{"bracket", "{{ [1, 2 }}", `want ",", found ""`},
		{"keyword", "{{ a.b + in }}", `unexpected "in"`},
		{"attribute", "{{ a.'b' }}", "want a name after \".\""},
		{"item", "{{ a[] }}", "nothing between"},
		{"slice", "{{ a[1:2:3:4] }}", "a slice of 4 parts"},
		{"star", "{{ f(*a) }}", "among arguments"},
		{"two targets", "{% set a, b = 1 %}", `unexpected ","`},
		{"filter block", "{% filter upper %}x{% endfilter %}", `unknown statement "filter"`},
		{"loop", "{% for a, b in x if a %}{% endfor %}", "a loop with two variables and a condition is not supported"},
		{"recursive loop", "{% for a in x recursive %}{% endfor %}", `unexpected "recursive"`},
		{"macro", "{% macro m(a='x,y') %}{% endmacro %}", "a macro's default is to be a name or a literal without commas"},
		{"after else", "{% if a %}{% else b %}{% endif %}", `unexpected "b" after else`},
		{"test", "{{ a is 1 }}", "want the name of a test"},
		{"marks", "\uE000", "contains U+E000 or U+E001"},
	} {
		path := filepath.Join(t.TempDir(), "t.jinja")
		if err := os.WriteFile(path, []byte(c.source), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadTemplate("", path, tok)
		if err == nil || !strings.HasPrefix(err.Error(), path+": chat template: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: found %v", c.name, err)
		}
	}
	_, err := LoadTemplate("dir", "auto", tok)
	if err == nil || !strings.Contains(err.Error(), `none of the templates is named "default"; found ["rag"]`) {
		t.Errorf("found %v", err)
	}
	_, err = LoadTemplate("dir", "nowhere.jinja", tok)
	hint, ok := err.(interface{ Hint() string })
	if !ok || !strings.Contains(err.Error(), "nowhere.jinja: not found") || hint.Hint() != "chat_template is auto, none or a file" {
		t.Errorf("found %v", err)
	}
}

func TestRenderErrors(t *testing.T) {
	tok := loadStories(t)
	null := raws([]json.RawMessage{json.RawMessage(`{"role":"user","content":null}`)}, nil)
	for _, c := range []struct {
		name, source string
		conv         Conversation
		want         string
	}{
		{"raise", "{{ raise_exception('roles must alternate') }}", chat("user", "x"), "chat template: roles must alternate"},
		{"mark in content", "x", chat("user", "a", "assistant", "b\uE001"), "message 1: contains U+E000 or U+E001"},
		{"mark in tools", "x", Conversation{Tools: json.RawMessage(`["\ue000"]`)}, "tools: contains U+E000 or U+E001"},
		{"not an object", "x", raws([]json.RawMessage{json.RawMessage(`"hi"`)}, nil), `message 0: want an object, found "hi"`},
		{"half an object", "x", raws([]json.RawMessage{json.RawMessage(`{"role":`)}, nil), "message 0: "},
		{"undefined", "{{ nothing | tojson }}", chat("user", "x"), "tojson: object of type Undefined is not JSON serializable"},
		{"null joined to a text", "{{ 'x' + messages[0].content }}", null, `can only concatenate str (not "NoneType") to str`},
		{"a text joined to null", "{{ messages[0].content + 'x' }}", null, "unsupported operand type(s) for +: 'NoneType' and 'str'"},
		{"undefined joined to a text", "{{ 'x' + messages[0].name }}", null, "an undefined value cannot be added"},
		{"null looked into", "{{ 'x' in messages[0].content }}", null, "argument of type 'NoneType' is not iterable"},
		{"null gone through", "{% for c in messages[0].content %}{% endfor %}", null, "'NoneType' object is not iterable"},
		{"length of null", "{{ messages[0].content | length }}", null, "object of type 'NoneType' has no len()"},
		{"method of null", "{{ messages[0].content.split('x') }}", null, "'None' has no attribute 'split'"},
		{"attribute of nothing", "{{ messages[0].name.first }}", null, "an undefined value has no attributes"},
		{"number in a text", "{{ 1 in 'x' }}", null, "'in <string>' requires string as left operand, not int"},
		{"times", "{{ 'x' * 'y' }}", null, "unsupported operand type(s) for *: 'str' and 'str'"},
		{"remainder", "{{ 1 % 0 }}", null, "integer modulo by zero"},
		{"division", "{{ 1 // 0 }}", null, "division by zero"},
		{"few arguments", "{{ '%s %s' % 'x' }}", null, "not enough arguments for format string"},
		{"many arguments", "{{ 'x' % ('y', 'z') }}", null, "not all arguments converted"},
		{"verb", "{{ '%x' % 1 }}", null, "%x of int is not supported"},
		{"half a verb", "{{ 'a%' % 1 }}", null, "incomplete format"},
		{"braces", "{{ '{0}'.format(1) }}", null, "format: no more than {} is supported"},
		{"empty separator", "{{ 'x'.split('') }}", null, "split: empty separator"},
		{"join of numbers", "{{ ','.join([1]) }}", null, "join: expected str instance, int found"},
		{"replace by null", "{{ 'x'|replace('x', none) }}", null, "replace: want a string for new, found NoneType"},
		{"map over nobody's filter", "{{ [1]|map('first') }}", null, `map: filter "first" is not supported`},
		{"range", "{{ range('x') }}", null, "range: want one to three integers"},
		{"range of step 0", "{{ range(1, 2, 0) }}", null, "range() arg 3 must not be zero"},
		{"namespace written", "{{ namespace() }}", null, "a namespace cannot be written"},
		{"separators", "{{ messages | tojson(separators=[1]) }}", chat("user", "x"), "tojson: separators: want two strings"},
		{"strftime", "{{ strftime_now('%Q') }}", chat("user", "x"), `strftime_now: unknown directive %Q in "%Q"`},
		{"strftime without format", "{{ strftime_now() }}", chat("user", "x"), "strftime_now: want a format"},
	} {
		tpl := templateOf(t, tok, c.source)
		for _, err := range []error{errOf(tpl.Render(c.conv, false)), errOf(tpl.RenderSpans(c.conv))} {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: found %v, want %s", c.name, err, c.want)
			}
		}
	}
}

func errOf[T any](_ T, err error) error { return err }

func TestStrftime(t *testing.T) {
	got, err := strftime(fixedDate, "%d %b %Y, %-d.%-m. %H:%M:%S %-H %I%p 100%% ü")
	if want := "06 Jul 2024, 6.7. 09:05:03 9 09AM 100% ü"; err != nil || got != want {
		t.Errorf("found %q, %v; want %q", got, err, want)
	}
	if _, err := strftime(fixedDate, "50%"); err == nil {
		t.Error("a lone % at the end: want an error")
	}
}

func TestPythonFloat(t *testing.T) {
	for f, want := range map[float64]string{
		1: "1.0", 0.5: "0.5", -2.25: "-2.25", 1e15: "1000000000000000.0", 1e16: "1e+16", 0.0001: "0.0001", 0.00001: "1e-05", 1.5e-7: "1.5e-07",
	} {
		if got := pythonFloat(f); got != want {
			t.Errorf("found %s, want %s", got, want)
		}
	}
}

func TestWhiteSpaceControl(t *testing.T) {
	tok := loadStories(t)
	for source, want := range map[string]string{ // by jinja2 with trim_blocks and lstrip_blocks
		"a {% if true %}\n b\n  {% endif %}\nc\n":       "a  b\nc",
		"a {{ 'x' }}{%- if true %} b {% endif -%} \n c": "a x b c",
		"a {#- c -#} b":                                    "ab",
		"  {#c#}\nb":                                       "b",
		"a\n  {%+ if true +%}\nb{% endif %}":               "a\n  \nb",
		"{% raw %}{{ x }}\n{% endraw %}\nz\\n\"q\"":        "{{ x }}\nz\\n\"q\"",
		"{% raw -%}  {% if %}  {%- endraw -%}  z":          "{% if %}z",
		"{{ '}}' }}{{ \"a\\\"b\" }}{{- 1.0 -}} {{ none }}": "}}a\"b1.0None",
		"x\r\ny\r\n":                                       "x\ny",
	} {
		got, err := templateOf(t, tok, source).Render(Conversation{}, false)
		if err != nil || got != want {
			t.Errorf("%q: found %q, %v; want %q", source, got, err, want)
		}
	}
}
