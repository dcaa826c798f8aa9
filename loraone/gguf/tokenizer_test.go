package gguf

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/jsontree"
	"example.com/finetune/tokenizer"
)

// stories is the model with a vocabulary in SentencePiece's manner.
const stories = "../../cmd/finetune/demo/model"

// byScores splits text as llama.cpp does (llm_tokenizer_spm): of all neighbours that
// together are a token, those with the best score become one, the first of several.
func byScores(text string, ids map[string]int, scores []float32) []int32 {
	var parts []string
	for _, r := range "\u2581" + strings.ReplaceAll(text, " ", "\u2581") {
		parts = append(parts, string(r))
	}
	for {
		best := -1
		for i := range len(parts) - 1 {
			id, ok := ids[parts[i]+parts[i+1]]
			if ok && (best < 0 || scores[id] > scores[ids[parts[best]+parts[best+1]]]) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		parts = slices.Replace(parts, best, best+2, parts[best]+parts[best+1])
	}
	var list []int32
	for _, p := range parts {
		if id, ok := ids[p]; ok {
			list = append(list, int32(id))
			continue
		}
		for _, b := range []byte(p) {
			list = append(list, int32(ids[fmt.Sprintf("<0x%02X>", b)]))
		}
	}
	return list
}

// TestScoresMergeAsTheTokenizer: merging by the scores that are written gives the ids of
// the tokenizer.
func TestScoresMergeAsTheTokenizer(t *testing.T) {
	tok, err := tokenizer.Load(stories)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]any{}
	for _, k := range tokensOf(t, stories, 512) {
		keys[k.Key] = k.Value
	}
	scores, ids := keys["tokenizer.ggml.scores"].([]float32), map[string]int{}
	for id, token := range keys["tokenizer.ggml.tokens"].([]string) {
		if keys["tokenizer.ggml.token_type"].([]int32)[id] != control {
			ids[token] = id
		}
	}
	if keys["tokenizer.ggml.add_space_prefix"] != true || keys["tokenizer.ggml.add_bos_token"] != true || keys["tokenizer.ggml.add_eos_token"] != false {
		t.Errorf("what is put around a text: %v", keys)
	}
	f, err := os.Open("../../cmd/finetune/demo/data/train.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	texts := []string{"a", "déjà vu 你好 🚀", "two  spaces\nand a line", "12345 ''''"}
	for lines := bufio.NewScanner(f); lines.Scan() && len(texts) < 150; {
		var row map[string]any
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		for _, v := range row {
			if text, ok := v.(string); ok {
				texts = append(texts, text[:min(len(text), 200)])
			}
		}
	}
	if len(texts) < 100 {
		t.Fatalf("%d texts", len(texts))
	}
	for _, text := range texts {
		text = strings.ToValidUTF8(text, "")
		if got, want := byScores(text, ids, scores), tok.Encode(text, false).IDs; !slices.Equal(got, want) {
			t.Errorf("%q: by scores %v, want %v", text, got, want)
		}
	}
}

// pre returns a tokenizer.json's rules by a pre_tokenizer and what else it says.
func pre(t *testing.T, preTokenizerJSON, more string, ids ...int32) (string, string, error) {
	t.Helper()
	file, err := jsontree.Parse(`{"pre_tokenizer": ` + preTokenizerJSON + more + `}`)
	if err != nil {
		t.Fatal(err)
	}
	return preTokenizer(file, func(string) []int32 { return ids })
}

const bytesAlone = `{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}`

// splitJSON is the pre_tokenizer of models with a pattern.
func splitJSON(pattern, how string) string {
	p, _ := json.Marshal(pattern)
	return `{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": ` + string(p) + `}, ` + how + `}, ` + bytesAlone + `]}`
}

// gpt4o is the pattern of GPT-4o's kind of vocabulary, as Phi-4-mini has it.
const gpt4o = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`

func TestPreTokenizerByStructure(t *testing.T) {
	const isolated = `"behavior": "Isolated", "invert": false`
	three, one := caseless+`|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}`+rest, caseless+`|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}`+rest
	ignoring := `, "model": {"ignore_merges": true}`
	for _, test := range []struct{ json, more, want string }{
		{`{"type": "ByteLevel", "add_prefix_space": false}`, "", "gpt-2"},
		{`{"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}]}`, "", "smollm"},
		{splitJSON(three, isolated), ignoring, "llama-bpe"},
		{splitJSON(three, isolated), "", "smaug-bpe"},
		{splitJSON(one, isolated), `, "normalizer": {"type": "NFC"}`, "qwen2"},
		{splitJSON(gpt4o, `"behavior": "Removed", "invert": true`), "", "gpt-4o"},
		{splitJSON(one, `"behavior": "Removed", "invert": true`), `, "normalizer": {"type": "Sequence", "normalizers": []}`, "qwen2"},
	} {
		got, note, err := pre(t, test.json, test.more)
		if got != test.want || note != "" || err != nil {
			t.Errorf("%s%s: %s %s %v, want %s", test.json, test.more, got, note, err, test.want)
		}
	}
	for _, test := range []struct{ json, more, want string }{
		{splitJSON("x+", isolated), "", "llama.cpp has no rules"},
		{splitJSON(one, isolated), ignoring, "llama.cpp has no rules"},
		{splitJSON(one, `"behavior": "Removed", "invert": false`), "", "llama.cpp has no rules"},
		{`{"type": "ByteLevel"}`, "", "add_prefix_space"},
		{`{"type": "ByteLevel", "add_prefix_space": false}`, `, "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]}`, "a normalizer Lowercase"},
	} {
		if got, _, err := pre(t, test.json, test.more); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s%s: %s %v, want %q", test.json, test.more, got, err, test.want)
		}
	}
	_, _, err := pre(t, splitJSON("x+", isolated), "")
	if !strings.Contains(hint.Of(err), "without --merged") {
		t.Errorf("hint %q", hint.Of(err))
	}
}

// TestPreTokenizerByHash: the hash decides where the structure is unknown, and is told
// where it says otherwise.
func TestPreTokenizerByHash(t *testing.T) {
	ids := []int32{1, 22, 333}
	h := idsHash(ids)
	if h != "276d8737d9d5a80805e0731e8d5ae18972a8e3ba721f4988f67151c6e9159068" { // hashlib.sha256(str([1, 22, 333]).encode()) in Python
		t.Errorf("hash %s", h)
	}
	defer delete(hashed, h)
	hashed[h] = "tekken"
	got, note, err := pre(t, splitJSON("x+", `"behavior": "Isolated"`), "", ids...)
	if got != "tekken" || note != "" || err != nil {
		t.Errorf("unknown structure: %s %s %v", got, note, err)
	}
	got, note, err = pre(t, `{"type": "ByteLevel", "add_prefix_space": false}`, "", ids...)
	if got != "gpt-2" || !strings.Contains(note, "as gpt-2, by the hash of the official scripts as tekken") || err != nil {
		t.Errorf("two opinions: %s %s %v", got, note, err)
	}
}

func TestTokensRefused(t *testing.T) {
	whole := `{"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}}`
	none := func(string, bool) []int32 { return nil }
	for _, test := range []struct {
		json   string
		size   int
		encode func(string, bool) []int32
		want   string
	}{
		{whole, 1, none, `token "b" has id 1, and the model has 1 tokens`},
		{whole, 2, func(_ string, around bool) []int32 {
			if around {
				return []int32{1, 0}
			}
			return []int32{0}
		}, "puts other tokens around a text"},
		{strings.Replace(whole, `"type": "BPE"`, `"byte_fallback": true`, 1), 2, none, "byte_fallback with the pre_tokenizer ByteLevel"},
		{`{`, 2, none, "tokenizer.json"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte(test.json), 0o666); err != nil {
			t.Fatal(err)
		}
		_, _, err := Tokens(dir, "m", test.size, Tokenizer{Encode: test.encode})
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "tokenizer.json") {
			t.Errorf("%s: %v, want %q", test.json, err, test.want)
		}
	}
}

// written returns the keys for a tokenizer.json of a model of a name.
func written(t *testing.T, name, json string, size int, added ...Added) map[string]any {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte(json), 0o666); err != nil {
		t.Fatal(err)
	}
	list, _, err := Tokens(dir, name, size, Tokenizer{Encode: func(string, bool) []int32 { return nil }, Added: added})
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]any{}
	for _, k := range list {
		keys[k.Key] = k.Value
	}
	return keys
}

const byFallback = `"model": {"byte_fallback": true, "vocab": {"a": 0, "\u2581": 1, "\u2581a": 2}, "merges": [["\u2581", "a"]]}`

// TestGemmasSpaces: its pre_tokenizer splits at spaces of which its normalizer leaves none;
// without that normalizer it is refused.
func TestGemmasSpaces(t *testing.T) {
	const split = `, "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious"}}`
	const replace = `, "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}`
	keys := written(t, "m", "{"+byFallback+replace+split, 3)
	if keys["tokenizer.ggml.model"] != "llama" || keys["tokenizer.ggml.add_space_prefix"] != false {
		t.Errorf("keys %v", keys)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte("{"+byFallback+split), 0o666); err != nil {
		t.Fatal(err)
	}
	_, _, err := Tokens(dir, "m", 3, Tokenizer{Encode: func(string, bool) []int32 { return nil }})
	if err == nil || !strings.Contains(err.Error(), "the pre_tokenizer Split") {
		t.Errorf("spaces that are there: %v", err)
	}
}

// TestTokensBeyondTheModel: an added token without a row in the embedding is left out.
func TestTokensBeyondTheModel(t *testing.T) {
	keys := written(t, "m", "{"+byFallback+`, "added_tokens": [{"id": 2, "content": "<s>", "special": true}, {"id": 3, "content": "<image>", "special": true}]}`, 3)
	if got := keys["tokenizer.ggml.tokens"]; !slices.Equal(got.([]string), []string{"a", "\u2581", "<s>"}) {
		t.Errorf("tokens %q", got)
	}
}

// TestTokensThatOtherFilesAdd: llama.cpp finds them whole as well.
func TestTokensThatOtherFilesAdd(t *testing.T) {
	keys := written(t, "m", "{"+byFallback+`, "added_tokens": [{"id": 0, "content": "a", "special": true}]}`, 4,
		Added{0, "a", false}, Added{2, "\u2581a", false}, Added{3, "<end>", true}, Added{4, "<image>", true})
	if got := keys["tokenizer.ggml.tokens"]; !slices.Equal(got.([]string), []string{"a", "\u2581", " a", "<end>"}) {
		t.Errorf("tokens %q", got)
	}
	if got := keys["tokenizer.ggml.token_type"]; !slices.Equal(got.([]int32), []int32{control, normal, userDefined, control}) {
		t.Errorf("types %v", got)
	}
}

// TestPhi3IsKnownByItsName: what llama.cpp does by the name is what the tokens say.
func TestPhi3IsKnownByItsName(t *testing.T) {
	for _, test := range []struct{ name, strips, want string }{
		{"Phi-3-mini", "true", "Phi-3-mini"},
		{"mine", "true", "mine (phi-3)"},
		{"mine", "false", "mine"},
		{"Llama-as-Phi3-was", "false", "Llama-as-phi 3-was"},
	} {
		keys := written(t, test.name, "{"+byFallback+`, "added_tokens": [{"id": 2, "content": "<|user|>", "special": true, "rstrip": `+test.strips+`}]}`, 3)
		if keys["general.name"] != test.want {
			t.Errorf("%s, rstrip %s: general.name is %v, want %s", test.name, test.strips, keys["general.name"], test.want)
		}
	}
}

// TestSpacesBehindSpecialTokens: llama.cpp puts one behind each, which is said where the
// tokenizer puts one at the beginning alone.
func TestSpacesBehindSpecialTokens(t *testing.T) {
	dir := t.TempDir()
	json := "{" + byFallback + `, "added_tokens": [{"id": 3, "content": "<s>", "special": true}]}`
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte(json), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		behind int32 // the id of a behind the special token
		note   bool
	}{{2, false}, {0, true}} {
		keys, note, err := Tokens(dir, "m", 4, Tokenizer{Encode: func(text string, _ bool) []int32 {
			if strings.HasPrefix(text, "<s>") {
				return []int32{3, test.behind}
			}
			return []int32{2}
		}})
		if err != nil || len(keys) == 0 || test.note != strings.Contains(note, "not behind a special token as in llama.cpp") {
			t.Errorf("id %d: %q, %v", test.behind, note, err)
		}
	}
}

// TestSpecialTokensOfOtherFiles: where tokenizer_config.json names none, which it need not.
func TestSpecialTokensOfOtherFiles(t *testing.T) {
	const added = `, "added_tokens": [{"id": 0, "content": "<s>", "special": true}, {"id": 1, "content": "</s>", "special": true}]}`
	const tokenizer, names, model = "tokenizer_config.json", "special_tokens_map.json", "config.json"
	for _, test := range []struct {
		files    map[string]string
		bos, eos any
	}{
		{map[string]string{}, nil, nil},
		{map[string]string{tokenizer: `{"bos_token": "<s>", "eos_token": {"content": "</s>"}}`, model: `{"eos_token_id": 2}`}, uint32(0), uint32(1)},
		{map[string]string{tokenizer: `{"eos_token": null}`, names: `{"bos_token": "<s>", "eos_token": {"content": "</s>"}}`}, uint32(0), uint32(1)},
		{map[string]string{model: `{"bos_token_id": 0, "eos_token_id": [1, 2]}`}, uint32(0), uint32(1)},
		{map[string]string{model: `{"text_config": {"bos_token_id": 0, "eos_token_id": 1}}`}, uint32(0), uint32(1)},
		{map[string]string{model: `{"bos_token_id": 3, "eos_token_id": -1}`}, nil, nil},
	} {
		dir := t.TempDir()
		test.files["tokenizer.json"] = "{" + byFallback + added
		for name, text := range test.files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		list, _, err := Tokens(dir, "m", 3, Tokenizer{Encode: func(_ string, around bool) []int32 {
			if around && test.bos != nil {
				return []int32{0, 2}
			}
			return []int32{2}
		}})
		keys := map[string]any{}
		for _, k := range list {
			keys[k.Key] = k.Value
		}
		if err != nil || keys["tokenizer.ggml.bos_token_id"] != test.bos || keys["tokenizer.ggml.eos_token_id"] != test.eos || keys["tokenizer.ggml.add_bos_token"] != (test.bos != nil) {
			t.Errorf("%v: %v, %v", test.files, keys, err)
		}
	}
}
