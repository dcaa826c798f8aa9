package recipe

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
)

// A Node is a value in a YAML file whose text counts as it is typed, as that of every
// setting does. The zero value is one that is left out.
type Node struct{ node ast.Node }

// An Entry is a key of a mapping in a YAML file, and its value.
type Entry struct {
	Key   string
	Line  int
	Value Node
}

// ReadEntries reads a YAML file that holds one mapping. Its errors are mistakes of usage.
func ReadEntries(path string) ([]Entry, error) {
	text, err := files.Read(path, maxYAML)
	if err != nil {
		return nil, fmt.Errorf("opening the settings: %w", err)
	}
	list, err := yamlEntries(text)
	if err == nil {
		var entries []Entry
		if entries, err = entriesOf(list); err == nil {
			return entries, nil
		}
	}
	return nil, hint.New(hint.Usagef("%s:%w", path, err), hint.Of(err))
}

func entriesOf(list []*ast.MappingValueNode) ([]Entry, error) {
	var entries []Entry
	for _, e := range list {
		line := e.Key.GetToken().Position.Line
		key, err := scalar(e.Key)
		if err != nil {
			return nil, fmt.Errorf("%d: a name: %w", line, err)
		}
		entries = append(entries, Entry{key, line, Node{e.Value}})
	}
	return entries, nil
}

// Line returns the line that the value begins in, 0 for none.
func (n Node) Line() int {
	if n.Empty() {
		return 0
	}
	return n.node.GetToken().Position.Line
}

// Empty reports whether there is no value, or null.
func (n Node) Empty() bool {
	_, null := n.node.(*ast.NullNode)
	return n.node == nil || null
}

// Text returns the text of a plain value.
func (n Node) Text() (text string, ok bool) {
	if n.Empty() {
		return "", false
	}
	text, err := scalar(n.node)
	return text, err == nil
}

// List returns the values of a list.
func (n Node) List() (list []Node, ok bool) {
	s, ok := n.node.(*ast.SequenceNode)
	if !ok {
		return nil, false
	}
	for _, v := range s.Values {
		list = append(list, Node{v})
	}
	return list, true
}

// Entries returns the entries of a mapping.
func (n Node) Entries() (entries []Entry, ok bool, err error) {
	switch n.node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		entries, err = entriesOf(mapping(n.node))
		return entries, true, err
	}
	return nil, false, nil
}

// SetNode gives a setting the value of a node, as a file of settings does; null leaves it
// as it is.
func (c *Config) SetNode(key string, n Node) error {
	if n.node == nil {
		return nil
	}
	return c.setNode(key, n.node)
}

// SetEntries sets the settings of a mapping in the file called name. All mistakes are
// reported together, by their lines.
func (c *Config) SetEntries(name string, entries []Entry) error {
	var found []error
	seen := spellings{}
	for _, e := range entries {
		err := seen.add(e.Key)
		if err == nil {
			err = c.SetNode(e.Key, e.Value)
		}
		if err != nil {
			found = append(found, hint.New(hint.Usagef("%s:%d: %w", name, e.Line, err), hint.Of(err)))
		}
	}
	return hint.Join(found)
}

// Together makes one error of several mistakes of a file: each in its own line with its
// advice, the first ten of them.
func Together(found []error) error { return hint.Join(found) }
