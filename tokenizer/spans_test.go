package tokenizer

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// trainedTok has the special tokens that the templates of testdata write.
func trainedTok(t testing.TB) *Tokenizer {
	t.Helper()
	tok := loadStories(t)
	for i, s := range []string{"<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|start_header_id|>", "<end_of_turn>", "<start_of_turn>"} {
		if err := tok.added.add(addedToken{Content: s, Special: true}, int32(600+i), tok.normalizeString); err != nil {
			t.Fatal(err)
		}
	}
	return tok
}

// spansOf renders and gives the trained stretches as "turn:text".
func spansOf(t *testing.T, tpl *Template, c Conversation) (texts []string, skipped int) {
	t.Helper()
	r, err := tpl.RenderSpans(c)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := tpl.Render(c, false)
	if err != nil || r.Text != plain {
		t.Fatalf("text %q, rendered plainly %q, %v", r.Text, plain, err)
	}
	last := 0
	for _, s := range r.Spans {
		if s.Start < last || s.End <= s.Start || s.End > len(r.Text) {
			t.Fatalf("span %v after %d in %d bytes", s, last, len(r.Text))
		}
		last = s.End
		texts = append(texts, string(rune('0'+s.Turn))+":"+r.Text[s.Start:s.End])
	}
	return texts, r.Skipped
}

var (
	call     = json.RawMessage(`{"role":"assistant","content":null,"tool_calls":[{"type":"function","function":{"name":"f","arguments":{"b":1,"a":2.0}}}]}`)
	toolChat = raws([]json.RawMessage{
		json.RawMessage(`{"role":"user","content":"go"}`), call,
		json.RawMessage(`{"role":"tool","content":"4"}`), json.RawMessage(`{"role":"assistant","content":"four"}`),
	}, json.RawMessage(`[{"type":"function"}]`))
)

var spanCases = []struct {
	name, template string
	conv           Conversation
	want           []string
	skipped        int
}{
	{
		"several turns", "chatml", chat("system", "s", "user", "u", "assistant", "one", "user", "v", "assistant", "two\nlines"),
		[]string{"2:one<|im_end|>", "4:two\nlines<|im_end|>"},
		0,
	},
	{
		"white space of the content stays outside, the end token does not", "chatml", chat("user", "u", "assistant", " one \n"),
		[]string{"1:one \n<|im_end|>"},
		0,
	},
	{
		"the assistant first", "chatml", chat("assistant", "welcome", "user", "u", "assistant", "two"),
		[]string{"0:welcome<|im_end|>", "2:two<|im_end|>"},
		0,
	},
	{
		"the same text everywhere", "chatml", chat("user", "yes", "assistant", "yes", "user", "yes", "assistant", "yes"),
		[]string{"1:yes<|im_end|>", "3:yes<|im_end|>"},
		0,
	},
	{"no assistant", "chatml", chat("user", "u"), nil, 0},
	{
		"an empty answer, by prefixes", "chatml", chat("user", "u", "assistant", "", "user", "v", "assistant", "two"),
		[]string{"1:<|im_end|>", "3:two<|im_end|>"},
		0,
	},
	{
		"stripped content", "llama3", chat("user", "u", "assistant", "  one  ", "user", "v", "assistant", "two"),
		[]string{"1:one<|eot_id|>", "3:two<|eot_id|>"},
		0,
	},
	{
		"EOS after a space", "llama2", chat("system", "s", "user", "u", "assistant", "one", "user", "v", "assistant", " two "),
		[]string{"2:one </s>", "4:two </s>"},
		0,
	},
	{"another name of the role", "gemma", chat("user", "u", "assistant", "one"), []string{"1:one<end_of_turn>"}, 0},
	{"EOS directly after", "zephyr", chat("user", "u", "assistant", "one"), []string{"1:one</s>"}, 0},
	{
		"tool calls, by prefixes", "qwen", toolChat,
		[]string{"1:<tool_call>\n{\"name\": \"f\", \"arguments\": {\"b\": 1, \"a\": 2.0}}\n</tool_call><|im_end|>", "3:four<|im_end|>"},
		0,
	},
	{
		"reasoning taken out of history", "thinking", chat("user", "u", "assistant", "<think>\na\n</think>\n\none", "user", "v", "assistant", "<think>\nb\n</think>\n\ntwo"),
		[]string{"3:<think>\nb\n</think>\n\ntwo<|im_end|>"},
		1,
	},
	{
		"reasoning in the last turn only", "thinking", chat("user", "u", "assistant", "one", "user", "v", "assistant", "<think>\nb\n</think>\n\ntwo"),
		[]string{"1:one<|im_end|>", "3:<think>\nb\n</think>\n\ntwo<|im_end|>"},
		0,
	},
	{
		"generation blocks", "generation", chat("user", "u", "assistant", " one ", "user", "v", "assistant", "two"),
		[]string{"1: one <|im_end|>\n", "3:two<|im_end|>\n"},
		0,
	},
	{
		"generation blocks with white space control", "generation_inline", chat("user", "u", "assistant", " one ", "user", "v"),
		[]string{"1:one<|im_end|>"},
		0,
	},
}

func TestSpans(t *testing.T) {
	for _, c := range spanCases {
		t.Run(c.name, func(t *testing.T) {
			tok := trainedTok(t)
			texts, skipped := spansOf(t, testTemplate(t, tok, c.template+".jinja"), c.conv)
			if d := cmp.Diff(c.want, texts); d != "" || skipped != c.skipped {
				t.Errorf("%d skipped, want %d; spans (-want +got):\n%s", skipped, c.skipped, d)
			}
		})
	}
}

func TestSpansOfOddTemplates(t *testing.T) {
	const loop = "{% for m in messages %}<|im_start|>{{ m.role }}:"
	for _, c := range []struct {
		name, source string
		want         []string
		skipped      int
	}{
		{
			"content written twice", loop + "{{ m.content }}{{ m.content }}<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant:{% endif %}",
			[]string{"1:oneone<|im_end|>", "3:twotwo<|im_end|>"},
			0,
		},
		{"content in other letters", loop + "{{ m.content | upper }}<|im_end|>{% endfor %}", []string{"1:ONE<|im_end|>", "3:TWO<|im_end|>"}, 0},
		{
			"content reversed", loop + "{{ m.content[::-1] }}<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant:{% endif %}",
			[]string{"1:eno<|im_end|>", "3:owt<|im_end|>"},
			0,
		},
		{"lengths told", "{{ messages | length }}" + loop + "{{ m.content | length }} {{ m.content }}<|im_end|>{% endfor %}", nil, 2},
		{"only the last turn shown", "{{ messages[-1].content }}<|im_end|>", []string{"3:two<|im_end|>"}, 1},
		{"no end token", loop + "{{ m.content }} {% endfor %}", []string{"1:one", "3:two"}, 0},
		{
			"marks refused", loop + "{% if m.content | length > 5 %}{{ raise_exception('long') }}{% endif %}{{ m.content }}<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant:{% endif %}",
			[]string{"1:one<|im_end|>", "3:two<|im_end|>"},
			0,
		},
		{
			"two generation blocks in a turn", loop + "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}|{% generation %}<|im_end|>{% endgeneration %}{% endif %}{% endfor %}",
			[]string{"1:one", "1:<|im_end|>", "3:two", "3:<|im_end|>"},
			0,
		},
		{
			"generation blocks for nobody", loop + "{{ m.content }}<|im_end|>{% if m.role == 'x' %}{% generation %}x{% endgeneration %}{% endif %}{% endfor %}",
			[]string{"1:one<|im_end|>", "3:two<|im_end|>"},
			0,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			texts, skipped := spansOf(t, templateOf(t, trainedTok(t), c.source), chat("user", "u", "assistant", "one", "user", "v", "assistant", "two"))
			if d := cmp.Diff(c.want, texts); d != "" || skipped != c.skipped {
				t.Errorf("%d skipped, want %d; spans (-want +got):\n%s", skipped, c.skipped, d)
			}
		})
	}
}

// TestSpansMeetTokens: a rendered chat has one BOS, and the trained tokens are the
// answer with its end.
func TestSpansMeetTokens(t *testing.T) {
	tok := loadSmolLM2(t)
	tpl := templateOf(t, tok, tok.config.templates["default"])
	r, err := tpl.RenderSpans(chat("user", "What is 2+2?", "assistant", "4"))
	if err != nil {
		t.Fatal(err)
	}
	e := tok.Encode(r.Text, false)
	var trained []string
	for i, o := range e.Offsets {
		for _, s := range r.Spans {
			if o[0] < s.End && o[1] > s.Start {
				token, _ := tok.Token(e.IDs[i])
				trained = append(trained, token)
			}
		}
	}
	if d := cmp.Diff([]string{"4", "<|im_end|>"}, trained); d != "" {
		t.Errorf("trained (-want +got):\n%s", d)
	}
	stories := loadStories(t)
	llama2 := testTemplate(t, stories, "llama2.jinja")
	text, err := llama2.Render(chat("user", "u"), true)
	if err != nil {
		t.Fatal(err)
	}
	bos, _ := stories.BOS()
	ids := stories.Encode(text, false).IDs
	if ids[0] != bos || ids[1] == bos {
		t.Errorf("ids %v: want exactly one BOS", ids)
	}
}
