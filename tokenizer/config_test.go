package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

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

// storiesIn copies the tokenizer.json of stories260k into a folder of its own.
func storiesIn(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	data, err := os.ReadFile("testdata/stories260k/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, "tokenizer.json", string(data))
	return dir
}

// TestEndTokens: the end token is named in any of four files.
func TestEndTokens(t *testing.T) {
	type written map[string]string
	for _, c := range []struct {
		name  string
		files written
		eos   int32 // -1: none
		ends  []int32
	}{
		{"nowhere", nil, -1, nil},
		{"tokenizer_config.json", written{"tokenizer_config.json": `{"eos_token": "</s>"}`, "special_tokens_map.json": `{"eos_token": "<s>"}`, "config.json": `{"eos_token_id": 5}`}, 2, []int32{2, 5}},
		{"special_tokens_map.json", written{"tokenizer_config.json": `{"eos_token": null}`, "special_tokens_map.json": `{"eos_token": {"content": "</s>"}}`}, 2, []int32{2}},
		{"generation_config.json", written{"generation_config.json": `{"eos_token_id": [7, 2]}`, "config.json": `{"eos_token_id": 9}`}, 7, []int32{7, 2}},
		{"config.json", written{"generation_config.json": `{}`, "config.json": `{"eos_token_id": 2}`}, 2, []int32{2}},
		{"an id that the vocabulary lacks", written{"config.json": `{"eos_token_id": [99999, 2]}`}, 2, []int32{2, 99999}},
		{"an id that is none", written{"config.json": `{"eos_token_id": "x"}`}, -1, nil},
	} {
		dir := storiesIn(t)
		for name, text := range c.files {
			writeFile(t, dir, name, text)
		}
		tok, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		id, ok := tok.EOS()
		if !ok {
			id = -1
		}
		if id != c.eos || !slices.Equal(tok.Ends(), c.ends) {
			t.Errorf("%s: found %d and %v, want %d and %v", c.name, id, tok.Ends(), c.eos, c.ends)
		}
	}
}

// TestTokensOfTheConfig: tokens that only tokenizer_config.json adds are found as
// transformers finds them.
func TestTokensOfTheConfig(t *testing.T) {
	var golden struct {
		LeftOut []string `json:"left_out"`
		Text    string
		Cases   []struct {
			Config  json.RawMessage
			IDs     []int32
			Skipped string
		}
	}
	readJSON(t, "config.json", &golden)
	if len(golden.Cases) == 0 {
		t.Fatal("no cases")
	}
	var file map[string]json.RawMessage
	var tokens []map[string]any
	readJSON(t, "bytelevel/tokenizer.json", &file)
	if err := json.Unmarshal(file["added_tokens"], &tokens); err != nil {
		t.Fatal(err)
	}
	tokens = slices.DeleteFunc(tokens, func(a map[string]any) bool { return slices.Contains(golden.LeftOut, a["content"].(string)) })
	added, err := json.Marshal(tokens)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFile(t, dir, "tokenizer.json", string(patched(t, "bytelevel", map[string]json.RawMessage{"added_tokens": added}, nil)))
	for _, c := range golden.Cases {
		writeFile(t, dir, "tokenizer_config.json", string(c.Config))
		tok, err := Load(dir)
		if err != nil {
			t.Errorf("%s: %v", c.Config, err)
			continue
		}
		if ids := tok.Encode(golden.Text, false).IDs; !slices.Equal(ids, c.IDs) {
			t.Errorf("%s: found %v, want %v", c.Config, ids, c.IDs)
		}
		if text := tok.Decode(c.IDs, true); text != c.Skipped {
			t.Errorf("%s: decoded %q, want %q", c.Config, text, c.Skipped)
		}
		for _, content := range golden.LeftOut {
			id, ok := tok.ID(content)
			listed := slices.Contains(tok.Added(), AddedToken{id, content, tok.IsSpecial(id)})
			if whole := ok && slices.Contains(c.IDs, id); whole != listed {
				t.Errorf("%s: %q is found whole: %v, listed as added: %v", c.Config, content, whole, listed)
			}
		}
	}
}

func TestNamedTokens(t *testing.T) {
	dir := storiesIn(t)
	writeFile(t, dir, "tokenizer_config.json", `{"bos_token": "<s>", "pad_token": null}`)
	writeFile(t, dir, "special_tokens_map.json", `{"bos_token": "<unk>", "eos_token": "</s>"}`)
	tok, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := tok.NamedTokens(); len(got) != 2 || got["bos_token"] != "<s>" || got["eos_token"] != "</s>" {
		t.Errorf("found %v", got)
	}
}

func TestDigestsTellFilesApart(t *testing.T) {
	dir := storiesIn(t)
	load := func() *Tokenizer {
		t.Helper()
		tok, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	text, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[[32]byte]string{}
	note := func(what string) {
		t.Helper()
		digest := load().Digest()
		if other, ok := seen[digest]; ok {
			t.Errorf("%s and %s have one digest", other, what)
		}
		seen[digest] = what
	}
	note("tokenizer.json")
	if again := load().Digest(); seen[again] == "" {
		t.Error("one tokenizer has two digests")
	}
	writeFile(t, dir, "tokenizer_config.json", `{"eos_token": "</s>"}`)
	note("tokenizer_config.json")
	writeFile(t, dir, "special_tokens_map.json", `{"bos_token": "<s>"}`)
	note("special_tokens_map.json")
	writeFile(t, dir, "config.json", `{"eos_token_id": 2}`)
	writeFile(t, dir, "tokenizer.json", string(text)+"\n")
	note("another tokenizer.json")
}
