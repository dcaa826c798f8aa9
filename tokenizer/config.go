package tokenizer

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/jsontree"
)

// config is what other files than tokenizer.json say about tokens.
type config struct {
	special map[string]string // bos_token, eos_token, …: set ones only
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

// named are the special tokens, each once, in the order of specialNames.
func (c *config) named() []string {
	var all []string
	for _, name := range specialNames {
		if s, ok := c.special[name]; ok {
			all = append(all, s)
		}
	}
	return all
}

// NamedTokens are the special tokens that tokenizer_config.json names, or else
// special_tokens_map.json, by their names there: bos_token and the like. Chat templates
// see them as variables.
func (t *Tokenizer) NamedTokens() map[string]string { return maps.Clone(t.config.special) }
