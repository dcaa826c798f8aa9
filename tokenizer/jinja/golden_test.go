package jinja

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"
)

// goldenCase is a template with what jinja2 makes of it: a text, or an error with its
// line. The message is "" where ours may be another.
type goldenCase struct {
	source, text, kind, message string
	line                        int
}

func (c *goldenCase) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&c.source, &c.text, &c.kind, &c.line, &c.message})
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

func render(source string, variables map[string]Value) (string, error) {
	tpl, err := Parse("t", source)
	if err != nil {
		return "", err
	}
	out, err := tpl.Render(variables, nil)
	return out.String, err
}

func (c goldenCase) run(t *testing.T, variables map[string]Value) {
	t.Helper()
	text, err := render(c.source, variables)
	if c.kind == "" {
		if err != nil || text != c.text {
			t.Errorf("%s\nfound %q %v\nwant  %q", c.source, text, err, c.text)
		}
		return
	}
	var e *Error
	if !errors.As(err, &e) || e.Kind != c.kind || e.Line != c.line || c.message != "" && e.Message != c.message {
		t.Errorf("%s\nfound %q, error %+v\nwant line %d: %s: %s", c.source, text, e, c.line, c.kind, c.message)
	}
}

// TestGolden has a group of cases for each filter, test, operator, method and statement.
func TestGolden(t *testing.T) {
	vars := variables(t)
	for file, most := range map[string]int{"filters": 50, "tests": 30, "operators": 20, "methods": 40, "statements": 20} {
		var groups map[string][]goldenCase
		readJSON(t, "testdata/golden/"+file+".json", &groups)
		if len(groups) < most {
			t.Errorf("%s: %d groups", file, len(groups))
		}
		for name, cases := range groups {
			t.Run(file+"/"+name, func(t *testing.T) {
				if len(cases) == 0 {
					t.Fatal("no cases")
				}
				for _, c := range cases {
					c.run(t, vars)
				}
			})
		}
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
		c.run(t, vars)
	}
}
