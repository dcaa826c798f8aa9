package chat

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/finetune/tokenizer/jinja"
)

// spansOf renders and gives the trained stretches as "turn:text".
func spansOf(t *testing.T, tpl *Template, c Conversation) (texts []string, skipped []int) {
	t.Helper()
	r, err := tpl.RenderSpans(c, nil)
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
	skipped        []int
}{
	{
		"several turns", "chatml", chat("system", "s", "user", "u", "assistant", "one", "user", "v", "assistant", "two\nlines"),
		[]string{"2:one<|im_end|>", "4:two\nlines<|im_end|>"},
		nil,
	},
	{
		"white space of the content", "chatml", chat("user", "u", "assistant", " one \n"),
		[]string{"1: one \n<|im_end|>"},
		nil,
	},
	{
		"the assistant first", "chatml", chat("assistant", "welcome", "user", "u", "assistant", "two"),
		[]string{"0:welcome<|im_end|>", "2:two<|im_end|>"},
		nil,
	},
	{
		"the same text everywhere", "chatml", chat("user", "yes", "assistant", "yes", "user", "yes", "assistant", "yes"),
		[]string{"1:yes<|im_end|>", "3:yes<|im_end|>"},
		nil,
	},
	{"no assistant", "chatml", chat("user", "u"), nil, nil},
	{
		"an empty answer", "chatml", chat("user", "u", "assistant", "", "user", "v", "assistant", "two"),
		[]string{"1:<|im_end|>", "3:two<|im_end|>"},
		nil,
	},
	{
		"two answers in a row", "chatml", chat("user", "u", "assistant", "one", "assistant", "two"),
		[]string{"1:one<|im_end|>", "2:two<|im_end|>"},
		nil,
	},
	{
		"stripped content", "llama3", chat("user", "u", "assistant", "  one  ", "user", "v", "assistant", "two"),
		[]string{"1:one<|eot_id|>", "3:two<|eot_id|>"},
		nil,
	},
	{
		"white space around the answer that the template writes", "llama2", chat("system", "s", "user", "u", "assistant", "one", "user", "v", "assistant", " two "),
		[]string{"2: one </s>", "4: two </s>"},
		nil,
	},
	{"another name of the role", "gemma", chat("user", "u", "assistant", "one"), []string{"1:one<end_of_turn>"}, nil},
	{"the end token directly after", "zephyr", chat("user", "u", "assistant", "one"), []string{"1:one</s>"}, nil},
	{
		"tool calls", "qwen", toolChat,
		[]string{"1:<tool_call>\n{\"name\": \"f\", \"arguments\": {\"b\": 1, \"a\": 2.0}}\n</tool_call><|im_end|>", "3:four<|im_end|>"},
		nil,
	},
	{
		"reasoning taken out of history", "thinking", chat("user", "u", "assistant", "<think>\na\n</think>\n\none", "user", "v", "assistant", "<think>\nb\n</think>\n\ntwo"),
		[]string{"1:one<|im_end|>", "3:<think>\nb\n</think>\n\ntwo<|im_end|>"},
		nil,
	},
	{ // shared case 12: the last answer with its thought, and an empty block where there is none
		"reasoning in the last turn only", "think_last", chat("user", "u", "assistant", "<think>\na\n</think>\n\none", "user", "v", "assistant", "two"),
		[]string{"1:one<|im_end|>", "3:<think>\n\n</think>\n\ntwo<|im_end|>"},
		nil,
	},
	{
		"generation blocks", "generation", chat("user", "u", "assistant", " one ", "user", "v", "assistant", "two"),
		[]string{"1: one <|im_end|>\n", "3:two<|im_end|>\n"},
		nil,
	},
	{
		"generation blocks with white space control", "generation_inline", chat("user", "u", "assistant", " one ", "user", "v"),
		[]string{"1:one<|im_end|>"},
		nil,
	},
	// The ways in which turns end, shared case 41.
	{"two closing markers", "end_two", chat("user", "u", "assistant", "one", "user", "v", "assistant", "two"), []string{"1:one<empty_output><|im_end|>", "3:two<empty_output><|im_end|>"}, nil},
	{"a closing marker on its own line", "end_newline", chat("user", "u", "assistant", "one", "user", "v", "assistant", "two"), []string{"1:one\n<file_sep>", "3:two\n<file_sep>"}, nil},
	{"a quote before the end", "end_quoted", chat("user", "u", "assistant", "one", "user", "v", "assistant", "two"), []string{"1:one\"<|im_end|>", "3:two\"<|im_end|>"}, nil},
	{"no closing marker", "end_none", chat("user", "u", "assistant", "one", "user", "v", "assistant", "two"), []string{"1:one", "3:two"}, nil},
	// Shared case 11: repeated words, white space, letters of several bytes.
	{
		"no generation prompt: the header is to be written too", "oracle_plain", chat("user", " yes", "assistant", " yes", "user", "yes", "assistant", "🙂 no\n"),
		[]string{"1:<|im_start|>assistant\n yes<|im_end|>", "3:<|im_start|>assistant\n🙂 no\n<|im_end|>"},
		nil,
	},
	{"a trimmed content", "oracle_trim", chat("user", " yes", "assistant", " yes\n", "user", "yes", "assistant", "🙂"), []string{"1: yes <|im_end|>", "3: 🙂 <|im_end|>"}, nil},
}

func TestSpans(t *testing.T) {
	for _, c := range spanCases {
		t.Run(c.name, func(t *testing.T) {
			tok := trainedTok(t)
			texts, skipped := spansOf(t, testTemplate(t, tok, c.template+".jinja"), c.conv)
			if d := cmp.Diff(c.want, texts); d != "" || !slices.Equal(skipped, c.skipped) {
				t.Errorf("%v skipped, want %v; spans (-want +got):\n%s", skipped, c.skipped, d)
			}
		})
	}
}

func TestSpansOfOddTemplates(t *testing.T) {
	const loop = "{% for m in messages %}<|im_start|>{{ m.role }}:"
	const prompt = "{% if add_generation_prompt %}<|im_start|>assistant:{% endif %}"
	for _, c := range []struct {
		name, source string
		want         []string
		skipped      []int
	}{
		{"content written twice", loop + "{{ m.content }}{{ m.content }}<|im_end|>{% endfor %}" + prompt, []string{"1:oneone<|im_end|>", "3:twotwo<|im_end|>"}, nil},
		{"content in other letters", loop + "{{ m.content | upper }}<|im_end|>{% endfor %}" + prompt, []string{"1:ONE<|im_end|>", "3:TWO<|im_end|>"}, nil},
		{"content reversed", loop + "{{ m.content[::-1] }}<|im_end|>{% endfor %}" + prompt, []string{"1:eno<|im_end|>", "3:owt<|im_end|>"}, nil},
		{"lengths told", "{{ messages | length }}" + loop + "{{ m.content | length }} {{ m.content }}<|im_end|>{% endfor %}", []string{"1:one<|im_end|>", "3:two<|im_end|>"}, nil},
		{"only lengths told", "{{ messages | length }}" + loop + "{{ m.content | length }}<|im_end|>{% endfor %}", nil, []int{1, 3}},
		{"only the last turn shown", "{{ messages[-1].content }}<|im_end|>", []string{"3:two<|im_end|>"}, []int{1}},
		{"no end token", loop + "{{ m.content }} {% endfor %}" + prompt, []string{"1:one", "3:two"}, nil},
		{"a prompt that is always there", loop + "{{ m.content }}<|im_end|>{% endfor %}<|im_start|>assistant:", []string{"1:one<|im_end|>", "3:two<|im_end|>"}, nil},
		{"a prompt of another beginning, always there", "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}<assistant>", []string{"1:one</s>", "3:two</s>"}, nil},
		{"a header that the generation prompt does not have", loop + "{% if m.role == 'assistant' %}to=user:{% endif %}{{ m.content }}<|im_end|>{% endfor %}" + prompt, []string{"1:to=user:one<|im_end|>", "3:to=user:two<|im_end|>"}, nil},
		{"an end behind the loop", loop + "{{ m.content }}{% if not loop.last %}<|im_end|>{% endif %}{% endfor %}{% if not add_generation_prompt %}<|im_end|>{% else %}<|im_end|><|im_start|>assistant:{% endif %}", []string{"1:one<|im_end|>", "3:two<|im_end|>"}, nil},
		{"no loop over messages", "{% for i in range(messages | length) %}<{{ messages[i].role }}>{{ messages[i].content }}</s>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}", []string{"1:one</s>", "3:two</s>"}, nil},
		{"written at the end", "{% set ns = namespace(t='') %}{% for m in messages %}{% set ns.t = ns.t + '<' + m.role + '>' + m.content + '</s>' %}{% endfor %}{{ ns.t }}{% if add_generation_prompt %}<assistant>{% endif %}", []string{"1:one</s>", "3:two</s>"}, nil},
		{"the prompt behind the question", "{% for m in messages %}{% if m.role == 'user' %}<user>{{ m.content }}</s><assistant>{% else %}{{ m.content }}</s>{% endif %}{% endfor %}", []string{"1:one</s>", "3:two</s>"}, nil},
		{"a thought that the prompt opens", loop + "{{ m.content }}<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant:<think>{% endif %}", []string{"1:one<|im_end|>", "3:two<|im_end|>"}, nil},
		{"messages through a macro", "{% macro say(m) %}<{{ m.role }}>{{ m.content }}</s>{% endmacro %}{% for m in messages %}{{ say(m) }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}", []string{"1:one</s>", "3:two</s>"}, nil},
		{
			"two generation blocks in a turn", loop + "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}|{% generation %}<|im_end|>{% endgeneration %}{% endif %}{% endfor %}",
			[]string{"1:one", "1:<|im_end|>", "3:two", "3:<|im_end|>"},
			nil,
		},
		{"generation blocks for the last answer", loop + "{% if loop.last %}{% generation %}{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}", []string{"3:two"}, []int{1}},
		{"generation blocks for nobody", loop + "{{ m.content }}<|im_end|>{% if m.role == 'x' %}{% generation %}x{% endgeneration %}{% endif %}{% endfor %}" + prompt, []string{"1:one<|im_end|>", "3:two<|im_end|>"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			texts, skipped := spansOf(t, templateOf(t, trainedTok(t), c.source), chat("user", "u", "assistant", "one", "user", "v", "assistant", "two"))
			if d := cmp.Diff(c.want, texts); d != "" || !slices.Equal(skipped, c.skipped) {
				t.Errorf("%v skipped, want %v; spans (-want +got):\n%s", skipped, c.skipped, d)
			}
		})
	}
}

// TestUntrainedMessages: the caller says which answers are not to be learned.
func TestUntrainedMessages(t *testing.T) {
	for _, template := range []string{"chatml", "generation"} {
		c := chat("user", "u", "assistant", "one", "user", "v", "assistant", "two")
		c.Messages[1].Untrained = true
		texts, skipped := spansOf(t, testTemplate(t, trainedTok(t), template+".jinja"), c)
		if len(texts) != 1 || texts[0][:5] != "3:two" || skipped != nil {
			t.Errorf("%s: found %q, %v", template, texts, skipped)
		}
	}
}

// TestRefusedConversations: what a template says of a conversation, with its line.
func TestRefusedConversations(t *testing.T) {
	tpl := testTemplate(t, loadStories(t), "alternate.jinja")
	for want, c := range map[string]Conversation{
		"line 1: Only user and assistant roles are supported!":                        chat("assistant", "Be brief."),
		"line 1: Conversation roles must alternate user/assistant/user/assistant/...": chat("user", "Hello", "user", "Are you there?", "assistant", "Yes."),
	} {
		if len(c.Messages) == 1 {
			c.Messages[0].Role = "system"
			c.Messages = append([]Message{{Role: "user", Content: "x"}}, c.Messages...)
		}
		if _, err := tpl.RenderSpans(c, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("found %v, want %s", err, want)
		}
	}
}

// TestSpansMeetTokens: a rendered chat has one BOS.
func TestSpansMeetTokens(t *testing.T) {
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

// FuzzSpans: whatever a template says, its spans lie in the text, in order, and the
// rendering neither panics nor hangs.
func FuzzSpans(f *testing.F) {
	paths, err := filepath.Glob("testdata/templates/*.jinja")
	if err != nil || len(paths) == 0 {
		f.Fatal("no templates")
	}
	for _, path := range paths {
		source, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(source))
	}
	conv := raws([]json.RawMessage{
		json.RawMessage(`{"role":"user","content":"hi <|im_end|>"}`),
		json.RawMessage(`{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":{"a":[1,2.5,true]}}}]}`),
		json.RawMessage(`{"role":"assistant","content":"<think>\na</think> four "}`),
	}, json.RawMessage(`[{"type":"function"}]`))
	f.Fuzz(func(t *testing.T, source string) {
		parsed, err := jinja.Parse("t", source)
		if err != nil {
			return
		}
		r, err := (&Template{chat: parsed, date: fixedDate}).RenderSpans(conv, nil)
		if err != nil {
			return
		}
		last := 0
		for _, s := range r.Spans {
			if s.Start < last || s.End <= s.Start || s.End > len(r.Text) || s.Turn < 0 || s.Turn >= len(conv.Messages) {
				t.Fatalf("span %v after %d in %d bytes", s, last, len(r.Text))
			}
			last = s.End
		}
	})
}

// A template like Gemma 4's writes what tools answered into the assistant's message,
// whether it stands in messages behind it or in the message itself.
func TestResultsOfToolsAreNotTrained(t *testing.T) {
	tpl := templateOf(t, loadStories(t), `{%- for m in messages %}{%- if m.role != 'tool' -%}
<|turn>{{ m.role }}
{%- set ns = namespace(flag=false) %}
{%- for c in m.tool_calls or [] %}<|tool_call>call:{{ c.name }}{{ c.arguments }}<tool_call|>{% endfor -%}
{%- for r in m.tool_responses or [] %}{% set ns.flag = true %}<|tool_response>response:{{ r.name }}:{{ r.response }}<tool_response|>{% endfor -%}
{%- if m.tool_calls %}{% for k in range(loop.index0 + 1, messages | length) if messages[k].role == 'tool' and not ns.stop -%}
{%- set ns.flag = true %}<|tool_response>response:{{ m.tool_calls[0].name }}:{{ messages[k].content }}<tool_response|>{% endfor %}{% endif -%}
{{ m.content }}
{%- if m.tool_calls and not ns.flag %}<|tool_response>{% elif m.content or not ns.flag %}<turn|>
{% endif %}{% endif %}{% endfor %}{% if add_generation_prompt and messages[-1].role == 'user' %}<|turn>assistant{% endif %}`)
	message := func(text string) json.RawMessage { return json.RawMessage(text) }
	user := message(`{"role":"user","content":"go"}`)
	for name, c := range map[string]struct {
		conv Conversation
		want []string
	}{
		"messages behind it": {
			raws([]json.RawMessage{
				user, message(`{"role":"assistant","tool_calls":[{"name":"f","arguments":"(x)"}]}`),
				message(`{"role":"tool","content":"r1"}`), message(`{"role":"tool","content":"r2"}`), message(`{"role":"assistant","content":"four"}`),
			}, nil),
			[]string{"1:<|tool_call>call:f(x)<tool_call|><|tool_response>", "4:<|turn>assistantfour<turn|>"},
		},
		"and an answer in the same message": {
			raws([]json.RawMessage{
				user, message(`{"role":"assistant","content":"<four","tool_calls":[{"name":"f","arguments":"(x)"}]}`),
				message(`{"role":"tool","content":"<four"}`),
			}, nil),
			[]string{"1:<|tool_call>call:f(x)<tool_call|>", "1:<four<turn|>"},
		},
		"in the message": {
			raws([]json.RawMessage{
				user, message(`{"role":"assistant","content":"four","tool_calls":[{"name":"f","arguments":"(x)"}],"tool_responses":[{"name":"f","response":"r"},{"response":5}]}`),
				user, message(`{"role":"assistant","content":"five"}`),
			}, nil),
			[]string{"1:<|tool_call>call:f(x)<tool_call|>", "1:four<turn|>", "3:five<turn|>"},
		},
		"numbers without an answer": {
			raws([]json.RawMessage{
				user, message(`{"role":"assistant","tool_calls":[{"name":"f","arguments":"(x)"}],"tool_responses":[{"response":5}]}`),
			}, nil),
			[]string{"1:<|tool_call>call:f(x)<tool_call|><|tool_response>"},
		},
	} {
		got, skipped := spansOf(t, tpl, c.conv)
		if d := cmp.Diff(c.want, got); d != "" || skipped != nil {
			t.Errorf("%s: skipped %v (-want +got):\n%s", name, skipped, d)
		}
	}
}
