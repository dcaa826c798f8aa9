package tokenizer

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/jsontree"
)

// config is what tokenizer_config.json says beside tokenizer.json.
type config struct {
	special   map[string]string // bos_token, eos_token, …: set ones only
	templates map[string]string // by name; a single one is "default"
	digest    [sha256.Size]byte // of the file
}

// specialNames are the tokens that chat templates see as variables.
var specialNames = []string{"bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"}

// readConfig reads dir/tokenizer_config.json; without one the result is empty.
func readConfig(dir string) (*config, error) {
	path := filepath.Join(dir, "tokenizer_config.json")
	data, err := files.Read(path, maxFile)
	if errors.Is(err, os.ErrNotExist) {
		return &config{}, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := parseConfig(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func parseConfig(data []byte) (*config, error) {
	file, err := jsontree.Parse(string(data))
	if err != nil {
		return nil, err
	}
	if file.Kind() != jsontree.Object {
		return nil, file.Wrong("an object")
	}
	c := &config{special: map[string]string{}, digest: sha256.Sum256(data)}
	for _, name := range specialNames {
		v := file.Get(name)
		if v.IsNull() {
			continue
		}
		content := v
		if v.Kind() == jsontree.Object {
			content = v.Get("content")
		}
		if c.special[name], err = content.Str(); err != nil {
			return nil, fmt.Errorf("%s: want a string or an object with \"content\", found %.40s", name, v.Raw())
		}
	}
	c.templates, err = parseTemplates(file.Get("chat_template"))
	return c, err
}

// parseTemplates reads chat_template: a string, or a list of named ones.
func parseTemplates(v jsontree.Value) (map[string]string, error) {
	if v.IsNull() {
		return nil, nil
	}
	if one, err := v.Str(); err == nil {
		return map[string]string{"default": one}, nil
	}
	if v.Kind() != jsontree.List {
		return nil, fmt.Errorf("chat_template: want a string or a list of named ones, found %.40s", v.Raw())
	}
	all := map[string]string{}
	for i, item := range v.Items() {
		name, err := item.Get("name").Str()
		if err == nil {
			all[name], err = item.Get("template").Str()
		}
		if err != nil {
			return nil, fmt.Errorf("chat_template[%d]: want an object with \"name\" and \"template\", both strings", i)
		}
	}
	return all, nil
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
