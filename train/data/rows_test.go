package data

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/finetune/tokenizer"
	"example.com/finetune/tokenizer/chat"
)

// rawChat writes a row's messages as a template gets them, and marks those that are not
// to be learned.
func rawChat(r Row) string {
	var b strings.Builder
	for _, m := range r.chat() {
		if m.Untrained {
			b.WriteString("! ")
		}
		if !m.Object.IsNull() {
			fmt.Fprintf(&b, "%s\n", m.Object.Raw())
		} else {
			fmt.Fprintf(&b, "%s: %s\n", m.Role, m.Content)
		}
	}
	return b.String()
}

// What people's files have, and what the template gets of it.
func TestShapesOfChats(t *testing.T) {
	const ask = `{"role": "user", "content": "a"}`
	for _, c := range []struct{ name, in, chat, tools string }{
		{"capitals", `{"conversations": [{"from": "Human", "value": "a"}, {"from": "GPT", "value": "b"}]}`, "user: a\nassistant: b\n", ""},
		{"a system column", `{"system": "s", "messages": [` + ask + `, {"role": "assistant", "content": "b"}]}`, "system: s\n" + ask + "\n{\"role\": \"assistant\", \"content\": \"b\"}\n", ""},
		{"the same system twice", `{"system": " s", "messages": [{"role": "system", "content": "s"}, {"role": "assistant", "content": "b"}]}`, "{\"role\": \"system\", \"content\": \"s\"}\n{\"role\": \"assistant\", \"content\": \"b\"}\n", ""},
		{"an empty system", `{"system": " ", "prompt": "a", "completion": "b"}`, "user: a\nassistant: b\n", ""},
		{"system and prompt", `{"system": "s", "prompt": "a", "completion": "b", "tools": [{"name": "f"}]}`, "system: s\nuser: a\nassistant: b\n", `[{"name": "f"}]`},
		{"system and lists", `{"system": "s", "prompt": [` + ask + `], "completion": [{"role": "assistant", "content": "b"}]}`, "system: s\n" + ask + "\n{\"role\": \"assistant\", \"content\": \"b\"}\n", ""},
		{"nulls", `{"messages": [{"role": "user", "content": "a", "name": null, "weight": null}, {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": {"x": null, "y": [null, 1]}}, "id": null}]}], "tools": [{"a": null, "b": 1}], "system": null}`, "{\"role\": \"user\", \"content\": \"a\"}\n{\"role\": \"assistant\", \"tool_calls\": [{\"function\": {\"name\": \"f\", \"arguments\": {\"y\": [null, 1]}}}]}\n", `[{"b": 1}]`},
		{
			"weights", `{"messages": [` + ask + `, {"role": "assistant", "content": "b", "weight": 0}, {"role": "assistant", "content": "c", "weight": 1.0}, {"role": "assistant", "content": "d", "train": false}, {"role": "assistant", "content": "e", "training": true, "weight": 1}]}`,
			ask + "\n! {\"role\": \"assistant\", \"content\": \"b\", \"weight\": 0}\n{\"role\": \"assistant\", \"content\": \"c\", \"weight\": 1.0}\n! {\"role\": \"assistant\", \"content\": \"d\", \"train\": false}\n{\"role\": \"assistant\", \"content\": \"e\", \"training\": true, \"weight\": 1}\n", "",
		},
		{"weights of turns", `{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b", "weight": 0}, {"from": "gpt", "value": "c", "training": false}, {"from": "gpt", "value": "d", "train": true}]}`, "user: a\n! assistant: b\n! assistant: c\nassistant: d\n", ""},
		{
			"calls and what came back", `{"conversations": [{"from": "human", "value": "a"}, {"from": "function_call", "value": "{\"name\": \"f\", \"arguments\": {\"x\": \"<é>\"}}"}, {"from": "observation", "value": "7"}, {"from": "gpt", "value": "b"}], "tools": "[{\"name\": \"f\"}]"}`,
			"user: a\n{\"role\": \"assistant\", \"tool_calls\": [{\"type\": \"function\", \"function\": {\"name\": \"f\", \"arguments\": {\"x\": \"<é>\"}}}]}\ntool: 7\nassistant: b\n", `[{"name": "f"}]`,
		},
		{
			"several calls", `{"conversations": [{"from": "function_call", "value": "[{\"name\": \"f\", \"arguments\": {}}, {\"name\": \"g\", \"arguments\": \"{}\"}]"}], "tools": " "}`,
			"{\"role\": \"assistant\", \"tool_calls\": [{\"type\": \"function\", \"function\": {\"name\": \"f\", \"arguments\": {}}}, {\"type\": \"function\", \"function\": {\"name\": \"g\", \"arguments\": \"{}\"}}]}\n", "",
		},
		{"tools as text", `{"messages": [{"role": "assistant", "content": "b"}], "tools": "[1, 2]"}`, "{\"role\": \"assistant\", \"content\": \"b\"}\n", "[1, 2]"},
	} {
		rows, _, err := read("train.jsonl", strings.NewReader(c.in), nil)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := rawChat(rows[0]); got != c.chat || rows[0].Tools.Raw() != c.tools {
			t.Errorf("%s:\n got %s%s\nwant %s%s", c.name, got, rows[0].Tools.Raw(), c.chat, c.tools)
		}
	}
}

func TestShapesOfChatsNameMistakes(t *testing.T) {
	const end = `, {"role": "assistant", "content": "b"}]}`
	const call = `a call is {"name": …, "arguments": {…}}, or a list of them; from "gpt" has any text`
	refuse(t, []mistake{
		{`{"system": "s", "messages": [{"role": "system", "content": "t"}` + end, `"system", and another system message among the messages (number 1)`, "keep one of the two"},
		{`{"system": 1, "messages": [{"role": "user", "content": "t"}` + end, `"system" is 1, want a string`, ""},
		{`{"messages": [{"role": "user", "content": "a", "weight": 0.5}` + end, `messages[0]: "weight" is 0.5, want 0 or 1`, ""},
		{`{"messages": [{"role": "user", "content": "a", "weight": true}` + end, `messages[0]: "weight" is true or false, want a number`, ""},
		{`{"messages": [{"role": "user", "content": "a", "train": 0}` + end, `messages[0]: "train" is 0, want true or false`, ""},
		{`{"messages": [{"role": "user", "content": "a", "train": true, "weight": 0}` + end, `messages[0]: "weight" and "train" contradict each other`, ""},
		{`{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}` + end, `messages[0]: content[0]: a part of the type "image_url"; only parts of text can be trained`, "take such rows out, or put what the part says into words"},
		{`{"messages": [{"role": "user", "content": [{"text": "a"}]}` + end, `messages[0]: content[0]: no "type"; found "text"`, ""},
		{`{"messages": [{"role": "user", "content": [{"type": "text", "text": null}]}` + end, `messages[0]: content[0]: no "text"; found "type"`, ""},
		{`{"messages": [{"role": "user", "content": null}` + end, `messages[0]: no "content"; found "role"`, ""},
		{`{"messages": [{"role": "assistant", "content": [{"type": "text", "text": " "}]}]}`, `messages[0]: the assistant's content is empty`, ""},
		{`{"conversations": [{"from": "function_call", "value": "f(x)"}]}`, `conversations[0]: the value of a function_call is no JSON`, call},
		{`{"conversations": [{"from": "function_call", "value": "{\"name\": \"f\"}"}]}`, `conversations[0]: a function_call without "name" and "arguments"`, call},
		{`{"conversations": [{"from": "function_call", "value": "[]"}]}`, `conversations[0]: a function_call without calls`, call},
		{`{"conversations": [{"from": "gpt", "value": "a"}], "tools": "x"}`, `the JSON text of "tools": line 1, byte 1: found "x", want a value`, ""},
		{`{"conversations": [{"from": "gpt", "value": "a"}], "tools": "{}"}`, `"tools" is an object, want a list of tool definitions, or its JSON text`, ""},
	})
}

// Rows that no reader of JSON can be trusted with say what to do about it.
func TestFilesThatAreNoRowsSayWhatToDo(t *testing.T) {
	const null = `: write null for a value that is missing; pandas does with df.to_json("rows.jsonl", orient="records", lines=True)`
	const lines = "write one object a line: jq -c . FILE > rows.jsonl"
	for _, c := range []struct{ name, in, want, hint string }{
		{"a.jsonl", "{\"text\": \"a\"}\n{\"text\": NaN}", `a.jsonl:2: not valid JSON at byte 10: found "NaN", want a value`, "JSON has no NaN" + null},
		{"a.jsonl", `{"text": "a", "x": -Infinity}`, `a.jsonl:1: not valid JSON at byte 20: found "-Infinity", want a number`, "JSON has no -Infinity" + null},
		{"a.json", "[{\"text\": \"a\"},\n{\n\"text\":\n Infinity}]", `a.json:4: not valid JSON at byte 2: found "Infinity", want a value`, "JSON has no Infinity" + null},
		{"a.jsonl", "{\n \"text\": \"a\"\n}\n{\n \"text\": \"b\"\n}\n", `a.jsonl:1: an object over several lines, want one row a line`, lines},
		{"a.json", "\n{\"prompt\": \"a\",\n\"completion\": \"b\"}", `a.json:2: an object over several lines, want one row a line`, lines},
		{"a.json", "{\n  \"data\": [\n    {\"text\": \"a\"}\n  ]\n}", `a.json:1: an object over several lines, want one row a line; a list of objects stands under "data"`, `if those are the rows: jq -c '.["data"][]' FILE > rows.jsonl`},
		{"a.json", `{"version": 1, "data": [{"text": "a"}]}`, `a.json:1: the rows are a list under "data"`, `write them to a file of their own: jq -c '.["data"][]' FILE > rows.jsonl`},
		{"a.jsonl", "{\"text\": \"a\"\n{\"text\": \"b\"}", `a.jsonl:1: not valid JSON at byte 13: the text ends, want "," or "}"`, ""},
		{"a.jsonl", "{\x00\"\x00", `a.jsonl:1: the file is UTF-16, want UTF-8`, utf16Hint},
		{"valid.jsonl", "\n", `valid.jsonl: no rows`, "remove the file: from 200 training rows on, some of them are then kept for validation (val_split)"},
		{"train.jsonl", "\n", `train.jsonl: no rows`, ""},
	} {
		_, _, err := read(c.name, strings.NewReader(c.in), nil)
		expect(t, c.in, err, c.want, c.hint)
	}
}

// Guesses mind neither capitals nor signs, and what they propose is a whole map.
func TestGuessesAreWholeMaps(t *testing.T) {
	for _, c := range []struct{ in, mapped, want string }{
		{`{"Prompt": "a", "Completion": "b"}`, "", "--map prompt=Prompt,completion=Completion"},
		{`{"Question": "a", "model_answer": "c", "Answer": "b"}`, "", "--map prompt=Question,completion=Answer"},
		{`{"Model-Response": "a", "Instruction": "b", "Con_text": "c", "Response": "d"}`, "", "--map instruction=Instruction,output=Response,input=Con_text"},
		{`{"instruction": "a", "response": "b"}`, "", "--map output=response"},
		{`{"q": "a", "answer": "b"}`, "prompt=q", "--map prompt=q,completion=answer"},
		{`{"The Question": "a", "answer": "b"}`, "prompt=The Question", "--map 'prompt=The Question,completion=answer'"},
		{`{"Chat": [{"role": "user", "content": "a"}]}`, "", "--map messages=Chat"},
		{`{"dialogue": [{"from": "human", "value": "a"}]}`, "", "--map conversations=dialogue"},
		{`{"TEXT": "a"}`, "", "--map text=TEXT"},
		{`{"text": null, "body": "a"}`, "", "--map text=body"},
		{`{"turns": [{"role": "user", "content": "a"}]}`, "", ""},
	} {
		columns, err := ParseColumns(c.mapped)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = read("a.jsonl", strings.NewReader(c.in), columns)
		expect(t, c.in, err, "a.jsonl:1: ", c.want)
	}
	_, _, err := read("a.jsonl", strings.NewReader(`{"q": "a", "a": "b", "c": "d"}`), Columns{"prompt": "q", "completion": "a", "input": "c"})
	expect(t, "a field that the format lacks", err, `a.jsonl:1: map names a column for "input", which a row of prompt and completion does not have`, "its columns are prompt, completion, tools, system")
}

// A template with a place for lists of parts, and for names.
const partsTemplate = `{% for m in messages %}<|{{ m.role }}|>{% if m.name %}{{ m.name }}:{% endif %}{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}({{ p.text }}){% endfor %}{% endif %}<|end|>{% endfor %}`

// templateOf is a template for the tokenizer in testdata.
func templateOf(t *testing.T, source string) *chat.Template {
	t.Helper()
	tok, _ := load(t)
	put(t, "template.jinja", source)
	template, err := chat.Load(".", "template.jinja", time.Now(), tok)
	if err != nil {
		t.Fatal(err)
	}
	return template
}

// Contents in parts go to a template that reads them as they are, else joined.
func TestContentsInParts(t *testing.T) {
	in := `{"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b", "image": null}]}, {"role": "assistant", "content": [{"type": "text", "text": "x"}]}]}`
	inFolder(t, "a.jsonl", in)
	for _, c := range []struct{ name, template, want string }{
		{"read", partsTemplate, "<|user|>(a)(b)<|end|><|assistant|>(x)<|end|>"},
		{"spelled as Python does", `{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}`, "<|user|>ab<|end|><|assistant|>x<|end|>"},
		{"refused", `{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}`, "<|user|>ab<|end|><|assistant|>x<|end|>"},
	} {
		tok, _ := load(t)
		o := Options{Template: templateOf(t, c.template), TrainOn: "assistant", MaxLength: 100}
		set, err := Open("a.jsonl", nil, tok, o, pool(t), nil)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := strings.NewReplacer("[", "", "]", "").Replace(show(t, tok, set, 0)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// An assistant's message of which a template writes nothing would teach the model to say
// nothing: what it has beside its content is no answer unless the template reads it.
func TestAnswersThatTheTemplateDoesNotWrite(t *testing.T) {
	const in = `{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": %s, "tool_calls": %s}]}`
	const call = `[{"function": {"name": "f", "arguments": {}}}]`
	inFolder(t, "a.jsonl", "")
	tok, _ := load(t)
	for _, c := range []struct{ template, content, calls, want string }{
		{partsTemplate, `""`, call, `a.jsonl:1: message 2: the assistant's content is empty, and the chat template writes nothing else of it; found "role", "content", "tool_calls"`},
		{partsTemplate, `" "`, `[]`, `a.jsonl:1: message 2: the assistant's content is empty`},
		{partsTemplate, `[{"type": "text", "text": ""}]`, `[]`, `a.jsonl:1: message 2: the assistant's content is empty`},
		{partsTemplate, `"x"`, call, ""},
		{`{% for m in messages %}<|{{ m.role }}|>{{ m.content or m.tool_calls|tojson }}<|end|>{% endfor %}`, `""`, call, ""},
	} {
		put(t, "a.jsonl", fmt.Sprintf(in, c.content, c.calls))
		o := Options{Template: templateOf(t, c.template), TrainOn: "assistant", MaxLength: 200}
		switch _, err := Open("a.jsonl", nil, tok, o, pool(t), nil); {
		case c.want == "" && err != nil:
			t.Errorf("%s, %s: %v", c.content, c.calls, err)
		case c.want != "":
			expect(t, c.content, err, c.want, "the model would learn to say nothing: take such messages out, or name a template that reads what they have with --chat-template")
		}
	}
}

// Values in the place of names are not all told, and do not hold the reading up.
func TestManyKeysOfAMessage(t *testing.T) {
	var b strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&b, `, "k%d": 1`, i)
	}
	start := time.Now()
	set, _, err := encode(t, `{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "x"`+b.String()+`}]}`, Options{TrainOn: "assistant"}, true)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 10*time.Second { // for each key all the others: minutes
		t.Errorf("took %v", took)
	}
	if got := fmt.Sprint(set.Notes()); !strings.Contains(got, "and 88 more") {
		t.Errorf("notes %s", got)
	}
}

// Messages that are marked as not to be learned are in the text and not in the mask.
func TestMarkedMessagesAreNotTrained(t *testing.T) {
	const in = `{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "x", "weight": 0}, {"role": "user", "content": "c"}, {"role": "assistant", "content": "y", "weight": 1}]}`
	const last = `{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "x"}, {"from": "human", "value": "c"}, {"from": "gpt", "value": "y", "train": false}]}`
	for _, c := range []struct{ name, in, trainOn, want string }{
		{"weight 0", in, "assistant", "<s><|user|>a<|end|><|assistant|>x<|end|>↵<|user|>c<|end|><|assistant|>[y][<|end|>]↵"},
		{"all but weight 0", in, "all", "[<s>][<|user|>][a][<|end|>][<|assistant|>]x<|end|>[↵][<|user|>][c][<|end|>][<|assistant|>][y][<|end|>][↵]"},
		{"train false", last, "assistant", "<s><|user|>a<|end|><|assistant|>[x][<|end|>]↵<|user|>c<|end|><|assistant|>y<|end|>↵"},
	} {
		set, tok, err := encode(t, c.in, Options{TrainOn: TrainOn(c.trainOn)}, true)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := show(t, tok, set, 0); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
		if set.Stats.SkippedTurns != 0 {
			t.Errorf("%s: %d turns skipped", c.name, set.Stats.SkippedTurns)
		}
	}
	set, _, err := encode(t, last+"\n"+strings.Replace(last, `"x"`, `"x", "weight": 0`, 1)+"\n"+last, Options{TrainOn: "assistant"}, true)
	if err != nil || set.Stats.Untrained != 1 || set.Stats.First.Untrained != 2 || set.Len() != 2 {
		t.Errorf("a row with nothing to learn: %+v, %v", set, err)
	}
	_, _, err = encode(t, last, Options{TrainOn: "last"}, true)
	expect(t, "the last one is marked", err, "1 of 1 rows have no token to train on, the first at train.jsonl:1",
		"the prompt may fill max_length, the answers may be marked as not to be learned, or the chat template may not show where an answer stands: --chat-template names another")
}

// Of everything a marked message is left out: where it cannot be told, the row is refused,
// and what is to be learned need not be told.
func TestMarkedMessageThatCannotBeTold(t *testing.T) {
	const template = `{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}`
	const in = `{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "x"}, {"role": "user", "content": "c"}]}`
	inFolder(t, "a.jsonl", in)
	tok, _ := load(t)
	o := Options{Template: templateOf(t, template), TrainOn: "all", MaxLength: 100}
	set, err := Open("a.jsonl", nil, tok, o, pool(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := show(t, tok, set, 0), "[a][c]"; got != want || set.Stats.SkippedTurns != 0 {
		t.Errorf("got %s, %d skipped, want %s", got, set.Stats.SkippedTurns, want)
	}
	put(t, "a.jsonl", strings.Replace(in, `"x"`, `"x", "weight": 0`, 1))
	_, err = Open("a.jsonl", nil, tok, o, pool(t), nil)
	expect(t, "marked", err, "a.jsonl:1: message 2 is not to be learned, and what the chat template makes of it cannot be told from the rest", "")
}

// A template's refusal says what would pass.
func TestRefusalsOfTemplatesHaveAdvice(t *testing.T) {
	const template = `{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('not in turn') }}{% endif %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}`
	const system, twice, end = `{"role": "system", "content": "s"}, `, `{"role": "user", "content": "a"}, `, `{"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]}`
	inFolder(t, "a.jsonl", "")
	tok, _ := load(t)
	o := Options{Template: templateOf(t, template), TrainOn: "assistant", MaxLength: 100}
	const other = ", or name another template with --chat-template"
	for _, c := range []struct{ in, want, hint string }{
		{`{"messages": [` + system + end, "no system", "this template takes no system message: put its text at the beginning of the first user message" + other},
		{`{"messages": [` + twice + end, "not in turn", "this template wants user and assistant in turn: join messages of the same role that follow each other" + other},
		{`{"messages": [` + system + twice + end, "no system", "this template takes no system message, and wants user and assistant in turn: join the texts of messages that follow each other" + other},
		{`{"messages": [{"role": "assistant", "content": "a"}]}`, "not in turn", ""},
	} {
		put(t, "a.jsonl", c.in)
		_, err := Open("a.jsonl", nil, tok, o, pool(t), nil)
		expect(t, c.in, err, "a.jsonl:1: template.jinja", c.hint)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.in, err, c.want)
		}
	}
}

// spelled writes notes as a terminal has them.
func spelled(notes []Note) (list []string) {
	for _, n := range notes {
		list = append(list, n.Label+": "+n.Say(plural))
	}
	return list
}

// What nothing reads is named once a file, the same by a run and by a check, and from a
// cached index as well.
func TestNothingIsSkippedInSilence(t *testing.T) {
	const tail = `, {"role": "assistant", "content": "x", "mood": 1, "thinking": "t"}]`
	rows := `{"id": 1, "messages": [{"role": "user", "content": "a", "name": "n"}` + tail + `}
{"id": 2, "lang": null, "messages": [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {}}]}` + tail + `, "text": "c"}`
	want := []string{`not read: nothing reads: column "id" in 2 rows, message key "mood" in 2 rows, message key "thinking" in 2 rows, column "text" in 1 row from line 2 on (the columns of a prompt and its answer go before it), key of a content part "cache_control" in 1 row from line 2 on`}
	for _, c := range []struct {
		rows, template string
		want           []string
	}{
		{rows, partsTemplate, want},
		{`{"conversations": [{"from": "human", "value": "a", "loss": 0}, {"from": "gpt", "value": "b"}]}`, partsTemplate, []string{`not read: nothing reads: turn key "loss" in 1 row`}},
		{`{"instruction": "a", "input": "", "output": "b", "text": "c"}`, partsTemplate, []string{`not read: nothing reads: column "text" in 1 row (the columns of a prompt and its answer go before it)`}},
		{`{"segments": [{"text": "a</s>", "label": true, "why": 1}]}`, partsTemplate, []string{`not read: nothing reads: key of a segment "why" in 1 row`}},
		{`{"prompt": "a", "completion": "b"}`, partsTemplate, nil},
	} {
		onDisk(t)
		inFolder(t, "a.jsonl", c.rows)
		tok, _ := load(t)
		o := Options{Template: templateOf(t, c.template), TrainOn: "assistant", MaxLength: 100}
		for range 2 { // made, and found
			set, err := Open("a.jsonl", nil, tok, o, pool(t), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := spelled(set.Notes()); strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("a run:\n got %q\nwant %q", got, c.want)
			}
			_ = set.Close()
		}
		checker := &Checker{Tokenizer: tok, Options: o, Pool: pool(t), VocabSize: 1 << 20}
		if got := spelled(checker.Check("a.jsonl").Notes()); strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("a check:\n got %q\nwant %q", got, c.want)
		}
	}
}

// What check counts as a danger is a note of a run too, with the first line.
func TestDangersAreNotes(t *testing.T) {
	inFolder(t, "a.jsonl", `{"prompt": "a", "completion": "b"}
{"prompt": "<|user|>a", "completion": "b"}
{"prompt": "a", "completion": "`+strings.Repeat("b", 99)+`"}
{"prompt": "a\ufffd", "completion": "b"}`)
	put(t, "b.jsonl", `{"prompt": "c", "completion": "b"}
{"prompt": "a", "completion": "b", "id": 1}`)
	set, _, err := open(t, "a.jsonl", Options{TrainOn: "assistant", MaxLength: 50}, true)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"cut: 1 row cut to max_length (50 tokens); first in line 3",
		"no end: 1 row without a trained end token: the model does not learn to stop there; first in line 3",
		"markers: 1 row with a special token spelled out in the text, which becomes that token (what went through a template before wants --chat-template none); first in line 2",
		"broken: 1 row with U+FFFD, which stands for bytes that were lost; first in line 4",
	}
	if got := spelled(set.Notes()); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q\nwant %q", got, want)
	}
	other, _, err := open(t, "b.jsonl", Options{TrainOn: "assistant", MaxLength: 50}, true)
	if err != nil {
		t.Fatal(err)
	}
	shared, err := set.Shared(other)
	if n := shared.Note(); err != nil || n.Say(plural) != "1 row of b.jsonl too, such as line 1, which is line 2 there" {
		t.Errorf("shared: %+v, %v", n, err)
	}
}

// Rows end with a token that generation stops at: the tokenizer's, the template's, or
// one of the model's configuration.
func TestEndTokens(t *testing.T) {
	inFolder(t, "a.jsonl", `{"prompt": "a", "completion": "b"}`)
	tok, template := load(t)
	eos, _ := tok.EOS()
	end, _ := tok.ID("<|end|>")
	if got := EndTokens(tok, template, []int{7}); len(got) != 3 || got[0] != 7 || got[1] != eos || got[2] != end {
		t.Errorf("end tokens %v, want 7, %d, %d", got, eos, end)
	}
	spaced := templateOf(t, `{% for m in messages %}{% generation %}{{ m.content }}<|end|>{{ '\n' }}{% endgeneration %}{% endfor %}`)
	if got := EndTokens(tok, spaced, nil); len(got) != 2 || got[1] != end {
		t.Errorf("end tokens %v, want %d, %d", got, eos, end)
	}
	for _, c := range []struct {
		name, template string
		ends           []int
		noEnd          int
		text           string
	}{
		{"the template's", partsTemplate, nil, 0, ""},
		{"none behind an answer", `{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}`, nil, 1, "without a trained end token: the model does not learn to stop there; first in line 1"},
		{"one that generation does not stop at", `{% for m in messages %}{{ m.content }}{% if loop.last %}<|user|>{% else %}<|end|>{% endif %}{% endfor %}`, []int{int(eos)}, 0, ""},
		{"the model's", `{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}`, []int{'b'}, -1, ""},
	} {
		o := Options{Template: templateOf(t, c.template), TrainOn: "assistant", MaxLength: 100, Ends: c.ends}
		if c.noEnd < 0 {
			id, _ := tok.ID("b")
			o.Ends = []int{int(id)}
		}
		set, err := Open("a.jsonl", nil, tok, o, pool(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		if set.Stats.NoEnd != max(0, c.noEnd) {
			t.Errorf("%s: %d rows without an end, want %d", c.name, set.Stats.NoEnd, c.noEnd)
		}
		if c.text != "" && set.Notes()[0].Text != c.text {
			t.Errorf("%s: %q", c.name, set.Notes()[0].Text)
		}
	}
}

// A tokenizer that names no end token takes that of the model's configuration; where
// neither has one, it is said.
func TestRowsEndWithoutATokenizersEnd(t *testing.T) {
	inFolder(t, "a.jsonl", `{"prompt": "a", "completion": "b"}`)
	text, err := os.ReadFile(filepath.Join(testdata, "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, "tokenizer.json", string(text))
	tok, err := tokenizer.Load(".")
	if err != nil {
		t.Fatal(err)
	}
	end, _ := tok.ID("</s>")
	for _, c := range []struct {
		ends []int
		want string
		note string
	}{
		{[]int{int(end), 5}, "<s>a[b][</s>]", ""},
		{nil, "<s>a[b]", "1 row without an end token: neither the tokenizer nor the model's configuration names one, and the model does not learn to stop; first in line 1"},
	} {
		set, err := Open("a.jsonl", nil, tok, Options{TrainOn: Answers, MaxLength: 9, Ends: c.ends}, pool(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		note := ""
		for _, n := range set.Notes() {
			note += n.Say(plural)
		}
		if got := show(t, tok, set, 0); got != c.want || note != c.note {
			t.Errorf("ends %v: %s, %q; want %s, %q", c.ends, got, note, c.want, c.note)
		}
	}
}
