package tokenizer

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"example.com/finetune/internal/files"
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
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	c := &config{special: map[string]string{}, digest: sha256.Sum256(data)}
	for _, name := range specialNames {
		raw := fields[name]
		if isNull(raw) {
			continue
		}
		var s string
		var object struct{ Content *string }
		if json.Unmarshal(raw, &s) != nil {
			if json.Unmarshal(raw, &object) != nil || object.Content == nil {
				return nil, fmt.Errorf("%s: want a string or an object with \"content\", found %.40s", name, raw)
			}
			s = *object.Content
		}
		c.special[name] = s
	}
	var err error
	c.templates, err = parseTemplates(fields["chat_template"])
	return c, err
}

// parseTemplates reads chat_template: a string, or a list of named ones.
func parseTemplates(raw json.RawMessage) (map[string]string, error) {
	if isNull(raw) {
		return nil, nil
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return map[string]string{"default": one}, nil
	}
	var named []struct{ Name, Template *string }
	if json.Unmarshal(raw, &named) != nil {
		return nil, fmt.Errorf("chat_template: want a string or a list of named ones, found %.40s", raw)
	}
	all := map[string]string{}
	for i, n := range named {
		if n.Name == nil || n.Template == nil {
			return nil, fmt.Errorf(`chat_template[%d]: "name" or "template" is missing`, i)
		}
		all[*n.Name] = *n.Template
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
