package tokenizer

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tiny wraps parts of a tokenizer.json around a model of two tokens.
func tiny(parts string) string {
	if parts != "" {
		parts += ","
	}
	return `{"version":"1.0",` + parts + `"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[]}}`
}

func model(parts string) string { return `{"model":{` + parts + `}}` }

func split(regex string) string {
	return tiny(`"pre_tokenizer":{"type":"Split","pattern":{"Regex":"` + regex + `"},"behavior":"Isolated","invert":false}`)
}

const vm = `"vocab":{"a":0,"b":1},"merges":[]`

var parseErrors = []struct{ name, in, want string }{
	{"not JSON", `{"model"`, "byte 8: want ':', found the end"},
	{"not UTF-8", "{\"model\":\"\xff\"}", "not UTF-8"},
	{"more than JSON", tiny("") + "x", "text after the end"},
	{"bracket", `{"added_tokens":[{]`, "a bracket is not closed"},
	{"control character", "{\"a\n\":1}", "a control character 0x0a in a string"},
	{"escape", `{"a\q":1}`, "an unknown escape in a string"},
	{"open string", `{"a`, "a string is not closed"},
	{"open escape", `{"a\`, "a string is not closed"},
	{"model is a list", `{"model":[]}`, "model is missing"},
	{"vocab is a list", model(`"vocab":["a"],"merges":[]`), "model: vocab is missing or empty"},
	{"merges is an object", model(`"vocab":{"a":0},"merges":{}`), "model: merges are missing"},
	{"id is a text", model(`"vocab":{"a":"b"},"merges":[]`), `model: vocab: byte 23: want an integer, found`},
	{"token twice", model(`"vocab":{"a":0,"a":1},"merges":[]`), `model: vocab: "a" is given twice`},
	{"version", strings.Replace(tiny(""), "1.0", "2.0", 1), `version "2.0", want "1.0"`},
	{"unknown part", tiny(`"extra":1`), `unknown field "extra"`},
	{"no model", `{"added_tokens":[]}`, "model is missing"},
	{"Unigram", model(`"type":"Unigram","unk_id":0,"vocab":[["a",0.5]]`), `model: type "Unigram" is not supported, only BPE`},
	{"WordPiece", model(`"type":"WordPiece","max_input_chars_per_word":100,` + vm), `model: type "WordPiece" is not supported, only BPE`},
	{"model option", model(`"type":"BPE","new_option":true,` + vm), `unknown field "new_option"`},
	{"no vocab", model(`"merges":[]`), "model: vocab is missing or empty"},
	{"no merges", model(`"vocab":{"a":0}`), "model: merges are missing"},
	{"subword prefix", model(`"continuing_subword_prefix":"##",` + vm), `model: continuing_subword_prefix "##" is not supported`},
	{"word suffix", model(`"end_of_word_suffix":"</w>",` + vm), `model: end_of_word_suffix "</w>" is not supported`},
	{"unk", model(`"unk_token":"<unk>",` + vm), `model: unk_token "<unk>" is not in the vocabulary`},
	{"id twice", model(`"vocab":{"a":0,"b":0},"merges":[]`), `model: vocab: "a" and "b" both have id 0`},
	{"negative id", model(`"vocab":{"a":-1},"merges":[]`), `model: vocab: "a" has id -1`},
	{"large id", model(`"vocab":{"a":4294967296},"merges":[]`), `model: vocab: "a" has id 4294967296`},
	{"merge of strangers", model(`"vocab":{"a":0,"b":1},"merges":["a b"]`), `model: merges[0]: "a" + "b": not all of the three are in the vocabulary`},
	{"merge of three", model(`"vocab":{"a":0},"merges":["a a a"]`), `merges[0]: want "a b", found "a a a"`},
	{"merge list of three", model(`"vocab":{"a":0},"merges":[["a","a","a"]]`), "merges[0]: want two tokens, found 3"},
	{"normalizer", tiny(`"normalizer":{"type":"BertNormalizer"}`), "normalizer: BertNormalizer: unknown normalizer"},
	{"normalizer without type", tiny(`"normalizer":{}`), `normalizer: "type" is missing`},
	{"inner normalizer", tiny(`"normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Nmt"}]}`), "normalizer: Sequence[1]: Nmt: unknown normalizer"},
	{"normalizer option", tiny(`"normalizer":{"type":"NFC","x":1}`), `normalizer: NFC: unknown field "x"`},
	{"replace", tiny(`"normalizer":{"type":"Replace","content":""}`), `normalizer: Replace: "pattern" is missing`},
	{"replace both", tiny(`"normalizer":{"type":"Replace","pattern":{},"content":""}`), `pattern: want one of "String" and "Regex"`},
	{"replace nothing", tiny(`"normalizer":{"type":"Replace","pattern":{"String":""},"content":""}`), "pattern: the empty string"},
	{"pre-tokenizer", tiny(`"pre_tokenizer":{"type":"BertPreTokenizer"}`), "pre_tokenizer: BertPreTokenizer: unknown pre-tokenizer"},
	{"inner pre-tokenizer", tiny(`"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"UnicodeScripts"}]}`), "pre_tokenizer: Sequence[0]: UnicodeScripts: unknown pre-tokenizer"},
	{"regex", tiny(`"pre_tokenizer":{"type":"Split","pattern":{"Regex":"("},"behavior":"Isolated","invert":false}`), "pre_tokenizer: Split: pattern"},
	{"long regex", tiny(`"pre_tokenizer":{"type":"Split","pattern":{"Regex":"` + strings.Repeat("a", maxPattern+1) + `"},"behavior":"Isolated"}`), "pattern: 8193 bytes long, more than 8192"},
	{"possessive", split(`a++`), "a quantifier after another is not supported"},
	{"word border", split(`\\ba`), `"\\b" is not supported`},
	{"back reference", split(`(a)\\1`), `"\\1" is not supported`},
	{"property", split(`\\p{Emoji}`), `the property "Emoji" is not supported`},
	{"property without braces", split(`\\pL`), `is not supported, only \p{…}`},
	{"set in a set", split(`[a[b]]`), "inside of brackets is not supported"},
	{"common set", split(`[a&&b]`), "inside of brackets is not supported"},
	{"POSIX", split(`[[:alpha:]]`), "inside of brackets is not supported"},
	{"open set", split(`[a`), "a bracket is not closed"},
	{"dot for all", split(`(?m:.)`), `the group "(?m:" is not supported`},
	{"code point", split(`\\x{110000}`), "is not a character"},
	{"backslash", split(`a\\`), "a backslash at the end"},
	{"behavior", tiny(`"pre_tokenizer":{"type":"Split","pattern":{"String":"-"},"behavior":"Glued","invert":false}`), `pre_tokenizer: Split: unknown behavior "Glued"`},
	{"punctuation behavior", tiny(`"pre_tokenizer":{"type":"Punctuation","behavior":"x"}`), `pre_tokenizer: Punctuation: unknown behavior "x"`},
	{"metaspace", tiny(`"pre_tokenizer":{"type":"Metaspace","replacement":"--"}`), `Metaspace: replacement: want one character, found "--"`},
	{"prepend scheme", tiny(`"pre_tokenizer":{"type":"Metaspace","replacement":"_","prepend_scheme":"last"}`), `prepend_scheme: want "first", "never" or "always", found "last"`},
	{"post-processor", tiny(`"post_processor":{"type":"RobertaProcessing"}`), "post_processor: RobertaProcessing: unknown post-processor"},
	{"inner post-processor", tiny(`"post_processor":{"type":"Sequence","processors":[{"type":"BertProcessing"}]}`), "post_processor: Sequence: [0]: BertProcessing: unknown post-processor"},
	{"template token", tiny(`"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}],"special_tokens":{}}`), `single[0]: "<s>" is not in special_tokens`},
	{"template sequence", tiny(`"post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"B"}}],"special_tokens":{}}`), `single[0]: want a special token or the sequence "A"`},
	{"template without text", tiny(`"post_processor":{"type":"TemplateProcessing","single":[],"special_tokens":{}}`), `want the sequence "A" once, found it 0 times`},
	{"two templates", tiny(`"post_processor":{"type":"Sequence","processors":[` + strings.Repeat(`{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"s"}},{"Sequence":{"id":"A"}}],"special_tokens":{"s":{"id":"s","ids":[0],"tokens":["s"]}}},`, 2) + `{"type":"ByteLevel"}]}`), "Sequence: [1]: two templates in a row are not supported"},
	{"template id", tiny(`"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"s"}},{"Sequence":{"id":"A"}}],"special_tokens":{"s":{"id":"s","ids":[9],"tokens":["s"]}}}`), "post_processor: adds id 9, which is no token"},
	{"decoder", tiny(`"decoder":{"type":"WordPiece","prefix":"##"}`), "decoder: WordPiece: unknown decoder"},
	{"inner decoder", tiny(`"decoder":{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"CTC"}]}`), "decoder: Sequence: [1]: CTC: unknown decoder"},
	{"strip", tiny(`"decoder":{"type":"Strip","content":" ","start":-1,"stop":0}`), "decoder: Strip: want one character and two counts"},
	{"added id", tiny(`"added_tokens":[{"id":5,"content":"x"}]`), `added_tokens: "x": the file says id 5, its place in the vocabulary is 2`},
	{"added twice", tiny(`"added_tokens":[{"id":2,"content":"x"},{"id":3,"content":"x"}]`), `added_tokens: "x"`},
	{"added without text", tiny(`"normalizer":{"type":"Strip","strip_left":true,"strip_right":true},"added_tokens":[{"id":2,"content":" ","normalized":true}]`), `added_tokens: " " is empty after normalization`},
}

func TestParseErrors(t *testing.T) {
	for _, c := range parseErrors {
		t.Run(c.name, func(t *testing.T) {
			_, err := parse([]byte(c.in), &config{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("found %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestByteFallbackNeedsTheAlphabet(t *testing.T) {
	in := patched(t, "bytelevel", nil, map[string]json.RawMessage{"byte_fallback": json.RawMessage("true")})
	_, err := parse(in, &config{})
	if err == nil || !strings.Contains(err.Error(), "byte_fallback with ByteLevel") {
		t.Errorf("found %v", err)
	}
}

func TestLoadErrorsNameTheFile(t *testing.T) {
	dir := t.TempDir()
	_, err := Load(dir)
	var hint interface{ Hint() string }
	if err == nil || !strings.Contains(err.Error(), "tokenizer.json: not found") || !errors.As(err, &hint) {
		t.Fatalf("found %v", err)
	}
	if !strings.Contains(hint.Hint(), "needs tokenizer.json") || !errors.Is(errors.Unwrap(err), errors.Unwrap(err)) {
		t.Errorf("hint %q", hint.Hint())
	}
	writeFile(t, dir, "tokenizer.model", "x")
	if _, err := Load(dir); !errors.As(err, &hint) || !strings.Contains(hint.Hint(), "save_pretrained") {
		t.Errorf("found %v", err)
	}
	writeFile(t, dir, "tokenizer.json", tiny(`"decoder":{"type":"X"}`))
	if _, err := Load(dir); err == nil || !strings.HasPrefix(err.Error(), filepath.Join(dir, "tokenizer.json")+": decoder: X") {
		t.Errorf("found %v", err)
	}
	writeFile(t, dir, "tokenizer_config.json", `{"bos_token": 3}`)
	if _, err := Load(dir); err == nil || !strings.HasPrefix(err.Error(), filepath.Join(dir, "tokenizer_config.json")+": bos_token: want a string") {
		t.Errorf("found %v", err)
	}
}

func TestAddedTokensErrors(t *testing.T) {
	for in, want := range map[string]string{
		`{"added_tokens_decoder":{"x":{"content":"a"}}}`:                 `added_tokens_decoder: want ids with a token each, found "x"`,
		`{"added_tokens_decoder":{"1":{"lstrip":true}}}`:                 `added_tokens_decoder: want ids with a token each, found "1"`,
		`{"added_tokens_decoder":{"1":{"content":"a","special":"yes"}}}`: `added_tokens_decoder: want ids with a token each, found "1"`,
		`{"extra_special_tokens":[1]}`:                                   `extra_special_tokens: want strings or objects with "content", found 1`,
		`{"additional_special_tokens":{"a":null}}`:                       `additional_special_tokens: want strings or objects with "content", found null`,
	} {
		dir := storiesIn(t)
		writeFile(t, dir, "tokenizer_config.json", in)
		if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: found %v, want %s", in, err, want)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	for in, want := range map[string]string{
		`{`:                                 "line 1, byte 2: the text ends, want a key",
		`[]`:                                "a list, want an object",
		`{"eos_token":"a","eos_token":"b"}`: `byte 18: duplicate key "eos_token"`,
		`{"eos_token":"\ud800"}`:            "half a surrogate pair",
		`{"eos_token":{"content":3}}`:       `eos_token: want a string or an object with "content"`,
		`{"eos_token":{"text":"x"}}`:        `eos_token: want a string or an object with "content"`,
	} {
		for _, name := range []string{"tokenizer_config.json", "special_tokens_map.json"} {
			dir := storiesIn(t)
			writeFile(t, dir, name, in)
			_, err := Load(dir)
			if err == nil || !strings.HasPrefix(err.Error(), filepath.Join(dir, name)+": ") || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: found %v, want %s", in, err, want)
			}
		}
	}
}

func TestLookUps(t *testing.T) {
	tok := loadStories(t)
	bos, ok := tok.BOS()
	if s, _ := tok.Token(bos); !ok || s != "<s>" || !tok.IsSpecial(bos) {
		t.Errorf("BOS is %d %q", bos, s)
	}
	eos, ok := tok.EOS()
	if s, _ := tok.Token(eos); !ok || s != "</s>" {
		t.Errorf("EOS is %d %q", eos, s)
	}
	if tok.MaxID() != 511 {
		t.Errorf("MaxID is %d, want 511", tok.MaxID())
	}
	if _, ok := tok.Token(512); ok {
		t.Error("512 is no token")
	}
	if _, ok := tok.ID("nowhere"); ok {
		t.Error("\"nowhere\" is no token")
	}
	if id, ok := tok.ID("▁the"); !ok || tok.IsSpecial(id) {
		t.Errorf("\"▁the\" is %d, %v", id, ok)
	}
}

// FuzzParse: no tokenizer.json may panic, and what loads must encode and decode.
func FuzzParse(f *testing.F) {
	f.Add([]byte(tiny("")))
	f.Add([]byte(tiny(`"added_tokens":[{"id":2,"content":"x","normalized":true}],"normalizer":{"type":"Prepend","prepend":"a"}`)))
	f.Add([]byte(tiny(`"pre_tokenizer":{"type":"Split","pattern":{"Regex":"a|b+"},"behavior":"MergedWithNext","invert":true}`)))
	f.Add([]byte(tiny(`"pre_tokenizer":{"type":"Metaspace","replacement":"a"},"decoder":{"type":"Metaspace","replacement":"a"}`)))
	f.Add([]byte(tiny(`"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"ByteLevel"},{"type":"Digits"}]},"decoder":{"type":"ByteLevel"}`)))
	var variants []variant
	readJSON(f, "variants.json", &variants)
	for _, v := range variants {
		parts := ""
		for k, raw := range v.Set {
			if k != "added_tokens" && k != "post_processor" {
				parts += `"` + k + `":` + string(raw) + ","
			}
		}
		f.Add([]byte(tiny(strings.TrimSuffix(parts, ","))))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<14 || strings.Contains(string(data), `"Regex"`) && len(data) > 600 {
			return // a hostile pattern may take its time, which is not the matter here
		}
		tok, err := parse(data, &config{})
		if err != nil {
			return
		}
		e := tok.Encode("abab a\u00e9 b", true)
		tok.Decode(e.IDs, false)
	})
}

func TestLoadRefusesAFolderForAFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "tokenizer.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "tokenizer.json: a folder, want a file") {
		t.Errorf("got %v", err)
	}
}

// Numbers from Hugging Face's tokenizers 0.23.3, whose bytes overtake an unknown that
// waits.
func TestByteFallbackWithoutSomeBytes(t *testing.T) {
	const vocab = `"vocab":{"<unk>":0,"a":1,"<0xC3>":2,"<0xA9>":3,"<0xE2>":4,"<0xAC>":5},"merges":[],"byte_fallback":true`
	for _, x := range []struct {
		options, text string
		want          []int32
	}{
		{`"unk_token":"<unk>",`, "aé", []int32{1, 2, 3}},
		{`"unk_token":"<unk>",`, "a€", []int32{1, 0}},
		{`"unk_token":"<unk>",`, "€é€€a", []int32{2, 3, 0, 0, 0, 1}},
		{`"unk_token":"<unk>","fuse_unk":true,`, "€é€€a", []int32{2, 3, 0, 1}},
		{`"unk_token":"<unk>","fuse_unk":true,`, "x€", []int32{0}},
		{"", "€é€€a", []int32{2, 3, 1}},
	} {
		tok, err := parse([]byte(model(x.options+vocab)), &config{})
		if err != nil {
			t.Fatal(err)
		}
		if got := tok.Encode(x.text, false).IDs; !slices.Equal(got, x.want) {
			t.Errorf("%s %q: %v, want %v", x.options, x.text, got, x.want)
		}
	}
}
