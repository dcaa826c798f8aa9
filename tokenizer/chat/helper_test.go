package chat

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"example.com/finetune/internal/jsontree"
	"example.com/finetune/tokenizer"
)

// fixedDate is the day of the renderings in chats.json.
var fixedDate = time.Date(2024, 7, 6, 9, 5, 3, 0, time.UTC)

// loadStories loads a small tokenizer whose special tokens are <s>, </s> and <unk>.
func loadStories(t testing.TB) *tokenizer.Tokenizer {
	t.Helper()
	tok, err := tokenizer.Load("../testdata/stories260k")
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// trainedTok has the special tokens that the templates of testdata write.
func trainedTok(t testing.TB) *tokenizer.Tokenizer {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		data, err := os.ReadFile(filepath.Join("../testdata/stories260k", name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "tokenizer.json" {
			data = addTokens(t, data, "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|start_header_id|>", "<end_of_turn>", "<start_of_turn>", "<file_sep>", "<empty_output>")
		}
		writeFile(t, dir, name, string(data))
	}
	tok, err := tokenizer.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// addTokens adds special tokens to a tokenizer.json.
func addTokens(t testing.TB, data []byte, contents ...string) []byte {
	t.Helper()
	var file map[string]any
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	tokens := file["added_tokens"].([]any)
	for i, content := range contents {
		tokens = append(tokens, map[string]any{
			"id": 512 + i, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true,
		})
	}
	file["added_tokens"] = tokens
	data, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// templateOf loads a template from its source.
func templateOf(t testing.TB, tok *tokenizer.Tokenizer, source string) *Template {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, dir, "t.jinja", source)
	return load(t, tok, filepath.Join(dir, "t.jinja"))
}

// testTemplate loads testdata/templates/name.
func testTemplate(t testing.TB, tok *tokenizer.Tokenizer, name string) *Template {
	t.Helper()
	return load(t, tok, filepath.Join("testdata/templates", name))
}

func load(t testing.TB, tok *tokenizer.Tokenizer, path string) *Template {
	t.Helper()
	tpl, err := Load("", path, fixedDate, tok)
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

// treeOf reads JSON text that a test is sure of.
func treeOf(text json.RawMessage) jsontree.Value {
	if len(text) == 0 {
		return jsontree.Value{}
	}
	v, err := jsontree.Parse(string(text))
	if err != nil {
		panic(err)
	}
	return v
}

func raws(messages []json.RawMessage, tools json.RawMessage) Conversation {
	c := Conversation{Tools: treeOf(tools)}
	for _, m := range messages {
		var role struct{ Role string }
		_ = json.Unmarshal(m, &role) // a test may want what is no object
		c.Messages = append(c.Messages, Message{Role: role.Role, Object: treeOf(m)})
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

// writeFile writes dir/name, making folders.
func writeFile(t testing.TB, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readJSON(t testing.TB, name string, v any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// loadSmolLM2 loads the tokenizer of a published model.
func loadSmolLM2(t testing.TB) *tokenizer.Tokenizer {
	t.Helper()
	f, err := os.Open("../testdata/smollm2/tokenizer.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFile(t, dir, "tokenizer.json", string(data))
	if data, err = os.ReadFile("../testdata/smollm2/tokenizer_config.json"); err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, "tokenizer_config.json", string(data))
	tok, err := tokenizer.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}
