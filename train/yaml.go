package train

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"example.com/finetune/internal/files"
)

// Bounds on a file of settings, a hundred times what all of them need. The parser's
// memory grows with the square of the nesting, and with that of the keys.
const (
	maxYAML    = 64 << 10 // bytes
	maxTokens  = 4096     // without comments
	maxNesting = 4        // brackets in brackets
)

// ReadYAML sets the settings that the file at path names. An unknown key, a value of
// the wrong type and a key that stands twice are errors with their line, and so is
// what a list of settings has no need of: anchors, aliases, tags, a second document.
func (c *Config) ReadYAML(path string) error {
	text, err := files.Read(path, maxYAML)
	if err != nil {
		return fmt.Errorf("opening the settings: %w", err)
	}
	return c.parseYAML(path, text)
}

func (c *Config) parseYAML(name string, text []byte) error {
	entries, err := yamlEntries(text)
	if err != nil {
		return usage("", "%s:%v", name, err)
	}
	for _, e := range entries {
		line := e.Key.GetToken().Position.Line
		key, err := scalar(e.Key)
		if err != nil {
			return usage("", "%s:%d: a setting's name: %v", name, line, err)
		}
		setting, ok := c.setting(key)
		if !ok {
			advice := ""
			if near := nearest(key, Keys()); near != "" {
				advice = "did you mean " + near + "?"
			}
			return usage(advice, "%s:%d: unknown setting %.60q", name, line, key)
		}
		if err := setNode(setting, e.Value); err != nil {
			return usage("", "%s:%d: %s: %s", name, line, key, strings.TrimPrefix(err.Error(), key+": "))
		}
	}
	return nil
}

// yamlEntries returns the entries of the one mapping in text; none where it is empty.
// Errors begin with the line.
func yamlEntries(text []byte) ([]*ast.MappingValueNode, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if err := checkCharacters(text); err != nil {
		return nil, err
	}
	tokens := lexer.Tokenize(string(text))
	if err := checkTokens(tokens); err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		return nil, yamlError(err)
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if body = doc.Body; body != nil {
			break
		}
	}
	switch body.(type) {
	case nil, *ast.NullNode:
		return nil, nil
	case *ast.MappingNode, *ast.MappingValueNode:
		return mapping(body), nil
	}
	return nil, lineError(body.GetToken(), "want settings, such as lora_r: 8")
}

// checkCharacters refuses bytes that are no text.
func checkCharacters(text []byte) error {
	line := 1
	for rest := text; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && n == 1:
			return fmt.Errorf("%d: invalid UTF-8", line)
		case r == '\n':
			line++
		case unicode.IsControl(r) && r != '\t' && r != '\r':
			return fmt.Errorf("%d: the control character %U", line, r)
		}
		rest = rest[n:]
	}
	return nil
}

// refusedTokens are parts of YAML that settings have no need of.
var refusedTokens = map[token.Type]string{
	token.AnchorType:     "an anchor (&): write the value out, or in quotes",
	token.AliasType:      "an alias (*): write the value out, or in quotes",
	token.TagType:        "a tag (!): write the plain value, or in quotes",
	token.MergeKeyType:   "a merge key (<<): write the settings out",
	token.MappingKeyType: "a key in the form ?: write name: value",
	token.DirectiveType:  "a directive (%): leave it out",
}

// checkTokens holds a file to what is cheap to parse, before it is parsed.
func checkTokens(tokens token.Tokens) error {
	count, depth := 0, 0
	for i, t := range tokens {
		if why, refused := refusedTokens[t.Type]; refused {
			return lineError(t, why)
		}
		switch t.Type {
		case token.CommentType:
			continue
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType:
			if i > 0 && tokens[i-1].Type == token.SequenceEntryType {
				return lineError(t, "a list in a list")
			}
		case token.DocumentHeaderType:
			if count > 0 {
				return lineError(t, "a second document")
			}
		}
		if count++; count > maxTokens {
			return lineError(t, fmt.Sprintf("more than %d words and signs", maxTokens))
		}
		if depth > maxNesting {
			return lineError(t, fmt.Sprintf("brackets nested deeper than %d", maxNesting))
		}
	}
	return nil
}

// mapping returns the entries of a YAML mapping.
func mapping(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

func lineError(t *token.Token, text string) error {
	return fmt.Errorf("%d: %s", t.Position.Line, text)
}

// yamlError is an error of the library without the lines of the file around it.
func yamlError(err error) error {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		return lineError(e.GetToken(), e.GetMessage())
	}
	return fmt.Errorf(" %w", err)
}
