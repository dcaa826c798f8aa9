package train

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// setNode gives a setting the value of a YAML node. null leaves it as it is. The
// node's text counts as it stands in the file: 8.5 is no whole number, 010 none of
// the two that YAML's versions make of it, and a folder called 1.50 stays that.
func setNode(v reflect.Value, n ast.Node) error {
	switch n := n.(type) {
	case nil, *ast.NullNode:
		return nil
	case *ast.SequenceNode:
		names, ok := v.Addr().Interface().(*Names)
		if !ok {
			return fmt.Errorf("a list, want %s", wanted(v))
		}
		return setNames(names, n.Values)
	case *ast.MappingNode, *ast.MappingValueNode:
		columns, ok := v.Addr().Interface().(*Columns)
		if !ok {
			return fmt.Errorf("a map, want %s", wanted(v))
		}
		return setColumns(columns, mapping(n))
	}
	text, err := scalar(n)
	if err != nil {
		return err
	}
	if _, number := n.(*ast.IntegerNode); number && n.GetToken().Type != token.IntegerType && v.Kind() != reflect.String {
		return fmt.Errorf("%.60s, want a decimal number without leading zeros", text)
	}
	return setText(v, text)
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

func setNames(names *Names, nodes []ast.Node) error {
	list := make(Names, len(nodes))
	for i, n := range nodes {
		var err error
		if list[i], err = scalar(n); err != nil {
			return fmt.Errorf("entry %d: %w", i+1, err)
		}
	}
	*names = list
	return nil
}

func setColumns(columns *Columns, entries []*ast.MappingValueNode) error {
	m := Columns{}
	for _, e := range entries {
		field, err := scalar(e.Key)
		if err != nil {
			return err
		}
		if m[field], err = scalar(e.Value); err != nil {
			return fmt.Errorf("%.60q: %w", field, err)
		}
	}
	*columns = m
	return m.check()
}

// setText gives a setting the value that a text stands for.
func setText(v reflect.Value, text string) (err error) {
	switch p := v.Addr().Interface().(type) {
	case encoding.TextUnmarshaler:
		return p.UnmarshalText([]byte(text))
	case *string:
		*p = text
	case *int:
		*p, err = strconv.Atoi(text)
	case *uint64:
		*p, err = strconv.ParseUint(text, 10, 64)
	case *float64:
		*p, err = parseFloat(text)
	case *bool:
		*p, err = parseBool(text)
	default:
		panic(fmt.Sprintf("train: a setting of type %v", v.Type()))
	}
	if err != nil {
		return fmt.Errorf("%.60q, want %s", text, wanted(v))
	}
	return nil
}

// parseFloat takes finite decimal numbers.
func parseFloat(text string) (float64, error) {
	x, err := strconv.ParseFloat(text, 64)
	if err == nil && (math.IsInf(x, 0) || math.IsNaN(x) || strings.ContainsAny(text, "xX_")) {
		err = strconv.ErrSyntax
	}
	return x, err
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, strconv.ErrSyntax
}

// wanted says in words what a setting takes.
func wanted(v reflect.Value) string {
	switch v.Addr().Interface().(type) {
	case *Names:
		return "names"
	case *Columns:
		return "field: column pairs"
	case *int:
		return "a whole number"
	case *uint64:
		return "a whole number of at least 0"
	case *float64:
		return "a number"
	case *bool:
		return "true or false"
	}
	return "a plain value"
}
