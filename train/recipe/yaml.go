package recipe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
)

const maxYAML = 64 << 10 // bytes of a file of settings, a hundred times what all of them need

// ReadYAML sets the settings that the file at path names. All mistakes of a file are
// reported together, by their lines.
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
		return hint.New(hint.Usagef("%s:%w", name, err), hint.Of(err))
	}
	var found []error
	seen := spellings{}
	for _, e := range entries {
		line := e.Key.GetToken().Position.Line
		key, err := scalar(e.Key)
		if err != nil {
			err = hint.Usagef("a setting's name: %w", err)
		} else if err = seen.add(key); err == nil {
			err = c.setNode(key, e.Value)
		}
		if err != nil {
			found = append(found, hint.New(hint.Usagef("%s:%d: %w", name, line, err), hint.Of(err)))
		}
	}
	return hint.Join(found)
}

// spellings are the settings of a file, by the names that it has for them.
type spellings map[string]string

// add returns an error for a setting that was named before, though by another name.
func (n spellings) add(key string) error {
	name := Name(key)
	if before, ok := n[name]; ok {
		return hint.Usagef("duplicate key: %s is %s, which the file has as %s", key, name, before)
	}
	n[name] = key
	return nil
}

// yamlEntries returns the entries of the one mapping in text; none where it is empty.
// Errors begin with the line.
func yamlEntries(text []byte) ([]*ast.MappingValueNode, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	for i, line := range bytes.Split(text, []byte("\n")) {
		if !utf8.Valid(line) || bytes.IndexByte(line, 0) >= 0 { // as some editors save "Unicode"
			return nil, hint.New(fmt.Errorf("%d: not UTF-8", i+1), "save the file as UTF-8")
		}
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, yamlError(err)
	}
	var body ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case body != nil:
			return nil, lineError(doc.Body, "a second document")
		default:
			body = doc.Body
		}
	}
	switch body.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
		return nil, nil
	case *ast.MappingNode, *ast.MappingValueNode:
		return mapping(body), nil
	}
	return nil, lineError(body, "want settings, such as lora_r: 8")
}

// setNode sets a setting to a YAML node; null leaves it as it is. The node's text
// counts as it stands in the file, so that a folder called 1.50 stays that.
func (c *Config) setNode(key string, n ast.Node) error {
	switch n := n.(type) {
	case nil, *ast.NullNode:
		return nil
	case *ast.SequenceNode:
		list := make([]string, len(n.Values))
		for i, entry := range n.Values {
			text, err := scalar(entry)
			if err != nil {
				return c.set(key, n)
			}
			list[i] = text
		}
		return c.set(key, list)
	case *ast.MappingNode, *ast.MappingValueNode:
		if Name(key) == "score" {
			return c.setScore(n)
		}
		m := map[string]string{}
		for _, e := range mapping(n) {
			field, err := scalar(e.Key)
			if err != nil {
				return c.set(key, n)
			}
			if m[field], err = scalar(e.Value); err != nil {
				return c.set(key, n)
			}
		}
		return c.set(key, m)
	}
	text, err := scalar(n)
	if err != nil {
		return c.set(key, n)
	}
	return c.set(key, text)
}

// setScore sets the score to a map.
func (c *Config) setScore(n ast.Node) error {
	if err := c.Score.setEntries(mapping(n)); err != nil {
		return hint.New(hint.Usagef("score: %w", err), hint.Of(err))
	}
	return nil
}

// scalar returns the text of a node that is neither list nor map.
func scalar(n ast.Node) (string, error) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, nil
	}
	return "", errors.New("want a plain value")
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

func lineError(n ast.Node, text string) error {
	return fmt.Errorf("%d: %s", n.GetToken().Position.Line, text)
}

// yamlError is an error of the library without the lines of the file around it.
func yamlError(err error) error {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		return fmt.Errorf("%d: %s", e.GetToken().Position.Line, e.GetMessage())
	}
	return fmt.Errorf(" %w", err)
}

// YAML returns the settings as a file that runs them again, without what one start
// does.
func (c *Config) YAML() ([]byte, error) {
	var list yaml.MapSlice
	once := keysOf[Start]()
	for _, key := range Keys() {
		if v, _ := c.value(key); !slices.Contains(once, key) {
			list = append(list, yaml.MapItem{Key: key, Value: v.Interface()})
		}
	}
	return yaml.MarshalWithOptions(list, yaml.CustomMarshaler(plainFloat), yaml.CustomMarshaler(quoted))
}

// plainFloat writes 1e-08 as 1.0e-08: without the point YAML 1.1 reads a text.
func plainFloat(v float64) ([]byte, error) {
	s := strconv.FormatFloat(v, 'g', -1, 64)
	if e := strings.IndexByte(s, 'e'); e >= 0 && !strings.Contains(s, ".") {
		s = s[:e] + ".0" + s[e:]
	}
	return []byte(s), nil
}

// plainText are the texts that no version of YAML takes for anything but a text.
var plainText = regexp.MustCompile(`^(\.{0,2}/)?[A-Za-z_][A-Za-z0-9_./-]*$`)

// yamlWords are those that some version of YAML takes for something else.
var yamlWords = []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}

// quoted writes a text in quotes where it needs them. The library's own choice loses
// line breaks.
func quoted(s string) ([]byte, error) {
	if plainText.MatchString(s) && !slices.Contains(yamlWords, strings.ToLower(s)) {
		return []byte(s), nil
	}
	return json.Marshal(s)
}
