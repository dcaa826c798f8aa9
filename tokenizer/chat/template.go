package chat

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/jsontree"
	"example.com/finetune/tokenizer"
	"example.com/finetune/tokenizer/jinja"
)

const maxFile = 1 << 28 // bytes of tokenizer_config.json, which may hold a vocabulary's added tokens

// Template is a model's chat template. It may be used by several goroutines.
type Template struct {
	source  string // where it comes from, for errors
	sources map[string]string
	date    time.Time
	named   map[string]string // bos_token and the like
	chat    *jinja.Template
	toolUse *jinja.Template // for conversations with tools, where the model has one
}

// Load gives the chat template of the model in dir: with override "auto" its own
// (chat_template.jinja, else the one in tokenizer_config.json), with "none" none, else
// the one in the file override. Templates that ask for the date are told this one.
// Without a template the result is nil, and so is the error.
func Load(dir, override string, date time.Time, t *tokenizer.Tokenizer) (*Template, error) {
	tpl := &Template{date: date, named: t.NamedTokens()}
	var err error
	switch override {
	case "none":
		return nil, nil
	case "auto", "":
		tpl.sources, tpl.source, err = ownTemplates(dir)
	default:
		tpl.source = override
		tpl.sources, err = templateFile(override)
		if errors.Is(err, os.ErrNotExist) {
			err = hint.New(fmt.Errorf("chat_template: %s: not found", override), "chat_template is auto, none or a file")
		}
	}
	if err != nil || len(tpl.sources) == 0 {
		return nil, err
	}
	return tpl, tpl.parse()
}

func (tpl *Template) parse() (err error) {
	source, ok := tpl.sources["default"]
	if !ok {
		return fmt.Errorf("%s: chat_template: none of the templates is named \"default\"; found %q",
			tpl.source, slices.Sorted(maps.Keys(tpl.sources)))
	}
	if tpl.chat, err = jinja.Parse(tpl.source+": chat template", source); err != nil {
		return err
	}
	if source, ok := tpl.sources["tool_use"]; ok {
		tpl.toolUse, err = jinja.Parse(tpl.source+`: chat template "tool_use"`, source)
	}
	return err
}

func templateFile(path string) (map[string]string, error) {
	data, err := files.Read(path, maxFile)
	if err != nil {
		return nil, err
	}
	return map[string]string{"default": string(data)}, nil
}

// ownTemplates are the model's: files go before tokenizer_config.json.
func ownTemplates(dir string) (sources map[string]string, from string, err error) {
	from = filepath.Join(dir, "chat_template.jinja")
	sources, err = templateFile(from)
	if errors.Is(err, os.ErrNotExist) {
		from = filepath.Join(dir, "tokenizer_config.json")
		sources, err = configTemplates(from)
		return sources, from, err
	}
	if err != nil {
		return nil, from, err
	}
	more, err := templateFile(filepath.Join(dir, "additional_chat_templates", "tool_use.jinja"))
	if err == nil {
		sources["tool_use"] = more["default"]
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, from, err
	}
	return sources, from, nil
}

// configTemplates reads chat_template of tokenizer_config.json: a string, or a list of
// named ones.
func configTemplates(path string) (map[string]string, error) {
	data, err := files.Read(path, maxFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	config, err := jsontree.Parse(string(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	v := config.Get("chat_template")
	switch v.Kind() {
	case jsontree.Absent, jsontree.Null:
		return nil, nil
	case jsontree.String:
		one, err := v.Str()
		return map[string]string{"default": one}, err
	case jsontree.List:
	default:
		return nil, fmt.Errorf("%s: chat_template: %w", path, v.Wrong("a string or a list of named ones"))
	}
	all := map[string]string{}
	for i, item := range v.Items() {
		name, err1 := item.Get("name").Str()
		text, err2 := item.Get("template").Str()
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf(`%s: chat_template[%d]: want an object with the strings "name" and "template"`, path, i)
		}
		all[name] = text
	}
	return all, nil
}

// Mentions reports whether a word stands in the template: it does not read a key of a
// message that it does not mention, unless it writes messages as a whole.
func (tpl *Template) Mentions(word string) bool {
	words := []string{word}
	if slices.Contains(reasoningNames, word) { // each stands for all of them
		words = reasoningNames
	}
	for _, word := range words {
		for _, name := range []string{"default", "tool_use"} {
			if spells(tpl.sources[name], word) {
				return true
			}
		}
	}
	return false
}

// spells looks for a word with no other letters around it.
func spells(text, word string) bool {
	letter := func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }
	for word != "" {
		before, after, found := strings.Cut(text, word)
		if !found {
			break
		}
		last, _ := utf8.DecodeLastRuneInString(before)
		next, _ := utf8.DecodeRuneInString(after)
		if !letter(last) && !letter(next) {
			return true
		}
		text = after
	}
	return false
}

// Digest identifies what the template makes of a conversation: its sources, and the
// date where one of them shows it.
func (tpl *Template) Digest() [sha256.Size]byte {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(tpl.sources)) {
		source := tpl.sources[name]
		fmt.Fprintf(h, "%q %q\n", name, source)
		if strings.Contains(source, "strftime_now") {
			fmt.Fprintf(h, "date %d\n", tpl.date.UnixNano())
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}
