package data

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadGivesEachFormat(t *testing.T) {
	for name, text := range map[string]struct {
		in   string
		want Format
	}{
		"messages":        {`{"messages": [{"role": "user", "content": "2+2="}, {"role": "assistant", "content": "4"}], "tools": [{"type": "function"}]}`, Messages},
		"only tool calls": {`{"messages": [{"role": "user", "content": "2+2="}, {"role": "assistant", "content": null, "tool_calls": [{}]}]}`, Messages},
		"prompt":          {`{"prompt": "2+2=", "completion": "4", "id": 7}`, PromptCompletion},
		"empty prompt":    {`{"prompt": "", "completion": "4"}`, PromptCompletion},
		"prompt messages": {`{"prompt": [{"role": "user", "content": "2+2="}], "completion": [{"role": "assistant", "content": "4"}]}`, PromptMessages},
		"text":            {`{"text": "once", "meta": {"a": 1}}`, Text},
	} {
		rows, file, err := read("train.jsonl", strings.NewReader(text.in), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(rows) != 1 || rows[0].Format != text.want || file.Format != text.want || file.Rows != 1 || rows[0].Line != 1 {
			t.Errorf("%s: %d rows, %+v", name, len(rows), rows)
		}
	}
}

func TestReadSkipsMarksAndBlankLines(t *testing.T) {
	in := "\xef\xbb\xbf\r\n{\"text\": \"a\"}\r\n\r\n  \n{\"text\": \"b\"}"
	rows, _, err := read("train.jsonl", strings.NewReader(in), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || rows[0].Line != 2 || rows[1].Line != 5 || rows[1].Text != "b" {
		t.Errorf("rows %+v", rows)
	}
}

func TestReadTakesALongLine(t *testing.T) {
	long := strings.Repeat("x", 5<<20)
	rows, _, err := read("train.jsonl", strings.NewReader(`{"text": "`+long+`"}`+"\n"+`{"text": "b"}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || len(rows[0].Text) != len(long) {
		t.Errorf("%d rows", len(rows))
	}
}

func TestReadTakesAList(t *testing.T) {
	rows, _, err := read("train.json", strings.NewReader("\n[\n{\"text\": \"a\"},\n\n  {\n\"text\": \"b\"}]\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || rows[0].Line != 3 || rows[1].Line != 5 {
		t.Errorf("rows %+v", rows)
	}
	if rows, _, err = read("train.json", strings.NewReader("{\"text\": \"a\"}\n{\"text\": \"b\"}"), nil); err != nil || len(rows) != 2 {
		t.Errorf("lines in a .json file: %d rows, %v", len(rows), err)
	}
}

// A mistake is a file that is refused, and how.
type mistake struct{ in, want, hint string }

func refuse(t *testing.T, list []mistake) {
	t.Helper()
	for _, c := range list {
		_, _, err := read("train.jsonl", strings.NewReader(c.in), nil)
		expect(t, c.in, err, c.want, c.hint)
	}
}

// The words of every mistake: where, what was found, what was wanted.
func TestReadNamesMistakes(t *testing.T) {
	const good = `{"prompt": "a", "completion": "b"}` + "\n"
	const question = `train.jsonl:2: neither "messages", "prompt" and "completion", nor "text"; found `
	refuse(t, []mistake{
		{good + `{"question": "a", "answer": "b"}`, question + `"question", "answer"`, "--map prompt=question,completion=answer"},
		{good + `{"body": "a"}`, question + `"body"`, "--map text=body"},
		{good + `{}`, question + `nothing`, ""},
		{good + `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1}`, question + `"a", "b", "c", "d", "e", "f", "g", "h", and 1 more`, ""},
		{good + `{"prompt": "a"}`, `train.jsonl:2: "prompt" without "completion"; found "prompt"`, ""},
		{good + `{"completion": "a"}`, `train.jsonl:2: "completion" without "prompt"; found "completion"`, ""},
		{good + `{"prompt": "a", "completion": null}`, `train.jsonl:2: "prompt" without "completion"`, ""},
		{good + `{"prompt": 1, "completion": "b"}`, `train.jsonl:2: "prompt" is 1, want a string`, ""},
		{good + `{"prompt": "a", "completion": ["b"]}`, `train.jsonl:2: "completion" is a list, want a string, as "prompt" is`, ""},
		{good + `{"prompt": "a", "completion": " \n"}`, `train.jsonl:2: "completion" is empty`, ""},
		{good + `{"prompt": [{"role": "user", "content": "a"}], "completion": "b"}`, `"completion" is a string, want a list of messages, as "prompt" is`, ""},
		{good + `{"text": "a"}`, `train.jsonl:2: a row of text; the file's first is of prompt and completion (line 1)`, ""},
		{good + `{"text": true}`, `train.jsonl:2: "text" is true or false, want a string`, ""},
		{`{"text": ""}`, `train.jsonl:1: "text" is empty`, ""},
		{good + `{"prompt": "a", "prompt": "b", "completion": "c"}`, `train.jsonl:2: duplicate key "prompt", at byte 17`, ""},
		{good + `{"prompt": "a",}`, `train.jsonl:2: not valid JSON at byte 16: found "}", want a key in quotes`, ""},
		{good + `{"prompt": "a"`, `train.jsonl:2: not valid JSON at byte 15: the text ends, want "," or "}"`, ""},
		{good + good[:len(good)-1] + good, `train.jsonl:2: not valid JSON at byte 35: more text after the value: "{"`, ""},
		{good + `["a"]`, `train.jsonl:2: a list, want an object`, ""},
		{good + "{\"text\": \"\xff\"}", `train.jsonl:2: not valid UTF-8 at byte 11`, ""},
		{good + `{"text": "\ud83d"}`, `train.jsonl:2: half a surrogate pair: \ud83d, at byte 11`, ""},
		{good + `{"text": "\\\udc00"}`, `half a surrogate pair: \udc00, at byte 13`, ""},
		{"\n\n", `train.jsonl: no rows`, ""},
		{"\xff\xfe{\x00", `train.jsonl:1: the file is UTF-16, want UTF-8`, utf16Hint},
	})
}

func TestReadNamesMistakesOfMessages(t *testing.T) {
	refuse(t, []mistake{
		{`{"messages": []}`, `train.jsonl:1: "messages" is empty`, ""},
		{`{"messages": "a"}`, `train.jsonl:1: "messages" is a string, want a list of messages`, "--map text=messages trains on such a text as it is"},
		{
			`{"messages": "[{\"role\": \"user\"}]"}`, `train.jsonl:1: "messages" is a string, want a list of messages`,
			`the list is spelled out in a text; pandas reads it: df["messages"] = df["messages"].map(json.loads), and then df.to_json("rows.jsonl", orient="records", lines=True)`,
		},
		{
			`{"conversations": " [{'from': 'human'}]"}`, `train.jsonl:1: "conversations" is a string, want a list of messages`,
			`the list is spelled out in a text; pandas reads it: df["conversations"] = df["conversations"].map(ast.literal_eval), and then df.to_json("rows.jsonl", orient="records", lines=True)`,
		},
		{`{"messages": [{"content": "a"}]}`, `train.jsonl:1: messages[0]: no "role"; found "content"`, ""},
		{`{"messages": [{"from": "human", "value": "a"}]}`, `messages[0]: no "role"; found "from", "value"`, `ShareGPT messages: --map conversations=messages`},
		{`{"messages": [{"role": 1, "content": "a"}]}`, `messages[0]: "role" is 1, want a string`, ""},
		{`{"messages": [{"role": "", "content": "a"}]}`, `messages[0]: "role" is empty`, ""},
		{`{"messages": [{"role": "user"}]}`, `messages[0]: no "content"; found "role"`, ""},
		{`{"messages": [{"role": "user", "content": [1]}]}`, `messages[0]: content[0]: 1, want an object of "type" and "text"`, ""},
		{`{"messages": ["a"]}`, `messages[0]: a string, want an object`, ""},
		{`{"messages": [{"role": "user", "content": "a", "content": "b"}]}`, `duplicate key "content", at byte 48`, ""},
		{`{"messages": [{"role": "user", "content": "a"}, {"role": "Assistant", "content": "a"}, {"role": "user", "content": "b"}]}`, `no assistant message in "messages" to learn from; found "Assistant", "user"`, ""},
		{`{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": " "}]}`, `messages[1]: the assistant's content is empty`, ""},
		{`{"messages": [{"role": "assistant", "content": "a"}], "tools": {}}`, `"tools" is an object, want a list`, ""},
		{`{"prompt": [{"role": "assistant", "content": "a"}], "completion": [{"role": "user", "content": "a"}]}`, `no assistant message in "completion" to learn from`, ""},
		{`{"prompt": "a", "chosen": "b", "rejected": "c"}`, `preference data (chosen, rejected) are not supported`, "keep the chosen answers as prompt and completion"},
	})
}

func TestReadNamesMistakesInAList(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"[{\"text\": \"a\"},\n{\"text\": 1}]", `train.json:2: "text" is 1, want a string`},
		{"[{\"text\": \"a\"},\n{\"text\": }]", `train.json:2: not valid JSON at byte 10: found "}", want a value`},
		{"[{\"text\": \"a\"}\n", `train.json:2: not valid JSON: unexpected end of the list`},
		{"[{\"text\": \"a\"}]\n]", `train.json:2: more text after the list`},
		{"[]", `train.json: no rows`},
	} {
		_, _, err := read("train.json", strings.NewReader(c.in), nil)
		expect(t, c.in, err, c.want, "")
	}
}

func TestAllMistakesAreCountedAndTenShown(t *testing.T) {
	in := `{"text": "a"}` + "\n" + strings.Repeat("{\"text\": 1}\n", 25)
	_, _, err := read("train.jsonl", strings.NewReader(in), nil)
	var m *Mistakes
	if !errors.As(err, &m) || m.Total != 25 || len(m.First) != 10 {
		t.Fatalf("got %v", err)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 11 || !strings.HasPrefix(lines[9], "train.jsonl:11: ") || lines[10] != "train.jsonl: 25 rows with mistakes, the first 10 are shown" {
		t.Errorf("got\n%v", err)
	}
}

func TestColumnsAreRenamed(t *testing.T) {
	c, err := ParseColumns("prompt=question, completion=answer")
	if err != nil {
		t.Fatal(err)
	}
	if c.String() != "completion=answer,prompt=question" {
		t.Errorf("String: %s", c)
	}
	rows, _, err := read("train.jsonl", strings.NewReader(`{"question": "q", "answer": "a", "prompt": "not this"}`), c)
	if err != nil || rows[0].Prompt != "q" || rows[0].Text != "a" {
		t.Errorf("%+v, %v", rows, err)
	}
	_, _, err = read("train.jsonl", strings.NewReader(`{"question": "q", "text": "a"}`), c)
	expect(t, "a column that is not there", err, `train.jsonl:1: no column "answer", which map names for completion; found "question", "text"`, "")
	for in, want := range map[string]string{
		"prompt":             `map: "prompt", want field=column, such as prompt=question`,
		"question=prompt":    `map: unknown field "question", want one of messages, tools, system, prompt, completion, instruction, output`,
		"prompt=":            `map: no column for prompt`,
		"prompt=a,prompt=b":  `map: two columns for prompt`,
		"completion=a,x = b": `map: unknown field "x"`,
	} {
		_, err := ParseColumns(in)
		expect(t, in, err, want, "")
	}
}

func TestFindNamesTheFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "odd [name]*")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	put := func(name string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err := Find(dir)
	const names = "name them train.jsonl, valid.jsonl and test.jsonl (or .json, .ndjson, .csv, .txt, .parquet), or name one file"
	expect(t, "an empty folder", err, "no train, valid or test file in this folder; found no file", names)
	put("notes.md")
	put("rows.jsonl")
	_, err = Find(dir)
	expect(t, "other files", err, `in this folder; found "notes.md", "rows.jsonl"`, names)
	put("train.xlsx")
	_, err = Find(dir)
	expect(t, "a spreadsheet", err, "train.xlsx: .xlsx files are not supported", "write one JSON object a line to a .jsonl file")
	put("train.jsonl")
	put("dev.json")
	put("test.jsonl")
	got, err := Find(dir)
	want := Paths{filepath.Join(dir, "train.jsonl"), filepath.Join(dir, "dev.json"), filepath.Join(dir, "test.jsonl")}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if got, err := Find(want.Train); err != nil || got != (Paths{Train: want.Train}) {
		t.Errorf("a file: got %+v, %v", got, err)
	}
	put("valid.jsonl")
	_, err = Find(dir)
	expect(t, "two validation files", err, "are both there: which of them is meant?", "")
	_, err = Find(filepath.Join(dir, "absent"))
	expect(t, "nothing", err, "absent: no such file or folder", `data is a file with one JSON object a line, such as {"prompt": "2+2=", "completion": "4"}`)
	_, err = Find("tatsu-lab/alpaca")
	expect(t, "a data set of the Hub", err, "tatsu-lab/alpaca: no such file or folder", `data sets are not fetched; in Python: datasets.load_dataset("tatsu-lab/alpaca", split="train").to_json("rows.jsonl")`)
}
