package data

import (
	"strings"
	"testing"
)

// chat writes a row's conversation, as the template will see it.
func chatRow(r Row) string {
	var b strings.Builder
	for _, m := range r.chat() {
		b.WriteString(m.Role + ": " + m.Content + "\n")
	}
	return b.String()
}

func TestOtherFormatsBecomeChats(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want Format
		chat string
	}{
		"alpaca":        {`{"instruction": "a", "input": "", "output": "b"}`, Alpaca, "user: a\nassistant: b\n"},
		"with input":    {`{"instruction": "a", "input": "x", "output": "b"}`, Alpaca, "user: a\n\nx\nassistant: b\n"},
		"null input":    {`{"instruction": "a", "input": null, "output": "b"}`, Alpaca, "user: a\nassistant: b\n"},
		"only input":    {`{"instruction": "", "input": "x", "output": "b"}`, Alpaca, "user: x\nassistant: b\n"},
		"system":        {`{"instruction": "a", "system": "s", "output": "b", "history": []}`, Alpaca, "system: s\nuser: a\nassistant: b\n"},
		"history":       {`{"instruction": "a", "output": "b", "history": [["q", "r"]]}`, Alpaca, "user: q\nassistant: r\nuser: a\nassistant: b\n"},
		"beside a text": {`{"instruction": "a", "output": "b", "text": "c"}`, Alpaca, "user: a\nassistant: b\n"},
		"sharegpt":      {`{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}`, ShareGPT, "user: a\nassistant: b\n"},
		"its system":    {`{"system": "s", "conversations": [{"from": "user", "value": "a"}, {"from": "assistant", "value": "b", "weight": 1}]}`, ShareGPT, "system: s\nuser: a\nassistant: b\n"},
		"its tools":     {`{"conversations": [{"from": "system", "value": "s"}, {"from": "tool", "value": "a"}, {"from": "gpt", "value": "b"}], "tools": []}`, ShareGPT, "system: s\ntool: a\nassistant: b\n"},
		"role, content": {`{"conversations": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}`, ShareGPT, "user: a\nassistant: b\n"},
		"a null tool":   {`{"messages": [{"role": "user", "content": "a", "name": null}, {"role": "assistant", "content": "b"}], "tools": null, "system": null}`, Messages, "user: a\nassistant: b\n"},
	} {
		rows, _, err := read("train.jsonl", strings.NewReader(c.in), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if rows[0].Format != c.want || c.chat != "" && chatRow(rows[0]) != c.chat {
			t.Errorf("%s: %v,\n%swant %v,\n%s", name, rows[0].Format, chatRow(rows[0]), c.want, c.chat)
		}
	}
}

func TestOtherFormatsAreTrained(t *testing.T) {
	const (
		alpaca   = `{"instruction": "a", "input": "x", "output": "b"}`
		history  = `{"instruction": "a", "output": "b", "history": [["q", "r"]]}`
		sharegpt = `{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "x"}, {"from": "human", "value": "c"}, {"from": "gpt", "value": "y"}]}`
		segments = `{"segments": [{"text": "<s>a", "label": false}, {"text": "b", "label": true}, {"text": "c", "label": false}, {"text": "d</s>", "label": true}]}`
	)
	for _, c := range []struct {
		name, in, trainOn string
		template          bool
		want              string
	}{
		{"alpaca", alpaca, "assistant", true, "<s><|user|>a↵↵x<|end|><|assistant|>[b][<|end|>]↵"},
		{"alpaca, plain", alpaca, "assistant", false, "<s>a↵↵x↵↵[b][</s>]"},
		{"history", history, "assistant", true, "<s><|user|>q<|end|><|assistant|>[r][<|end|>]↵<|user|>a<|end|><|assistant|>[b][<|end|>]↵"},
		{"history, last", history, "last", true, "<s><|user|>q<|end|><|assistant|>r<|end|>↵<|user|>a<|end|><|assistant|>[b][<|end|>]↵"},
		{"sharegpt", sharegpt, "assistant", true, "<s><|user|>a<|end|><|assistant|>[x][<|end|>]↵<|user|>c<|end|><|assistant|>[y][<|end|>]↵"},
		{"sharegpt, last", sharegpt, "last", true, "<s><|user|>a<|end|><|assistant|>x<|end|>↵<|user|>c<|end|><|assistant|>[y][<|end|>]↵"},
		{"segments", segments, "assistant", false, "<s>a[b]c[d][</s>]"},
		{"segments beside a template", segments, "assistant", true, "<s>a[b]c[d][</s>]"},
		{"segments, last", segments, "last", false, "<s>abc[d][</s>]"},
		{"segments, all", segments, "all", false, "[<s>][a][b][c][d][</s>]"},
	} {
		set, tok, err := encode(t, c.in, Options{TrainOn: TrainOn(c.trainOn)}, c.template)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := show(t, tok, set, 0); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestOtherFormatsNameMistakes(t *testing.T) {
	refuse(t, []mistake{
		{`{"instruction": "a"}`, `train.jsonl:1: "instruction" without "output"; found "instruction"`, ""},
		{`{"output": "a"}`, `train.jsonl:1: "output" without "instruction"; found "output"`, ""},
		{`{"instruction": "a", "context": "x", "response": "b"}`, `"instruction" without "output"`, "--map output=response,input=context"},
		{`{"instruction": 1, "output": "b"}`, `"instruction" is 1, want a string`, ""},
		{`{"instruction": "a", "input": [], "output": "b"}`, `"input" is a list, want a string`, ""},
		{`{"instruction": "a", "output": ""}`, `"output" is empty`, ""},
		{`{"instruction": "a", "output": "b", "system": 1}`, `"system" is 1, want a string`, ""},
		{`{"instruction": "a", "output": "b", "history": {}}`, `"history" is an object, want a list of questions and answers`, ""},
		{`{"instruction": "a", "output": "b", "history": ["q"]}`, `history[0]: a string, want a list of a question and its answer`, ""},
		{`{"instruction": "a", "output": "b", "history": [["q"]]}`, `history[0]: 1 value, want a question and its answer`, ""},
		{`{"instruction": "a", "output": "b", "history": [["q", null]]}`, `history[0][1]: null, want a string`, ""},
		{`{"instruction": "a", "output": "b", "history": [["q", " "]]}`, `history[0]: the answer is empty`, ""},
		{`{"conversations": []}`, `"conversations" is empty`, ""},
		{`{"conversations": {}}`, `"conversations" is an object, want a list of messages`, ""},
		{`{"conversations": [{"from": "human", "value": "a"}]}`, `no assistant message in "conversations" to learn from`, ""},
		{`{"conversations": [{"from": "bing", "value": "a"}]}`, `conversations[0]: from "bing": unknown, want one of assistant, chatgpt, function_call, function_response, gpt, human, model, observation, system, tool, user`, ""},
		{`{"conversations": [{"from": "human"}]}`, `conversations[0]: no "value"; found "from"`, ""},
		{`{"conversations": [{"value": "a"}]}`, `conversations[0]: no "from"; found "value"`, ""},
		{`{"conversations": [{"from": 1, "value": "a"}]}`, `conversations[0]: "from" is 1, want a string`, ""},
		{`{"conversations": [{"from": "human", "value": 1}]}`, `conversations[0]: "value" is 1, want a string`, ""},
		{`{"conversations": [{"from": "gpt", "value": ""}]}`, `conversations[0]: the assistant's value is empty`, ""},
		{`{"conversations": [null]}`, `conversations[0]: null, want an object`, ""},
		{`{"system": "s", "conversations": [{"from": "system", "value": "other"}, {"from": "gpt", "value": "b"}]}`, `"system", and another system message among the messages (number 1)`, "keep one of the two"},
		{`{"segments": []}`, `no segment with a text and the label true to learn from`, ""},
		{`{"segments": [{"text": "a", "label": false}]}`, `no segment with a text and the label true to learn from`, ""},
		{`{"segments": "a"}`, `"segments" is a string, want a list`, ""},
		{`{"segments": [{"text": "a"}]}`, `segments[0]: no "label"; found "text"`, ""},
		{`{"segments": [{"text": "a", "label": 1}]}`, `segments[0]: "label" is 1, want true or false`, ""},
		{`{"segments": [{"text": 1, "label": true}]}`, `segments[0]: "text" is 1, want a string`, ""},
		{`{"dialog": [{"role": "user"}]}`, `neither "messages"`, "--map messages=dialog"},
	})
}

// Duplicate keys are found at any depth: readers disagree about which one counts.
func TestDuplicateKeys(t *testing.T) {
	const rest = `, {"role": "assistant", "content": "b"}]`
	refuse(t, []mistake{
		{`{"messages": [{"role": "user", "content": "a"}` + rest + `, "tools": [{"a": {"b": 1, "b": 2}}]}`, `train.jsonl:1: duplicate key "b", at byte 114`, ""},
		{`{"messages": [{"role": "user", "tool_calls": [{"a": 1, "a": 2}]}` + rest + `}`, `train.jsonl:1: duplicate key "a", at byte 56`, ""},
		{`{"conversations": [{"from": "gpt", "value": "a", "value": "b"}]}`, `duplicate key "value", at byte 50`, ""},
		{`{"segments": [{"text": "a", "label": true, "label": true}]}`, `duplicate key "label", at byte 44`, ""},
		{`{"text": "a", "meta": {"b": 1, "b": 2}}`, `duplicate key "b", at byte 32`, ""},
	})
}
