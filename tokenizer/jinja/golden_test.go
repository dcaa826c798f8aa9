package jinja

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// goldenCase is a template with what jinja2 makes of it: a text, or an error.
type goldenCase struct {
	Source, Error string
	Text          *string
}

func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// variables are those that testdata/golden.py renders with.
func variables(t testing.TB) map[string]Value {
	t.Helper()
	data, err := os.ReadFile("testdata/variables.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := FromJSON(data, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]Value{"strftime_now": StrftimeNow(time.Date(2024, 7, 6, 9, 5, 3, 0, time.UTC))}
	d := v.(*Dict)
	for _, name := range d.Keys() {
		all[name], _ = d.Get(name)
	}
	return all
}

// render gives a text, or an error as Python spells it.
func render(source string, variables map[string]Value) (text, failure string) {
	tpl, err := Parse("t", source)
	var out Text
	if err == nil {
		out, err = tpl.Render(variables, nil)
	}
	var e *Error
	if errors.As(err, &e) {
		return "", e.Kind + ": " + e.Message
	} else if err != nil {
		return "", err.Error()
	}
	return out.String, ""
}

func compare(t *testing.T, c goldenCase, variables map[string]Value) {
	t.Helper()
	text, failure := render(c.Source, variables)
	switch {
	case c.Text == nil && failure != c.Error:
		t.Errorf("%s\nfound %q, error %s\nwant error %s", c.Source, text, failure, c.Error)
	case c.Text != nil && (failure != "" || text != *c.Text):
		t.Errorf("%s\nfound %q %s\nwant  %q", c.Source, text, failure, *c.Text)
	}
}

func TestGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/golden/*.json")
	if err != nil || len(paths) < 150 {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	vars := variables(t)
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			var cases []goldenCase
			readJSON(t, path, &cases)
			if len(cases) == 0 {
				t.Fatal("no cases")
			}
			for _, c := range cases {
				compare(t, c, vars)
			}
		})
	}
}

// TestRandomTemplates compares templates of a grammar; testdata/golden.py makes
// others from another seed.
func TestRandomTemplates(t *testing.T) {
	var cases []goldenCase
	readJSON(t, "testdata/random.json", &cases)
	if len(cases) < 100 {
		t.Fatalf("%d templates", len(cases))
	}
	vars := variables(t)
	for _, c := range cases {
		compare(t, c, vars)
	}
}
