package gguf

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/jsontree"
)

// llama.cpp's types of tokens.
const (
	normal      int32 = 1
	control     int32 = 3
	userDefined int32 = 4
	unused      int32 = 5
	byteToken   int32 = 6
)

// maxFile bounds a tokenizer.json; the largest in use has about 35 megabytes.
const maxFile = 1 << 30

// A Tokenizer is what a model's own does to text.
type Tokenizer struct {
	Encode func(text string, around bool) []int32 // with or without what it puts around a text
	Added  []Added
}

// An Added token is found whole in a text.
type Added struct {
	ID      int32
	Content string
	Special bool
}

// Tokens returns the keys that say how text becomes tokens, for a model of that name with
// so many of them. note says what deserves a look.
func Tokens(dir, name string, vocabulary int, t Tokenizer) (keys []KeyValue, note string, err error) {
	file, err := readTree(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		return nil, "", err
	}
	var others [3]jsontree.Value
	for i, name := range []string{"tokenizer_config.json", "special_tokens_map.json", "config.json"} {
		if others[i], err = readTree(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, "", err
		}
	}
	w := words{file: file, named: others[:2], model: others[2], encode: t.Encode}
	if err := w.read(vocabulary, t.Added); err != nil {
		return nil, "", fmt.Errorf("%s: %w", filepath.Join(dir, "tokenizer.json"), err)
	}
	if fallback, _ := file.Get("model").Get("byte_fallback").Bool(); fallback {
		keys, note, err = w.bySentencePiece()
	} else {
		keys, note, err = w.byBytes()
	}
	if err == nil {
		keys, err = w.around(keys)
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", filepath.Join(dir, "tokenizer.json"), err)
	}
	keys = append(keys, KeyValue{"general.name", w.name(name)})
	template, err := chatTemplate(dir, others[0])
	if template != "" {
		keys = append(keys, KeyValue{"tokenizer.chat_template", template})
	}
	return keys, note, err
}

func readTree(path string) (jsontree.Value, error) {
	data, err := files.Read(path, maxFile)
	if err != nil {
		return jsontree.Value{}, err
	}
	v, err := jsontree.Parse(string(data))
	if err != nil {
		return jsontree.Value{}, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

// words are the tokens of a model and how they are made.
type words struct {
	file   jsontree.Value   // tokenizer.json
	named  []jsontree.Value // files that name special tokens
	model  jsontree.Value   // config.json, which has ids of them
	encode func(text string, around bool) []int32
	tokens []string
	types  []int32
	added  map[string]int
	merges [][2]string
}

// read takes tokens and merges. Of added are those that other files add to tokenizer.json's.
func (w *words) read(vocabulary int, added []Added) error {
	w.tokens, w.types = make([]string, vocabulary), make([]int32, vocabulary)
	for i := range w.tokens {
		w.tokens[i], w.types[i] = fmt.Sprintf("[PAD%d]", i), unused
	}
	put := func(token string, v jsontree.Value, kind int32) error {
		id, err := v.Int()
		if err != nil || id < 0 || id >= int64(vocabulary) {
			return fmt.Errorf("token %q has id %s, and the model has %d tokens", token, v.Raw(), vocabulary)
		}
		w.tokens[id], w.types[id] = token, kind
		return nil
	}
	typed := func(content string, special bool) (text string, kind int32) {
		if special || looksSpecial(content) {
			return content, control
		}
		return strings.ReplaceAll(content, "\u2581", " "), userDefined
	}
	for token, id := range w.file.Get("model").Get("vocab").Members() {
		if err := put(token, id, normal); err != nil {
			return err
		}
	}
	w.added = map[string]int{}
	for _, a := range w.file.Get("added_tokens").Items() {
		content, err := a.Get("content").Str()
		if err != nil {
			return fmt.Errorf("added_tokens: %w", err)
		}
		special, _ := a.Get("special").Bool()
		text, kind := typed(content, special)
		id, err := a.Get("id").Int()
		if err == nil && id >= int64(vocabulary) {
			continue // without a row in the embedding, as an image's in the text part of a larger model
		}
		if err := put(text, a.Get("id"), kind); err != nil {
			return err
		}
		w.added[content] = int(id)
	}
	for _, a := range added {
		if _, listed := w.added[a.Content]; !listed && int(a.ID) < vocabulary {
			w.tokens[a.ID], w.types[a.ID] = typed(a.Content, a.Special)
			w.added[a.Content] = int(a.ID)
		}
	}
	for i, m := range w.file.Get("model").Get("merges").Items() {
		var pair [2]string
		if text, err := m.Str(); err == nil {
			pair[0], pair[1], _ = strings.Cut(text, " ")
		} else {
			for j, part := range m.Items() {
				if pair[j%2], err = part.Str(); err != nil {
					return fmt.Errorf("merges[%d]: %w", i, err)
				}
			}
		}
		w.merges = append(w.merges, pair)
	}
	return nil
}

// name returns what the model is called. By it llama.cpp knows Phi-3, whose added tokens
// take the spaces behind them; a model that it takes for one must have its tokens.
func (w *words) name(name string) string {
	strips := false
	for _, a := range w.file.Get("added_tokens").Items() {
		yes, _ := a.Get("rstrip").Bool()
		strips = strips || yes
	}
	switch phi := regexp.MustCompile(`(?i)phi-?3`); {
	case strips && !phi.MatchString(name):
		return name + " (phi-3)"
	case !strips:
		return phi.ReplaceAllString(name, "phi 3")
	}
	return name
}

// looksSpecial reports whether a token is one that models use as special without saying
// so (does_token_look_special in conversion/base.py).
func looksSpecial(token string) bool {
	return token == "<pad>" || token == "<mask>" || token == "<2mass>" || token == "[@BOS@]" ||
		strings.HasPrefix(token, "<|") && strings.HasSuffix(token, "|>") ||
		strings.HasPrefix(token, "<｜") && strings.HasSuffix(token, "｜>") ||
		strings.HasPrefix(token, "<unused") && strings.HasSuffix(token, ">")
}

// byBytes returns the keys of a byte-level vocabulary, as of GPT-2.
func (w *words) byBytes() (keys []KeyValue, note string, err error) {
	pre, note, err := preTokenizer(w.file, func(text string) []int32 { return w.encode(text, true) })
	if err != nil {
		return nil, "", err
	}
	merges := make([]string, len(w.merges))
	for i, m := range w.merges {
		merges[i] = strings.ReplaceAll(m[0], " ", "Ġ") + " " + strings.ReplaceAll(m[1], " ", "Ġ")
	}
	return []KeyValue{
		{"tokenizer.ggml.model", "gpt2"},
		{"tokenizer.ggml.pre", pre},
		{"tokenizer.ggml.tokens", w.tokens},
		{"tokenizer.ggml.token_type", w.types},
		{"tokenizer.ggml.merges", merges},
	}, note, nil
}

// hexByte matches the tokens of single bytes.
var hexByte = regexp.MustCompile(`^<0x[0-9A-Fa-f]{2}>$`)

// bySentencePiece returns the keys of a vocabulary in SentencePiece's manner.
func (w *words) bySentencePiece() (keys []KeyValue, note string, err error) {
	if p := w.file.Get("pre_tokenizer"); !p.IsNull() {
		kind, _ := p.Get("type").Str()
		at, _ := p.Get("pattern").Get("String").Str()
		if kind != "Metaspace" && !(kind == "Split" && at == " " && w.spacesReplaced()) {
			return nil, "", fmt.Errorf("byte_fallback with the pre_tokenizer %s, which llama.cpp does not have", kind)
		}
	}
	rank := map[string]int{}
	for i, m := range w.merges {
		if _, ok := rank[m[0]+m[1]]; !ok {
			rank[m[0]+m[1]] = i
		}
	}
	scores := make([]float32, len(w.tokens))
	for i, token := range w.tokens {
		scores[i] = -float32(len(w.merges) + 1) // no merge makes it
		if r, ok := rank[token]; ok {
			scores[i] = -float32(r)
		}
		if hexByte.MatchString(token) {
			w.types[i] = byteToken
		}
	}
	// spaced reports whether the token at a place is one with a space before it.
	spaced := func(ids []int32, at int) bool {
		return at < len(ids) && int(ids[at]) < len(w.tokens) && strings.HasPrefix(w.tokens[ids[at]], "\u2581")
	}
	prefixed := spaced(w.encode("a", false), 0)
	for special := range w.added {
		if prefixed && !spaced(w.encode(special+"a", false), 1) {
			note = "a text begins with a space in this vocabulary, but not behind a special token as in llama.cpp: in chats it reads tokens there that the model was not trained on"
			break
		}
	}
	return []KeyValue{
		{"tokenizer.ggml.model", "llama"},
		{"tokenizer.ggml.pre", "default"},
		{"tokenizer.ggml.tokens", w.tokens},
		{"tokenizer.ggml.scores", scores},
		{"tokenizer.ggml.token_type", w.types},
		{"tokenizer.ggml.add_space_prefix", prefixed},
	}, note, nil
}

// spacesReplaced reports whether the normalizer leaves no space to split at, as Gemma's.
func (w *words) spacesReplaced() bool {
	n := w.file.Get("normalizer")
	kind, _ := n.Get("type").Str()
	at, _ := n.Get("pattern").Get("String").Str()
	to, _ := n.Get("content").Str()
	return kind == "Replace" && at == " " && to == "\u2581"
}

// roles are the special tokens that have a key; the second word is GGUF's, misspelt there.
var roles = [][2]string{
	{"bos", "bos"}, {"eos", "eos"}, {"unk", "unknown"}, {"sep", "seperator"}, {"pad", "padding"}, {"cls", "cls"}, {"mask", "mask"},
}

// special returns the id of a special token: by its name, where a file has that, else by
// the id in config.json, of several the first.
func (w *words) special(role string) (int, bool) {
	for _, file := range w.named {
		v := file.Get(role + "_token")
		if v.Kind() == jsontree.Object {
			v = v.Get("content")
		}
		name, _ := v.Str()
		if id, ok := w.added[name]; ok {
			return id, true
		}
	}
	for _, of := range []jsontree.Value{w.model, w.model.Get("text_config")} {
		v := of.Get(role + "_token_id")
		for _, first := range v.Items() {
			v = first
			break
		}
		if id, err := v.Int(); err == nil && id >= 0 && id < int64(len(w.tokens)) {
			return int(id), true
		}
	}
	return 0, false
}

// around appends the ids of special tokens, and which of them are put around a text: by
// what encode does, since a file may say it in several places.
func (w *words) around(keys []KeyValue) ([]KeyValue, error) {
	ids := map[string]int32{"bos": -1, "eos": -1}
	for _, role := range roles {
		if id, ok := w.special(role[0]); ok {
			ids[role[0]] = int32(id)
			keys = append(keys, KeyValue{"tokenizer.ggml." + role[1] + "_token_id", uint32(id)})
		}
	}
	plain, whole := w.encode("a", false), w.encode("a", true)
	before := len(whole) > 0 && whole[0] == ids["bos"]
	if before {
		whole = whole[1:]
	}
	after := len(whole) > len(plain) && whole[len(whole)-1] == ids["eos"]
	if after {
		whole = whole[:len(whole)-1]
	}
	if !slices.Equal(plain, whole) {
		return nil, errors.New("puts other tokens around a text than one at its beginning and one at its end, which GGUF has no key for")
	}
	return append(keys, KeyValue{"tokenizer.ggml.add_bos_token", before}, KeyValue{"tokenizer.ggml.add_eos_token", after}), nil
}

// chatTemplate returns a model's own template: chat_template.jinja, else that of
// tokenizer_config.json, of several the default.
func chatTemplate(dir string, config jsontree.Value) (string, error) {
	data, err := files.Read(filepath.Join(dir, "chat_template.jinja"), maxFile)
	if err == nil {
		return string(data), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	t := config.Get("chat_template")
	if text, err := t.Str(); err == nil {
		return text, nil
	}
	for _, item := range t.Items() {
		if name, _ := item.Get("name").Str(); name == "default" {
			return item.Get("template").Str()
		}
	}
	return "", nil
}
