package data

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
)

// unknownFormat says what is missing from a row.
func unknownFormat(o object) error {
	err := missing(o)
	if m := guessColumns(o); m != "" {
		return hint.Newf(err, "--map %s", m)
	}
	return err
}

func missing(o object) error {
	for _, pair := range [][2]string{{"prompt", "completion"}, {"instruction", "output"}} {
		for i, name := range pair {
			if o.has(name) {
				return fmt.Errorf("%q without %q; found %s", name, pair[1-i], o.names())
			}
		}
	}
	return errors.New(`neither "messages", "prompt" and "completion", nor "text"; found ` + o.names())
}

// A guess is column names seen in public data sets for a field, best first.
type guess struct {
	field string
	names []string
}

// guesses are the fields of a format together, the first two needed.
var guesses = [][]guess{
	{{"output", []string{"response", "answer", "completion", "target"}}, {"instruction", []string{"instruction"}}, {"input", []string{"context"}}},
	{{"prompt", []string{"prompt", "question", "query", "input", "source"}}, {"completion", []string{"completion", "answer", "response", "output", "target", "summary"}}},
	{{"messages", []string{"dialog", "dialogue", "chat"}}},
	{{"text", []string{"content", "document", "body"}}},
}

// guessColumns proposes a value for map, or nothing.
func guessColumns(o object) string {
	for _, format := range guesses {
		var list []string
		for k, g := range format {
			i := slices.IndexFunc(g.names, o.has)
			if i < 0 && k < 2 {
				list = nil
				break
			}
			if i >= 0 && g.names[i] != g.field {
				list = append(list, g.field+"="+g.names[i])
			}
		}
		if len(list) > 0 {
			return strings.Join(list, ",")
		}
	}
	return ""
}
