package recipe

import (
	"strings"
	"testing"
)

// A score reads the same from a word, a map of a file and a map in braces, and comes back
// from run.yaml and from a text as it was.
func TestScore(t *testing.T) {
	for _, c := range []struct{ yaml, text string }{
		{"score: number", "number"},
		{"score: {kind: number}", "number"},
		{"score: none", "none"},
		{"score:\n  kind: regex\n  pattern: '#### (.*)'\n", "regex:#### (.*)"},
		{"score: {kind: choice, choices: [yes, no]}", "choice:yes,no"},
		{"score: {kind: choice, choices: ['a, b', c]}", `{"kind":"choice","choices":["a, b","c"]}`},
		{"score: {kind: json, keys: [a], max_tokens: 64, samples: 7}", `{"kind":"json","keys":["a"],"max_tokens":64,"samples":7}`},
		{`score: {kind: choice, choices: ["yes, please", no]}`, `{"kind":"choice","choices":["yes, please","no"]}`},
		{"score: '{kind: number, max_tokens: 64}'", `{"kind":"number","max_tokens":64}`},
	} {
		d := Default()
		if err := d.parseYAML("run.yaml", []byte(c.yaml)); err != nil || d.Text("score") != c.text {
			t.Errorf("%s: %s, %v", c.yaml, d.Text("score"), err)
		}
		text, err := d.YAML()
		if err != nil {
			t.Fatal(err)
		}
		back, set := Default(), Default()
		if err := back.parseYAML("run.yaml", text); err != nil || back.Text("score") != c.text {
			t.Errorf("%s: %s comes back: %v", c.yaml, back.Text("score"), err)
		}
		if err := set.Set("score", c.text); err != nil || set.Text("score") != c.text {
			t.Errorf("%s: set as %s: %v", c.text, set.Text("score"), err)
		}
	}
	for yaml, want := range map[string]string{
		"score: {kind: numbers}":                    `run.yaml:1: score: "numbers", want one of exact`,
		"score: numbers":                            `run.yaml:1: score is "numbers", want one of exact`,
		"score: {kind: choice, choices: [a, b, a]}": "choice of a, b, a: one of them stands twice",
		"score: {number: 1}":                        `"number" is no part of it`,
		"score: {pattern: (a)}":                     "no kind",
		"score: {kind: number, pattern: a}":         "a pattern, and the kind is number",
		"score: {kind: number, max_tokens: 0}":      `max_tokens is "0", want a count of at least 1`,
		"score: {kind: choice}":                     "choice without two answers",
		"score: {kind: [a, b]}":                     "kind is a list, want one value",
		"score: {kind: {a: b}}":                     "kind: want a plain value",
		"score: '{kind'":                            "want a map such as",
	} {
		d := Default()
		if err := d.parseYAML("run.yaml", []byte(yaml)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", yaml, err, want)
		}
	}
}
