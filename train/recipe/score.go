package recipe

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"example.com/finetune/internal/hint"
	"example.com/finetune/train/score"
)

// Score says how the answers to validation rows are scored: a word, such as number or
// regex:PATTERN, or a map of kind, pattern, choices, keys, max_tokens and samples.
type Score struct{ score.Score }

// UnmarshalText reads a word, or the map in braces.
func (s *Score) UnmarshalText(text []byte) error {
	if !strings.HasPrefix(string(text), "{") {
		return s.Score.UnmarshalText(text)
	}
	entries, err := yamlEntries(text)
	if err != nil {
		return fmt.Errorf("%.60q, want a map such as {kind: number, max_tokens: 64}", text)
	}
	return s.setEntries(entries)
}

// setEntries reads the map of a file.
func (s *Score) setEntries(entries []*ast.MappingValueNode) error {
	fields := map[string][]string{}
	for _, e := range entries {
		key, err := scalar(e.Key)
		if err != nil {
			return err
		}
		values := []ast.Node{e.Value}
		if list, ok := e.Value.(*ast.SequenceNode); ok {
			values = list.Values
		}
		for _, v := range values {
			text, err := scalar(v)
			if err != nil {
				return hint.New(fmt.Errorf("%s: %w", key, err), hint.Of(err))
			}
			fields[key] = append(fields[key], text)
		}
	}
	return s.Set(fields)
}

// MarshalYAML returns the text, which reads back as it is.
func (s Score) MarshalYAML() (any, error) { return s.String(), nil }
