package tokenizer

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/jsontree"
)

// config is what other files than tokenizer.json say about tokens.
type config struct {
	special map[string]string // bos_token, eos_token, …: set ones only
	added   []addedToken      // of added_tokens_decoder, by their ids
	extra   []addedToken      // special tokens under no name of specialNames
	ends    []int32           // eos_token_id of generation_config.json, else of config.json
	digest  [sha256.Size]byte // of the files that named something
}

// specialNames are the tokens that chat templates see as variables.
var specialNames = []string{"bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"}

// readConfig reads tokenizer_config.json, special_tokens_map.json for what that does not
// name, and the ids of end tokens. None of the files needs to be there.
func readConfig(dir string) (*config, error) {
	c := &config{special: map[string]string{}}
	h := sha256.New()
	for _, name := range []string{"tokenizer_config.json", "special_tokens_map.json"} {
		file, data, err := readObject(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		added, err := c.readSpecial(file)
		if err == nil && name == "tokenizer_config.json" {
			err = c.readAdded(file)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
		}
		if added || name == "tokenizer_config.json" {
			sum := sha256.Sum256(data)
			h.Write(sum[:])
		}
	}
	for _, name := range []string{"generation_config.json", "config.json"} {
		file, _, err := readObject(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if c.ends = endIDs(file.Get("eos_token_id")); c.ends != nil {
			break
		}
	}
	h.Sum(c.digest[:0])
	return c, nil
}

// readObject reads a file that holds a JSON object; a missing one is absent.
func readObject(path string) (jsontree.Value, []byte, error) {
	data, err := files.Read(path, maxFile)
	if errors.Is(err, os.ErrNotExist) {
		return jsontree.Value{}, nil, nil
	}
	if err != nil {
		return jsontree.Value{}, nil, err
	}
	v, err := jsontree.Parse(string(data))
	if err == nil && v.Kind() != jsontree.Object {
		err = v.Wrong("an object")
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return v, data, err
}

// readSpecial takes the special tokens that a file names and no file before it did.
func (c *config) readSpecial(file jsontree.Value) (added bool, err error) {
	for _, name := range specialNames {
		v := file.Get(name)
		if _, ok := c.special[name]; ok || v.IsNull() {
			continue
		}
		content := v
		if v.Kind() == jsontree.Object {
			content = v.Get("content")
		}
		s, err := content.Str()
		if err != nil {
			return false, fmt.Errorf("%s: want a string or an object with \"content\", found %.40s", name, v.Raw())
		}
		c.special[name], added = s, true
	}
	return added, nil
}

// readAdded takes the tokens that tokenizer_config.json adds to those of tokenizer.json:
// added_tokens_decoder, other names that end in _token, and extra_special_tokens, formerly
// additional_special_tokens, a list or an object of names and tokens.
func (c *config) readAdded(file jsontree.Value) error {
	for key, v := range file.Get("added_tokens_decoder").Members() {
		id, err := strconv.ParseInt(key, 10, 32)
		t, ok := tokenOf(v)
		if err != nil || !ok {
			return fmt.Errorf("added_tokens_decoder: want ids with a token each, found %q: %.40s", key, v.Raw())
		}
		t.ID = id
		c.added = append(c.added, t)
	}
	slices.SortFunc(c.added, func(a, b addedToken) int { return cmp.Compare(a.ID, b.ID) })
	for name, v := range file.Members() {
		if t, ok := tokenOf(v); ok && v.Kind() == jsontree.String && strings.HasSuffix(name, "_token") && !slices.Contains(specialNames, name) {
			c.extra = append(c.extra, t)
		}
	}
	name := "extra_special_tokens"
	if file.Get(name).Len() == 0 {
		name = "additional_special_tokens"
	}
	list := file.Get(name)
	var tokens []jsontree.Value
	for _, v := range list.Items() {
		tokens = append(tokens, v)
	}
	for _, v := range list.Members() {
		tokens = append(tokens, v)
	}
	for _, v := range tokens {
		t, ok := tokenOf(v)
		if !ok {
			return fmt.Errorf("%s: want strings or objects with \"content\", found %.40s", name, v.Raw())
		}
		c.extra = append(c.extra, t)
	}
	return nil
}

// tokenOf reads a token: an object as in tokenizer.json, or the spelling of a special one.
func tokenOf(v jsontree.Value) (t addedToken, ok bool) {
	if s, err := v.Str(); err == nil {
		return addedToken{Content: s, Special: true}, true
	}
	content, err := v.Get("content").Str()
	flag := func(name string, otherwise bool) bool {
		b, e := v.Get(name).Bool()
		if v.Get(name).IsNull() {
			return otherwise
		}
		if e != nil {
			err = e
		}
		return b
	}
	t = addedToken{Content: content, SingleWord: flag("single_word", false), LStrip: flag("lstrip", false), RStrip: flag("rstrip", false), Special: flag("special", false)}
	t.Normalized = flag("normalized", !t.Special)
	return t, err == nil
}

// endIDs reads eos_token_id: an id or a list of them. What is neither is for the reader
// of the model's configuration to refuse.
func endIDs(v jsontree.Value) []int32 {
	var ids []int32
	add := func(v jsontree.Value) {
		if id, err := v.Int(); err == nil && 0 <= id && id <= math.MaxInt32 {
			ids = append(ids, int32(id))
		}
	}
	add(v)
	for _, item := range v.Items() {
		add(item)
	}
	return ids
}

// A configToken is a token that is not in tokenizer.json's list.
type configToken struct {
	addedToken
	named bool // it is only named as special: a word for a token of the vocabulary
}

// tokens are all that the file has, in the order in which transformers adds them.
func (c *config) tokens() []configToken {
	var all []configToken
	special := map[string]bool{}
	for _, s := range c.special {
		special[s] = true
	}
	for _, t := range c.added {
		t.Special = t.Special || special[t.Content]
		all = append(all, configToken{t, false})
	}
	for _, name := range specialNames {
		if s, ok := c.special[name]; ok {
			all = append(all, configToken{addedToken{Content: s, Special: true}, true})
		}
	}
	for _, t := range c.extra {
		all = append(all, configToken{t, true})
	}
	return slices.DeleteFunc(all, func(t configToken) bool { return t.Content == "" })
}

// NamedTokens are the special tokens that tokenizer_config.json names, or else
// special_tokens_map.json, by their names there: bos_token and the like. Chat templates
// see them as variables.
func (t *Tokenizer) NamedTokens() map[string]string { return maps.Clone(t.config.special) }
