package parquet

import (
	"errors"
	"fmt"
	"strings"
)

// maxDepth bounds how deep groups may be nested.
const maxDepth = 64

// A shape is how a node becomes JSON.
type shape int

const (
	leafShape shape = iota
	structShape
	listShape // its one child is the element
	mapShape  // its children are key and value
)

// A node is a column or a part of one. Its levels are Dremel's: the definition level of
// a leaf tells down to which node something is there, its repetition level which of the
// lists around it goes on.
type node struct {
	name     string
	shape    shape
	def      int // definition level from which on it is not null
	rep      int // repetition level of the further elements of a list or map
	children []*node
	column   *column   // of a leaf
	read     []*column // the columns under it that are read; the first tells its levels
	text     []byte    // {"binary":"path"}, what stands for it where none is read
}

// A builder makes a tree of nodes from the schema's flat list.
type builder struct {
	elements []element // those that are left
	columns  []*column // the leaves so far
}

// buildSchema returns the root and the leaves in the order of the row groups' chunks.
func buildSchema(elements []element) (*node, []*column, error) {
	if len(elements) == 0 {
		return nil, nil, errors.New("the footer has no schema")
	}
	root := elements[0]
	if !root.group {
		return nil, nil, errors.New("the schema begins with a value, want a group")
	}
	b := &builder{elements: elements[1:]}
	n, err := b.group(root, "", 0, 0, 0)
	if err == nil && len(b.elements) > 0 {
		err = fmt.Errorf("the schema has %d lines too many", len(b.elements))
	}
	return n, b.columns, err
}

// peek returns the next element without taking it.
func (b *builder) peek() element {
	if len(b.elements) == 0 {
		return element{}
	}
	return b.elements[0]
}

// node builds what the next element begins. def and rep are the levels of what is
// around it, depth the number of groups.
func (b *builder) node(path string, def, rep, depth int) (*node, error) {
	switch {
	case len(b.elements) == 0:
		return nil, errors.New("the schema ends early")
	case depth > maxDepth:
		return nil, fmt.Errorf("the schema is nested more than %d deep", maxDepth)
	}
	e := b.elements[0]
	b.elements = b.elements[1:]
	switch e.repetition {
	case required:
		return b.once(e, path, def, rep, depth)
	case optional:
		return b.once(e, path, def+1, rep, depth)
	case repeated: // a list that is not annotated as one
		element, err := b.once(e, path+"[]", def+1, rep+1, depth)
		return adopt(&node{name: e.name, shape: listShape, def: def, rep: rep + 1}, path, element), err
	}
	return nil, fmt.Errorf("column %q: repetition %d is not supported", path, e.repetition)
}

// once builds e, however often it stands; def and rep count that already.
func (b *builder) once(e element, path string, def, rep, depth int) (*node, error) {
	if !e.group {
		return b.leaf(e, path, def, rep)
	}
	if e.children == 1 && b.peek().repetition == repeated {
		switch {
		case e.annotation.kind == asList:
			return b.list(e, path, def, rep, depth)
		case e.annotation.kind == asMap && b.peek().children == 2:
			return b.mapping(e, path, def, rep, depth)
		}
	}
	return b.group(e, path, def, rep, depth)
}

func (b *builder) leaf(e element, path string, def, rep int) (*node, error) {
	c := &column{path: path, index: len(b.columns), physical: e.physical, length: e.length, maxDef: def, maxRep: rep}
	var err error
	if c.kind, c.append, err = appender(e); err != nil {
		return nil, fmt.Errorf("column %q: %w", path, err)
	}
	b.columns = append(b.columns, c)
	n := &node{name: e.name, shape: leafShape, def: def, column: c}
	if c.append != nil {
		n.read = []*column{c}
	}
	return adopt(n, path), nil
}

func (b *builder) group(e element, path string, def, rep, depth int) (*node, error) {
	if e.children <= 0 || e.children > len(b.elements) {
		return nil, fmt.Errorf("column %q: a group of %d columns, where the schema has %d left", path, e.children, len(b.elements))
	}
	n := &node{name: e.name, shape: structShape, def: def}
	names := map[string]bool{}
	for range e.children {
		name := b.peek().name
		at := strings.TrimPrefix(path+"."+name, ".")
		if names[name] {
			return nil, fmt.Errorf("two columns are named %q", at)
		}
		names[name] = true
		child, err := b.node(at, def, rep, depth+1)
		if err != nil {
			return nil, err
		}
		adopt(n, path, child)
	}
	return n, nil
}

// list builds a LIST. Its one child is repeated; the element is that child's only child,
// or by the format's rules for older files the repeated child itself.
func (b *builder) list(e element, path string, def, rep, depth int) (*node, error) {
	n := &node{name: e.name, shape: listShape, def: def, rep: rep + 1}
	child := b.peek()
	wrapper := child.group && child.children == 1 && child.name != "array" && child.name != e.name+"_tuple"
	b.elements = b.elements[1:]
	var element *node
	var err error
	if wrapper {
		element, err = b.node(path+"[]", def+1, rep+1, depth+1)
	} else {
		element, err = b.once(child, path+"[]", def+1, rep+1, depth+1)
	}
	return adopt(n, path, element), err
}

// mapping builds a MAP: one repeated child with a key and a value.
func (b *builder) mapping(e element, path string, def, rep, depth int) (*node, error) {
	n := &node{name: e.name, shape: mapShape, def: def, rep: rep + 1}
	b.elements = b.elements[1:]
	key, err := b.node(path+".key", def+1, rep+1, depth+1)
	if err != nil {
		return nil, err
	}
	value, err := b.node(path+".value", def+1, rep+1, depth+1)
	if err == nil && key.shape != leafShape {
		err = fmt.Errorf("column %q: map keys are of type %s, want strings or numbers", path, typeOf(key))
	}
	return adopt(n, path, key, value), err
}

// adopt gives n its children, as far as there are any, and the columns under them.
func adopt(n *node, path string, children ...*node) *node {
	for _, child := range children {
		if child != nil {
			n.children = append(n.children, child)
			n.read = append(n.read, child.read...)
		}
	}
	n.text = nil
	if len(n.read) == 0 || n.shape == mapShape && len(n.children[0].read) == 0 {
		n.read = nil
		n.text = append(appendString([]byte(`{"binary":`), path), '}')
	}
	return n
}

// typeOf describes a node to a reader.
func typeOf(n *node) string {
	parts := make([]string, len(n.children))
	for i, child := range n.children {
		parts[i] = typeOf(child)
		if n.shape == structShape {
			parts[i] = child.name + ": " + parts[i]
		}
	}
	inner := strings.Join(parts, ", ")
	switch n.shape {
	case structShape:
		return "struct<" + inner + ">"
	case listShape:
		return "list<" + inner + ">"
	case mapShape:
		return "map<" + inner + ">"
	}
	return n.column.kind
}

// hasBinary reports whether a column under n is not read.
func hasBinary(n *node) bool {
	if n.shape == leafShape {
		return n.column.append == nil
	}
	for _, child := range n.children {
		if hasBinary(child) {
			return true
		}
	}
	return false
}
