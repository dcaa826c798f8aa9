package tokenizer

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
)

// maxFile bounds what is read: the largest tokenizer.json in use has about 35 megabytes.
const maxFile = 1 << 30

// Tokenizer encodes and decodes as tokenizer.json says. It does not change after
// Load and may be used by several goroutines.
type Tokenizer struct {
	added         *addedTokens
	normalizers   []normalizer
	pre           []preTokenizer
	model         *bpe
	before, after []int32 // what the post-processor puts around a text
	decoder       []stage
	config        *config
	maxID         int32
	digest        [sha256.Size]byte // of tokenizer.json and tokenizer_config.json
}

// Load reads dir/tokenizer.json, and dir/tokenizer_config.json if it is there.
// Errors name the file and the component.
func Load(dir string) (*Tokenizer, error) {
	path := filepath.Join(dir, "tokenizer.json")
	data, err := files.Read(path, maxFile)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, hint.New(fmt.Errorf("%s: not found", path), missingHint(dir))
		}
		return nil, err
	}
	c, err := readConfig(dir)
	if err != nil {
		return nil, err
	}
	t, err := parse(data, c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	h := sha256.New()
	h.Write(c.digest[:])
	h.Write(data)
	h.Sum(t.digest[:0])
	return t, nil
}

// missingHint says how a folder without tokenizer.json gets one.
func missingHint(dir string) string {
	if _, err := os.Stat(filepath.Join(dir, "tokenizer.model")); err == nil {
		return "tokenizer.model alone is not read: load it once with transformers' AutoTokenizer and save_pretrained writes tokenizer.json"
	}
	return "a model folder needs tokenizer.json"
}

// fileJSON is tokenizer.json without its model. Truncation and padding are left alone, see doc.go.
type fileJSON struct {
	Version       *string
	Truncation    json.RawMessage
	Padding       json.RawMessage
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`

	model *modelJSON
}

func parse(data []byte, c *config) (*Tokenizer, error) {
	f, err := parseFile(data)
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{added: newAddedTokens(), config: c}
	if t.normalizers, err = loadNormalizers(f.Normalizer); err != nil {
		return nil, fmt.Errorf("normalizer: %w", err)
	}
	if t.pre, err = loadPreTokenizers(f.PreTokenizer); err != nil {
		return nil, fmt.Errorf("pre_tokenizer: %w", err)
	}
	raw := false
	if n := len(t.pre); n > 0 {
		if last, ok := t.pre[n-1].(*byteLevel); ok {
			last.raw, raw = true, true
		}
	}
	if t.model, err = newBPE(f.model, raw); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if t.before, t.after, err = loadPostProcessor(f.PostProcessor); err != nil {
		return nil, fmt.Errorf("post_processor: %w", err)
	}
	if t.decoder, err = loadDecoder(f.Decoder); err != nil {
		return nil, fmt.Errorf("decoder: %w", err)
	}
	if err := t.addTokens(f.AddedTokens); err != nil {
		return nil, fmt.Errorf("added_tokens: %w", err)
	}
	t.maxID = max(t.maxID, int32(len(t.model.vocab.tokens)-1))
	return t, t.checkAround()
}

// parseFile reads the JSON: the model by hand, the rest by encoding/json.
func parseFile(data []byte) (*fileJSON, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8")
	}
	f := &fileJSON{}
	s := &jsonScanner{data: data}
	parts := map[string]json.RawMessage{}
	err := s.members(func(key []byte) (err error) {
		if name := string(key); name != "model" || s.peek() != '{' {
			parts[name], err = s.value()
			return err
		}
		f.model, err = readModel(s)
		return wrap("model", err)
	})
	if err == nil && s.peek() != 0 {
		err = s.errorf("text after the end")
	}
	if err != nil {
		return nil, err
	}
	delete(parts, "model")
	raw, err := json.Marshal(parts)
	if err == nil {
		err = decodeStrict(raw, f)
	}
	switch {
	case err != nil:
		return nil, err
	case f.Version != nil && *f.Version != "1.0":
		return nil, fmt.Errorf("version %q, want \"1.0\"", *f.Version)
	case f.model == nil:
		return nil, errors.New("model is missing")
	}
	return f, nil
}

// addTokens takes the added tokens, in order, and then those that only
// tokenizer_config.json has, as transformers does. Of what it only names as special, the
// ones that the vocabulary lacks are left out: no model knows an id of theirs.
func (t *Tokenizer) addTokens(list []addedToken) error {
	next := int32(t.model.vocab.count)
	add := func(a addedToken) (id int32, err error) {
		id, ok := t.model.vocab.id(a.Content)
		if !ok {
			id = next
			next++
		}
		t.maxID = max(t.maxID, id)
		return id, t.added.add(a, id, t.normalizeString)
	}
	for _, a := range list {
		if a.Content == "" {
			continue
		}
		id, err := add(a)
		if a.ID != int64(id) {
			err = fmt.Errorf("%q: the file says id %d, its place in the vocabulary is %d", a.Content, a.ID, id)
		}
		if err != nil {
			return err
		}
	}
	for _, a := range t.config.tokens() {
		_, found := t.added.ids[a.Content]
		_, known := t.model.vocab.id(a.Content)
		if found || !known && a.named {
			continue
		}
		if _, err := add(a.addedToken); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tokenizer) normalizeString(s string) string {
	p := newPiece(s)
	for _, n := range t.normalizers {
		p = n.normalize(p)
	}
	return p.text
}

// checkAround refuses ids of the post-processor that are no tokens.
func (t *Tokenizer) checkAround() error {
	for _, ids := range [][]int32{t.before, t.after} {
		for _, id := range ids {
			if _, ok := t.Token(id); !ok {
				return fmt.Errorf("post_processor: adds id %d, which is no token", id)
			}
		}
	}
	return nil
}

// MaxID is the largest id of any token.
func (t *Tokenizer) MaxID() int32 { return t.maxID }

// ID is the id of a token, by its spelling in the vocabulary.
func (t *Tokenizer) ID(token string) (int32, bool) {
	if id, ok := t.added.ids[token]; ok {
		return id, true
	}
	return t.model.vocab.id(token)
}

// Token is the spelling of an id in the vocabulary.
func (t *Tokenizer) Token(id int32) (string, bool) {
	if a, ok := t.added.byID[id]; ok {
		return a.Content, true
	}
	return t.model.vocab.token(id)
}

// An AddedToken is found whole in a text, before that is cut.
type AddedToken struct {
	ID      int32
	Content string
	Special bool // decoding can skip it
}

// Added are the added tokens of all files, by their ids.
func (t *Tokenizer) Added() []AddedToken {
	var list []AddedToken
	for _, id := range slices.Sorted(maps.Keys(t.added.byID)) {
		a := t.added.byID[id]
		list = append(list, AddedToken{id, a.Content, a.Special})
	}
	return list
}

// IsSpecial says whether id is a special token: one that decoding can skip.
func (t *Tokenizer) IsSpecial(id int32) bool { return t.added.byID[id].Special }

// BOS is the beginning-of-sequence token named by tokenizer_config.json, or else by
// special_tokens_map.json.
func (t *Tokenizer) BOS() (int32, bool) { return t.configured("bos_token") }

// EOS is the token that ends a text: eos_token of tokenizer_config.json, else of
// special_tokens_map.json, else the first eos_token_id of generation_config.json, else of
// config.json. False where none of them names one that the vocabulary has.
func (t *Tokenizer) EOS() (int32, bool) {
	if id, ok := t.configured("eos_token"); ok {
		return id, true
	}
	for _, id := range t.config.ends {
		if _, ok := t.Token(id); ok {
			return id, true
		}
	}
	return 0, false
}

// Ends are the tokens at which generation stops: EOS, and every eos_token_id of
// generation_config.json, else of config.json.
func (t *Tokenizer) Ends() []int32 {
	var all []int32
	if id, ok := t.EOS(); ok {
		all = append(all, id)
	}
	for _, id := range t.config.ends {
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all
}

// Digest identifies the files the tokenizer was loaded from, by their bytes.
func (t *Tokenizer) Digest() [sha256.Size]byte { return t.digest }

func (t *Tokenizer) configured(name string) (int32, bool) {
	s, ok := t.config.special[name]
	if !ok || strings.TrimSpace(s) == "" {
		return 0, false
	}
	return t.ID(s)
}
