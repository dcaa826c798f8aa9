package data

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"example.com/finetune/tokenizer/chat"
)

func asked(t *testing.T, name, text string) ([]Question, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	list, err := ReadQuestions(path)
	for i := range list {
		list[i].File = ""
		for k := range list[i].Messages {
			list[i].Messages[k] = plainMessage(list[i].Messages[k].Role, list[i].Messages[k].Content).Message
		}
	}
	return list, err
}

func TestReadQuestions(t *testing.T) {
	prompt := func(line int, text string) Question { return Question{Origin: Origin{Line: line}, Prompt: text} }
	user := plainMessage("user", "b").Message
	for _, c := range []struct {
		name, text string
		want       []Question
	}{
		{"a.txt", "one\r\n\n two \nthree", []Question{prompt(1, "one"), prompt(3, " two "), prompt(4, "three")}},
		{"a.txt", "\ufeffone", []Question{prompt(1, "one")}},
		{
			"a.jsonl", `{"prompt": "a", "completion": "x"}` + "\n\n" + `{"messages": [{"role": "user", "content": "b"}]}`,
			[]Question{prompt(1, "a"), {Origin: Origin{Line: 3}, Messages: []chat.Message{user}}},
		},
		{
			"a.jsonl", `{"messages": [{"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]}`,
			[]Question{{Origin: Origin{Line: 1}, Messages: []chat.Message{user}}},
		},
		{"a.csv", "prompt,completion\na,x\n", []Question{prompt(1, "a")}},
	} {
		got, err := asked(t, c.name, c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if c.name == "a.csv" {
			got[0].Line = 1
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.text, got, c.want)
		}
	}
	for _, c := range []struct{ name, text, want string }{
		{"a.txt", "\n \n", "no prompts"},
		{"a.txt", "one\n\xff\nthree\n\xfe", "a.txt:2: not valid UTF-8\n"},
		{"a.jsonl", "", "no prompts"},
		{"a.docx", "x", "unknown kind of file"},
		{"a.jsonl", `{"prompt": "a"}` + "\n" + `{"question": "b"}`, `a.jsonl:2: neither "prompt" nor "messages"; found "question"`},
		{"a.jsonl", "[1]\n", "a.jsonl:1: "},
		{"a.jsonl", `{"prompt": 3}`, "a.jsonl:1: "},
		{"a.jsonl", `{"messages": [{"role": "assistant", "content": "b"}]}`, "no message to answer"},
		{"a.jsonl", `{"messages": []}`, `"messages" is empty`},
		{"a.jsonl", "{", "a.jsonl:1: "},
	} {
		if _, err := asked(t, c.name, c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.text, err, c.want)
		}
	}
}
